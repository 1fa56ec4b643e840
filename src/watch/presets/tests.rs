use super::*;
use crate::watch::severity::Severity;
use chrono::TimeDelta;
use std::collections::BTreeSet;
use std::path::Path;

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

#[test]
fn every_file_is_built_in_and_named_like_its_rule() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "tests")
        .collect();
    let ids: BTreeSet<String> = all().iter().map(|p| format!("{}.toml", p.spec.id)).collect();
    assert_eq!(files, ids);
    assert_eq!(all().len(), ids.len(), "an id is there twice");
}

#[test]
fn severities_are_those_of_the_contract() {
    for (id, severity) in [
        ("login-session", Severity::Info),
        ("user-change", Severity::High),
        ("key-create", Severity::Low),
        ("key-delete", Severity::Critical),
        ("login-burst", Severity::High),
        ("caller-first-seen", Severity::Medium),
        ("log-silence", Severity::High),
    ] {
        assert_eq!(get(id).unwrap().spec.severity, Some(severity), "{id}");
    }
    assert!(all().iter().all(|preset| preset.spec.severity.is_some()));
}

#[test]
fn every_word_that_an_alert_shows_is_there() {
    for Preset { spec, .. } in all() {
        for (field, text) in [
            ("title", &spec.title),
            ("meaning", &spec.meaning),
            ("why", &spec.why),
            ("action", &spec.action),
            ("false_positives", &spec.false_positives),
        ] {
            let text = text.as_deref().unwrap_or_default();
            assert!(!text.is_empty() && text.trim() == text, "{}: `{field}`: {text:?}", spec.id);
            assert!(!text.contains('\n'), "{}: `{field}` is more than a line", spec.id);
            let sentence = field != "title";
            assert_eq!(text.ends_with('.'), sentence, "{}: `{field}`: {text:?}", spec.id);
        }
        // A card's heading is cut by some receivers beyond this.
        let title = spec.title.as_deref().unwrap_or_default();
        assert!(title.chars().count() <= 60, "{}: {title:?}", spec.id);
    }
}

#[test]
fn techniques_have_the_form_of_attack() {
    for Preset { spec, .. } in all() {
        let Some(attack) = &spec.attack else { continue };
        let (technique, sub) = attack.split_once('.').unwrap_or((attack, "000"));
        let digits = |s: &str, n| s.len() == n && s.bytes().all(|b| b.is_ascii_digit());
        let good = technique.strip_prefix('T').is_some_and(|t| digits(t, 4)) && digits(sub, 3);
        assert!(good, "{}: {attack}", spec.id);
    }
}

#[test]
fn no_query_asks_the_clock_or_the_service_for_what_cannot_be_repeated() {
    for Preset { spec, .. } in all() {
        let query = spec.query.as_deref().unwrap();
        for forbidden in ["ingestion_time", "isfuzzy", "ago(", "now(", "//"] {
            assert!(!query.contains(forbidden), "{}: {forbidden}", spec.id);
        }
        assert!(!query.trim_end().ends_with(';'), "{}: `exclude` is appended", spec.id);
    }
}

/// What `config` asks of a rule: a preset must not be what a user's own rule may not.
#[test]
fn timings_fit_together() {
    for Preset { spec, .. } in all() {
        let windowed = spec.window.is_some();
        let id = &spec.id;
        assert!(spec.cron.is_none() && spec.enabled.is_none() && spec.workspaces.is_none(), "{id}");
        assert!(spec.exclude.is_none() && spec.receivers.is_none(), "{id}");
        assert!(spec.settle.is_none() || windowed, "{id}");
        assert!(spec.lookback.is_none() || (spec.key.is_some() && !windowed), "{id}");
        assert!(spec.renotify.is_none() || spec.key.is_some() || windowed, "{id}");
        if let Some(window) = spec.window {
            assert!(spec.every.unwrap() * 2 <= window, "{id}");
        }
        let query = spec.query.as_deref().unwrap();
        let bounded =
            query.contains("TimeGenerated >= window_start and TimeGenerated < window_end");
        assert_eq!(bounded, windowed || spec.lookback.is_some(), "{id}");
    }
    let timing = |id: &str| {
        let spec = &get(id).unwrap().spec;
        (spec.every, spec.window, spec.settle, spec.lookback, spec.renotify)
    };
    let (hours, minutes) = (|n| Some(TimeDelta::hours(n)), |n| Some(TimeDelta::minutes(n)));
    assert_eq!(timing("login-burst"), (minutes(5), hours(1), None, None, hours(4)));
    assert_eq!(timing("caller-first-seen"), (None, None, None, hours(14 * 24), None));
    assert_eq!(timing("log-silence"), (hours(1), hours(24), minutes(20), None, hours(24)));
    assert_eq!(timing("key-delete"), (None, None, None, None, None));
}

