//! The catalogue says what the reader does: keys, defaults, words, bounds, secrets, and what goes with what.

use super::schema::takes;
use super::written::{CLIENT, Good, ROUTING_KEY, SECRET, TEAMS, all, place, world, written};
use super::*;
use crate::config::catalogue::{DOCUMENT, Fallback, Format, RECEIVER, Relation, SECTIONS, Shape};
use crate::config::text::Text;
use crate::notify::Kind;
use crate::watch::build::build;
use crate::watch::rule::Rule;
use crate::watch::schedule::Schedule;
use chrono::TimeDelta;
use secrecy::ExposeSecret as _;
use std::collections::BTreeMap;

#[test]
fn the_sections_are_those_that_the_reader_reads() {
    // Reading a section compares what is asked for with what the catalogue has, and stops where they differ.
    assert_eq!(rendered(&file(&Good::new().text(), &world())), "fine");
    let tables: Vec<&str> = DOCUMENT
        .keys
        .iter()
        .filter_map(|key| match key.shape {
            Shape::Table(of) | Shape::Tables(of) => Some(of.header),
            _ => None,
        })
        .collect();
    let headers: Vec<&str> = SECTIONS.iter().skip(1).map(|of| of.header).collect();
    assert_eq!(tables, headers);
    for of in SECTIONS {
        let mut names: Vec<&str> = of.names().collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), of.keys.len(), "{} has a key twice", of.header);
        for key in of.keys {
            assert!(key.about.ends_with('.'), "{}: {}", place(of, key), key.about);
        }
    }
}

#[test]
fn every_example_is_taken() {
    for (of, key) in all() {
        let text = Good::new().with(of, key, key.example).text();
        let seen = file(&text, &world());
        assert!(seen.is_ok(), "{}\n{text}\n{}", place(of, key), rendered(&seen));
    }
}

/// What a configuration comes to.
fn comes_to(good: &Good) -> String {
    let text = good.text();
    let loaded = file(&text, &world()).unwrap_or_else(|problems| panic!("{text}\n{problems}"));
    let config = loaded.config;
    let rules: Vec<_> = config
        .own_rules
        .iter()
        .filter(|(spec, _)| spec.enabled != Some(false))
        .map(|(spec, _)| build(spec.clone(), &config.schedule).rule)
        .collect();
    // Places move with every line.
    let Config { own_rules: _, .. } = &config;
    format!("{:?}\n{rules:?}", Config { own_rules: Vec::new(), ..config })
}

#[test]
fn what_is_said_to_be_the_default_is_what_holds_without_the_key() {
    let mut seen = 0;
    for (of, key) in all() {
        let Fallback::Value(default) = key.default else { continue };
        seen += 1;
        let with = Good::new().with(of, key, default);
        // All that the key needs, and not the key.
        let mut without = Good::new().with(of, key, default);
        without.unset(of, key.name);
        assert_eq!(comes_to(&with), comes_to(&without), "{}", place(of, key));
        let other = Good::new().with(of, key, key.example);
        assert_ne!(key.example, default, "{}", place(of, key));
        if key.name == "unsigned" {
            // It changes no outcome, only what is refused.
            let mut webhook = Good::new().with(of, key, "false");
            webhook.set(of, "kind", "\"webhook\"");
            assert!(file(&webhook.text(), &world()).is_err());
        } else {
            assert_ne!(comes_to(&other), comes_to(&without), "{}", place(of, key));
        }
    }
    assert!(seen >= 14, "{seen}");
}

