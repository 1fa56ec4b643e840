//! Receivers: as far as their doors, and whether hsmwatch has switched one off.

use super::arm::few;
use super::kinds::RECEIVER;
use crate::cli::setup::Setup;
use crate::config::{self, Auth};
use crate::engine::status::words::at;
use crate::engine::status::{ReceiverStatus, Status};
use crate::hosts::checks::{Check, Cure};
use crate::http::HttpTransport;
use crate::notify::Kind;
use crate::ports::TransportError;
use futures_util::future::BoxFuture;
use std::time::Duration;

/// No door is waited at for longer.
const WAIT: Duration = Duration::from_secs(15);

/// Goes to every receiver's door.
pub(super) async fn look(setup: &Setup) -> Vec<Check> {
    let transport = match setup.http_transport() {
        Ok(transport) => transport,
        Err(stop) => return vec![RECEIVER.fail(stop.sentence())],
    };
    let transport = &transport;
    let looks = setup
        .config
        .receivers
        .iter()
        .map(|receiver| -> BoxFuture<'_, Check> { Box::pin(one(transport, receiver)) });
    few(looks.collect()).await
}

async fn one(transport: &HttpTransport, receiver: &config::Receiver) -> Check {
    let reached = tokio::time::timeout(WAIT, Box::pin(transport.reach(&receiver.name))).await;
    let reached = reached.unwrap_or_else(|_| {
        Err(TransportError::Connect(format!("not within {} s", WAIT.as_secs())))
    });
    let kind = receiver.kind().as_str();
    let check = match reached {
        Ok(()) => {
            let by = if receiver.url.loopback { "on this machine" } else { "by TLS" };
            let unsigned = receiver.kind() == Kind::Webhook && receiver.secrets.is_empty();
            let unsigned = if unsigned { "; its alerts are not signed" } else { "" };
            let auth = match (&receiver.auth, receiver.kind().is_desk()) {
                (Auth::None, false) => String::new(),
                // Known by a key in the body, or by a client certificate.
                (Auth::None, true) => "; its key was not tried".to_owned(),
                (auth, _) => format!("; what it signs in with ({}) was not tried", auth.as_str()),
            };
            RECEIVER.ok(format!("{kind}, reached {by}; nothing was sent{auth}{unsigned}"))
        }
        Err(error @ TransportError::Forbidden(_)) => RECEIVER
            .fail(format!("{kind}: {error}"))
            .cure(Cure::text("change its address, or name its network in `allow_networks`")),
        Err(error @ TransportError::Unauthorized(_)) => RECEIVER
            .fail(format!("{kind}: {error}"))
            .cure(Cure::text("set `client_certificate` to a certificate that it accepts, with its chain and key")),
        Err(error) => RECEIVER.fail(format!("{kind}: {error}")).cure(
            Cure::text("see whether its name can be looked up here, and whether a firewall lets connections out")
                .and_az(format!("hsmwatch send-test {}", receiver.name)),
        ),
    };
    check.of(&receiver.name)
}

/// The receivers that are off.
pub(super) fn off(status: &Status) -> Vec<Check> {
    status.receivers.iter().filter(|receiver| !receiver.on).map(switched).collect()
}

fn switched(receiver: &ReceiverStatus) -> Check {
    let since = receiver.off_since.map(|since| format!(" since {}", at(since))).unwrap_or_default();
    let waits = match receiver.open {
        0 => String::new(),
        1 => "; 1 delivery waits".to_owned(),
        n => format!("; {n} deliveries wait"),
    };
    let why = receiver.last_answer.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    RECEIVER
        .warn(format!("it is off{since}, for it refused everything{why}{waits}"))
        .cure(
            Cure::az(format!("hsmwatch receivers on {}", receiver.name))
                .and_text("mend its address or secret, or the receiver, and then switch it on"),
        )
        .of(&receiver.name)
}
