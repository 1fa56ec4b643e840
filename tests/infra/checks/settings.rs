//! The app's settings are what the program and its host read: no more, no less, and with values that they accept.

use crate::eval::Scenario;
use crate::sources::Infra;
use hsmwatch::config::variables::{self, Setter, VARIABLES};
use hsmwatch::config::{self, BlobPlace, Input, Known, Lookup};
use hsmwatch::watch::presets;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What the Functions host reads, and why the app cannot do without.
const OF_HOST: [(&str, &str); 7] = [
    ("AzureWebJobsStorage__credential", "its storage by identity"),
    ("AzureWebJobsStorage__clientId", "which identity"),
    ("AzureWebJobsStorage__blobServiceUri", "locks and keys"),
    ("AzureWebJobsStorage__queueServiceUri", "the queues of the functions"),
    ("AzureWebJobsStorage__tableServiceUri", "its diagnostic events"),
    ("APPLICATIONINSIGHTS_CONNECTION_STRING", "where log lines go"),
    ("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "by which identity"),
];

/// Variables of the program that the template leaves alone, and why.
const NOT_SET: [(&str, &str); 3] = [
    ("HSMWATCH_STATE_PATH", "a folder is for one machine"),
    ("HSMWATCH_STORAGE_KEY", "the identity has a role"),
    ("HSMWATCH_STORAGE_SAS", "the identity has a role"),
];

/// What README calls the host's settings, all together.
const PREFIXES: [&str; 2] = ["AzureWebJobsStorage…", "APPLICATIONINSIGHTS_…"];

/// The settings that hold a secret, and the secret's name in the vault.
const SECRETS: [(&str, &str); 5] = [
    ("HSMWATCH_TEAMS_URL", "hsmwatch-teams-url"),
    ("HSMWATCH_SLACK_URL", "hsmwatch-slack-url"),
    ("HSMWATCH_WEBHOOK_URL", "hsmwatch-webhook-url"),
    ("HSMWATCH_WEBHOOK_SECRET", "hsmwatch-webhook-secret"),
    ("HSMWATCH_PAGERDUTY_ROUTING_KEY", "hsmwatch-pagerduty-routing-key"),
];

pub(crate) fn check(infra: &Infra) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut set = BTreeSet::new();
    for scenario in infra.scenarios().iter() {
        let Some((place, settings)) = of_app(scenario) else { continue };
        let own = scenario.given.get("secretSettings").and_then(Value::as_object);
        let ours =
            settings.iter().filter(|(name, _)| own.is_none_or(|own| !own.contains_key(*name)));
        set.extend(ours.map(|(name, _)| name.clone()));
        let mut say = |text: String| {
            if !found.iter().any(|known: &String| known.starts_with(&format!("{place}: {text}"))) {
                found.insert(format!("{place}: {text} (with {})", scenario.label));
            }
        };
        values(scenario, &settings, &mut say);
    }
    if set.is_empty() {
        return vec!["infra/: no template sets the app's settings: set them".to_owned()];
    }
    let place = "infra/main.bicep: the app's settings";
    for name in &set {
        let known = OF_HOST.iter().any(|(host, _)| host == name);
        match variables::get(name) {
            Some(variable) if variable.setter == Setter::Person => {}
            Some(_) => {
                found.insert(format!("{place}: `{name}` is not for an app on Azure: remove it"));
            }
            None if known => {}
            None => {
                found.insert(format!("{place}: nobody reads `{name}`: remove it, or correct its name (src/config/variables.rs has those there are)"));
            }
        }
        if let Some((_, why)) = NOT_SET.iter().find(|(not, _)| not == name) {
            found.insert(format!("{place}: `{name}` is set, but {why}: remove it"));
        }
    }
    let needed = VARIABLES.iter().filter(|variable| variable.setter == Setter::Person);
    let needed = needed.map(|variable| variable.name).chain(OF_HOST.iter().map(|(name, _)| *name));
    for name in needed {
        if !set.contains(name) && !NOT_SET.iter().any(|(not, _)| *not == name) {
            found.insert(format!("{place}: `{name}` is never set: set it, or say in tests/infra/checks/settings.rs why not"));
        }
    }
    found.into_iter().chain(readme(infra)).collect()
}

/// The app's settings, and where they stand.
pub(crate) fn of_app(scenario: &Scenario) -> Option<(String, Map<String, Value>)> {
    let all = scenario.deployment.of_kind("Microsoft.Web/sites/config");
    let resource = all.into_iter().find(|resource| resource.body["name"] == "appsettings")?;
    let settings = resource.body["properties"].as_object()?.clone();
    Some((format!("{}:{}", resource.path, resource.at.line), settings))
}

/// The table of README "On Azure" names the same.
fn readme(infra: &Infra) -> Vec<String> {
    let section = infra.text("README.md").split("## On Azure").nth(1).unwrap_or_default();
    let rows = section.lines().skip_while(|line| !line.starts_with("| setting |")).skip(2);
    let cells =
        rows.take_while(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(1));
    let named: BTreeSet<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let persons = VARIABLES.iter().filter(|variable| variable.setter == Setter::Person);
    let wanted: BTreeSet<&str> = persons.map(|variable| variable.name).chain(PREFIXES).collect();
    let missing = wanted.difference(&named).map(|name| {
        format!("README.md: the table of settings in \"On Azure\" lacks `{name}`: add it")
    });
    let more = named.difference(&wanted).map(|name| {
        format!("README.md: the table of settings in \"On Azure\" has `{name}`, which nobody reads: remove it")
    });
    missing.chain(more).collect()
}

