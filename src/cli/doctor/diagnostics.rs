//! Diagnostic settings of an HSM: one, whoever made it, must send the audit log, and it must lead to where somebody looks.

use super::arm::{Arm, SETTINGS, in_time, text, trouble};
use super::cures::{CATEGORY, create_setting, word};
use super::hsm::Hsm;
use super::kinds::{DIAGNOSTIC_DESTINATION, DIAGNOSTIC_SETTING};
use crate::azure::management::{ManagementError, ResourceId};
use crate::hosts::checks::{Check, Cure};
use serde_json::Value as Json;

/// A resource has at most so many.
const MOST: usize = 5;

/// A diagnostic setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) name: String,
    /// Whether it sends the audit log.
    pub(super) sends: bool,
    pub(super) workspace: Option<ResourceId>,
    pub(super) storage: Option<ResourceId>,
    event_hub: Option<String>,
    partner: bool,
}

impl Setting {
    fn of(item: &Json) -> Self {
        let id = |pointer: &str| text(item, pointer).and_then(ResourceId::parse);
        let logs = item.pointer("/properties/logs").and_then(Json::as_array);
        let sends = logs.into_iter().flatten().any(|log| {
            let named = text(log, "/category")
                .is_some_and(|name| name.eq_ignore_ascii_case(CATEGORY))
                || text(log, "/categoryGroup").is_some_and(|name| {
                    name.eq_ignore_ascii_case("allLogs") || name.eq_ignore_ascii_case("audit")
                });
            named && log.get("enabled").and_then(Json::as_bool) == Some(true)
        });
        Self {
            name: text(item, "/name").unwrap_or("without a name").to_owned(),
            sends,
            workspace: id("/properties/workspaceId"),
            storage: id("/properties/storageAccountId"),
            event_hub: text(item, "/properties/eventHubAuthorizationRuleId").map(|id| {
                // …/namespaces/NAME/authorizationRules/RULE
                id.rsplit('/').nth(2).unwrap_or("without a name").to_owned()
            }),
            partner: text(item, "/properties/marketplacePartnerId").is_some(),
        }
    }

    fn destinations(&self) -> String {
        let of = |what: &str, id: &Option<ResourceId>| {
            id.as_ref().map(|id| format!("{what} `{}`", id.name()))
        };
        let all: Vec<String> = [
            of("workspace", &self.workspace),
            of("storage account", &self.storage),
            self.event_hub.as_ref().map(|name| format!("event hub namespace `{name}`")),
            self.partner.then(|| "a partner's solution".to_owned()),
        ]
        .into_iter()
        .flatten()
        .collect();
        if all.is_empty() { "nowhere".to_owned() } else { all.join(", ") }
    }
}

/// What is known of the workspaces that are watched.
#[derive(Clone, Debug, Default)]
pub(super) struct Watching {
    /// Those whose place is known.
    pub(super) places: Vec<ResourceId>,
    /// Whether the place of one is not known.
    pub(super) unknown: bool,
    /// Whether there is none at all.
    pub(super) nothing: bool,
    /// Where a setting should lead that is to be made: a word of the shell.
    pub(super) lead: Option<String>,
}

/// The settings of an HSM, and what there is to say of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) settings: Vec<Setting>,
    pub(super) checks: Vec<Check>,
    /// Whether the settings could be read.
    pub(super) known: bool,
}

/// Looks at an HSM's settings. `has_records`: its records have come in.
pub(super) async fn look(arm: &Arm, hsm: &Hsm, watching: &Watching, has_records: bool) -> Seen {
    let arm = match arm {
        Ok(arm) => arm,
        Err(why) => return unknown(hsm, &DIAGNOSTIC_SETTING.skipped(why), has_records),
    };
    if hsm.gone {
        return unknown(hsm, &DIAGNOSTIC_SETTING.skipped("the HSM is not there"), has_records);
    }
    let path = hsm.id.child("providers/Microsoft.Insights/diagnosticSettings");
    match in_time(arm.list(&path, SETTINGS)).await {
        Ok(listing) => {
            let settings: Vec<Setting> = listing.items.iter().map(Setting::of).collect();
            Seen { checks: judged(hsm, &settings, watching, has_records), settings, known: true }
        }
        Err(error) => {
            let instead =
                format!("az monitor diagnostic-settings list --resource {}", word(hsm.id.as_str()));
            let check =
                trouble(&DIAGNOSTIC_SETTING, &error, Some(hsm.id.subscription()), Some(&instead));
            let check = match error {
                ManagementError::NotFound(_) => DIAGNOSTIC_SETTING.warn("cannot be seen"),
                _ => check,
            };
            unknown(hsm, &check, has_records)
        }
    }
}

