//! Subscriptions: which there are to look at, whether they can be read, and which resource providers they may use.

use super::arm::{Arm, PROVIDERS, SUBSCRIPTIONS, few, in_time, text, trouble};
use super::cures::{register, word};
use super::kinds::{PROVIDER, SUBSCRIPTION};
use crate::azure::management::{Management, ManagementError, is_guid};
use crate::hosts::checks::{Check, Cure};
use futures_util::future::BoxFuture;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// Subscriptions that are looked at without being named.
const MOST: usize = 20;

/// A subscription, as far as it can be seen.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub(super) id: String,
    /// Whether anybody named it: by a flag, a resource's id or the configuration.
    pub(super) named: bool,
    checks: Vec<Check>,
}

/// Subscriptions to look at.
#[derive(Clone, Debug, Default)]
pub(super) struct Subscriptions {
    pub(super) all: Vec<Subscription>,
    /// What there is to say of none in particular.
    checks: Vec<Check>,
}

impl Subscriptions {
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|subscription| subscription.id.as_str())
    }

    /// The checks of those that matter: that were named, or have a thing in them; all, if none has.
    pub(super) fn checks(&self, used: &BTreeSet<String>) -> Vec<Check> {
        let matters = |s: &&Subscription| s.named || used.contains(&s.id);
        let any = self.all.iter().any(|s| matters(&s));
        let mut checks = self.checks.clone();
        for subscription in self.all.iter().filter(|s| !any || matters(s)) {
            checks.extend(subscription.checks.iter().cloned());
        }
        checks
    }
}

/// Looks at the subscriptions named, or at all that can be read.
pub(super) async fn look(
    arm: &Arm,
    named: &BTreeSet<String>,
    namespaces: &[&str],
) -> Subscriptions {
    let arm = match arm {
        Ok(arm) => arm,
        Err(why) => {
            let checks = vec![SUBSCRIPTION.skipped(why), PROVIDER.skipped(why)];
            return Subscriptions { all: Vec::new(), checks };
        }
    };
    let mut checks = Vec::new();
    let mut ids: Vec<(String, bool)> = named.iter().map(|id| (id.clone(), true)).collect();
    if ids.is_empty() {
        match in_time(arm.list("/subscriptions", SUBSCRIPTIONS)).await {
            Ok(listing) => {
                let mut found: Vec<String> = listing.items.iter().filter_map(id).collect();
                if found.is_empty() {
                    let seen = "this identity can read no subscription: the checks of resources are left out";
                    checks.push(SUBSCRIPTION.warn(seen).cure(Cure::az("az account list --output table").and_text(
                        "whoever has the role Reader on the subscription can run this; or name it with --subscription",
                    )));
                    checks.push(PROVIDER.skipped("no subscription can be read"));
                } else if found.len() > MOST || listing.more {
                    let seen = format!(
                        "there are {}{}; the first {MOST} are looked at",
                        found.len(),
                        if listing.more { " or more" } else { "" }
                    );
                    checks.push(
                        SUBSCRIPTION.warn(seen).cure(Cure::text("name one with --subscription")),
                    );
                    found.truncate(MOST);
                }
                ids.extend(found.into_iter().map(|id| (id, false)));
            }
            Err(error) => {
                checks.push(trouble(&SUBSCRIPTION, &error, None, Some("az account list")));
                checks.push(PROVIDER.skipped("no subscription is known"));
            }
        }
    }
    let looks = ids.into_iter().map(|(id, named)| -> BoxFuture<'_, Subscription> {
        Box::pin(async move {
            let checks = one(arm, &id, namespaces).await;
            Subscription { id, named, checks }
        })
    });
    let all = few(looks.collect()).await;
    Subscriptions { all, checks }
}

fn id(item: &Json) -> Option<String> {
    text(item, "/subscriptionId").filter(|id| is_guid(id)).map(str::to_ascii_lowercase)
}

async fn one(arm: &Management, id: &str, namespaces: &[&str]) -> Vec<Check> {
    let path = format!("/subscriptions/{id}");
    let mut checks = vec![match in_time(arm.get(&path, SUBSCRIPTIONS)).await {
        Ok(json) => {
            let name = text(&json, "/displayName").unwrap_or("without a name");
            match text(&json, "/state") {
                Some("Enabled") | None => SUBSCRIPTION.ok(format!("`{name}` can be read")),
                Some(state) => SUBSCRIPTION.fail(format!("`{name}` is {state}")).cure(
                    Cure::text("a subscription that is not enabled collects nothing")
                        .and_portal("Subscriptions"),
                ),
            }
        }
        Err(error) => {
            let instead = format!("az account show --subscription {}", word(id));
            let check = trouble(&SUBSCRIPTION, &error, Some(id), Some(&instead));
            // Without it, what is in it may be readable all the same.
            match error {
                ManagementError::NotFound(_) => check.cure(Cure::az("az account list")),
                _ => check,
            }
        }
    }];
    for namespace in namespaces {
        checks.push(provider(arm, id, namespace).await);
    }
    checks.into_iter().map(|c| if c.subject.is_none() { c.of(id) } else { c }).collect()
}

async fn provider(arm: &Management, id: &str, namespace: &str) -> Check {
    let path = format!("/subscriptions/{id}/providers/{namespace}");
    let check = match in_time(arm.get(&path, PROVIDERS)).await {
        Ok(json) => match text(&json, "/registrationState") {
            Some("Registered") => PROVIDER.ok("registered"),
            Some("Registering") => {
                PROVIDER.warn("being registered, which takes some minutes").cure(Cure::az(format!(
                    "az provider show --namespace {namespace} --query registrationState"
                )))
            }
            state => PROVIDER
                .fail(format!(
                    "not registered in subscription {id} ({}): nothing of it can be used there",
                    state.unwrap_or("no state given")
                ))
                .cure(register(namespace, Some(id))),
        },
        Err(error) => {
            let instead = format!(
                "az provider show --namespace {namespace} --query registrationState --subscription {}",
                word(id)
            );
            trouble(&PROVIDER, &error, Some(id), Some(&instead))
        }
    };
    check.of(namespace)
}