fn values(scenario: &Scenario, settings: &Map<String, Value>, say: &mut dyn FnMut(String)) {
    let vault =
        scenario.deployment.outputs.get("keyVaultName").and_then(Value::as_str).unwrap_or("?");
    for (name, value) in settings {
        let Some(value) = value.as_str() else {
            say(format!("`{name}` is no string: settings are"));
            continue;
        };
        if value.is_empty() && name != "HSMWATCH_PRESETS" {
            say(format!("`{name}` is empty: leave it out, or demand a value"));
        }
        if let Some((_, secret)) = SECRETS.iter().find(|(setting, _)| setting == name) {
            let wanted = format!(
                "@Microsoft.KeyVault(SecretUri=https://{vault}.vault.azure.net/secrets/{secret})"
            );
            if value != wanted {
                say(format!("`{name}` is {value}: it must be {wanted}"));
            }
        }
    }
    let own = scenario.given.get("secretSettings").and_then(Value::as_object);
    for (name, secret) in own.into_iter().flatten() {
        let end = format!("/secrets/{})", secret.as_str().unwrap_or_default());
        let refers = |value: &Value| {
            value.as_str().is_some_and(|v| {
                v.starts_with("@Microsoft.KeyVault(SecretUri=https://") && v.ends_with(&end)
            })
        };
        if !settings.get(name).is_some_and(refers) {
            say(format!("`{name}` of secretSettings is no reference to its secret"));
        }
    }
    let text = |name: &str| settings.get(name).and_then(Value::as_str).map(resolved);
    if let Some(schedule) = text("HSMWATCH_SCHEDULE")
        && schedule.parse::<cron::Schedule>().is_err()
    {
        say(format!("`HSMWATCH_SCHEDULE` is \"{schedule}\": it must be NCRONTAB with seconds"));
    }
    if let Some(level) = text("HSMWATCH_LOG")
        && level.parse::<tracing::Level>().map_or(true, |level| level < tracing::Level::INFO)
    {
        say(format!("`HSMWATCH_LOG` is {level}: the dead-man's switch counts lines of level info"));
    }
    match text("HSMWATCH_CONFIG") {
        Some(address) => match BlobPlace::parse(&address) {
            Some(Ok(_)) => {}
            Some(Err(problem)) => {
                say(format!("`HSMWATCH_CONFIG` is not accepted: {}", problem.message));
            }
            None => say("`HSMWATCH_CONFIG` is no address".to_owned()),
        },
        // Without receivers it needs a file, which is in the package.
        None if scenario.given.get("receivers").is_some_and(|r| r == &serde_json::json!([])) => {}
        None => {
            if let Err(problems) = config::load(Input::Environment, &known(), &Settings(settings)) {
                let all: Vec<_> =
                    problems.0.iter().map(|problem| problem.message.as_str()).collect();
                say(format!("hsmwatch does not accept them: {}", all.join("; ")));
            }
        }
    }
}

fn known() -> Known {
    Known {
        parameters: presets::parameters(),
        preset_ids: presets::all().iter().map(|preset| preset.spec.id.clone()).collect(),
        sets: presets::sets(),
    }
}

/// The settings as the program would find them in its environment.
struct Settings<'s>(&'s Map<String, Value>);

impl Lookup for Settings<'_> {
    fn var(&self, name: &str) -> Option<String> {
        let value = self.0.get(name)?.as_str()?;
        // What the platform makes of a reference.
        let secrets = BTreeMap::from([
            ("HSMWATCH_TEAMS_URL", "https://prod-1.westeurope.logic.azure.com/workflows/x"),
            ("HSMWATCH_SLACK_URL", "https://hooks.slack.com/services/T/B/x"),
            ("HSMWATCH_WEBHOOK_URL", "https://itsm.example.com/hook"),
            ("HSMWATCH_PAGERDUTY_ROUTING_KEY", "R0123456789ABCDEFGHIJKLMNOPQRSTU"),
            ("HSMWATCH_WEBHOOK_SECRET", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ]);
        match secrets.get(name) {
            Some(secret) if value.starts_with("@Microsoft.KeyVault(") => Some((*secret).to_owned()),
            _ => Some(resolved(value)),
        }
    }

    fn base(&self) -> &Path {
        Path::new("/home/site/wwwroot")
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        Err(format!("{} is not there", path.display()))
    }

    fn glob(&self, _pattern: &str) -> Result<Vec<PathBuf>, String> {
        Ok(Vec::new())
    }
}

/// A text with samples in place of what only Azure knows.
fn resolved(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('⟦') {
        out.push_str(before);
        let (what, after) = after.split_once('⟧').unwrap_or((after, ""));
        out.push_str(match what {
            _ if what.ends_with(".primaryEndpoints.blob") => "https://acct.blob.core.windows.net/",
            _ if what.ends_with(".customerId") => "11111111-2222-3333-4444-555555555555",
            other => other,
        });
        rest = after;
    }
    out + rest
}