#[test]
fn what_is_said_in_words_of_a_default_holds() {
    let rule = |more: &str| -> Rule {
        let query = "CloudHsmServiceOperationAuditLogs";
        let text = format!(
            "{REST}[[rule]]\nid = 'r'\ntitle = 'R'\nseverity = 'low'\nquery = '{query}'\n{more}"
        );
        let config = file(&text, &World::default()).unwrap().config;
        build(config.own_rules[0].0.clone(), &config.schedule).rule.unwrap()
    };
    assert_eq!(rule("").schedule, Schedule::Every(TimeDelta::minutes(5)));
    assert_eq!(rule("").hold(), TimeDelta::days(1));
    assert_eq!(rule("window = '2h'").hold(), TimeDelta::hours(2));
    assert_eq!(rule("lookback = '14d'\nkey = ['CallerIpAddress']").hold(), TimeDelta::days(14));
    assert!(format!("{:?}", rule("window = '2h'").kind).contains("settle: TimeDelta { secs: 0"));
    let absence = rule("window = '2h'\nenabled = true");
    assert!(absence.key.is_empty() && absence.group_by.is_none());
    let silence = crate::watch::presets::get("log-silence").unwrap().spec.clone();
    let silence = crate::watch::rule::RuleSpec { settle: None, ..silence };
    let kind = build(silence, &Schedule::Every(TimeDelta::minutes(5))).rule.unwrap().kind;
    assert!(format!("{kind:?}").contains("settle: TimeDelta { secs: 1200"), "{kind:?}");
    for kind in Kind::ALL {
        let good =
            Good::new().with(&RECEIVER, RECEIVER.key("kind").unwrap(), &format!("\"{kind}\""));
        let severity = format!("min_severity: {:?}", kind.default_min_severity());
        assert!(comes_to(&good).contains(&severity), "{kind}");
    }
    let url = |kind: &str| {
        let good = Good::new().with(&RECEIVER, RECEIVER.key("kind").unwrap(), kind);
        let config = file(&good.text(), &world()).unwrap().config;
        config.receivers[0].url.text.expose_secret().to_owned()
    };
    let Fallback::Words(said) = RECEIVER.key("url").unwrap().default else { panic!() };
    for kind in ["\"pagerduty\"", "\"jira-service-management\""] {
        assert!(said.contains(&url(kind)), "{kind}");
    }
}

#[test]
fn every_word_is_taken_and_no_other() {
    let mut seen = 0;
    for (of, key) in all() {
        let Some(words) = key.format().and_then(Format::words) else { continue };
        for word in words {
            seen += 1;
            let good = Good::new().with(of, key, &written(key, word));
            let result = file(&good.text(), &world());
            assert!(result.is_ok(), "{} {word}: {}", place(of, key), rendered(&result));
            let capital = written(key, &word.to_uppercase());
            assert!(file(&Good::new().with(of, key, &capital).text(), &world()).is_err());
        }
    }
    assert_eq!(
        seen,
        3 + 7 + 2 + 6 + 4 + 5 + 2 + 5,
        "cloud, kind, table, auth, format, min_severity, detail, severity"
    );
}

/// What people write, right in one place and wrong in another.
const PROBES: [&str; 58] = [
    "",
    " ",
    "a",
    "A",
    "prod",
    "on call",
    "hsmwatch",
    "key-delete",
    "Key-Delete",
    "-a",
    "a-",
    "a--b",
    "ab",
    "abc",
    "a_b",
    "9lives",
    "_x",
    "CallerIpAddress",
    "off",
    "0s",
    "1s",
    "59s",
    "60s",
    "5m",
    "5M",
    "1h30m",
    "3651d",
    "0 */5 * * * *",
    "* * *",
    "0 0 * * *",
    "public",
    "usgov",
    "low",
    "critical",
    "teams",
    "webhook",
    "pagerduty",
    "full",
    "counts",
    "11111111-2222-3333-4444-555555555555",
    "AAAAAAAA-2222-3333-4444-555555555555",
    "1111111-2222-3333-4444-5555555555556",
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w",
    "https://h.example.com/",
    "HTTPS://h.example.com",
    "https:h.example.com/a",
    "http://127.0.0.1:9/",
    "http://h.example.com/",
    "https://acct.blob.core.windows.net/box",
    SECRET,
    "whsec_AAAA",
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "?sv=1&sig=x",
    "10.20.0.0/16",
    "::1/128",
    "10.20.0.1",
    "T1485",
    "T1552.004",
];

