//! From inside a function app: its package, its settings, and what Key Vault did not give.

use super::cures::{SECRETS_USER, SOON, word};
use super::identity::Who;
use super::kinds::{KEY_VAULT, PACKAGE, SETTINGS};
use crate::config::Lookup;
use crate::hosts::checks::{Check, Cure};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The functions that a package has, each a folder.
const FUNCTIONS: [&str; 5] = ["tick", "evaluate", "deliver", "dead-letter", "status"];
/// What a setting's value begins with whose reference was not resolved.
const REFERENCE: &str = "@Microsoft.KeyVault(";

/// Whether this process is one of a function app.
pub(super) fn is_app(lookup: &dyn Lookup) -> bool {
    ["FUNCTIONS_CUSTOMHANDLER_PORT", "FUNCTIONS_APP_ROOT_PATH"]
        .iter()
        .any(|name| lookup.var(name).is_some_and(|value| !value.trim().is_empty()))
}

/// All variables of this process.
pub(super) fn variables() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// What there is to say of the app that this process is in.
pub(super) fn checks(
    variables: &BTreeMap<String, String>,
    files: &dyn Lookup,
    who: Option<&Who>,
) -> Vec<Check> {
    let root = variables.get("FUNCTIONS_APP_ROOT_PATH").map_or_else(PathBuf::new, PathBuf::from);
    let named = |name: &str, placeholder: &str| match variables.get(name) {
        Some(value) if !value.trim().is_empty() => word(value),
        _ => placeholder.to_owned(),
    };
    let app = format!(
        "--name {} --resource-group {}",
        named("WEBSITE_SITE_NAME", "APP"),
        named("WEBSITE_RESOURCE_GROUP", "GROUP")
    );
    vec![package(&root, files, &app), settings(variables, &app), key_vault(variables, who)]
}

fn package(root: &Path, files: &dyn Lookup, app: &str) -> Check {
    let version = env!("CARGO_PKG_VERSION");
    let json = |path: &Path| -> Result<Json, String> {
        let text = files.read(&root.join(path))?;
        serde_json::from_str(&text).map_err(|error| format!("not JSON: {error}"))
    };
    let mut wrong = Vec::new();
    match json(Path::new("host.json")) {
        Ok(host) => {
            let program = host.pointer("/customHandler/description/defaultExecutablePath");
            if program.and_then(Json::as_str).is_none_or(str::is_empty) {
                wrong.push("host.json names no program (`customHandler.description.defaultExecutablePath`)".to_owned());
            }
        }
        Err(why) => wrong.push(format!("host.json: {why}")),
    }
    for function in FUNCTIONS {
        if let Err(why) = json(&Path::new(function).join("function.json")) {
            wrong.push(format!("{function}/function.json: {why}"));
        }
    }
    if wrong.is_empty() {
        return PACKAGE
            .ok(format!("hsmwatch {version}, host.json and {} functions", FUNCTIONS.len()));
    }
    PACKAGE.fail(format!("hsmwatch {version}\n{}", wrong.join("\n"))).cure(
        Cure::text(
            "deploy the released hsmwatch.zip as it is: functions lie beside host.json, at the top",
        )
        .and_az(format!("az functionapp deployment source config-zip {app} --src hsmwatch.zip")),
    )
}

pub(super) fn settings(variables: &BTreeMap<String, String>, app: &str) -> Check {
    let set = |name: &str| variables.get(name).is_some_and(|value| !value.trim().is_empty());
    let mut missing = Vec::new();
    if !set("HSMWATCH_SCHEDULE") {
        missing.push(
            "HSMWATCH_SCHEDULE: the timer function is not indexed without it (`0 * * * * *`)",
        );
    }
    let storage = set("AzureWebJobsStorage");
    let account = set("AzureWebJobsStorage__accountName");
    let blobs = set("AzureWebJobsStorage__blobServiceUri");
    let queues = set("AzureWebJobsStorage__queueServiceUri");
    if !(storage || account || blobs) {
        missing.push("AzureWebJobsStorage (AzureWebJobsStorage__accountName with an identity): the host's own storage");
    } else if !(storage || account || queues) {
        missing.push("AzureWebJobsStorage__queueServiceUri: the queues cannot be reached");
    }
    let identity = set("AzureWebJobsStorage__credential");
    if identity && !set("AzureWebJobsStorage__clientId") && set("AZURE_CLIENT_ID") {
        missing.push("AzureWebJobsStorage__clientId: the host would use another identity than hsmwatch (AZURE_CLIENT_ID)");
    }
    if set("IDENTITY_ENDPOINT") != set("IDENTITY_HEADER") {
        missing.push("IDENTITY_ENDPOINT and IDENTITY_HEADER go together: the app has no identity");
    }
    if missing.is_empty() {
        return SETTINGS.ok("what the host and hsmwatch need is set");
    }
    SETTINGS.fail(format!("not set:\n{}", missing.join("\n"))).cure(
        Cure::az(format!("az functionapp config appsettings set {app} --settings NAME=VALUE"))
            .and_portal("Function App › Settings › Environment variables"),
    )
}

/// A reference to a secret.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) vault: Option<String>,
    pub(super) secret: Option<String>,
}

