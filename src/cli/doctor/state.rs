//! The state store: a document that means nothing is written, read and deleted. No listing of the engine finds it, and nothing
//! else is touched.

use super::cures::{BLOB_CONTRIBUTOR, SOON, assign, word};
use super::identity::Who;
use super::kinds::STATE;
use crate::azure::storage;
use crate::cli::report::Stop;
use crate::cli::setup::{Setup, instance};
use crate::config::State;
use crate::engine::status::words::Age;
use crate::hosts::checks::{Check, Cure};
use crate::ports::{Meta, StateStore, StoreError, When};
use chrono::{DateTime, TimeDelta, Utc};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Where the document is.
const PREFIX: &str = "probe/";
/// No document is waited for longer. A lock is held for as long as a write takes.
const WAIT: Duration = Duration::from_secs(25);
const LOCKED: Duration = Duration::from_secs(6);
/// Whoever wrote so recently is running.
const RUNNING: TimeDelta = TimeDelta::minutes(3);
/// What others left behind is taken away after this.
const LEFT: TimeDelta = TimeDelta::hours(1);

/// What came of it, and the store if there is one to go on with.
pub(super) struct Seen {
    pub(super) check: Check,
    pub(super) store: Option<Arc<dyn StateStore>>,
}

/// Looks at the state of a configuration.
pub(super) async fn look(setup: &Setup, who: Option<&Who>, now: DateTime<Utc>) -> Seen {
    let state = &setup.config.state;
    let place = place(state);
    let done = |check: Check, store| Seen { check: check.of(&place), store };
    if let State::Folder(path) = state
        && !path.exists()
    {
        return done(absent(path), None);
    }
    let store = match setup.store() {
        Ok(store) => store,
        Err(stop) => {
            return done(
                STATE.fail(stop.sentence()).cure(cure(state, &stop_text(&stop), who)),
                None,
            );
        }
    };
    let wait = if matches!(state, State::Folder(_)) { LOCKED } else { WAIT };
    match tokio::time::timeout(wait, Box::pin(probe(store.as_ref(), now))).await {
        Ok(Ok(running)) => {
            let running = running.map_or_else(String::new, |age| {
                format!("; state is in use by a running hsmwatch, which wrote {age} ago")
            });
            done(STATE.ok(format!("written, read and deleted{running}")), Some(store))
        }
        Ok(Err(error)) => {
            let text = error.to_string();
            // What cannot be written may be readable.
            done(STATE.fail(&text).cure(cure(state, &text, who)), Some(store))
        }
        Err(_) if matches!(state, State::Folder(_)) => done(
            STATE
                .warn(format!(
                    "state is in use by a running hsmwatch: its lock was held for {} s",
                    LOCKED.as_secs()
                ))
                .cure(Cure::text(
                    "look again; if it lasts, a process hangs while it holds the lock",
                )),
            Some(store),
        ),
        Err(_) => {
            let why = format!("no answer within {} s", WAIT.as_secs());
            done(STATE.fail(&why).cure(cure(state, &why, who)), None)
        }
    }
}

fn stop_text(stop: &Stop) -> String {
    stop.text().to_owned()
}

/// As people would name it.
fn place(state: &State) -> String {
    match state {
        State::Folder(path) => path.display().to_string(),
        State::Blob { account_url, container, .. } => {
            format!("{}/{container}", storage::account(account_url))
        }
    }
}

/// Writes, reads and deletes a document. Answers how long ago somebody else wrote, if that is a moment.
async fn probe(store: &dyn StateStore, now: DateTime<Utc>) -> Result<Option<String>, StoreError> {
    let name = format!("{PREFIX}doctor-{}", instance());
    let body = format!("hsmwatch doctor, {now}: to be deleted at once").into_bytes();
    let etag = store.write(&name, body.clone(), Meta::new(), When::Absent).await?;
    let read = store.read(&name).await;
    let deleted = store.delete(&name, Some(&etag)).await;
    if read?.is_none_or(|document| document.body != body) {
        let why = "what was written is not what was read: another program uses this place";
        return Err(StoreError::Failed(why.to_owned()));
    }
    deleted?;
    for left in store.list(PREFIX).await? {
        if now - left.modified > LEFT {
            store.delete(&left.name, Some(&left.etag)).await?;
        }
    }
    let latest = store.list("heads/").await?.into_iter().map(|line| line.modified).max();
    Ok(latest.filter(|at| now - *at < RUNNING).map(|at| Age::since(at, now)))
}

/// A folder that is yet to be made: whether it can be.
fn absent(path: &Path) -> Check {
    let above = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let there: Option<PathBuf> = above.ancestors().find(|above| above.is_dir()).map(Path::to_owned);
    let made = there.as_deref().map(tempfile::tempdir_in);
    match made {
        Some(Ok(_)) => STATE.ok("it is not there yet: the first run makes it, and may"),
        Some(Err(error)) => STATE
            .fail(format!("it is not there, and cannot be made: {}", error.kind()))
            .cure(Cure::text("let this user write to the folder above, or name another folder")),
        None => STATE.fail("it is not there, and there is no folder above it"),
    }
}

fn cure(state: &State, text: &str, who: Option<&Who>) -> Cure {
    match state {
        State::Folder(_) => {
            Cure::text("let this user read and write the folder, and see that the disk is not full")
        }
        State::Blob { account_url, container, .. } => {
            if !text.contains(BLOB_CONTRIBUTOR.name) {
                return Cure::text(
                    "see that the account is there, allows this network, and that its name, key or signature is right",
                );
            }
            let account = word(&storage::account(account_url));
            let scope = format!(
                "\"$(az storage account show --name {account} --query id --output tsv)/blobServices/default/containers/{container}\""
            );
            let role = BLOB_CONTRIBUTOR.name;
            Cure::az(assign(BLOB_CONTRIBUTOR, &scope, who))
                .and_portal(format!("Storage account › Containers › {container} › Access Control (IAM) › Add role assignment › {role}"))
                .and_text(format!(
                    "whoever is Owner or Role Based Access Control Administrator there can do it; {SOON}; see also that the account's firewall lets this network in"
                ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::memory::MemoryStore;

    #[tokio::test]
    async fn nothing_is_left_behind() {
        let now = "2026-11-24T12:00:00Z".parse().unwrap();
        let store = MemoryStore::new();
        assert_eq!(probe(&store, now).await, Ok(None));
        assert_eq!(store.list("").await.unwrap(), []);
    }

    #[test]
    fn a_folder_that_is_not_there_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/state");
        let check = absent(&path);
        assert_eq!(check.verdict, crate::hosts::checks::Verdict::Ok, "{check:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
