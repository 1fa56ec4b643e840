//! The Cloud HSMs: named, else those whose records came in, else those that the subscriptions have.

use super::arm::{Arm, CLUSTERS, in_time, show, text, trouble};
use super::kinds::HSM;
use super::subscription::Subscriptions;
use crate::azure::management::{Management, ManagementError, ResourceId};
use crate::hosts::checks::{Check, Cure};
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// The type of a Cloud HSM.
pub(super) const TYPE: &str = "Microsoft.HardwareSecurityModules/cloudHsmClusters";
/// HSMs that are looked at.
const MOST: usize = 20;

/// An HSM, as far as it can be seen.
#[derive(Clone, Debug)]
pub(super) struct Hsm {
    pub(super) id: ResourceId,
    /// Its region, as the service writes it.
    pub(super) region: Option<String>,
    /// Whether it is known to be gone.
    pub(super) gone: bool,
    pub(super) check: Check,
}

/// The HSMs, and what there is to say of none in particular.
#[derive(Clone, Debug, Default)]
pub(super) struct Hsms {
    pub(super) all: Vec<Hsm>,
    pub(super) checks: Vec<Check>,
}

/// Finds the HSMs and looks at each.
pub(super) async fn look(
    arm: &Arm,
    named: &[ResourceId],
    in_records: &BTreeSet<ResourceId>,
    subscriptions: &Subscriptions,
) -> Hsms {
    let mut hsms = Hsms::default();
    let mut ids: Vec<ResourceId> = Vec::new();
    for id in named.iter().chain(in_records.iter().filter(|_| named.is_empty())) {
        if !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    let arm = match arm {
        Ok(arm) => arm,
        Err(why) => {
            hsms.all =
                ids.into_iter().map(|id| unseen(&id, why, in_records.contains(&id))).collect();
            if hsms.all.is_empty() {
                hsms.checks.push(HSM.skipped(why));
            }
            return hsms;
        }
    };
    if ids.is_empty() {
        ids = listed(arm, subscriptions, &mut hsms.checks).await;
    }
    if ids.len() > MOST {
        let seen = format!("there are {}; the first {MOST} are looked at", ids.len());
        hsms.checks.push(HSM.warn(seen).cure(Cure::text("name them with --hsm")));
        ids.truncate(MOST);
    }
    if ids.is_empty() && hsms.checks.is_empty() {
        let check = if subscriptions.all.is_empty() {
            HSM.skipped("no subscription can be read, and no HSM is named")
                .cure(Cure::text("name one with --hsm RESOURCE_ID"))
        } else {
            HSM.fail("there is no Cloud HSM in the subscriptions that can be read").cure(
                Cure::az(format!(
                    "az resource list --resource-type {TYPE} --query \"[].id\" --output tsv"
                ))
                .and_text(
                    "name one with --hsm RESOURCE_ID, or its subscription with --subscription",
                ),
            )
        };
        hsms.checks.push(check);
    }
    for id in ids {
        let seen = in_time(arm.get(id.as_str(), CLUSTERS)).await;
        hsms.all.push(judged(id, &seen, in_records));
    }
    hsms
}

async fn listed(
    arm: &Management,
    subscriptions: &Subscriptions,
    checks: &mut Vec<Check>,
) -> Vec<ResourceId> {
    let mut ids = Vec::new();
    for subscription in subscriptions.ids() {
        let path = format!("/subscriptions/{subscription}/providers/{TYPE}");
        match in_time(arm.list(&path, CLUSTERS)).await {
            Ok(listing) => {
                let found = listing.items.iter().filter_map(|item| text(item, "/id"));
                ids.extend(found.filter_map(ResourceId::parse).filter(|id| id.is(TYPE)));
            }
            // What is not registered has none; the check of the provider says so.
            Err(ManagementError::NotRegistered { .. } | ManagementError::NotFound(_)) => {}
            Err(error) => {
                let instead = format!(
                    "az resource list --resource-type {TYPE} --query \"[].id\" --output tsv"
                );
                let check = trouble(&HSM, &error, Some(subscription), Some(&instead));
                checks.push(check.of(format!("subscription {subscription}")));
            }
        }
    }
    ids
}

fn unseen(id: &ResourceId, why: &str, in_records: bool) -> Hsm {
    let check = if in_records {
        HSM.ok("its records have come in (as a resource it cannot be seen)")
    } else {
        HSM.skipped(why)
    };
    Hsm { id: id.clone(), region: None, gone: false, check: check.of(id.name()) }
}

fn judged(
    id: ResourceId,
    seen: &Result<Json, ManagementError>,
    in_records: &BTreeSet<ResourceId>,
) -> Hsm {
    let region = seen.as_ref().ok().and_then(|json| text(json, "/location")).map(str::to_owned);
    let gone = matches!(seen, Err(ManagementError::NotFound(_)));
    // Logs write ids in lower case; the resource writes its own.
    let own = seen.as_ref().ok().and_then(|json| ResourceId::parse(text(json, "/id")?));
    let id = own.filter(|own| *own == id).unwrap_or(id);
    let check = match seen {
        Ok(json) => {
            let state = text(json, "/properties/provisioningState");
            let activation = text(json, "/properties/activationState");
            let place = format!(
                "resource group `{}`, {}",
                id.group(),
                region.as_deref().unwrap_or("region not given")
            );
            match (state, activation) {
                (
                    Some("Succeeded") | None,
                    Some(activation @ ("NotActivated" | "Disabled" | "Failed")),
                ) => HSM
                    .warn(format!("{place}, provisioned, and {activation}: an HSM that is not activated logs little"))
                    .cure(Cure::text("initialise the cluster, as the tutorial for Azure Cloud HSM shows")),
                (Some("Succeeded") | None, _) => HSM.ok(format!("{place}, provisioned")),
                (Some(state), _) => HSM
                    .warn(format!("{place}, {state}: its provisioning has not come to its end"))
                    .cure(Cure::az(show(id.as_str()))),
            }
        }
        Err(ManagementError::NotFound(_)) => HSM
            .fail(format!("there is no such HSM in resource group `{}`", id.group()))
            .cure(Cure::az(format!(
                "az resource list --resource-type {TYPE} --query \"[].id\" --output tsv"
            ))),
        Err(error) => {
            let check = trouble(&HSM, error, Some(id.subscription()), Some(&show(id.as_str())));
            if in_records.contains(&id) && matches!(error, ManagementError::Denied { .. }) {
                HSM.ok("its records have come in (as a resource this identity may not read it)")
            } else {
                check
            }
        }
    };
    Hsm { check: check.of(id.name()), region, gone, id }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::checks::Verdict;
    use serde_json::json;

    fn id() -> ResourceId {
        let id = format!(
            "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/{TYPE}/hsm-1"
        );
        ResourceId::parse(&id).unwrap()
    }

    #[test]
    fn what_is_said_of_an_hsm() {
        let of = |seen: Result<Json, ManagementError>| judged(id(), &seen, &BTreeSet::new()).check;
        let well = json!({"location": "uksouth", "properties": {"provisioningState": "Succeeded"}});
        let check = of(Ok(well));
        assert_eq!(check.verdict, Verdict::Ok);
        assert_eq!(check.seen, "resource group `rg`, uksouth, provisioned");
        assert_eq!(check.subject.as_deref(), Some("hsm-1"));
        let state = |state: &str| json!({"properties": {"provisioningState": state}});
        assert_eq!(of(Ok(state("Provisioning"))).verdict, Verdict::Warn);
        let idle = json!({"properties": {"provisioningState": "Succeeded", "activationState": "NotActivated"}});
        assert_eq!(of(Ok(idle)).verdict, Verdict::Warn);
        assert_eq!(of(Err(ManagementError::NotFound("x".into()))).verdict, Verdict::Fail);
        let denied = || ManagementError::Denied { action: None, said: "no".into() };
        assert_eq!(of(Err(denied())).verdict, Verdict::Warn);
        let known = judged(id(), &Err(denied()), &BTreeSet::from([id()]));
        assert_eq!(known.check.verdict, Verdict::Ok);
    }
}
