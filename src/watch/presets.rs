//! The rules that are shipped: data in `presets/*.toml`, one rule a file, built into the binary.

use super::rule::RuleSpec;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Names of the sets, in the order in which people should meet them.
pub const SETS: [&str; 3] = ["tutorial", "recommended", "all"];

/// A rule that is shipped.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    /// The rule. Its title, severity, query and wording are set.
    pub spec: RuleSpec,
    /// The sets that it belongs to, besides `all`.
    member_of: &'static [&'static str],
}

impl Preset {
    /// Whether the set of this name contains it.
    pub fn is_in(&self, set: &str) -> bool {
        set == "all" || self.member_of.contains(&set)
    }
}

/// A name that is neither a preset nor a set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is neither a preset nor a set: use {}", known().join(", "))]
pub struct UnknownPreset {
    /// As written.
    pub name: String,
}

/// A file of `presets/` and the sets its rule belongs to.
struct Source {
    text: &'static str,
    sets: &'static [&'static str],
}

macro_rules! source {
    ($file:literal, $sets:expr) => {
        Source { text: include_str!(concat!("../../presets/", $file, ".toml")), sets: $sets }
    };
}

/// The four of Microsoft's tutorial first, in its order.
static SOURCES: [Source; 7] = [
    source!("login-session", &["tutorial", "recommended"]),
    source!("user-change", &["tutorial", "recommended"]),
    source!("key-create", &["tutorial", "recommended"]),
    source!("key-delete", &["tutorial", "recommended"]),
    source!("login-burst", &["recommended"]),
    source!("caller-first-seen", &["recommended"]),
    // The HSM of an offline CA is silent for months: who wants this rule has to say so.
    source!("log-silence", &[]),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<RuleSpec>,
}

static PRESETS: LazyLock<Vec<Preset>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the text is built in, and a test reads every file")]
    let read = |source: &Source| {
        let file: File = toml::from_str(source.text).expect("a preset that can be read");
        let member_of = source.sets;
        file.rule.into_iter().map(move |spec| Preset { spec, member_of })
    };
    SOURCES.iter().flat_map(read).collect()
});

/// All presets, those of the tutorial first.
pub fn all() -> &'static [Preset] {
    &PRESETS
}

/// The preset with this id.
pub fn get(id: &str) -> Option<&'static Preset> {
    all().iter().find(|preset| preset.spec.id == id)
}

/// The ids in each set, by the set's name.
pub fn sets() -> BTreeMap<String, Vec<String>> {
    SETS.into_iter().map(|set| (set.to_owned(), members(set))).collect()
}

/// The ids that names of presets and sets stand for: each once, in the order in which they are first named.
pub fn expand(names: &[String]) -> Result<Vec<String>, UnknownPreset> {
    let mut ids: Vec<String> = Vec::new();
    for name in names {
        let named = if SETS.contains(&name.as_str()) {
            members(name)
        } else if get(name).is_some() {
            vec![name.clone()]
        } else {
            return Err(UnknownPreset { name: name.clone() });
        };
        for id in named {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    Ok(ids)
}

fn members(set: &str) -> Vec<String> {
    all().iter().filter(|p| p.is_in(set)).map(|p| p.spec.id.clone()).collect()
}

fn known() -> Vec<String> {
    let sets = SETS.into_iter().map(str::to_owned);
    sets.chain(all().iter().map(|preset| preset.spec.id.clone())).collect()
}

#[cfg(test)]
mod tests;
