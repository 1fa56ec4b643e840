//! A deployed function app: as a resource, and as it sees itself.

use super::arm::{Arm, SITES, in_time, text, trouble};
use super::cures::word;
use super::identity::Who;
use super::kinds::{APP, APP_CHECKS, APP_IDENTITY, KEY_VAULT, SETTINGS};
use super::package::{self, Reference};
use super::subscription::Subscriptions;
use crate::azure::Cloud;
use crate::azure::management::{Management, ManagementError, ResourceId, is_guid};
use crate::azure::sites::{self, SiteError};
use crate::hosts::checks::{Check, Cure, Report};
use secrecy::SecretString;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use url::Url;

/// The type of an app.
const TYPE: &str = "Microsoft.Web/sites";
/// The function that looks at the deployment.
const FUNCTION: &str = "status";

/// Which app.
pub(super) struct Asked<'a> {
    pub(super) name: &'a str,
    pub(super) group: Option<&'a str>,
    pub(super) cloud: Cloud,
    /// `HSMWATCH_APP_KEY`
    pub(super) key: Option<SecretString>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct App {
    pub(super) checks: Vec<Check>,
    /// What the app says of itself.
    pub(super) own: Option<Report>,
}

/// Looks at an app, and lets it look at itself.
pub(super) async fn look(arm: &Arm, asked: &Asked<'_>, subscriptions: &Subscriptions) -> App {
    let mut app = App::default();
    let site = match arm {
        Ok(arm) => match find(arm, asked, subscriptions).await {
            Ok(Some(site)) => Some((arm, site)),
            Ok(None) if subscriptions.all.is_empty() => {
                app.checks.push(APP.warn("cannot be seen: no subscription can be read"));
                None
            }
            Ok(None) => {
                let list = "az functionapp list --query \"[].{name:name, group:resourceGroup}\" --output table";
                let seen = "there is no such function app in the subscriptions that can be read";
                app.checks.push(APP.fail(seen).cure(Cure::az(list)));
                None
            }
            Err((error, subscription)) => {
                let list = format!(
                    "az functionapp show --name {} --resource-group GROUP",
                    word(asked.name)
                );
                app.checks.push(trouble(&APP, &error, Some(&subscription), Some(&list)));
                None
            }
        },
        Err(why) => {
            app.checks.push(APP.skipped(why));
            None
        }
    };
    let mut key = asked.key.clone();
    let mut host = None;
    if let Some((arm, (id, json))) = &site {
        app.checks.push(runs(id, json));
        let settings = in_time(arm.post(&id.child("config/appsettings/list"), SITES)).await;
        app.checks.push(identity(id, json, settings.as_ref().ok()));
        app.checks.push(names(id, &settings));
        app.checks.push(references(arm, id, principal(json).as_ref()).await);
        host = text(json, "/properties/defaultHostName").map(str::to_owned);
        if key.is_none() {
            match found_key(arm, id).await {
                Ok(found) => key = found,
                Err(error) => app.checks.push(no_key(id, &error)),
            }
        }
    } else if key.is_some() {
        host = Some(format!("{}{}", asked.name, asked.cloud.sites_suffix()));
    }
    let tests = arm.as_ref().is_ok_and(|arm| arm.is_loopback());
    match (host, key) {
        (Some(host), Some(key)) => match sites::address(&host, asked.cloud, tests) {
            Ok(address) => own(&mut app, asked, &address, &key).await,
            Err(error) => app.checks.push(APP_CHECKS.fail(error.to_string())),
        },
        _ if app.checks.iter().any(|check| check.id == APP_CHECKS.id) => {}
        (Some(_), None) => app.checks.push(
            APP_CHECKS
                .warn("the app has no key for its function `status`")
                .cure(Cure::text("is the package deployed? the function `status` is part of it")),
        ),
        (None, _) => app.checks.push(
            APP_CHECKS.skipped("the app is not known as a resource").cure(
                Cure::text("with its key in HSMWATCH_APP_KEY it is asked all the same")
                    .and_portal("Function App › Functions › status › Function Keys"),
            ),
        ),
    }
    app.checks = app.checks.into_iter().map(|check| check.of(asked.name)).collect();
    app
}

type Failed = (ManagementError, String);