impl Reference {
    /// `@Microsoft.KeyVault(SecretUri=https://VAULT…/secrets/NAME/…)` or `@Microsoft.KeyVault(VaultName=…;SecretName=…)`.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let begins = value.trim().get(..REFERENCE.len())?.eq_ignore_ascii_case(REFERENCE);
        let inside = value.trim().get(REFERENCE.len()..).filter(|_| begins)?.trim_end_matches(')');
        let mut reference = Self::default();
        let named = |text: &str| {
            let good =
                !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            good.then(|| text.to_owned())
        };
        for part in inside.split(';') {
            let Some((key, value)) = part.split_once('=') else { continue };
            match key.trim().to_ascii_lowercase().as_str() {
                "vaultname" => reference.vault = named(value.trim()),
                "secretname" => reference.secret = named(value.trim()),
                "secreturi" => {
                    let rest = value.trim().strip_prefix("https://").unwrap_or_default();
                    let mut parts = rest.split('/');
                    let host = parts.next().unwrap_or_default();
                    reference.vault = host.split('.').next().and_then(named);
                    reference.secret = parts.nth(1).and_then(named);
                }
                _ => {}
            }
        }
        Some(reference)
    }

    /// For people.
    pub(super) fn says(&self) -> String {
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "?".to_owned());
        format!("secret `{}` of vault `{}`", name(&self.secret), name(&self.vault))
    }

    /// What lets an identity read it.
    pub(super) fn cure(&self, who: Option<&Who>) -> Cure {
        let vault = self.vault.as_deref().unwrap_or("VAULT");
        let secret = self.secret.as_deref().unwrap_or("SECRET");
        let vault_id =
            format!("\"$(az keyvault show --name {} --query id --output tsv)\"", word(vault));
        Cure::az(format!("az keyvault secret show --vault-name {} --name {} --query id", word(vault), word(secret)))
            .and_az(super::cures::assign(SECRETS_USER, &vault_id, who))
            .and_text(format!(
                "the secret must be there and enabled; the app's identity needs the role {} on the vault ({SOON}), and must be named by `keyVaultReferenceIdentity`; the vault's firewall must let the app in",
                SECRETS_USER.name
            ))
    }
}

fn key_vault(variables: &BTreeMap<String, String>, who: Option<&Who>) -> Check {
    let open: Vec<(&String, Reference)> = variables
        .iter()
        .filter_map(|(name, value)| Some((name, Reference::parse(value)?)))
        .collect();
    let Some((_, first)) = open.first() else {
        return KEY_VAULT.ok("no setting is left with a reference that is not resolved");
    };
    let lines: Vec<String> =
        open.iter().map(|(name, reference)| format!("{name}: {}", reference.says())).collect();
    KEY_VAULT.fail(format!("not resolved:\n{}", lines.join("\n"))).cure(first.cure(who))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::checks::Verdict;

    fn vars(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn references_name_vault_and_secret() {
        let of = |value: &str| Reference::parse(value).map(|reference| reference.says());
        assert_eq!(
            of(
                "@Microsoft.KeyVault(SecretUri=https://kv-1.vault.azure.net/secrets/hsmwatch-teams-url/abc)"
            ),
            Some("secret `hsmwatch-teams-url` of vault `kv-1`".into())
        );
        assert_eq!(
            of("@microsoft.keyvault(VaultName=kv-1;SecretName=s)"),
            Some("secret `s` of vault `kv-1`".into())
        );
        assert_eq!(of("@Microsoft.KeyVault(nonsense)"), Some("secret `?` of vault `?`".into()));
        assert_eq!(
            of("@Microsoft.KeyVault(VaultName=$(x);SecretName=s)"),
            Some("secret `s` of vault `?`".into())
        );
        assert_eq!(of("https://hooks.slack.com/services/s3cret"), None);
        assert_eq!(of("é@Microsoft.KeyVault("), None);
        let who = Who { oid: Some("o-1".into()), ..Who::default() };
        let reference = ("HSMWATCH_SLACK_URL", "@Microsoft.KeyVault(VaultName=kv;SecretName=s)");
        let check = key_vault(&vars(&[reference, ("X", "s3cret")]), Some(&who));
        assert!(
            check.cure.as_ref().unwrap().az.as_ref().unwrap().contains("--assignee-object-id o-1 ")
        );
        assert_eq!(check.verdict, Verdict::Fail);
        assert!(!format!("{check:?}").contains("s3cret"));
    }

    #[test]
    fn settings_that_the_host_needs() {
        let of = |pairs: &[(&str, &str)]| settings(&vars(pairs), "--name a").seen;
        let schedule = ("HSMWATCH_SCHEDULE", "0 * * * * *");
        assert!(of(&[]).contains("HSMWATCH_SCHEDULE: ") && of(&[]).contains("AzureWebJobsStorage"));
        let fine = "what the host and hsmwatch need is set";
        assert_eq!(of(&[schedule, ("AzureWebJobsStorage", "x")]), fine);
        assert_eq!(of(&[schedule, ("AzureWebJobsStorage__accountName", "x")]), fine);
        assert!(
            of(&[schedule, ("AzureWebJobsStorage__blobServiceUri", "x")])
                .contains("queueServiceUri")
        );
    }
}
