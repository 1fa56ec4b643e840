//! Resource Manager as the checks see it: perhaps not there, perhaps not allowed, and then the rest goes on.

use super::cures::{READER, register, word};
use super::kinds::Kind;
use crate::azure::management::{Management, ManagementError};
use crate::hosts::checks::{Check, Cure};
use futures_util::future::BoxFuture;
use futures_util::{StreamExt as _, stream};
use serde_json::Value as Json;
use std::sync::Arc;
use std::time::Duration;

/// Things that are looked at at the same time.
const AT_ONCE: usize = 4;
/// No question is waited for longer, its tries included.
const WAIT: Duration = Duration::from_secs(40);

pub(super) const SUBSCRIPTIONS: &str = "2022-12-01";
pub(super) const PROVIDERS: &str = "2021-04-01";
pub(super) const CLUSTERS: &str = "2025-03-31";
pub(super) const SETTINGS: &str = "2021-05-01-preview";
pub(super) const WORKSPACES: &str = "2025-07-01";
pub(super) const STORAGE: &str = "2025-06-01";
pub(super) const SITES: &str = "2025-03-01";

/// Resource Manager, or why nobody can ask it.
pub(super) type Arm = Result<Arc<Management>, String>;

/// All of these, a few at the same time, in their order.
pub(super) async fn few<T: Send>(work: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    stream::iter(work).buffered(AT_ONCE).collect().await
}

/// An answer in time.
pub(super) async fn in_time<T>(
    asking: impl Future<Output = Result<T, ManagementError>> + Send,
) -> Result<T, ManagementError> {
    let late = |_| ManagementError::Unavailable(format!("no answer within {} s", WAIT.as_secs()));
    tokio::time::timeout(WAIT, Box::pin(asking)).await.map_err(late)?
}

/// A text at a path of an answer.
pub(super) fn text<'j>(json: &'j Json, pointer: &str) -> Option<&'j str> {
    json.pointer(pointer).and_then(Json::as_str).filter(|text| !text.is_empty())
}

/// What a question that was not answered means. `instead`: what whoever has the right would run.
pub(super) fn trouble(
    kind: &Kind,
    error: &ManagementError,
    subscription: Option<&str>,
    instead: Option<&str>,
) -> Check {
    let with = |cure: Cure| match instead {
        Some(command) => cure.and_az(command),
        None => cure,
    };
    match error {
        ManagementError::NotRegistered { namespace } => {
            kind.fail(error.to_string()).cure(register(namespace, subscription))
        }
        ManagementError::Denied { action, .. } => {
            let what = match action {
                Some(action) => format!("this identity may not do `{action}`"),
                None => "this identity may not read it".to_owned(),
            };
            let role = READER.name;
            kind.warn(format!("cannot be seen: {what}"))
                .cure(with(Cure::text(format!("whoever has the role {role} on it can look"))))
        }
        ManagementError::NotFound(_) => kind.fail("it is not there"),
        ManagementError::Throttled { .. }
        | ManagementError::Unavailable(_)
        | ManagementError::Unreadable(_)
        | ManagementError::Refused(_)
        | ManagementError::NoToken(_)
        | ManagementError::TokenRefused(_) => {
            kind.warn(format!("cannot be seen: {error}")).cure(with(Cure::text("try again")))
        }
    }
}

/// `az resource show` of a thing.
pub(super) fn show(id: &str) -> String {
    format!("az resource show --ids {}", word(id))
}
