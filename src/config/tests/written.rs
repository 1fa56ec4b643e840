//! Good configurations, key by key, as the catalogue says that they are written.

use super::world::World;
use crate::config::catalogue::{
    Key, RECEIVER, RULE, Relation, SECTIONS, STATE, Section, Shape, WORKSPACE,
};
use std::collections::BTreeMap;
use std::fmt::Write as _;

pub(super) const TEAMS: &str = "https://x.environment.api.powerplatform.com/workflows/abc";
pub(super) const SLACK: &str = "https://hooks.slack.com/services/T/B/x";
pub(super) const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

pub(super) const ROUTING_KEY: &str = "R0123456789ABCDEFGHIJKLMNOPQRSTU";
/// By its form: what is in it, nobody here reads.
pub(super) const CERTIFICATE: &str =
    "-----BEGIN CERTIFICATE-----\nAAECAwQFBgcICQoLDA0ODw==\n-----END CERTIFICATE-----\n";
/// The same with its key.
pub(super) const CLIENT: &str = concat!(
    "-----BEGIN CERTIFICATE-----\nAAECAwQFBgcICQoLDA0ODw==\n-----END CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KEY-----\nAAECAwQFBgcICQoLDA0ODw==\n-----END PRIVATE KEY-----\n",
);

/// An address that a kind takes.
pub(super) fn url(kind: &str) -> Option<&'static str> {
    match kind {
        "teams" => Some("{ env = \"HSMWATCH_TEAMS_URL\" }"),
        "slack" => Some("{ env = \"HSMWATCH_SLACK_URL\" }"),
        "webhook" => Some("{ env = \"HSMWATCH_WEBHOOK_URL\" }"),
        "servicenow" => Some("\"https://acme.service-now.com\""),
        "jira" => Some("\"https://acme.atlassian.net\""),
        _ => None,
    }
}

