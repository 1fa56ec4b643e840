//! Expectations: how often each rule should have told something, and what it means when one without an expectation did.

use super::outcome::{Fired, Outcome, RuleRun};
use crate::watch::alert::Interval;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What it means that a rule told something without an expectation that covers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// The back-test fails.
    Fail,
    /// It is said.
    #[default]
    Warn,
    /// It is as it should be.
    Ignore,
}

impl Policy {
    /// The word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Ignore => "ignore",
        }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Count {
    /// Alerts.
    #[default]
    Alerts,
    /// Hits in alerts.
    Hits,
}

/// What a bound holds for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// The whole scope.
    #[default]
    All,
    /// Each of its days, in UTC.
    Day,
}

/// An expectations file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expectations {
    /// Of alerts that no expectation covers.
    pub unexpected: Policy,
    /// In the order of the file.
    pub all: Vec<Expectation>,
}

/// One expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The rule's id.
    pub rule: String,
    /// At least so many.
    pub at_least: Option<u64>,
    /// At most so many.
    pub at_most: Option<u64>,
    /// What is counted.
    pub count: Count,
    /// What the bounds hold for.
    pub per: Per,
    /// Alerts from this instant on.
    pub from: Option<DateTime<Utc>>,
    /// Alerts before this instant.
    pub to: Option<DateTime<Utc>>,
    /// Alerts whose group has these texts in these columns, whatever the letter case.
    pub group: BTreeMap<String, String>,
}

/// Why an expectations file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpectError {
    /// It is not TOML, or has a key that there is not.
    #[error("{0}")]
    Toml(String),
    /// An expectation says something that cannot be.
    #[error("expectation {number}, of rule `{rule}`: {why}")]
    Wrong {
        /// Its place in the file, from 1.
        number: usize,
        /// The rule's id.
        rule: String,
        /// What is wrong.
        why: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    unexpected: Policy,
    #[serde(default)]
    expect: Vec<RawOne>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOne {
    rule: String,
    at_least: Option<u64>,
    at_most: Option<u64>,
    exactly: Option<u64>,
    #[serde(default)]
    count: Count,
    #[serde(default)]
    per: Per,
    day: Option<toml::value::Datetime>,
    from: Option<toml::value::Datetime>,
    to: Option<toml::value::Datetime>,
    #[serde(default)]
    group: BTreeMap<String, String>,
}

impl Expectations {
    /// Reads a file's text; `rules` are the ids that are there.
    pub fn parse(text: &str, rules: &[&str]) -> Result<Self, ExpectError> {
        let raw: Raw =
            toml::from_str(text).map_err(|error| ExpectError::Toml(error.to_string()))?;
        let all = raw.expect.into_iter().enumerate().map(|(at, one)| {
            let (number, rule) = (at + 1, one.rule.clone());
            let wrong = |why: String| ExpectError::Wrong { number, rule: rule.clone(), why };
            if !rules.contains(&one.rule.as_str()) {
                return Err(wrong(format!(
                    "there is no such rule among {}: name it with --rules, or mend the id",
                    rules.join(", ")
                )));
            }
            one.checked().map_err(wrong)
        });
        Ok(Self { unexpected: raw.unexpected, all: all.collect::<Result<_, _>>()? })
    }
}

impl RawOne {
    fn checked(self) -> Result<Expectation, String> {
        let (at_least, at_most) = match (self.exactly, self.at_least, self.at_most) {
            (Some(n), None, None) => (Some(n), Some(n)),
            (Some(_), ..) => {
                return Err("`exactly` stands alone: leave out `at_least` and `at_most`".to_owned());
            }
            (None, None, None) => {
                return Err(
                    "it expects nothing: give `at_least`, `at_most` or `exactly`".to_owned()
                );
            }
            (None, least, most) => (least, most),
        };
        if at_least > at_most && at_most.is_some() {
            return Err("`at_least` is more than `at_most`".to_owned());
        }
        let instant = |key: &str, at: Option<toml::value::Datetime>| {
            at.map(|at| {
                instant(at).ok_or(format!("`{key}` is no date, and no time with an offset"))
            })
            .transpose()
        };
        let (mut from, mut to) = (instant("from", self.from)?, instant("to", self.to)?);
        if let Some(day) = instant("day", self.day)? {
            if from.is_some() || to.is_some() {
                return Err("`day` stands alone: leave out `from` and `to`".to_owned());
            }
            (from, to) = (Some(day), Some(day + TimeDelta::days(1)));
        }
        if from.is_some_and(|from| to.is_some_and(|to| to <= from)) {
            return Err("no time lies between `from` and `to`".to_owned());
        }
        let Self { rule, count, per, group, .. } = self;
        Ok(Expectation { rule, at_least, at_most, count, per, from, to, group })
    }
}

/// An instant, or the beginning of a day in UTC.
fn instant(at: toml::value::Datetime) -> Option<DateTime<Utc>> {
    if at.time.is_none() {
        let date: NaiveDate = at.date?.to_string().parse().ok()?;
        return Some(date.and_time(NaiveTime::MIN).and_utc());
    }
    DateTime::parse_from_rfc3339(&at.to_string()).ok().map(|at| at.to_utc())
}

impl Expectation {
    /// Whether it speaks of an alert.
    pub fn covers(&self, rule: &str, fired: &Fired) -> bool {
        self.rule == rule
            && self.from.is_none_or(|from| fired.at >= from)
            && self.to.is_none_or(|to| fired.at < to)
            && self.group.iter().all(|(column, wanted)| {
                let value = fired.group.get(column);
                value.is_some_and(|value| value.to_lowercase().contains(&wanted.to_lowercase()))
            })
    }

    /// `exactly 3`, `at least 1 and at most 10`, with what is counted.
    pub fn bound(&self) -> String {
        let things = match self.count {
            Count::Alerts => "alerts",
            Count::Hits => "hits",
        };
        let numbers = match (self.at_least, self.at_most) {
            (Some(least), Some(most)) if least == most => format!("exactly {least}"),
            (Some(least), Some(most)) => format!("at least {least} and at most {most}"),
            (Some(least), None) => format!("at least {least}"),
            (None, Some(most)) => format!("at most {most}"),
            (None, None) => "any number of".to_owned(),
        };
        let per = if self.per == Per::Day { " a day" } else { "" };
        format!("{numbers} {things}{per}")
    }

    /// Where it looks: ` on 2026-03-03`, or nothing where it looks everywhere.
    pub fn scope(&self) -> String {
        let midnight = |at: DateTime<Utc>| at.time() == NaiveTime::MIN;
        let shown =
            |at: DateTime<Utc>| at.format(if midnight(at) { "%F" } else { "%F %H:%M" }).to_string();
        let time = match (self.from, self.to) {
            (Some(from), Some(to)) if midnight(from) && to - from == TimeDelta::days(1) => {
                format!(" on {}", shown(from))
            }
            (Some(from), Some(to)) => format!(" from {} to {}", shown(from), shown(to)),
            (Some(from), None) => format!(" from {}", shown(from)),
            (None, Some(to)) => format!(" before {}", shown(to)),
            (None, None) => String::new(),
        };
        let group: Vec<String> =
            self.group.iter().map(|(column, text)| format!("{column} with `{text}`")).collect();
        if group.is_empty() { time } else { format!("{time} for {}", group.join(", ")) }
    }
}

/// How an expectation was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// The expectation.
    pub expectation: Expectation,
    /// What was counted: of the day furthest off, where each day is looked at.
    pub counted: u64,
    /// That day.
    pub day: Option<NaiveDate>,
    /// Whether it is as expected.
    pub passed: bool,
}

