//! The watches: when each last succeeded, from the state alone.

use super::kinds::WATCHES;
use crate::cli::setup::{self, Setup};
use crate::engine::Engine;
use crate::engine::status::words::{Age, at};
use crate::engine::status::{State, Status};
use crate::hosts::checks::{Check, Cure};
use crate::ports::StateStore;
use chrono::{DateTime, Utc};
use std::sync::Arc;
use std::time::Duration;

/// State is not waited for longer.
const WAIT: Duration = Duration::from_secs(30);

/// Reads the status.
pub(super) async fn read(
    setup: &Setup,
    store: Arc<dyn StateStore>,
    now: DateTime<Utc>,
) -> Result<Status, String> {
    let stop = |stop: crate::cli::report::Stop| stop.sentence();
    let engine = Engine::new(
        store,
        setup.transport().map_err(stop)?,
        setup.receivers().map_err(stop)?,
        setup.timing(),
        setup.config.silent_after,
        setup::instance(),
    );
    let watches = setup.watches().map_err(stop)?;
    match tokio::time::timeout(WAIT, Box::pin(engine.status(&watches, now))).await {
        Ok(status) => status.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {} s", WAIT.as_secs())),
    }
}

/// What there is to say of them.
pub(super) fn checks(status: &Status, now: DateTime<Utc>) -> Vec<Check> {
    let mut checks = Vec::new();
    let Some(last) = status.last_tick else {
        let seen = "hsmwatch has not run yet with this state: nothing is watched";
        return vec![
            WATCHES.warn(seen).cure(
                Cure::az("hsmwatch run --once")
                    .and_text("or wait for the first tick of the function app"),
            ),
        ];
    };
    let well = status.watches.iter().filter(|watch| !watch.attention).count();
    let known = status.watches.len();
    let seen = format!(
        "last run {} ago; {well} of {known} watches are looked after",
        Age::since(last, now)
    );
    checks.push(if well == known { WATCHES.ok(seen) } else { WATCHES.warn(seen) });
    for watch in status.watches.iter().filter(|watch| watch.attention) {
        let success = watch.last_success.map_or_else(
            || "never succeeded".to_owned(),
            |t| format!("last succeeded {} ago", Age::since(t, now)),
        );
        let says = watch.state.says().map(|says| format!("; {says}")).unwrap_or_default();
        let seen = format!("{}, {success}{says}", watch.state.word());
        let of = format!("{} on {}", watch.rule, watch.workspace);
        let check = match &watch.state {
            State::NotStarted => {
                WATCHES.warn(seen).cure(Cure::text("it begins with the next tick"))
            }
            State::Overdue { .. } => WATCHES.fail(seen).cure(
                Cure::text(
                    "nothing runs: look at the timer function `tick`, the daemon or the cron job",
                )
                .and_portal("Function App › Functions › tick › Invocations"),
            ),
            State::Waiting { .. } => WATCHES
                .warn(seen)
                .cure(Cure::text("see the checks of the diagnostic setting and of the table")),
            State::Unreadable => WATCHES.fail(seen).cure(Cure::az("hsmwatch status")),
            State::Failing { .. } | State::Throttled { .. } | State::Fine | State::UnknownRule => {
                WATCHES.fail(seen).cure(Cure::az(format!("hsmwatch query --rule {}", watch.rule)))
            }
        };
        checks.push(check.of(of));
    }
    for document in &status.unreadable {
        checks.push(
            WATCHES.fail(format!("`{}` cannot be read: {}", document.document, document.why)),
        );
    }
    for told in status.conditions.iter().filter(|told| told.stands) {
        checks.push(
            WATCHES
                .warn(format!(
                    "told and not over: {}, since {}",
                    told.condition.as_str(),
                    at(told.since)
                ))
                .cure(Cure::az("hsmwatch status"))
                .of(&told.subject),
        );
    }
    checks
}
