//! What a configuration is made of: answers, each judged by what judges the configuration.

use super::super::report::count;
use super::receiver::{Fate, Receiver, Value};
use crate::config::catalogue::template::Table;
use crate::config::catalogue::{DOCUMENT, Key, RECEIVER, RULE, STATE, Section, WORKSPACE};
use crate::config::{Known, Problem, judge};

/// Where state is kept if nobody says so.
pub(super) const FOLDER: &str = "hsmwatch-state";

/// Where audit logs are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The customer id of a workspace.
    Id(String),
    /// Patterns of exported logs.
    Logs(Vec<String>),
}

/// Where state lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    Folder(String),
    Blob { account_url: String, container: String },
}

/// What has been answered so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) workspaces: Vec<(String, Source)>,
    pub(super) state: Option<State>,
    pub(super) receivers: Vec<Receiver>,
    pub(super) presets: Option<Vec<String>>,
    pub(super) cloud: Option<String>,
    pub(super) every: Option<String>,
}

/// What only a person can say, and nobody has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    Workspace,
    Receiver,
}

/// All answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answers {
    pub(super) workspaces: Vec<(String, Source)>,
    pub(super) state: State,
    pub(super) receivers: Vec<Receiver>,
    pub(super) presets: Vec<String>,
    pub(super) cloud: Option<String>,
    pub(super) every: String,
}

/// Why an answer is not taken. Never has a secret in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) why: String,
    pub(super) hint: Option<String>,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { why: problem.message, hint: problem.hint }
    }
}

pub(super) fn refused(why: impl Into<String>, hint: &str) -> Refused {
    Refused { why: why.into(), hint: Some(hint.to_owned()).filter(|hint| !hint.is_empty()) }
}

/// Judges a value of a key.
pub(super) fn fits(of: &Section, key: &str, value: &str, known: &Known) -> Result<(), Refused> {
    match of.key(key) {
        Some(key) => Ok(judge::value(key, value, known)?),
        None => Err(refused(format!("there is no key `{key}`"), "")),
    }
}

/// A workspace's id, or a pattern of exported logs: told apart by whether it could be a path.
pub(super) fn source(text: &str, known: &Known) -> Result<Source, Refused> {
    let path_like = text.contains(['/', '\\', '*', '.']) && !text.contains("://");
    if path_like {
        fits(&WORKSPACE, "logs", text, known)?;
        return Ok(Source::Logs(vec![text.to_owned()]));
    }
    fits(&WORKSPACE, "id", text, known)?;
    Ok(Source::Id(text.to_ascii_lowercase()))
}

/// A folder, or the address of a storage account with or without a container.
pub(super) fn state(text: &str, known: &Known) -> Result<State, Refused> {
    if text.contains("://") {
        let (account_url, container) = judge::account_and_container(text)?;
        return Ok(State::Blob { account_url, container });
    }
    fits(&STATE, "path", text, known)?;
    Ok(State::Folder(text.to_owned()))
}

/// Presets and sets, separated by commas or blanks.
pub(super) fn presets(text: &str, known: &Known) -> Result<Vec<String>, Refused> {
    let words = words(text);
    if words.is_empty() {
        return Err(refused("no preset is named", "such as `tutorial`"));
    }
    words.iter().try_for_each(|word| fits(&DOCUMENT, "presets", word, known))?;
    Ok(words)
}

/// Words, separated by commas or blanks, each once.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty()) {
        if !words.iter().any(|known| known == word) {
            words.push(word.to_owned());
        }
    }
    words
}

/// The name of a variable. What may be the secret itself is not repeated, whatever it is.
pub(super) fn variable(text: &str, fate: Fate) -> Result<String, Refused> {
    let what = fate.what();
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && text.len() <= 64;
    if plain && !secretive(text) {
        return Ok(text.to_owned());
    }
    let name = fate.usual();
    let cure = format!(
        "put {what} into a variable, as in `read -rs {name} && export {name}`, and answer `{name}`; a file works too: \
         write {{ file = \"PATH\" }} into the configuration afterwards"
    );
    if text.is_empty() {
        return Err(refused("the name of a variable is needed", &cure));
    }
    if secretive(text) {
        let why =
            format!("this looks like {what} itself, which does not belong in a configuration");
        return Err(refused(why, &cure));
    }
    Err(refused("this is not the name of a variable: letters, digits and `_`", &cure))
}

/// Whether a text may be a secret or an address with one in it.
fn secretive(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let marked = ["://", "whsec", "whsk_", "whpk_", "sig=", "hooks.", "xoxb", "accountkey"]
        .iter()
        .any(|mark| lower.contains(mark));
    // Nobody names a variable so; random text looks so.
    let mixed = text.contains(|c: char| c.is_ascii_lowercase())
        && text.contains(|c: char| c.is_ascii_uppercase())
        && text.contains(|c: char| c.is_ascii_digit());
    // Nor so: keys of PagerDuty do.
    let key = text.len() == 32
        && text.chars().all(|c| c.is_ascii_alphanumeric())
        && text.contains(|c: char| c.is_ascii_digit());
    marked || key || (mixed && text.len() >= 16) || text.contains(['/', '+', '='])
}