#[test]
fn a_form_takes_what_the_reader_takes_and_an_editor_never_complains_of_it() {
    let mut taken = 0;
    let long =
        ["x".repeat(200), "x".repeat(201), "x".repeat(4000), "ä".repeat(4001), "y".repeat(17_000)];
    let probes = PROBES.into_iter().map(str::to_owned).chain(long);
    for probe in probes {
        for (of, key) in all() {
            let Some(format) = key.format() else { continue };
            // Names of what is elsewhere in the file, and of presets, are no matter of form; a kind decides about addresses.
            let named = ["workspaces", "receivers", "presets", "rules"].contains(&key.name);
            if named || matches!(format, Format::ReceiverUrl | Format::Kind) {
                continue;
            }
            let text = Good::new().with(of, key, &written(key, &probe)).text();
            let result = file(&text, &world());
            let label = format!("`{}`", key.name);
            let complained = result.as_ref().is_err_and(|problems| {
                problems.0.iter().any(|problem| problem.message.starts_with(&label))
            });
            let fits = format.check(&Text::typed(&probe)).is_ok();
            // Bounds that depend on other keys are no matter of form either, nor is what may stand after a word of ours.
            let apart =
                matches!(format, Format::Duration { .. } | Format::Credential) && result.is_err();
            assert!(
                fits != complained || apart,
                "{} {probe:?}: {}",
                place(of, key),
                rendered(&result)
            );
            taken += usize::from(result.is_ok());
        }
    }
    // Each of them also went through the schema: see `file`.
    assert!(taken > 150, "{taken}");
}

#[test]
fn an_empty_list_is_taken_where_the_catalogue_says_so() {
    for (of, key) in all() {
        let Shape::List { empty, .. } = key.shape else { continue };
        let good = Good::new().with(of, key, "[]");
        let (text, result) = (good.text(), file(&good.text(), &world()));
        let fine = result.is_ok();
        assert_eq!(fine, empty, "{}: {}", place(of, key), rendered(&result));
        assert_eq!(takes(&text), empty, "{}", place(of, key));
    }
    for key in ["workspace", "receiver"] {
        let text = Good::new().text();
        let (before, after) = text.split_once(&format!("[[{key}]]")).unwrap();
        let rest = after.split_once("\n[").map(|(_, rest)| format!("[{rest}")).unwrap_or_default();
        let text = format!("{key} = []\n{before}{rest}");
        let seen = rendered(&file(&text, &world()));
        assert!(seen.contains(&format!("no `[[{key}]]`")), "{text}\n{seen}");
        assert!(!takes(&text));
    }
}

