//! Configurations that can be used.

use super::*;
use crate::notify::{Detail, Kind};
use crate::watch::schedule::Schedule;
use crate::watch::severity::Severity;
use chrono::TimeDelta;
use secrecy::ExposeSecret as _;
use std::path::PathBuf;

const TEAMS: &str = "https://default0123.4d.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/abc/triggers/manual/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=x_Y-z";
const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The example of the design, as written there.
const EXAMPLE: &str = r#"
every = "5m"                     # from 1s; or cron = "0 */5 * * * *". A watch is due when floor(now / every) is newer than the slot it last evaluated
presets = ["tutorial"]           # ids or sets: tutorial (the four), recommended, all
rules = ["rules/*.toml"]         # more rules, relative to this file
cloud = "public"                 # public | usgov | china: query host and scope, authority, portal
# also: overlap, sweep, sweep_every, catch_up, silent_after

[state]
path = "hsmwatch-state"          # one machine; or: account_url = "https://ACCOUNT.blob.core.windows.net", container = "hsmwatch-state"

[[workspace]]
name = "prod"
id = "11111111-2222-3333-4444-555555555555"   # Log Analytics customer id; endpoint = "…" overrides the host
# logs = ["exports/**/*.json"]               # instead of id: exported logs, evaluated by the embedded engine

[[receiver]]
name = "oncall"
kind = "teams"                   # teams | slack | webhook; later kinds are refused with "not yet: use webhook"
url = { env = "TEAMS_URL" }
min_severity = "low"             # info | low | medium | high | critical; default low for teams and slack, info for webhook
# rules = ["key-delete"], allow_networks = ["10.20.0.0/16"] (private addresses it may resolve to), detail = "full" | "counts" (no log fields leave)

[[receiver]]
name = "itsm"
kind = "webhook"
url = "https://itsm.example.com/hooks/hsm"
secret = { env = "ITSM_SECRET" } # whsec_…; previous_secrets = [..] while rotating; kind webhook without a secret needs unsigned = true

[[rule]]                         # own rules; one with a preset's id changes that preset's fields
id = "key-delete-at-night"
title = "Key deleted outside working hours"
severity = "critical"
query = '''CloudHsmServiceOperationAuditLogs | where OperationName == "CN_TOMBSTONE_OBJECT" | where hourofday(TimeGenerated) !between (7 .. 18)'''
"#;

#[test]
fn the_design_s_example_is_good() {
    let world = World::default().var("TEAMS_URL", TEAMS).var("ITSM_SECRET", SECRET).file(
        "rules/own.toml",
        "[[rule]]\nid = 'a'\ntitle = 'A'\nseverity = 'low'\nquery = '''\nT\n| take 1\n'''\n",
    );
    let loaded = file(EXAMPLE, &world).unwrap();
    assert_eq!(loaded.warnings, []);
    let config = loaded.config;
    assert_eq!(config.schedule, Schedule::Every(TimeDelta::minutes(5)));
    assert_eq!(config.presets, ["login-session", "user-change", "key-create", "key-delete"]);
    assert_eq!(config.overlap, TimeDelta::hours(1));
    assert_eq!(config.sweep, TimeDelta::hours(49));
    assert_eq!(config.sweep_every, TimeDelta::hours(6));
    assert_eq!(config.catch_up, TimeDelta::days(7));
    assert_eq!(config.silent_after, None);
    let State::Folder(folder) = &config.state else { panic!() };
    assert_eq!(*folder, PathBuf::from("hsmwatch-state"));
    let [oncall, itsm] = config.receivers.as_slice() else { panic!() };
    assert_eq!((oncall.kind(), oncall.min_severity), (Kind::Teams, Severity::Low));
    assert_eq!(oncall.url.text.expose_secret(), TEAMS, "byte for byte");
    assert_eq!((itsm.kind(), itsm.min_severity), (Kind::Webhook, Severity::Info));
    assert_eq!(itsm.detail, Detail::Full);
    assert_eq!(itsm.secrets.len(), 1);
    let ids: Vec<_> = config.own_rules.iter().map(|(spec, _)| spec.id.as_str()).collect();
    assert_eq!(ids, ["key-delete-at-night", "a"]);
    let own = &config.own_rules[1].1;
    assert_eq!(own.rule.to_string(), "rules/own.toml:1:1");
    let query = own.query.as_ref().unwrap();
    assert_eq!(query.at(0).to_string(), "rules/own.toml:6:1");
    assert_eq!(query.at(4).to_string(), "rules/own.toml:7:3");
}