#[test]
fn sets_hold_what_they_promise() {
    let sets = sets();
    let tutorial = strings(&["login-session", "user-change", "key-create", "key-delete"]);
    assert_eq!(sets["tutorial"], tutorial);
    let everything: Vec<String> = all().iter().map(|p| p.spec.id.clone()).collect();
    assert_eq!(sets["all"], everything);
    // Whoever is left out of the other sets says why, and nobody else does.
    for preset in all() {
        let id = &preset.spec.id;
        assert_eq!(preset.left_out.is_empty(), sets["recommended"].contains(id), "{id}");
        assert!(!preset.left_out.ends_with('.'), "{id}: a clause");
    }
    assert!(tutorial.iter().all(|id| sets["recommended"].contains(id)));
    for id in ["log-silence", "outside-working-hours", "hardware-change"] {
        assert!(!sets["recommended"].contains(&id.to_owned()), "{id}");
    }
    assert_eq!(sets.len(), SETS.len());
    for set in SETS {
        assert!(get(set).is_none(), "`{set}` is a set and a preset");
    }
}

#[test]
fn names_expand_in_the_order_written_and_once() {
    assert_eq!(
        expand(&strings(&["log-silence", "key-delete", "tutorial", "key-delete"])),
        Ok(strings(&["log-silence", "key-delete", "login-session", "user-change", "key-create"]))
    );
    assert_eq!(expand(&[]), Ok(vec![]));
    assert_eq!(expand(&strings(&["all"])).unwrap().len(), all().len());
}

#[test]
fn an_unknown_name_is_told_with_what_there_is() {
    let unknown = expand(&strings(&["tutorial", "key-deleted"])).unwrap_err();
    let text = unknown.to_string();
    let begin = "`key-deleted` is neither a preset nor a set: use tutorial, recommended, all, login-session, user-change";
    assert!(text.starts_with(begin), "{text}");
    assert!(all().iter().all(|preset| text.contains(&preset.spec.id)), "{text}");
}

#[test]
fn a_key_that_the_contract_lacks_is_refused() {
    let refused = |text: &str| toml::from_str::<File>(text).map(|_| ()).unwrap_err().to_string();
    assert!(refused("[[rule]]\nid = \"a\"\ntags = []").contains("unknown field `tags`"));
    assert!(refused("[[rule]]\nid = \"a\"\nevery = \"5 m\"").contains("is not a duration"));
}

/// To make it again: `HSMWATCH_WRITE=1 cargo test -p hsmwatch --lib generated`.
#[test]
fn the_generated_page_of_rules_is_what_the_pack_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules.md");
    let there = std::fs::read_to_string(&path).unwrap();
    let (before, after) = there.split_once("<!-- rules -->\n").unwrap();
    let (_, after) = after.split_once("<!-- end of rules -->").unwrap();
    let page = reference::page();
    let made = format!("{before}<!-- rules -->\n{page}<!-- end of rules -->{after}");
    #[expect(clippy::disallowed_methods, reason = "a switch of whoever runs the test")]
    if std::env::var("HSMWATCH_WRITE").is_ok() {
        std::fs::write(path, made).unwrap();
        return;
    }
    let hint = "HSMWATCH_WRITE=1 cargo test -p hsmwatch --lib generated";
    assert!(there == made, "docs/rules.md is not what the pack says: {hint}");
}
