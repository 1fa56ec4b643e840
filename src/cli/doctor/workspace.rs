//! A workspace as a resource: where it is, and how its table is set up.

use super::arm::{Arm, WORKSPACES, in_time, show, text, trouble};
use super::cures::word;
use super::identity::Who;
use super::kinds::{TABLE_PLAN, WORKSPACE};
use super::records::Look;
use super::subscription::Subscriptions;
use crate::azure::management::{Management, ManagementError, ResourceId, is_guid};
use crate::hosts::checks::{Check, Cure};
use crate::ports::LogSource;
use crate::watch::step::TABLE;
use serde_json::Value as Json;
use std::sync::Arc;

/// The type of a workspace.
pub(super) const TYPE: &str = "Microsoft.OperationalInsights/workspaces";

/// A workspace that is watched, or named to be looked at.
#[derive(Clone)]
pub(super) struct Watched {
    /// Its name in the configuration, or what names it on the command line.
    pub(super) name: String,
    /// Its customer id, once it is known.
    pub(super) customer_id: Option<String>,
    /// Its id as a resource, if it is said.
    pub(super) resource_id: Option<ResourceId>,
    /// How it is asked; `None`: not known yet.
    pub(super) source: Option<Arc<dyn LogSource>>,
    /// Exported files instead.
    pub(super) files: bool,
    /// Its query API is on this machine: a test's.
    pub(super) here: bool,
    /// What rules read there.
    pub(super) tables: Vec<String>,
}

/// Where a workspace is, and what is said of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) id: Option<ResourceId>,
    pub(super) customer_id: Option<String>,
    pub(super) check: Option<Check>,
}

/// Finds a workspace by its id, or among all that can be listed by its customer id.
pub(super) async fn place(arm: &Arm, watched: &Watched, subscriptions: &Subscriptions) -> Place {
    let name = &watched.name;
    if watched.files {
        return Place::default();
    }
    let arm = match arm {
        Ok(arm) => arm,
        Err(why) => {
            let check = Some(WORKSPACE.skipped(why).of(name));
            return Place { id: watched.resource_id.clone(), check, ..Place::default() };
        }
    };
    if let Some(id) = &watched.resource_id {
        return match in_time(arm.get(id.as_str(), WORKSPACES)).await {
            Ok(json) => known(watched, id.clone(), &json),
            Err(error) => {
                let check =
                    trouble(&WORKSPACE, &error, Some(id.subscription()), Some(&show(id.as_str())));
                let gone = matches!(error, ManagementError::NotFound(_));
                let check = if gone {
                    let seen = format!(
                        "there is no workspace `{}` in resource group `{}`",
                        id.name(),
                        id.group()
                    );
                    WORKSPACE
                        .fail(seen)
                        .cure(Cure::az("az monitor log-analytics workspace list --output table"))
                } else {
                    check
                };
                let id = Some(id.clone()).filter(|_| !gone);
                Place { id, check: Some(check.of(name)), ..Place::default() }
            }
        };
    }
    let Some(customer_id) = &watched.customer_id else { return Place::default() };
    let mut denied = None;
    for subscription in subscriptions.ids() {
        match find(arm, subscription, customer_id).await {
            Ok(Some((id, json))) => return known(watched, id, &json),
            Ok(None) => {}
            Err(error) => denied = Some((error, subscription)),
        }
    }
    let list = format!(
        "az monitor log-analytics workspace list --query \"[?customerId=='{}'].id\" --output tsv",
        if is_guid(customer_id) { customer_id } else { "CUSTOMER_ID" }
    );
    let check = match denied {
        Some((error, subscription)) => trouble(&WORKSPACE, &error, Some(subscription), Some(&list)),
        None if subscriptions.all.is_empty() => {
            WORKSPACE.skipped("no subscription can be read").cure(Cure::az(list))
        }
        None => WORKSPACE
            .warn("it is in none of the subscriptions that were looked at, or this identity may not see it")
            .cure(Cure::az(list).and_text("write what this prints as `resource_id` of the `[[workspace]]`; links to the portal need it too")),
    };
    Place { check: Some(check.of(name)), ..Place::default() }
}

async fn find(
    arm: &Management,
    subscription: &str,
    customer_id: &str,
) -> Result<Option<(ResourceId, Json)>, ManagementError> {
    let path = format!("/subscriptions/{subscription}/providers/{TYPE}");
    let listing = in_time(arm.list(&path, WORKSPACES)).await?;
    Ok(listing.items.into_iter().find_map(|item| {
        let same = text(&item, "/properties/customerId")?.eq_ignore_ascii_case(customer_id);
        let id = ResourceId::parse(text(&item, "/id")?).filter(|id| same && id.is(TYPE))?;
        Some((id, item))
    }))
}

