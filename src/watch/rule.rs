//! A rule: a KQL query with an id, a title, a severity and its timing.

use super::duration;
use super::parameters::{self, Parameters};
use super::schedule::Schedule;
use super::severity::Severity;
use chrono::TimeDelta;
use serde::Deserialize;

/// How a rule's query is run over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One output row per input row, with `TimeGenerated`; windows tile time.
    Event {
        /// Looks this much further back than the window, so that the query can tell old from new by `window_start`.
        lookback: Option<TimeDelta>,
    },
    /// Sums up a window, at the instants of a grid.
    Window {
        /// Length of the window.
        window: TimeDelta,
        /// Shifts the window back, so that late records are in.
        settle: TimeDelta,
    },
}

/// A rule, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Lower-case letters, digits and `-`; unique.
    pub id: String,
    /// Plain words, for the head of a card.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// The KQL, as written.
    pub query: String,
    /// Values that stand before the query as constants.
    pub parameters: Parameters,
    /// A predicate; rows for which it holds are left out.
    pub exclude: Option<String>,
    /// When it is evaluated.
    pub schedule: Schedule,
    /// How it is run.
    pub kind: Kind,
    /// Columns whose values are told once per `renotify`; empty: every row is told once.
    pub key: Vec<String>,
    /// A key (for window rules without `key`: an equal row) is told again after this.
    pub renotify: Option<TimeDelta>,
    /// Columns that make one alert; `None`: `_ResourceId` where returned.
    pub group_by: Option<Vec<String>>,
    /// Names of the workspaces it runs on; `None`: all.
    pub workspaces: Option<Vec<String>>,
    /// Names of the receivers it is told to; `None`: all that take its severity.
    pub receivers: Option<Vec<String>>,
    /// What happened, in a sentence.
    pub meaning: String,
    /// Why it matters.
    pub why: String,
    /// What to do now.
    pub action: String,
    /// When it is harmless.
    pub false_positives: String,
    /// https address of a runbook.
    pub runbook: Option<String>,
    /// ATT&CK technique, such as `T1485`.
    pub attack: Option<String>,
}

impl Rule {
    /// Names of the tables that it reads, sorted, each once; none for a text that cannot be read.
    pub fn tables(&self) -> Vec<String> {
        kql::outline(&self.text()).map(|outline| outline.tables).unwrap_or_default()
    }

    /// The query with its parameters before it and `exclude` appended: all of the text that is asked, but for the window's two
    /// constants.
    pub fn text(&self) -> String {
        let constants = parameters::constants(&self.parameters);
        match &self.exclude {
            // On a line of its own, so that a comment at the query's end swallows nothing.
            Some(predicate) => {
                let query = self.query.trim_end().trim_end_matches(';').trim_end();
                format!("{constants}{query}\n| where not({predicate}\n)")
            }
            None => format!("{constants}{}", self.query),
        }
    }

    /// How long a key that was told is held back.
    pub fn hold(&self) -> TimeDelta {
        self.renotify.unwrap_or(match self.kind {
            Kind::Event { lookback } => lookback.unwrap_or(TimeDelta::days(1)),
            Kind::Window { window, .. } => window,
        })
    }
}

/// A rule as written in `[[rule]]` or in a preset: what is absent is `None`. Durations are parsed; nothing else is checked.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuleSpec {
    /// `id`
    pub id: String,
    /// `title`
    pub title: Option<String>,
    /// `severity`
    pub severity: Option<Severity>,
    /// `query`
    pub query: Option<String>,
    /// `parameters`; what is absent keeps the preset's value
    pub parameters: Option<Parameters>,
    /// `exclude`
    pub exclude: Option<String>,
    /// `enabled`
    pub enabled: Option<bool>,
    /// `every`
    #[serde(deserialize_with = "duration::deserialize")]
    pub every: Option<TimeDelta>,
    /// `cron`, as written
    pub cron: Option<String>,
    /// `window`
    #[serde(deserialize_with = "duration::deserialize")]
    pub window: Option<TimeDelta>,
    /// `settle`
    #[serde(deserialize_with = "duration::deserialize")]
    pub settle: Option<TimeDelta>,
    /// `lookback`
    #[serde(deserialize_with = "duration::deserialize")]
    pub lookback: Option<TimeDelta>,
    /// `key`
    pub key: Option<Vec<String>>,
    /// `renotify`
    #[serde(deserialize_with = "duration::deserialize")]
    pub renotify: Option<TimeDelta>,
    /// `group_by`
    pub group_by: Option<Vec<String>>,
    /// `workspaces`
    pub workspaces: Option<Vec<String>>,
    /// `receivers`
    pub receivers: Option<Vec<String>>,
    /// `meaning`
    pub meaning: Option<String>,
    /// `why`
    pub why: Option<String>,
    /// `action`
    pub action: Option<String>,
    /// `false_positives`
    pub false_positives: Option<String>,
    /// `runbook`
    pub runbook: Option<String>,
    /// `attack`
    pub attack: Option<String>,
}

impl RuleSpec {
    /// This spec with every field that `over` sets replaced: how a `[[rule]]` with a preset's id changes that preset.
    #[must_use]
    pub fn overridden_by(self, over: Self) -> Self {
        // `every` and `cron` exclude each other, so setting one clears the other.
        let (every, cron) = if over.every.is_some() || over.cron.is_some() {
            (over.every, over.cron)
        } else {
            (self.every, self.cron)
        };
        let parameters = match (self.parameters, over.parameters) {
            (Some(mine), Some(over)) => {
                let merged = mine.into_iter().map(|(name, value)| match over.get(&name) {
                    // What does not fit was refused where it was read.
                    Some(given) => (name, value.replaced_by(given.clone()).unwrap_or(value)),
                    None => (name, value),
                });
                Some(merged.collect())
            }
            (mine, over) => mine.or(over),
        };
        Self {
            id: self.id,
            title: over.title.or(self.title),
            severity: over.severity.or(self.severity),
            query: over.query.or(self.query),
            parameters,
            exclude: over.exclude.or(self.exclude),
            enabled: over.enabled.or(self.enabled),
            every,
            cron,
            window: over.window.or(self.window),
            settle: over.settle.or(self.settle),
            lookback: over.lookback.or(self.lookback),
            key: over.key.or(self.key),
            renotify: over.renotify.or(self.renotify),
            group_by: over.group_by.or(self.group_by),
            workspaces: over.workspaces.or(self.workspaces),
            receivers: over.receivers.or(self.receivers),
            meaning: over.meaning.or(self.meaning),
            why: over.why.or(self.why),
            action: over.action.or(self.action),
            false_positives: over.false_positives.or(self.false_positives),
            runbook: over.runbook.or(self.runbook),
            attack: over.attack.or(self.attack),
        }
    }
}

/// A rule with nothing special about it, for tests to change.
#[cfg(test)]
pub(crate) fn plain(id: &str, query: &str) -> Rule {
    Rule {
        id: id.to_owned(),
        title: "Title".to_owned(),
        severity: Severity::High,
        query: query.to_owned(),
        parameters: Parameters::new(),
        exclude: None,
        schedule: Schedule::Every(TimeDelta::minutes(5)),
        kind: Kind::Event { lookback: None },
        key: Vec::new(),
        renotify: None,
        group_by: None,
        workspaces: None,
        receivers: None,
        meaning: String::new(),
        why: String::new(),
        action: String::new(),
        false_positives: String::new(),
        runbook: None,
        attack: None,
    }
}