async fn find(
    arm: &Management,
    asked: &Asked<'_>,
    subscriptions: &Subscriptions,
) -> Result<Option<(ResourceId, Json)>, Failed> {
    let mut failed = None;
    for subscription in subscriptions.ids() {
        let all = format!("/subscriptions/{subscription}/providers/{TYPE}");
        let found = if let Some(group) = asked.group {
            let group =
                format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{TYPE}");
            in_time(arm.get(&format!("{group}/{}", asked.name), SITES)).await.map(|json| vec![json])
        } else {
            in_time(arm.list(&all, SITES)).await.map(|listing| listing.items)
        };
        match found {
            Ok(items) => {
                let site = items.into_iter().find_map(|item| {
                    let id = ResourceId::parse(text(&item, "/id")?).filter(|id| id.is(TYPE))?;
                    id.name().eq_ignore_ascii_case(asked.name).then_some((id, item))
                });
                if site.is_some() {
                    return Ok(site);
                }
            }
            Err(ManagementError::NotFound(_)) => {}
            Err(error) => failed = Some((error, subscription.to_owned())),
        }
    }
    failed.map_or(Ok(None), Err)
}

fn of_app(id: &ResourceId) -> String {
    format!(
        "--name {} --resource-group {} --subscription {}",
        word(id.name()),
        word(id.group()),
        id.subscription()
    )
}

fn runs(id: &ResourceId, json: &Json) -> Check {
    let place = format!("in resource group `{}`", id.group());
    match text(json, "/properties/state") {
        Some("Running") | None => APP.ok(format!("running, {place}")),
        Some(state) => APP.fail(format!("{state}, {place}: nothing is watched")).cure(
            Cure::az(format!("az functionapp start {}", of_app(id)))
                .and_portal("Function App › Overview › Start"),
        ),
    }
}

fn identity(id: &ResourceId, json: &Json, settings: Option<&Json>) -> Check {
    let kind = text(json, "/identity/type").unwrap_or("None");
    let users = json.pointer("/identity/userAssignedIdentities").and_then(Json::as_object);
    let users: Vec<(String, Option<String>)> = users
        .into_iter()
        .flatten()
        .map(|(id, user)| {
            let name = id.rsplit('/').next().unwrap_or_default().to_owned();
            (name, text(user, "/clientId").map(str::to_owned))
        })
        .collect();
    if kind == "None" || (users.is_empty() && !kind.contains("SystemAssigned")) {
        return APP_IDENTITY.fail("the app has no identity: it can ask nobody").cure(
            Cure::az(format!(
                "az functionapp identity assign {} --identities IDENTITY_RESOURCE_ID",
                of_app(id)
            ))
            .and_portal("Function App › Settings › Identity"),
        );
    }
    let client = settings.and_then(|json| text(json, "/properties/AZURE_CLIENT_ID"));
    let known = |client: &str| {
        users.iter().any(|(_, id)| id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(client)))
    };
    let names: Vec<String> = users.iter().map(|(name, _)| format!("`{name}`")).collect();
    let seen = match (kind.contains("SystemAssigned"), names.is_empty()) {
        (true, true) => "system-assigned".to_owned(),
        (true, false) => format!("system-assigned, and {}", names.join(", ")),
        (false, _) => format!("user-assigned: {}", names.join(", ")),
    };
    match client {
        Some(client) if !known(client) => APP_IDENTITY
            .fail(format!("{seen}; AZURE_CLIENT_ID is the client id of none of them"))
            .cure(Cure::az(format!(
                "az functionapp identity show {} --query userAssignedIdentities",
                of_app(id)
            ))),
        None if settings.is_some() && !kind.contains("SystemAssigned") => APP_IDENTITY
            .fail(format!(
                "{seen}; AZURE_CLIENT_ID is not set, so that a system-assigned one is asked for"
            ))
            .cure(Cure::az(format!(
                "az functionapp config appsettings set {} --settings AZURE_CLIENT_ID=CLIENT_ID",
                of_app(id)
            ))),
        _ => APP_IDENTITY.ok(seen),
    }
}

fn names(id: &ResourceId, settings: &Result<Json, ManagementError>) -> Check {
    match settings {
        Ok(json) => {
            let values = json.pointer("/properties").and_then(Json::as_object);
            let values: BTreeMap<String, String> = values
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect();
            package::settings(&values, &of_app(id))
        }
        Err(error) => {
            let list = format!(
                "az functionapp config appsettings list {} --query \"[].name\"",
                of_app(id)
            );
            trouble(&SETTINGS, error, Some(id.subscription()), Some(&list))
        }
    }
}