/// A world in which the variables that examples name are set, and the files that they match are there.
pub(super) fn world() -> World {
    World::default()
        .var("HSMWATCH_TEAMS_URL", TEAMS)
        .var("HSMWATCH_SLACK_URL", SLACK)
        .var("HSMWATCH_WEBHOOK_URL", "https://itsm.example.com/hook")
        .var("HSMWATCH_WEBHOOK_SECRET", SECRET)
        .var("FORMER_SECRET", "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=")
        .var("HSMWATCH_STORAGE_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
        .var("HSMWATCH_STORAGE_SAS", "sv=2021-12-02&sig=abc%3D")
        .var("HSMWATCH_PAGERDUTY_ROUTING_KEY", ROUTING_KEY)
        .var("SERVICENOW_PASSWORD", "pass")
        .var("JIRA_TOKEN", "tok")
        .var("JSM_API_KEY", "0a1b2c3d-0000-4000-8000-0123456789ab")
        .var("RECEIVER_TOKEN", "tok-0123456789")
        .var("RECEIVER_PASSWORD", "pass word: 1")
        .var("RECEIVER_CLIENT_SECRET", "a~b.c_d-e")
        .file("alert.json.j2", "{\"text\": {{ title }}}\n")
        .file("ca.pem", CERTIFICATE)
        .file("client.pem", CLIENT)
        .file("rules/a.toml", "[[rule]]\nid = 'a'\ntitle = 'A'\nseverity = 'low'\nquery = 'T'\n")
}

/// A good configuration, as the keys of its sections and their values: one table of each.
pub(super) struct Good(BTreeMap<&'static str, BTreeMap<String, String>>);

impl Good {
    /// With the least that a section needs.
    pub(super) fn new() -> Self {
        let mut good = Self(BTreeMap::new());
        for (of, keys) in [
            (&STATE, &["path"][..]),
            (&WORKSPACE, &["name", "id"]),
            (&RECEIVER, &["name", "kind", "url"]),
            (&RULE, &["id", "title", "severity", "query"]),
        ] {
            for key in keys {
                good.set(of, key, of.key(key).unwrap().example);
            }
        }
        good
    }

    pub(super) fn set(&mut self, of: &Section, key: &str, value: &str) {
        let name = SECTIONS.iter().find(|section| section.header == of.header).unwrap().header;
        self.0.entry(name).or_default().insert(key.to_owned(), value.to_owned());
    }

    pub(super) fn unset(&mut self, of: &Section, key: &str) {
        self.0
            .entry(SECTIONS.iter().find(|s| s.header == of.header).unwrap().header)
            .or_default()
            .remove(key);
    }

    pub(super) fn has(&self, of: &Section, key: &str) -> bool {
        self.0.get(of.header).is_some_and(|keys| keys.contains_key(key))
    }

    /// A word that is written for a key.
    fn word(&self, of: &Section, key: &str) -> Option<&str> {
        Some(self.0.get(of.header)?.get(key)?.trim_matches('"'))
    }

    /// Sets a key, and sees that what the catalogue says of it holds.
    pub(super) fn with(mut self, of: &Section, key: &Key, value: &str) -> Self {
        self.set(of, key.name, value);
        let word = value.trim_matches('"');
        if key.name == "kind" {
            match url(word) {
                Some(url) => self.set(of, "url", url),
                None => self.unset(of, "url"),
            }
        }
        for relation in of.relations {
            self = self.held(of, relation, key, word);
        }
        self
    }

    fn held(mut self, of: &Section, relation: &Relation, key: &Key, word: &str) -> Self {
        let example = |good: Self, name: &str| {
            let other = of.key(name).unwrap();
            if good.has(of, name) { good } else { good.with(of, other, other.example) }
        };
        match relation {
            Relation::Either(a, b) | Relation::NotBoth(a, b) => {
                if *a == key.name {
                    self.unset(of, b);
                }
                if *b == key.name {
                    self.unset(of, a);
                }
            }
            Relation::Needs(a, others) | Relation::OwnNeeds(a, others)
                if *a == key.name && !others.iter().any(|other| self.has(of, other)) =>
            {
                let other = of.key(others[0]).unwrap();
                // Where only some of its words go with the key, one of those.
                let fit = of.relations.iter().find_map(|relation| match relation {
                    Relation::Only { keys, key: of, words }
                        if keys.contains(a) && of == &other.name =>
                    {
                        Some(format!("\"{}\"", words[0]))
                    }
                    _ => None,
                });
                self = match fit {
                    Some(word) => self.with(of, other, &word),
                    None => example(self, other.name),
                };
            }
            Relation::Only { keys, key: other, words }
                if keys.contains(&key.name)
                    && self.word(of, other).is_some_and(|word| !words.contains(&word)) =>
            {
                let other = of.key(other).unwrap();
                self = self.with(of, other, &format!("\"{}\"", words[0]));
            }
            Relation::Only { keys, key: other, words }
                if *other == key.name && !words.contains(&word) =>
            {
                keys.iter().for_each(|key| self.unset(of, key));
            }
            Relation::When { key: other, words, needs }
                if *other == key.name && words.contains(&word) =>
            {
                self = needs.iter().fold(self, |good, need| example(good, need));
            }
            Relation::WhenAny { key: other, words, any }
                if *other == key.name
                    && words.contains(&word)
                    && !any.iter().any(|other| self.has(of, other)) =>
            {
                self = example(self, any[0]);
            }
            Relation::Signed if key.name == "kind" && word == "webhook" => {
                self = example(self, "secret");
            }
            _ => {}
        }
        self
    }

    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (header, keys) in &self.0 {
            let _infallible = writeln!(text, "{header}");
            for (key, value) in keys {
                let _infallible = writeln!(text, "{key} = {value}");
            }
        }
        text
    }
}

/// Every key that is no table, with its section.
pub(super) fn all() -> Vec<(&'static Section, &'static Key)> {
    let keys = |of: &'static Section| of.keys.iter().map(move |key| (of, key));
    let value = |key: &Key| !matches!(key.shape, Shape::Table(_) | Shape::Tables(_));
    SECTIONS.into_iter().flat_map(keys).filter(|(_, key)| value(key)).collect()
}

pub(super) fn place(of: &Section, key: &Key) -> String {
    format!("{} {}", of.header, key.name)
}

/// A value as it is written for a key: in brackets if it is a list.
pub(super) fn written(key: &Key, value: &str) -> String {
    let quoted = toml::Value::String(value.to_owned()).to_string();
    if matches!(key.shape, Shape::List { .. }) { format!("[{quoted}]") } else { quoted }
}
