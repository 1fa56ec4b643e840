//! Checks of a deployment, as they travel: the command line prints them, and a function app answers with its own.
//!
//! Whatever is put into a check is made safe to show: names, and what services say, may be an attacker's.

use crate::notify::limits::clean;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Longest line of a text, in UTF-16 units.
const LINE: usize = 1000;
/// Lines of a text that are shown.
const LINES: usize = 40;
/// Checks of a report that are believed.
const CHECKS: usize = 500;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, or could not be seen; someone should look.
    Warn,
    /// The chain is broken here.
    Fail,
    /// Not looked at, for a reason.
    Skipped,
}

impl Verdict {
    /// The word that people read.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
        }
    }
}

/// What helps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cure {
    /// Commands, one a line, to be copied as they are.
    pub az: Option<String>,
    /// The way through the portal.
    pub portal: Option<String>,
    /// Anything else.
    pub text: Option<String>,
}

impl Cure {
    /// In words.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::default().and_text(text)
    }

    /// A command of the Azure CLI, or of any other.
    pub fn az(command: impl AsRef<str>) -> Self {
        Self::default().and_az(command)
    }

    /// With a further command.
    #[must_use]
    pub fn and_az(mut self, command: impl AsRef<str>) -> Self {
        let mut az = self.az.take().unwrap_or_default();
        if !az.is_empty() {
            az.push('\n');
        }
        az.push_str(&lines(command.as_ref()));
        self.az = Some(az);
        self
    }

    /// With the way through the portal.
    #[must_use]
    pub fn and_portal(mut self, portal: impl AsRef<str>) -> Self {
        self.portal = Some(lines(portal.as_ref()));
        self
    }

    /// With words.
    #[must_use]
    pub fn and_text(mut self, text: impl AsRef<str>) -> Self {
        self.text = Some(lines(text.as_ref()));
        self
    }
}

/// One link of the chain, looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Which check: stable, for programs.
    pub id: String,
    /// The same for people.
    pub title: String,
    /// Of what, where there are several.
    pub subject: Option<String>,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen; for a skipped one, why.
    pub seen: String,
    /// What helps, if anything is to be done.
    pub cure: Option<Cure>,
}

impl Check {
    /// A check that ended so.
    pub fn new(id: &str, title: &str, verdict: Verdict, seen: impl AsRef<str>) -> Self {
        Self {
            id: lines(id),
            title: lines(title),
            subject: None,
            verdict,
            seen: lines(seen.as_ref()),
            cure: None,
        }
    }

    /// Of this thing.
    #[must_use]
    pub fn of(mut self, subject: impl AsRef<str>) -> Self {
        self.subject = Some(clean(subject.as_ref(), 200));
        self
    }

    /// This helps.
    #[must_use]
    pub fn cure(mut self, cure: Cure) -> Self {
        self.cure = Some(cure);
        self
    }

    /// The same, whoever wrote it, made safe to show.
    #[must_use]
    pub fn safe(self) -> Self {
        let Self { id, title, subject, verdict, seen, cure } = self;
        let mut check = Self::new(&id, &title, verdict, seen);
        check.subject = subject.map(|subject| clean(&subject, 200));
        check.cure = cure.map(|Cure { az, portal, text }| {
            let safe = |text: Option<String>| text.map(|text| lines(&text));
            Cure { az: safe(az), portal: safe(portal), text: safe(text) }
        });
        check
    }
}

/// How many checks ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// As they should be.
    pub ok: usize,
    /// To be looked at.
    pub warn: usize,
    /// Broken.
    pub fail: usize,
    /// Not looked at.
    pub skipped: usize,
}

impl Summary {
    /// Of these checks.
    pub fn of(checks: &[Check]) -> Self {
        let mut summary = Self::default();
        for check in checks {
            *match check.verdict {
                Verdict::Ok => &mut summary.ok,
                Verdict::Warn => &mut summary.warn,
                Verdict::Fail => &mut summary.fail,
                Verdict::Skipped => &mut summary.skipped,
            } += 1;
        }
        summary
    }
}