/// Settings that could not be read: records say enough.
fn unknown(hsm: &Hsm, check: &Check, has_records: bool) -> Seen {
    let name = hsm.id.name();
    let destination = if has_records {
        DIAGNOSTIC_DESTINATION.ok("its records come into a workspace that is watched")
    } else {
        DIAGNOSTIC_DESTINATION.skipped("the diagnostic settings could not be read")
    };
    Seen { checks: vec![check.clone().of(name), destination.of(name)], ..Seen::default() }
}

fn judged(hsm: &Hsm, settings: &[Setting], watching: &Watching, has_records: bool) -> Vec<Check> {
    let name = hsm.id.name();
    // An account that another setting names is in the right region.
    let storage = settings.iter().find_map(|setting| setting.storage.as_ref());
    let create = || create_setting(&hsm.id, watching.lead.as_deref(), storage);
    let sending: Vec<&Setting> = settings.iter().filter(|setting| setting.sends).collect();
    if sending.is_empty() {
        let names: Vec<String> = settings.iter().map(|s| format!("`{}`", s.name)).collect();
        let check = if settings.is_empty() {
            let seen = "there is none: the HSM's operations are logged nowhere";
            DIAGNOSTIC_SETTING.fail(seen).cure(create())
        } else if settings.len() >= MOST {
            let seen = format!(
                "{} are there, and none has the category {CATEGORY} enabled; there can be no sixth",
                names.join(", ")
            );
            DIAGNOSTIC_SETTING.fail(seen).cure(
                Cure::text("enable the category in one of them, or delete one that is not needed")
                    .and_portal(format!(
                        "the HSM › Monitoring › Diagnostic settings › Edit setting › {CATEGORY}"
                    )),
            )
        } else {
            let seen =
                format!("{} is there without the category {CATEGORY} enabled", names.join(", "));
            DIAGNOSTIC_SETTING.fail(seen).cure(create())
        };
        let none = DIAGNOSTIC_DESTINATION.skipped("nothing is sent");
        return vec![check.of(name), none.of(name)];
    }
    let mut checks: Vec<Check> = sending
        .iter()
        .map(|setting| {
            let seen = format!("`{}` sends {CATEGORY} to {}", setting.name, setting.destinations());
            DIAGNOSTIC_SETTING.ok(seen).of(name)
        })
        .collect();
    checks.push(destination(hsm, &sending, watching, has_records, &create).of(name));
    checks
}

fn destination(
    hsm: &Hsm,
    sending: &[&Setting],
    watching: &Watching,
    has_records: bool,
    create: &dyn Fn() -> Cure,
) -> Check {
    let workspaces: Vec<&ResourceId> =
        sending.iter().filter_map(|setting| setting.workspace.as_ref()).collect();
    if let Some(id) = workspaces.iter().find(|id| watching.places.contains(id)) {
        return DIAGNOSTIC_DESTINATION.ok(format!("workspace `{}` is watched", id.name()));
    }
    if has_records {
        return DIAGNOSTIC_DESTINATION.ok("its records come into a workspace that is watched");
    }
    let Some(first) = workspaces.first() else {
        let seen = "no setting leads to a workspace: there is nothing to watch";
        return DIAGNOSTIC_DESTINATION.fail(seen).cure(create());
    };
    let names: Vec<String> = workspaces.iter().map(|id| format!("`{}`", id.name())).collect();
    let names = names.join(", ");
    let show = format!(
        "az monitor log-analytics workspace show --ids {} --query customerId --output tsv",
        word(first.as_str())
    );
    if watching.nothing {
        return DIAGNOSTIC_DESTINATION
            .warn(format!("workspace {names}; no workspace is configured here to compare it with"))
            .cure(Cure::az(show).and_text("that is the `id` of the `[[workspace]]` to watch"));
    }
    if watching.unknown {
        return DIAGNOSTIC_DESTINATION
            .warn(format!("workspace {names}; whether it is one that is watched cannot be seen"))
            .cure(Cure::az(show).and_text("compare it with the `id` of each `[[workspace]]`"));
    }
    DIAGNOSTIC_DESTINATION
        .fail(format!("workspace {names}, which is not watched: the HSM `{}` is not looked after", hsm.id.name()))
        .cure(Cure::az(show).and_text(
            "add that id as a `[[workspace]]` (HSMWATCH_WORKSPACE_ID), or make a further setting that leads to one that is watched",
        ))
}