impl Met {
    /// `key-delete: expected exactly 0 alerts on 2026-03-03, there are 2`.
    pub fn sentence(&self) -> String {
        let Expectation { rule, .. } = &self.expectation;
        let (bound, scope) = (self.expectation.bound(), self.expectation.scope());
        let day = self.day.map(|day| format!(" on {day}")).unwrap_or_default();
        let be = if self.counted == 1 { "is" } else { "are" };
        format!("{rule}: expected {bound}{scope}, there {be} {}{day}", self.counted)
    }
}

/// A rule's alerts that no expectation covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexpected {
    /// The rule's id.
    pub rule: String,
    /// How many alerts.
    pub alerts: u64,
}

/// What is to be said of an outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The expectations, in the order of the file.
    pub met: Vec<Met>,
    /// What none covers; empty where there is no file.
    pub unexpected: Vec<Unexpected>,
    /// What that means.
    pub policy: Policy,
}

impl Verdict {
    /// Whether all is as expected.
    pub fn passed(&self) -> bool {
        self.met.iter().all(|met| met.passed)
            && (self.policy != Policy::Fail || self.unexpected.is_empty())
    }
}

/// Holds an outcome against expectations.
pub fn judge(outcome: &Outcome, expectations: &Expectations) -> Verdict {
    let met = expectations.all.iter().filter_map(|expectation| {
        let rule = outcome.rule(&expectation.rule)?;
        Some(look(expectation, rule, outcome.period))
    });
    let unexpected = outcome.rules.iter().filter_map(|rule| {
        let covered = |fired: &&Fired| {
            !expectations.all.iter().any(|expectation| expectation.covers(&rule.id, fired))
        };
        let alerts = rule.fired.iter().filter(covered).count() as u64;
        (alerts > 0).then(|| Unexpected { rule: rule.id.clone(), alerts })
    });
    Verdict {
        met: met.collect(),
        unexpected: unexpected.collect(),
        policy: expectations.unexpected,
    }
}

fn look(expectation: &Expectation, rule: &RuleRun, period: Interval) -> Met {
    let counted = |fired: &Fired| match expectation.count {
        Count::Alerts => 1,
        Count::Hits => fired.count,
    };
    let fits = |n: u64| {
        expectation.at_least.is_none_or(|least| n >= least)
            && expectation.at_most.is_none_or(|most| n <= most)
    };
    let all = rule.fired.iter().filter(|fired| expectation.covers(&rule.id, fired));
    let expectation = expectation.clone();
    if expectation.per == Per::All {
        let n = all.map(counted).sum();
        return Met { passed: fits(n), counted: n, day: None, expectation };
    }
    let mut days: BTreeMap<NaiveDate, u64> = BTreeMap::new();
    let from = expectation.from.map_or(period.from, |from| from.max(period.from));
    let to = expectation.to.map_or(period.to, |to| to.min(period.to));
    let mut day = from;
    // The last instant of a period that ends at midnight belongs to the day before.
    while day < to {
        days.insert(day.date_naive(), 0);
        let next = day.date_naive().succ_opt().map(|day| day.and_time(NaiveTime::MIN).and_utc());
        let Some(next) = next else { break };
        day = next;
    }
    for fired in all {
        *days.entry(fired.day()).or_default() += counted(fired);
    }
    let off = |n: u64| {
        let least = expectation.at_least.map_or(0, |least| least.saturating_sub(n));
        least.max(expectation.at_most.map_or(0, |most| n.saturating_sub(most)))
    };
    let worst = days.iter().max_by_key(|(day, n)| (off(**n), **n, std::cmp::Reverse(**day)));
    let (day, n) = worst.map_or((None, 0), |(day, n)| (Some(*day), *n));
    Met { passed: days.values().all(|n| fits(*n)), counted: n, day, expectation }
}
