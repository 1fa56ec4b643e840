//! Logs of a container into which a diagnostic setting archives them: listed, and fetched some at a time while they are read.

use super::super::report::{Stop, progress};
use super::super::{runtime, setup};
use crate::azure::remote::{Bytes, Remote, RemoteError, Stored};
use crate::config::ContainerPlace;
use crate::local::files::FilesError;
use crate::local::files::archive::Input;
use crate::watch::alert::Interval;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures_util::{StreamExt as _, pin_mut};
use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Blobs that are fetched at once.
const AT_ONCE: usize = 16;
/// Pieces of a blob that wait to be read.
const AHEAD: usize = 4;
/// A record is archived in the blob of its hour; clocks may differ.
const BEFORE: TimeDelta = TimeDelta::hours(1);
/// Records that were long on their way may be in the blob of a later hour.
const AFTER: TimeDelta = TimeDelta::days(2);

/// A container, or a folder in it, with what was found there.
pub(super) struct Container {
    remote: Arc<Remote>,
    runtime: Runtime,
    name: String,
    blobs: Vec<Stored>,
}

impl Container {
    /// Lists the blobs of the period.
    pub(super) fn open(place: &ContainerPlace, within: Interval) -> Result<Self, Stop> {
        let made = setup::container(&place.account_url, &place.container)?;
        let failed = |why: String| Stop::fed(format!("the logs of `{}`: {why}", place.container));
        let remote = Arc::new(made.map_err(|e| failed(e.to_string()))?);
        let runtime = runtime()?;
        progress(format!("listing `{}`", place.container));
        let blobs = runtime
            .block_on(remote.list_logs(&place.prefix, |name| is_of(name, within)))
            .map_err(|e| failed(e.to_string()))?;
        if blobs.is_empty() {
            return Err(failed(format!("no blob of that period has a name that begins with `{}`", place.prefix))
                .hint("blobs are named resourceId=/…/y=2026/m=03/d=01/h=00/m=00/PT1H.json; --from and --to say which days"));
        }
        Ok(Self { remote, runtime, name: place.container.clone(), blobs })
    }

    /// Bytes of all blobs.
    pub(super) fn size(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.size).sum()
    }

    /// The blobs, each as soon as its bytes begin to come.
    pub(super) fn inputs(self) -> impl Iterator<Item = Result<Input, FilesError>> {
        let Self { remote, runtime, name: container, blobs } = self;
        let mut left = blobs.into_iter();
        let mut begun: VecDeque<Input> = VecDeque::new();
        std::iter::from_fn(move || {
            while begun.len() < AT_ONCE {
                let Some(blob) = left.next() else { break };
                let (send, receive) = channel(AHEAD);
                let name = format!("{container}/{}", blob.name);
                runtime.spawn(fetch(Arc::clone(&remote), blob.name, send));
                let bytes = Box::new(Pieces { receive, piece: Bytes::new() });
                begun.push_back(Input { name, bytes });
            }
            begun.pop_front().map(Ok)
        })
    }
}

/// Whether a blob may have records of the period, by the hour in its name. What has none in it is read.
fn is_of(name: &str, within: Interval) -> bool {
    let Some(hour) = hour_of(name) else { return true };
    hour >= within.from.checked_sub_signed(BEFORE + TimeDelta::hours(1)).unwrap_or(within.from)
        && hour < within.to.checked_add_signed(AFTER).unwrap_or(within.to)
}

/// The hour that a name tells: `…/y=2026/m=03/d=01/h=00/m=00/PT1H.json`.
fn hour_of(name: &str) -> Option<DateTime<Utc>> {
    let (_, rest) = name.rsplit_once("/y=")?;
    let mut parts = rest.split('/');
    let year = parts.next()?.parse().ok()?;
    let mut next = |key: &str| parts.next()?.strip_prefix(key)?.parse::<u32>().ok();
    let (month, day, hour) = (next("m=")?, next("d=")?, next("h=")?);
    Some(NaiveDate::from_ymd_opt(year, month, day)?.and_hms_opt(hour, 0, 0)?.and_utc())
}

type Piece = Result<Bytes, RemoteError>;

/// Hands a blob's bytes over until nobody takes them any more.
async fn fetch(remote: Arc<Remote>, name: String, send: Sender<Piece>) {
    let stream = match remote.bytes(&name).await {
        Ok(stream) => stream,
        Err(error) => {
            let _ = send.send(Err(error)).await;
            return;
        }
    };
    pin_mut!(stream);
    while let Some(piece) = stream.next().await {
        if send.send(piece).await.is_err() {
            return;
        }
    }
}

/// A blob's bytes, for who reads without waiting for others.
struct Pieces {
    receive: Receiver<Piece>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receive.blocking_recv() {
                None => return Ok(0),
                Some(piece) => self.piece = piece.map_err(io::Error::other)?,
            }
        }
        let n = self.piece.len().min(into.len());
        let taken = self.piece.split_to(n);
        if let Some(place) = into.get_mut(..n) {
            place.copy_from_slice(&taken);
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_chosen_by_the_hour_in_their_names() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let within = Interval { from: at("2026-03-01T00:00:00Z"), to: at("2026-03-02T00:00:00Z") };
        let id = "resourceId=/SUBSCRIPTIONS/1/y=x/CLOUDHSMCLUSTERS/A";
        for (hour, expected) in [
            ("y=2026/m=02/d=28/h=21/m=00/PT1H.json", false),
            ("y=2026/m=02/d=28/h=22/m=00/PT1H.json", true),
            ("y=2026/m=03/d=01/h=12/m=00/PT1H.json", true),
            ("y=2026/m=03/d=03/h=23/m=00/PT1H.json", true),
            ("y=2026/m=03/d=04/h=00/m=00/PT1H.json", false),
            // Nobody knows.
            ("y=2026/m=13/d=01/h=00/m=00/PT1H.json", true),
            ("y=2026/exports.json", true),
            ("all.json", true),
        ] {
            assert_eq!(is_of(&format!("{id}/{hour}"), within), expected, "{hour}");
        }
    }
}