/// The variable for a webhook's secret, from that for its address.
pub(super) fn secret_beside(url: &str) -> String {
    format!("{}_SECRET", url.strip_suffix("_URL").unwrap_or(url))
}

impl Draft {
    /// All answers, with defaults for what has one.
    pub(super) fn complete(self) -> Result<Answers, Vec<Open>> {
        let mut open = Vec::new();
        if self.workspaces.is_empty() {
            open.push(Open::Workspace);
        }
        if self.receivers.is_empty() {
            open.push(Open::Receiver);
        }
        if !open.is_empty() {
            return Err(open);
        }
        Ok(Answers {
            workspaces: self.workspaces,
            state: self.state.unwrap_or_else(|| State::Folder(FOLDER.to_owned())),
            receivers: self.receivers,
            presets: self.presets.unwrap_or_else(|| vec!["tutorial".to_owned()]),
            cloud: self.cloud,
            every: self.every.unwrap_or_else(|| "5m".to_owned()),
        })
    }

    /// A name that no receiver has yet.
    pub(super) fn free_name(&self, wanted: &str) -> String {
        let taken = |name: &str| self.receivers.iter().any(|r| r.name.eq_ignore_ascii_case(name));
        if !taken(wanted) {
            return wanted.to_owned();
        }
        (2..1000).map(|n| format!("{wanted}-{n}")).find(|name| !taken(name)).unwrap_or_default()
    }

    /// Whether a variable is no receiver's yet.
    pub(super) fn is_free(&self, variable: &str) -> bool {
        !self.receivers.iter().any(|r| r.variables().any(|(name, _)| name == variable))
    }

    /// Adds a receiver, unless a variable or the name is another's.
    pub(super) fn add_receiver(&mut self, receiver: Receiver) -> Result<(), Refused> {
        let taken = |name: &str| !self.is_free(name);
        let mut mine: Vec<&str> = receiver.variables().map(|(name, _)| name).collect();
        let all = mine.len();
        mine.sort_unstable();
        mine.dedup();
        if mine.len() < all || mine.into_iter().any(taken) {
            return Err(refused(
                "this variable is another's already",
                "one variable for each address and each secret",
            ));
        }
        if self.receivers.iter().any(|r| r.name.eq_ignore_ascii_case(&receiver.name)) {
            let why = format!("there is a receiver `{}` already", receiver.name);
            return Err(refused(why, "names differ by more than case"));
        }
        self.receivers.push(receiver);
        Ok(())
    }

    /// Adds a workspace, unless its name or id is another's.
    pub(super) fn add_workspace(&mut self, name: String, source: Source) -> Result<(), Refused> {
        if self.workspaces.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name)) {
            let why = format!("there is a workspace `{name}` already");
            return Err(refused(why, "names differ by more than case"));
        }
        if matches!(source, Source::Id(_)) && self.workspaces.iter().any(|(_, s)| *s == source) {
            return Err(refused("the same workspace twice", "everything would be told twice"));
        }
        self.workspaces.push((name, source));
        Ok(())
    }
}

impl Answers {
    /// The variables that must be set, and what for.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&str, Fate)> {
        self.receivers.iter().flat_map(Receiver::variables)
    }

    /// What is in it, in a line.
    pub(super) fn summary(&self) -> String {
        let state = match &self.state {
            State::Folder(folder) => format!("the folder {folder}"),
            State::Blob { account_url, container } => format!("{account_url}/{container}"),
        };
        format!(
            "{}, {}, presets {}, state in {state}",
            count(self.workspaces.len(), "workspace"),
            count(self.receivers.len(), "receiver"),
            self.presets.join(", "),
        )
    }

    /// The tables of the configuration.
    pub(super) fn tables(&self, full: bool) -> Vec<Table> {
        let mut document = vec![("every", quoted(&self.every)), ("presets", list(&self.presets))];
        document.extend(self.cloud.iter().map(|cloud| ("cloud", quoted(cloud))));
        let state = match &self.state {
            State::Folder(folder) => vec![("path", quoted(folder))],
            State::Blob { account_url, container } => {
                vec![("account_url", quoted(account_url)), ("container", quoted(container))]
            }
        };
        let mut tables = vec![Table::new(&DOCUMENT, document), Table::new(&STATE, state)];
        for (name, source) in &self.workspaces {
            let source = match source {
                Source::Id(id) => ("id", quoted(id)),
                Source::Logs(logs) => ("logs", list(logs)),
            };
            tables.push(Table::new(&WORKSPACE, vec![("name", quoted(name)), source]));
        }
        for receiver in &self.receivers {
            let mut values =
                vec![("name", quoted(&receiver.name)), ("kind", quoted(receiver.kind.as_str()))];
            values.extend(receiver.values.iter().map(|(key, value)| match value {
                Value::Text(text) => (*key, quoted(text)),
                Value::Variable(name, _) => (*key, format!("{{ env = {} }}", quoted(name))),
            }));
            tables.push(Table::new(&RECEIVER, values));
        }
        if full {
            let example = |key: &'static Key| (key.name, key.example.to_owned());
            let own = ["id", "title", "severity", "query"];
            let values = own.iter().filter_map(|key| RULE.key(key).map(example)).collect();
            tables.push(Table { off: true, ..Table::new(&RULE, values) });
        }
        tables
    }
}

/// A string as TOML.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}