fn known(watched: &Watched, id: ResourceId, json: &Json) -> Place {
    let customer_id = text(json, "/properties/customerId").filter(|id| is_guid(id));
    let region = text(json, "/location").unwrap_or("region not given");
    let place = format!("`{}` in resource group `{}`, {region}", id.name(), id.group());
    let differs = match (&watched.customer_id, customer_id) {
        (Some(wanted), Some(found)) => !wanted.eq_ignore_ascii_case(found),
        _ => false,
    };
    let state = text(json, "/properties/provisioningState").unwrap_or("Succeeded");
    let closed =
        text(json, "/properties/publicNetworkAccessForQuery").is_some_and(|s| s != "Enabled");
    let check = if differs {
        WORKSPACE
            .fail(format!("{place}, has another customer id than `id`: `id` and `resource_id` name two workspaces"))
            .cure(Cure::az(format!(
                "az monitor log-analytics workspace show --ids {} --query customerId --output tsv",
                word(id.as_str())
            )))
    } else if state != "Succeeded" {
        WORKSPACE.warn(format!("{place}, {state}")).cure(Cure::az(show(id.as_str())))
    } else if closed {
        WORKSPACE
            .warn(format!("{place}; queries from public networks are off: only private links reach it"))
            .cure(Cure::text("run hsmwatch where a private link scope leads to it, or let public queries in").and_portal(
                "Log Analytics workspace › Settings › Network Isolation › Accept queries from public networks",
            ))
    } else {
        WORKSPACE.ok(place)
    };
    let customer_id = customer_id.map(str::to_ascii_lowercase);
    Place { id: Some(id), customer_id, check: Some(check.of(&watched.name)) }
}

/// The plan and the retention of the table, as the resource says.
pub(super) async fn table(
    arm: &Arm,
    watched: &Watched,
    place: &Place,
    look: Option<&Look>,
) -> Option<Check> {
    if watched.files {
        return None;
    }
    let name = &watched.name;
    let (Ok(arm), Some(id)) = (arm, &place.id) else {
        // A table of another plan does not answer such queries.
        let check = if look.is_some_and(Look::answered) {
            TABLE_PLAN.ok("it answers queries, as only a table of the plan Analytics does")
        } else {
            TABLE_PLAN.skipped("the workspace is not known as a resource")
        };
        return Some(check.of(name));
    };
    let path = id.child(&format!("tables/{TABLE}"));
    let check = match in_time(arm.get(&path, WORKSPACES)).await {
        Ok(json) => plan(id, &json),
        Err(ManagementError::NotFound(_)) => {
            TABLE_PLAN.skipped("the table is made when the first record comes in")
        }
        Err(error) => trouble(&TABLE_PLAN, &error, Some(id.subscription()), Some(&show_table(id))),
    };
    Some(check.of(name))
}

fn show_table(workspace: &ResourceId) -> String {
    format!(
        "az monitor log-analytics workspace table show --subscription {} --resource-group {} --workspace-name {} --name {TABLE}",
        workspace.subscription(),
        word(workspace.group()),
        word(workspace.name())
    )
}

fn plan(workspace: &ResourceId, json: &Json) -> Check {
    let plan = text(json, "/properties/plan").unwrap_or("Analytics");
    if !plan.eq_ignore_ascii_case("Analytics") {
        let seen = format!("{plan}: such a table answers no rule, and is paid for by the query");
        let set = show_table(workspace).replace(" table show ", " table update ");
        return TABLE_PLAN.fail(seen).cure(
            Cure::az(format!("{set} --plan Analytics"))
                .and_portal("Log Analytics workspace › Settings › Tables › the table › Manage table › Table plan")
                .and_text("a plan can be changed once a week"),
        );
    }
    let days = |pointer: &str| json.pointer(pointer).and_then(Json::as_i64);
    let kept = match (days("/properties/retentionInDays"), days("/properties/totalRetentionInDays"))
    {
        (Some(days), Some(total)) if total > days => format!(", kept {days} days, {total} in all"),
        (Some(days), _) if days >= 0 => format!(", kept {days} days"),
        _ => String::new(),
    };
    TABLE_PLAN.ok(format!("Analytics{kept}"))
}

/// The rights that an identity has on a workspace are given there.
pub(super) fn cure(watched: &Watched, place: &Place, who: Option<&Who>) -> Cure {
    let customer_id = watched.customer_id.as_deref().or(place.customer_id.as_deref());
    super::cures::query_right(place.id.as_ref().or(watched.resource_id.as_ref()), customer_id, who)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::checks::Verdict;
    use serde_json::json;

    fn id() -> ResourceId {
        let id = format!(
            "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg logs/providers/{TYPE}/law"
        );
        ResourceId::parse(&id.replace("rg logs", "rg(logs)")).unwrap()
    }

    #[test]
    fn a_plan_that_answers_no_rule_is_a_failure() {
        for name in ["Basic", "Auxiliary"] {
            let check = plan(&id(), &json!({"properties": {"plan": name}}));
            assert_eq!(check.verdict, Verdict::Fail);
            assert_eq!(
                check.cure.unwrap().az.unwrap(),
                format!(
                    "az monitor log-analytics workspace table update --subscription 00000000-0000-0000-0000-000000000001 --resource-group 'rg(logs)' --workspace-name law --name {TABLE} --plan Analytics"
                )
            );
        }
        let of = |properties: Json| plan(&id(), &json!({ "properties": properties })).seen;
        assert_eq!(
            of(json!({"plan": "Analytics", "retentionInDays": 365, "totalRetentionInDays": 2557})),
            "Analytics, kept 365 days, 2557 in all"
        );
        assert_eq!(
            of(json!({"plan": "Analytics", "retentionInDays": 30, "totalRetentionInDays": 30})),
            "Analytics, kept 30 days"
        );
        assert_eq!(of(json!({"retentionInDays": -1})), "Analytics");
    }
}