async fn references(arm: &Management, id: &ResourceId, who: Option<&Who>) -> Check {
    let path = id.child("config/configreferences/appsettings");
    match in_time(arm.get(&path, SITES)).await {
        Ok(json) => resolved(&json, who),
        Err(ManagementError::NotFound(_)) => KEY_VAULT.ok("the app has no reference to Key Vault"),
        Err(error) => trouble(&KEY_VAULT, &error, Some(id.subscription()), None),
    }
}

fn resolved(json: &Json, who: Option<&Who>) -> Check {
    let listed = json.pointer("/value").and_then(Json::as_array);
    let listed = listed
        .into_iter()
        .flatten()
        .filter_map(|item| Some((text(item, "/name")?, item.pointer("/properties")?)));
    let keyed = json.pointer("/properties/keyToReferenceStatuses").and_then(Json::as_object);
    let keyed = keyed.into_iter().flatten().map(|(name, item)| (name.as_str(), item));
    let mut open = Vec::new();
    let mut count = 0;
    for (name, item) in listed.chain(keyed) {
        count += 1;
        let status = text(item, "/status").unwrap_or("Unknown");
        if !status.eq_ignore_ascii_case("Resolved") {
            let parsed = text(item, "/reference").and_then(Reference::parse).unwrap_or_default();
            open.push((format!("{name}: {}: {status}", parsed.says()), parsed));
        }
    }
    match open.first() {
        Some((_, first)) => {
            let lines: Vec<&str> = open.iter().map(|(line, _)| line.as_str()).collect();
            KEY_VAULT.fail(format!("not resolved:\n{}", lines.join("\n"))).cure(first.cure(who))
        }
        None => KEY_VAULT.ok(format!("{count} resolved")),
    }
}

/// The identity that references are resolved with, where there is but one.
fn principal(json: &Json) -> Option<Who> {
    let users = json.pointer("/identity/userAssignedIdentities").and_then(Json::as_object);
    let mut ids = users
        .into_iter()
        .flatten()
        .filter_map(|(_, user)| text(user, "/principalId"))
        .chain(text(json, "/identity/principalId"));
    let oid = ids.next().filter(|id| is_guid(id)).map(str::to_owned);
    (oid.is_some() && ids.next().is_none()).then_some(Who { oid, ..Who::default() })
}

/// The key of the function, or of all functions.
async fn found_key(
    arm: &Management,
    id: &ResourceId,
) -> Result<Option<SecretString>, ManagementError> {
    let path = id.child(&format!("functions/{FUNCTION}/listkeys"));
    let first = match in_time(arm.post(&path, SITES)).await {
        Ok(json) => Ok(key(&json, "")),
        Err(error) => Err(error),
    };
    if let Ok(Some(key)) = first {
        return Ok(Some(key));
    }
    match in_time(arm.post(&id.child("host/default/listkeys"), SITES)).await {
        Ok(json) => Ok(key(&json, "/functionKeys")),
        Err(error) => first.and(Err(error)),
    }
}

/// A key of a listing: the one named `default`, else any. Where keys lie depends on who lists them.
fn key(json: &Json, name: &str) -> Option<SecretString> {
    let all = ["/properties", ""].iter().filter_map(|at| json.pointer(&format!("{at}{name}")));
    let keys: Vec<&Map<String, Json>> = all.filter_map(Json::as_object).collect();
    let default = keys.iter().find_map(|keys| keys.get("default")?.as_str());
    let other = || {
        let mut all = keys.iter().flat_map(|keys| keys.iter());
        let own = |name: &str| ["id", "name", "type", "kind", "location"].contains(&name);
        all.find_map(|(name, key)| key.as_str().filter(|_| !own(name)))
    };
    let key = default.or_else(other).filter(|key| !key.is_empty())?;
    Some(SecretString::from(key.to_owned()))
}

fn no_key(id: &ResourceId, error: &ManagementError) -> Check {
    let command = format!(
        "export HSMWATCH_APP_KEY=\"$(az functionapp function keys list {} --function-name {FUNCTION} --query default --output tsv)\"",
        of_app(id)
    );
    match error {
        ManagementError::NotFound(_) => APP_CHECKS
            .fail("the app has no function `status`: no package is deployed, or the host could not start it")
            .cure(Cure::text("deploy hsmwatch.zip, and look at the app's log").and_portal("Function App › Functions")),
        _ => APP_CHECKS
            .warn(format!("the app cannot be asked: its keys may not be listed: {error}"))
            .cure(Cure::az(command).and_text("whoever may list keys (role Website Contributor) can hand one over")),
    }
}

