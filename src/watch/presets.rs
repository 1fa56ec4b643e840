//! The rules that are shipped: data in `presets/*.toml`, one rule a file, built into the binary.

use super::parameters::Parameters;
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
    /// Why it is in no set but `all`, in a clause; empty if it is in another.
    pub left_out: &'static str,
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
    left_out: &'static str,
}

macro_rules! source {
    ($file:literal, $sets:expr, $left_out:expr) => {
        Source {
            text: include_str!(concat!("../../presets/", $file, ".toml")),
            sets: $sets,
            left_out: $left_out,
        }
    };
    ($file:literal, tutorial) => {
        source!($file, &["tutorial", "recommended"], "")
    };
    ($file:literal, recommended) => {
        source!($file, &["recommended"], "")
    };
    ($file:literal, left out because $why:literal) => {
        source!($file, &[], $why)
    };
}

/// The four of Microsoft's tutorial first, in its order.
///
/// `recommended` is what serves at any HSM whose owner says nothing about it: it needs no values of theirs, is quiet while
/// nothing happens, reads only the table that every set-up has, and tells nothing that another rule of the set tells as well.
static SOURCES: [Source; 27] = [
    source!("login-session", tutorial),
    source!("user-change", tutorial),
    source!("key-create", tutorial),
    source!("key-delete", tutorial),
    source!("password-change", recommended),
    source!("new-user-login", recommended),
    source!("key-delete-burst", recommended),
    source!("key-share", recommended),
    source!("key-attribute-change", recommended),
    source!("key-export", recommended),
    source!("quorum-change", recommended),
    source!("hsm-backup", recommended),
    source!("hsm-restore", recommended),
    source!("hsm-initialize", recommended),
    source!("login-burst", recommended),
    source!("caller-first-seen", recommended),
    source!("instance-first-seen", recommended),
    source!(
        "key-import",
        left out because "applications that unwrap data keys import one at every turn, and the log does not tell these from others"
    ),
    source!(
        "enumeration-burst",
        left out because "how often applications look keys up differs from one to the next: set `key_lookups` first"
    ),
    source!(
        "deleter-first-seen",
        left out because "`key-delete` and `user-change` tell of the same deletions; it is for those who have made these two quieter"
    ),
    source!(
        "client-first-seen",
        left out because "what clients say of themselves may differ at every start, such as by a process number: look at ClientInfo first"
    ),
    source!(
        "outside-working-hours",
        left out because "only you know your hours, days and time zone: set them first"
    ),
    source!(
        "login-without-logout",
        left out because "services that stay logged in are the rule, not the exception: leave them out with `exclude` first"
    ),
    source!(
        "volume-unusual",
        left out because "it compares with 15 days, so it is silent for as long, and each evaluation reads them"
    ),
    source!(
        "log-silence",
        left out because "the HSM of an offline CA is silent for months: who wants this rule has to say so"
    ),
    source!(
        "hardware-change",
        left out because "most workspaces do not have the table of the hardware log"
    ),
    source!(
        "hardware-user-first-seen",
        left out because "most workspaces do not have the table of the hardware log"
    ),
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
        let (member_of, left_out) = (source.sets, source.left_out);
        file.rule.into_iter().map(move |spec| Preset { spec, member_of, left_out })
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

/// The parameters of the presets that have some, by the preset's id.
pub fn parameters() -> BTreeMap<String, Parameters> {
    let those = |preset: &Preset| Some((preset.spec.id.clone(), preset.spec.parameters.clone()?));
    all().iter().filter_map(those).collect()
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
mod reference;
#[cfg(test)]
mod tests;