#[test]
fn every_key_is_taken() {
    let text = format!(
        r#"
cron = "0 */5 * * * *"
presets = ["key-delete", "tutorial"]
cloud = "usgov"
overlap = "2h"
sweep = "3d"
sweep_every = "1h"
catch_up = "30d"
silent_after = "14d"
[state]
account_url = "https://acct.blob.core.usgovcloudapi.net/"
container = "hsm-state"
sas = {{ env = "STATE_SAS" }}
[[workspace]]
name = "prod"
id = "AAAAAAAA-2222-3333-4444-555555555555"
endpoint = "http://127.0.0.1:8080"
resource_id = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/ws"
[[workspace]]
name = "old_logs"
logs = ["exports/**/*.json", "/abs/*.json"]
[[receiver]]
name = "chat"
kind = "slack"
url = {{ file = "slack-url" }}
min_severity = "high"
rules = ["key-delete", "mine"]
detail = "counts"
[[receiver]]
name = "hook"
kind = "webhook"
url = "http://[::1]:9/x"
secret = "{SECRET}"
previous_secrets = ["whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="]
allow_networks = ["10.20.0.0/16", "fd00::/8"]
[[rule]]
id = "key-delete"
severity = "high"
exclude = 'CallerIpAddress == "10.0.0.1"'
[[rule]]
id = "mine"
title = "Burst"
severity = "medium"
query = "T | summarize count()"
enabled = true
every = "10m"
window = "1h"
settle = "20m"
key = ["CallerIpAddress"]
renotify = "1d"
group_by = []
workspaces = ["prod"]
receivers = ["chat"]
meaning = "m"
why = "w"
action = "a"
false_positives = "f"
runbook = "https://wiki.example.com/x"
attack = "T1485"
[[rule]]
id = "first-seen"
title = "First seen"
severity = "low"
query = "T"
lookback = "14d"
key = ["CallerIpAddress"]
cron = "0 0 * * *"
"#
    );
    let world = World { base: "/etc/hsm[1]".into(), ..World::default() };
    let world = world.var("STATE_SAS", "?sv=2021-12-02&sig=abc%3D");
    let world = world.file("/etc/hsm[1]/slack-url", "https://hooks.slack.com/services/T/B/x\r\n");
    let loaded = file(&text, &world).unwrap();
    assert_eq!(rendered(&Ok(loaded.clone())), "fine");
    insta::assert_debug_snapshot!(loaded.config);
    let slack = loaded.config.receivers[0].url.text.expose_secret();
    assert_eq!(slack, "https://hooks.slack.com/services/T/B/x");
}

#[test]
fn clouds_have_their_hosts() {
    for cloud in Cloud::ALL {
        assert!(cloud.portal_host().starts_with("portal.azure."));
    }
    assert_eq!(Cloud::China.portal_host(), "portal.azure.cn");
}

#[test]
fn a_place_inside_a_query_is_found_wherever_the_text_stands_as_it_is() {
    let places = |query: &str| {
        let text = format!("[[rule]]\nid='r'\ntitle='R'\nseverity='low'\nquery = {query}\n{REST}");
        let config = file(&text, &World::default()).unwrap().config;
        let (spec, place) = &config.own_rules[0];
        let query = spec.query.as_ref().unwrap();
        let offset = query.find('X').unwrap();
        let at = place.query.as_ref().unwrap().at(offset);
        (at.line, at.column)
    };
    assert_eq!(places("'''abX'''"), (5, 14));
    assert_eq!(places("'''\nab\n  X'''"), (7, 3));
    assert_eq!(places("'''\r\nab\r\näöX'''"), (7, 3));
    assert_eq!(places("\"\"\"\nab\nX\"\"\""), (7, 1));
    assert_eq!(places("'abX'"), (5, 12));
    assert_eq!(places("\"abX\""), (5, 12));
    // Escapes: the string's start.
    assert_eq!(places("\"a\\tX\""), (5, 9));
    assert_eq!(places("\"\"\"\na \\\n  X\"\"\""), (5, 9));
}

#[test]
fn a_place_inside_a_query_s_own_file_is_found_there() {
    let text = format!(
        "[[rule]]\nid='r'\ntitle='R'\nseverity='low'\nquery = {{ file = 'r.kql' }}\n{REST}"
    );
    let config = file(&text, &World::default().file("r.kql", "T\n| X\n")).unwrap().config;
    let place = config.own_rules[0].1.query.as_ref().unwrap();
    assert_eq!(place.at(4).to_string(), "r.kql:2:3");
    assert_eq!(place.at(1000).to_string(), "r.kql:2:4");
}

#[test]
fn the_emulator_s_addresses_are_accounts_too() {
    let state = |url: &str| {
        let text = REST.replace("path = \"s\"", &format!("account_url = \"{url}\""));
        match file(&text, &World::default()).unwrap().config.state {
            State::Blob { account_url, container, .. } => format!("{account_url} {container}"),
            State::Folder(_) => panic!(),
        }
    };
    assert_eq!(
        state("https://acct.blob.core.windows.net"),
        "https://acct.blob.core.windows.net/ hsmwatch-state"
    );
    assert_eq!(
        state("http://127.0.0.1:10000/devstoreaccount1/?sv=1&sig=x"),
        "http://127.0.0.1:10000/devstoreaccount1?sv=1&sig=x hsmwatch-state"
    );
}

#[test]
fn where_state_lives_is_read_alone() {
    let folder = |input: Input<'_>, world: &World| match state(input, world) {
        Some(State::Folder(path)) => Some(path),
        other => {
            assert!(other.is_none(), "{other:?}");
            None
        }
    };
    let alone = |text: &str| {
        folder(Input::File { name: "hsmwatch.toml", text }, &World::default().var("S", "/s"))
    };
    let there = Some(PathBuf::from("/s"));
    assert_eq!(alone("every = 5\n[state]\npath = \"/s\"\n[[rule]]\nid = 7"), there);
    assert_eq!(alone("[state]\npath = { env = \"S\" }\n[[receiver]\n"), there);
    for text in [
        "",
        "[state]\npath = \"/s",
        "[state]\npath = \"/s\"\nbath = 1",
        "x = \n[state]\npath = \"/s\"",
        "[state]\npath = { env = \"NOT\" }",
    ] {
        assert_eq!(alone(text), None, "{text}");
    }
    let world = World::default().var("HSMWATCH_STATE_PATH", "/s");
    assert_eq!(folder(Input::Environment, &world), there);
    assert_eq!(folder(Input::Environment, &World::default()), None);
}