/// All checks of one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Of the program that made them.
    pub version: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The checks, in the order of the chain.
    pub checks: Vec<Check>,
    /// How many ended how.
    pub summary: Summary,
}

impl Report {
    /// Of this program.
    pub fn new(at: DateTime<Utc>, checks: Vec<Check>) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { version, at, summary: Summary::of(&checks), checks }
    }

    /// The same, whoever wrote it, made safe to show.
    #[must_use]
    pub fn safe(self) -> Self {
        let checks: Vec<Check> = self.checks.into_iter().take(CHECKS).map(Check::safe).collect();
        Self {
            version: clean(&self.version, 40),
            at: self.at,
            summary: Summary::of(&checks),
            checks,
        }
    }

    /// As plain text, for a browser.
    pub fn text(&self) -> String {
        let mut text = format!("hsmwatch {}, {}\n", self.version, self.at.format("%F %T UTC"));
        for Check { title, subject, verdict, seen, cure, .. } in &self.checks {
            let of = subject.as_ref().map(|subject| format!(" {subject}")).unwrap_or_default();
            let seen = seen.replace('\n', "\n         ");
            let _infallible = write!(text, "\n{:<8} {title}{of}: {seen}\n", verdict.word());
            let Some(Cure { az, portal, text: words }) = cure else { continue };
            for (name, cure) in [("do", words), ("run", az), ("portal", portal)] {
                for line in cure.iter().flat_map(|cure| cure.lines()) {
                    let _infallible = writeln!(text, "         {name}: {line}");
                }
            }
        }
        let Summary { ok, warn, fail, skipped } = self.summary;
        let _infallible = write!(text, "\nok {ok}, warn {warn}, fail {fail}, skipped {skipped}\n");
        text
    }
}

/// A text of several lines, each without hidden characters.
fn lines(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let indent = line.len() - line.trim_start_matches(' ').len();
        format!("{}{}", " ".repeat(indent.min(8)), clean(line, LINE))
    });
    lines.filter(|line| !line.trim().is_empty()).take(LINES).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hidden_comes_through_by_any_field() {
        let evil = "a\u{1b}[2Jb\u{202e}c\rd";
        let check = Check::new(evil, evil, Verdict::Fail, evil)
            .of(evil)
            .cure(Cure::az(evil).and_portal(evil).and_text(evil));
        let raw = Check {
            id: evil.into(),
            title: evil.into(),
            subject: Some(evil.into()),
            verdict: Verdict::Fail,
            seen: evil.into(),
            cure: Some(Cure {
                az: Some(evil.into()),
                portal: Some(evil.into()),
                text: Some(evil.into()),
            }),
        };
        assert_eq!(raw.safe(), check);
        let text = serde_json::to_string(&check).unwrap();
        assert!(!text.contains("\\u001b") && !text.contains('\u{202e}'), "{text}");
        assert_eq!(check.seen, "a[2Jbc d");
    }

    #[test]
    fn commands_stay_whole_and_apart() {
        let cure = Cure::az("az a").and_az("az b");
        assert_eq!(cure.az.as_deref(), Some("az a\naz b"));
        let report = Report::new(
            "2026-11-24T00:00:00Z".parse().unwrap(),
            vec![
                Check::new("state", "state", Verdict::Fail, "no\nat all").of("x").cure(cure),
                Check::new("clock", "clock", Verdict::Ok, "right"),
            ],
        );
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            report.text(),
            format!(
                "hsmwatch {version}, 2026-11-24 00:00:00 UTC\n\nfail     state x: no\n         at all\n         run: az a\n         \
                 run: az b\n\nok       clock: right\n\nok 1, warn 0, fail 1, skipped 0\n"
            )
        );
        let json = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap().safe(), report);
    }
}