async fn own(app: &mut App, asked: &Asked<'_>, address: &Url, key: &SecretString) {
    let answer = sites::ask(address, "/api/status", ("checks", "run"), key).await;
    let check = match answer {
        Ok(body) => match serde_json::from_slice::<Report>(&body) {
            Ok(report) => {
                let report = report.safe();
                let check = APP_CHECKS
                    .ok(format!("hsmwatch {} answered; its checks are below", report.version));
                app.own = Some(report);
                check
            }
            Err(_) => APP_CHECKS
                .warn("it answered, and not with checks that can be read here: another version is deployed")
                .cure(Cure::text("deploy this version")),
        },
        Err(error @ SiteError::Key(_)) => APP_CHECKS.fail(error.to_string()).cure(Cure::text(
            "HSMWATCH_APP_KEY must be a key of the function `status`, or a host key",
        )),
        Err(error @ SiteError::NoFunction) => APP_CHECKS.fail(error.to_string()).cure(
            Cure::text("is the package deployed? look at the app's log")
                .and_portal("Function App › Functions"),
        ),
        Err(error) => APP_CHECKS.fail(error.to_string()).cure(
            Cure::text("look at the app's log; an app that has just been deployed needs a minute")
                .and_az(format!(
                    "az webapp log tail --name {} --resource-group GROUP",
                    word(asked.name)
                )),
        ),
    };
    app.checks.push(check);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::checks::Verdict;
    use secrecy::ExposeSecret as _;
    use serde_json::json;

    fn id() -> ResourceId {
        ResourceId::parse("/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg/providers/Microsoft.Web/sites/app").unwrap()
    }

    #[test]
    fn the_identity_is_the_one_that_is_asked_for() {
        let site = json!({"identity": {"type": "UserAssigned", "userAssignedIdentities": {
            "/subscriptions/x/userAssignedIdentities/id-1": {"clientId": "C-1"}}}});
        let with = |client: &str| json!({"properties": {"AZURE_CLIENT_ID": client}});
        let of = |site: &Json, settings: Option<&Json>| identity(&id(), site, settings).verdict;
        assert_eq!(of(&site, Some(&with("c-1"))), Verdict::Ok);
        assert_eq!(of(&site, None), Verdict::Ok);
        assert_eq!(of(&site, Some(&with("c-2"))), Verdict::Fail);
        assert_eq!(of(&site, Some(&json!({"properties": {}}))), Verdict::Fail);
        assert_eq!(of(&json!({}), None), Verdict::Fail);
        let system = json!({"identity": {"type": "SystemAssigned"}});
        assert_eq!(of(&system, Some(&json!({"properties": {}}))), Verdict::Ok);
    }

    #[test]
    fn keys_are_found_in_every_form_of_a_listing() {
        let of =
            |json: Json, name: &str| key(&json, name).map(|key| key.expose_secret().to_owned());
        for (json, name, expected) in [
            (json!({"default": "k"}), "", Some("k")),
            (json!({"id": "/x", "name": "n", "properties": {"default": "k"}}), "", Some("k")),
            (json!({"id": "/x", "other": "o"}), "", Some("o")),
            (json!({"id": "/x", "name": "n"}), "", None),
            (
                json!({"masterKey": "m", "functionKeys": {"default": "k"}}),
                "/functionKeys",
                Some("k"),
            ),
            (json!({"masterKey": "m", "functionKeys": {}}), "/functionKeys", None),
            (json!({"default": ""}), "", None),
            (json!("k"), "", None),
        ] {
            assert_eq!(of(json.clone(), name).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn both_forms_of_references_are_read() {
        let reference = "@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/s)";
        let bad = json!({"status": "SecretNotFound", "reference": reference});
        for json in [
            json!({"value": [{"name": "A", "properties": bad}]}),
            json!({"properties": {"keyToReferenceStatuses": {"A": bad}}}),
        ] {
            let check = resolved(&json, None);
            assert_eq!(check.verdict, Verdict::Fail);
            assert_eq!(check.seen, "not resolved:\nA: secret `s` of vault `kv`: SecretNotFound");
        }
        let good = json!({"value": [{"name": "A", "properties": {"status": "Resolved"}}]});
        assert_eq!(resolved(&good, None).seen, "1 resolved");
        assert_eq!(resolved(&json!([]), None).verdict, Verdict::Ok);
    }
}