#[cfg(test)]
mod tests {
    use super::super::hsm::TYPE;
    use super::super::kinds::HSM;
    use super::*;
    use crate::hosts::checks::Verdict;
    use serde_json::json;

    const SUB: &str =
        "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers";

    fn id(rest: &str) -> ResourceId {
        ResourceId::parse(&format!("{SUB}/{rest}")).unwrap()
    }

    fn workspace(name: &str) -> ResourceId {
        id(&format!("Microsoft.OperationalInsights/workspaces/{name}"))
    }

    fn of(settings: &[Json], watching: &Watching, has_records: bool) -> Vec<(Verdict, String)> {
        let id = id(&format!("{TYPE}/hsm-1"));
        let hsm = Hsm { check: HSM.ok(""), region: None, gone: false, id };
        let settings: Vec<Setting> = settings.iter().map(Setting::of).collect();
        let checks = judged(&hsm, &settings, watching, has_records);
        checks.into_iter().map(|check| (check.verdict, check.seen)).collect()
    }

    fn setting(name: &str, log: &Json, workspace: Option<&ResourceId>) -> Json {
        json!({"name": name, "properties": {
            "logs": [log], "workspaceId": workspace.map(ResourceId::as_str),
            "eventHubAuthorizationRuleId": "/x/namespaces/ns/authorizationRules/Root",
        }})
    }

    #[test]
    fn any_setting_with_the_category_counts() {
        let watching = Watching { places: vec![workspace("law")], ..Watching::default() };
        for log in [
            json!({"category": "HsmServiceOperations", "enabled": true}),
            json!({"category": "hsmserviceoperations", "enabled": true}),
            json!({"categoryGroup": "allLogs", "enabled": true}),
            json!({"categoryGroup": "audit", "enabled": true}),
        ] {
            let upper = ResourceId::parse(&workspace("law").as_str().to_uppercase()).unwrap();
            let checks = of(&[setting("theirs", &log, Some(&upper))], &watching, false);
            assert_eq!(checks[0].0, Verdict::Ok, "{log}");
            assert!(
                checks[0].1.ends_with("to workspace `LAW`, event hub namespace `ns`"),
                "{checks:?}"
            );
            assert_eq!(checks[1], (Verdict::Ok, "workspace `LAW` is watched".into()));
        }
        for log in [
            json!({"category": "HsmServiceOperations", "enabled": false}),
            json!({"category": "HsmServiceOperations"}),
            json!({"category": "HsmOperations", "enabled": true}),
            json!("nonsense"),
        ] {
            let checks = of(&[setting("theirs", &log, Some(&workspace("law")))], &watching, false);
            assert_eq!(checks[0].0, Verdict::Fail, "{log}");
        }
    }

    #[test]
    fn where_it_leads_is_looked_at() {
        let on = json!({"category": "HsmServiceOperations", "enabled": true});
        let other = setting("s", &on, Some(&workspace("other")));
        let verdict = |watching: &Watching, records: bool| {
            of(std::slice::from_ref(&other), watching, records)[1].0
        };
        let known = Watching { places: vec![workspace("law")], ..Watching::default() };
        assert_eq!(verdict(&known, false), Verdict::Fail);
        assert_eq!(verdict(&known, true), Verdict::Ok);
        assert_eq!(
            verdict(&Watching { unknown: true, ..Watching::default() }, false),
            Verdict::Warn
        );
        assert_eq!(
            verdict(&Watching { nothing: true, ..Watching::default() }, false),
            Verdict::Warn
        );
        assert_eq!(of(&[setting("s", &on, None)], &known, false)[1].0, Verdict::Fail);
    }

    #[test]
    fn five_settings_leave_no_room() {
        let off = json!({"category": "HsmServiceOperations", "enabled": false});
        let five: Vec<Json> = (0..5).map(|n| setting(&format!("s{n}"), &off, None)).collect();
        let checks = of(&five, &Watching::default(), false);
        assert!(checks[0].1.contains("there can be no sixth"), "{checks:?}");
    }
}
