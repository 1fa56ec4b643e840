//! What a configuration may say: every section and every key, once.
//!
//! The reader takes from here which keys it knows, the bounds of durations and what is asked for by which name. The JSON schema,
//! the example and the reference are made from here too (`schema`, `template`, `reference`), so none can say what another
//! does not.

mod document;
mod format;
mod places;
mod receiver;
#[cfg(test)]
pub(super) mod reference;
mod rule;
pub(crate) mod schema;
pub(crate) mod template;

pub(crate) use document::{DOCUMENT, RULE_FILE};
pub(crate) use format::Format;
pub(crate) use places::{STATE, WORKSPACE};
pub(crate) use receiver::RECEIVER;
pub(crate) use rule::RULE;

/// All sections of `hsmwatch.toml`, in the order in which people should meet them.
#[cfg(test)]
pub(crate) static SECTIONS: [&Section; 5] = [&DOCUMENT, &STATE, &WORKSPACE, &RECEIVER, &RULE];

/// A table of the configuration.
#[derive(Debug)]
pub(crate) struct Section {
    /// As people write it, such as `[[receiver]]`; empty for the keys that stand before all tables.
    pub(crate) header: &'static str,
    /// What it is, in a sentence or two.
    pub(crate) about: &'static str,
    /// Its keys, in the order that people write them.
    pub(crate) keys: &'static [Key],
    /// What its keys say to each other.
    pub(crate) relations: &'static [Relation],
}

impl Section {
    /// The key of this name.
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The names of its keys.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}

/// A key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) default: Fallback,
    /// A value, as TOML: one that can be used as it is, with the variables that it names.
    pub(crate) example: &'static str,
    /// What it is for, in plain sentences.
    pub(crate) about: &'static str,
}

impl Key {
    /// The form of its strings, if it has any.
    pub(crate) fn format(&self) -> Option<&'static Format> {
        match &self.shape {
            Shape::Text(format) | Shape::List { of: format, .. } => Some(format),
            Shape::Boolean
            | Shape::Levels
            | Shape::Texts
            | Shape::Values
            | Shape::Table(_)
            | Shape::Tables(_) => None,
        }
    }

    /// Whether it must be written.
    pub(crate) fn required(&self) -> bool {
        matches!(self.default, Fallback::Required)
    }
}

/// The type of a value.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A string, `{ env = "NAME" }` or `{ file = "PATH" }`.
    Text(&'static Format),
    /// A list of such strings.
    List {
        of: &'static Format,
        /// Whether it may be empty.
        empty: bool,
    },
    /// `true` or `false`.
    Boolean,
    /// A table with a string for each severity, or for some.
    Levels,
    /// A table with a string for each name of the user's choice.
    Texts,
    /// A table with a value of any type for each name of the user's choice.
    Values,
    /// `[name]`.
    Table(&'static Section),
    /// `[[name]]`, once for each.
    Tables(&'static Section),
}

/// What holds where a key is not written.
#[derive(Debug)]
pub(crate) enum Fallback {
    /// It must be written.
    Required,
    /// This value, as TOML.
    Value(&'static str),
    /// What these words say.
    Words(&'static str),
    /// Nothing.
    Nothing,
}

/// What the keys of a section say to each other.
#[derive(Debug)]
pub(crate) enum Relation {
    /// One of the two must be written, and not both.
    Either(&'static str, &'static str),
    /// At most one of the two.
    NotBoth(&'static str, &'static str),
    /// The key is of no use without one of the others.
    Needs(&'static str, &'static [&'static str]),
    /// As `Needs`, for rules of one's own: a preset that is changed may have what is needed.
    OwnNeeds(&'static str, &'static [&'static str]),
    /// Rules of one's own need these; a rule with a preset's id changes that preset and needs nothing.
    OwnHas(&'static [&'static str]),
    /// A webhook has `secret`, or `unsigned = true`, and nothing has both.
    Signed,
    /// The keys are for these words of another key only. Where that key is not written, nothing is said.
    Only { keys: &'static [&'static str], key: &'static str, words: &'static [&'static str] },
    /// With one of these words of a key, these keys are needed.
    When { key: &'static str, words: &'static [&'static str], needs: &'static [&'static str] },
    /// With one of these words of a key, one of these keys is needed.
    WhenAny { key: &'static str, words: &'static [&'static str], any: &'static [&'static str] },
}

impl Relation {
    /// What it says about a key, in a sentence.
    pub(crate) fn sentence(&self, key: &str) -> Option<String> {
        match self {
            Self::Either(a, b) if *a == key => Some(format!("This or `{b}` is needed, not both.")),
            Self::Either(a, b) if *b == key => Some(format!("Instead of `{a}`.")),
            Self::NotBoth(a, b) if *a == key => Some(format!("Not together with `{b}`.")),
            Self::NotBoth(a, b) if *b == key => Some(format!("Not together with `{a}`.")),
            Self::Needs(a, others) | Self::OwnNeeds(a, others) if *a == key => {
                let others: Vec<String> = others.iter().map(|o| format!("`{o}`")).collect();
                Some(format!("Needs {}.", others.join(" or ")))
            }
            Self::OwnHas(keys) if keys.contains(&key) => {
                Some("Needed, unless the rule changes a preset.".to_owned())
            }
            Self::Signed if key == "secret" => {
                Some("Needed for kind `webhook`, unless `unsigned = true`.".to_owned())
            }
            Self::Signed if key == "unsigned" => Some("Not together with `secret`.".to_owned()),
            Self::Only { keys, key: other, words } if keys.contains(&key) => {
                Some(format!("Only for {}.", with_words(other, words)))
            }
            // The ways to sign in say themselves what each needs.
            Self::When { key: other, words, needs } if needs.contains(&key) && *other != "auth" => {
                Some(format!("Needed for {}.", with_words(other, words)))
            }
            Self::WhenAny { key: other, words, any } if any.first() == Some(&key) => {
                let any: Vec<String> = any.iter().map(|key| format!("`{key}`")).collect();
                let who = with_words(other, words);
                Some(format!("One of {} is needed for {who}.", any.join(", ")))
            }
            _ => None,
        }
    }
}

/// A key with one of its words, as sentences name it.
pub(crate) fn with_words(key: &str, words: &[&str]) -> String {
    let quoted = |word: &&str| {
        if key == "kind" { format!("`{word}`") } else { format!("`{key} = \"{word}\"`") }
    };
    let words: Vec<String> = words.iter().map(quoted).collect();
    match words.as_slice() {
        [before @ .., last] if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        words => words.concat(),
    }
}

impl Section {
    /// What a key's relations say, as sentences.
    pub(crate) fn sentences(&self, key: &Key) -> String {
        let said: Vec<String> =
            self.relations.iter().filter_map(|relation| relation.sentence(key.name)).collect();
        said.join(" ")
    }
}
