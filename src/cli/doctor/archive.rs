//! The log archive: the container that the platform makes in the account that a diagnostic setting names.

use super::arm::{Arm, STORAGE, in_time, show, text, trouble};
use super::diagnostics::Seen;
use super::hsm::Hsm;
use super::kinds::ARCHIVE;
use crate::azure::management::{ManagementError, ResourceId};
use crate::hosts::checks::{Check, Cure};
use serde_json::Value as Json;

/// The container of the category, made by the platform with the first record.
const CONTAINER: &str = "insights-logs-hsmserviceoperations";

/// Looks at an HSM's archives.
pub(super) async fn look(arm: &Arm, hsm: &Hsm, seen: &Seen) -> Vec<Check> {
    let name = hsm.id.name();
    let (Ok(arm), true) = (arm, seen.known) else {
        return vec![ARCHIVE.skipped("the diagnostic settings could not be read").of(name)];
    };
    let mut accounts: Vec<&ResourceId> = Vec::new();
    for id in seen.settings.iter().filter(|s| s.sends).filter_map(|s| s.storage.as_ref()) {
        if !accounts.contains(&id) {
            accounts.push(id);
        }
    }
    if accounts.is_empty() {
        let check = if seen.settings.iter().any(|setting| setting.sends) {
            let seen = "no setting leads to a storage account: the workspace alone keeps the log, and a second witness is missing";
            ARCHIVE.warn(seen).cure(
                Cure::text("give the setting a storage account in the HSM's region as well (`infra/logging` makes one)")
                    .and_portal("the HSM › Monitoring › Diagnostic settings › Edit setting › Archive to a storage account"),
            )
        } else {
            ARCHIVE.skipped("nothing is sent")
        };
        return vec![check.of(name)];
    }
    let mut checks = Vec::new();
    for id in accounts {
        let account = in_time(arm.get(id.as_str(), STORAGE)).await;
        let path = id.child(&format!("blobServices/default/containers/{CONTAINER}"));
        let container = in_time(arm.get(&path, STORAGE)).await;
        checks.push(judged(hsm, id, &account, &container).of(name));
    }
    checks
}

fn judged(
    hsm: &Hsm,
    id: &ResourceId,
    account: &Result<Json, ManagementError>,
    container: &Result<Json, ManagementError>,
) -> Check {
    let name = id.name();
    let json = match account {
        Ok(json) => json,
        Err(ManagementError::NotFound(_)) => {
            return ARCHIVE
                .fail(format!("account `{name}`, which a setting names, is not there"))
                .cure(Cure::text("make the account again, or let the setting name another"));
        }
        Err(error) => {
            return trouble(&ARCHIVE, error, Some(id.subscription()), Some(&show(id.as_str())));
        }
    };
    let region = text(json, "/location");
    if let (Some(here), Some(there)) = (region, &hsm.region)
        && place(here) != place(there)
    {
        return ARCHIVE
            .fail(format!(
                "account `{name}` is in {here}, the HSM in {there}: it must be in the same region"
            ))
            .cure(Cure::text(format!("make an account in {there} and let the setting name that")));
    }
    let json = match container {
        Ok(json) => json,
        Err(ManagementError::NotFound(_)) => {
            return ARCHIVE
                .warn(format!("account `{name}` has no container `{CONTAINER}`: it is made with the first record"))
                .cure(Cure::text("use the HSM once; after the first diagnostic setting data may take up to 90 min to flow"));
        }
        Err(error) => {
            return trouble(&ARCHIVE, error, Some(id.subscription()), Some(&show(id.as_str())));
        }
    };
    let flag = |pointer: &str| json.pointer(pointer).and_then(Json::as_bool) == Some(true);
    let version_level = account.as_ref().ok().and_then(|json| {
        json.pointer("/properties/immutableStorageWithVersioning/enabled")?.as_bool()
    });
    let immutable = if flag("/properties/hasImmutabilityPolicy")
        || flag("/properties/immutableStorageWithVersioning/enabled")
        || version_level == Some(true)
    {
        "immutable"
    } else {
        "not immutable (whoever may write there can also delete)"
    };
    ARCHIVE.ok(format!(
        "`{CONTAINER}` in account `{name}`, {}, {immutable}",
        region.unwrap_or("region not given")
    ))
}

/// A region's name by itself: `UK South` is `uksouth`.
fn place(region: &str) -> String {
    region.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase()
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

    #[test]
    fn region_container_and_immutability() {
        let id = |rest: &str| ResourceId::parse(&format!("{SUB}/{rest}")).unwrap();
        let hsm = Hsm {
            check: HSM.ok(""),
            region: Some("uksouth".into()),
            gone: false,
            id: id(&format!("{TYPE}/h")),
        };
        let account = id("Microsoft.Storage/storageAccounts/evidence");
        let of = |region: &str, container: Result<Json, ManagementError>| {
            let json = json!({"location": region});
            let check = judged(&hsm, &account, &Ok(json), &container);
            (check.verdict, check.seen)
        };
        let plain = || Ok(json!({"properties": {}}));
        let locked = Ok(json!({"properties": {"hasImmutabilityPolicy": true}}));
        assert_eq!(of("UK South", plain()).0, Verdict::Ok);
        assert!(of("uksouth", locked).1.ends_with(", immutable"));
        assert_eq!(of("westeurope", plain()).0, Verdict::Fail);
        assert_eq!(of("uksouth", Err(ManagementError::NotFound("x".into()))).0, Verdict::Warn);
    }
}