#[test]
fn secrets_that_are_written_out_are_noticed_and_nothing_else_is() {
    let values = BTreeMap::from([
        ("url", TEAMS),
        ("secret", SECRET),
        ("previous_secrets", SECRET),
        ("account_key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ("sas", "sig=x"),
        ("routing_key", ROUTING_KEY),
        ("api_key", "0a1b2c3d"),
        ("token", "tok"),
        ("password", "pass"),
        ("client_secret", "a~b"),
        ("client_certificate", CLIENT),
    ]);
    for (of, key) in all() {
        let secret = key.format().is_some_and(Format::is_secret);
        assert_eq!(secret, values.contains_key(key.name), "{}", place(of, key));
        let value = values.get(key.name).map(|value| written(key, value));
        let text = Good::new().with(of, key, value.as_deref().unwrap_or(key.example)).text();
        let loaded = file(&text, &world()).unwrap();
        let exposed: Vec<_> = loaded.exposed.iter().map(|p| p.message.as_str()).collect();
        let expected: Vec<String> =
            secret.then(|| format!("`{}`: is written out", key.name)).into_iter().collect();
        assert_eq!(exposed, expected, "{text}");
    }
}

#[test]
fn what_goes_with_what_is_refused_by_reader_and_schema_alike() {
    let mut seen = 0;
    let mut refused = |text: &str| {
        seen += 1;
        let result = file(text, &world());
        assert!(result.is_err(), "{text}");
        assert!(!takes(text), "the schema takes\n{text}");
    };
    for of in SECTIONS {
        let example = |key: &str| of.key(key).unwrap().example;
        for key in of.keys.iter().filter(|key| key.required()) {
            if !matches!(key.shape, Shape::Table(_) | Shape::Tables(_)) {
                let mut good = Good::new();
                good.unset(of, key.name);
                refused(&good.text());
            }
        }
        for relation in of.relations {
            let mut good = Good::new();
            match relation {
                Relation::Either(a, b) => {
                    good.set(of, a, example(a));
                    good.set(of, b, example(b));
                    refused(&good.text());
                    good.unset(of, a);
                    good.unset(of, b);
                    refused(&good.text());
                }
                Relation::NotBoth(a, b) => {
                    let (a, b) = (of.key(a).unwrap(), of.key(b).unwrap());
                    let mut good = good.with(of, b, b.example).with(of, a, a.example);
                    good.set(of, b.name, b.example);
                    refused(&good.text());
                }
                Relation::Needs(key, others) | Relation::OwnNeeds(key, others) => {
                    good.set(of, key, example(key));
                    others.iter().for_each(|other| good.unset(of, other));
                    refused(&good.text());
                    if matches!(relation, Relation::OwnNeeds(..)) {
                        // A preset that is changed may have it.
                        good.set(of, "id", "\"login-burst\"");
                        assert!(file(&good.text(), &world()).is_ok(), "{}", good.text());
                    }
                }
                Relation::OwnHas(keys) => {
                    for key in *keys {
                        let mut good = Good::new();
                        good.unset(of, key);
                        refused(&good.text());
                        good.set(of, "id", "\"login-burst\"");
                        assert!(file(&good.text(), &world()).is_ok(), "{}", good.text());
                        // Which rule it is, is kept elsewhere.
                        good.set(of, "id", "{ env = \"ID\" }");
                        let world = world().var("ID", "login-burst");
                        assert!(file(&good.text(), &world).is_ok(), "{}", good.text());
                    }
                }
                Relation::Only { keys, key: other, words } => {
                    let other = of.key(other).unwrap();
                    for wrong in other.format().and_then(Format::words).unwrap() {
                        for key in keys.iter().filter(|_| !words.contains(&wrong)) {
                            let wrong = format!("\"{wrong}\"");
                            let mut good = Good::new().with(of, other, &wrong);
                            good.set(of, key, example(key));
                            refused(&good.text());
                        }
                    }
                }
                Relation::When { key: other, words, needs } => {
                    let other = of.key(other).unwrap();
                    for (word, need) in words.iter().flat_map(|w| needs.iter().map(move |n| (w, n)))
                    {
                        let mut good = Good::new().with(of, other, &format!("\"{word}\""));
                        good.unset(of, need);
                        refused(&good.text());
                    }
                }
                Relation::WhenAny { key: other, words, any } => {
                    let other = of.key(other).unwrap();
                    for word in *words {
                        let mut good = Good::new().with(of, other, &format!("\"{word}\""));
                        any.iter().for_each(|key| good.unset(of, key));
                        refused(&good.text());
                    }
                }
                Relation::Signed => {
                    good.set(of, "kind", "\"webhook\"");
                    good.set(of, "url", "\"https://itsm.example.com/\"");
                    refused(&good.text());
                    good.set(of, "unsigned", "false");
                    refused(&good.text());
                    good.set(of, "unsigned", "true");
                    assert!(file(&good.text(), &world()).is_ok(), "{}", good.text());
                    good.set(of, "secret", example("secret"));
                    refused(&good.text());
                    good.set(of, "unsigned", "false");
                    assert!(file(&good.text(), &world()).is_ok(), "{}", good.text());
                }
            }
        }
    }
    assert!(seen > 150, "{seen}");
}
