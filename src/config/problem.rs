//! What is wrong with a configuration, where, and what to do about it.

use std::fmt;
use std::sync::Arc;

/// A position in a file, counted from 1; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file, as the user would name it.
    pub file: Arc<str>,
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One thing that is wrong. Never carries a URL or a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where; `None` for the environment, whose variable the message names.
    pub place: Option<Place>,
    /// What is wrong: lower case, no period, things in backticks.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            for (n, line) in hint.lines().enumerate() {
                f.write_str(if n == 0 { "\n  hint: " } else { "\n    " })?;
                f.write_str(line)?;
            }
        }
        Ok(())
    }
}

/// Everything that is wrong, in the order of the files' lines. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// What a parser of one value says: the setting is named by whoever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    what: String,
    hint: Option<String>,
}

impl Fault {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    pub(super) fn maybe_hint(self, hint: Option<String>) -> Self {
        Self { hint, ..self }
    }
}

/// A setting as problems name it: a key at a place in a file, or a variable of the environment.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    /// The key or variable in backticks, and where its value came from if that is elsewhere.
    pub(super) label: String,
    pub(super) place: Option<Place>,
}

impl Setting {
    pub(super) fn problem(&self, fault: Fault) -> Problem {
        let message = if self.label.is_empty() {
            fault.what
        } else {
            format!("{}: {}", self.label, fault.what)
        };
        Problem { place: self.place.clone(), message, hint: fault.hint }
    }

    /// The same place, for a problem that names its settings itself.
    pub(super) fn bare(self) -> Self {
        Self { label: String::new(), ..self }
    }

    /// How another problem refers to this setting.
    pub(super) fn whereabouts(&self) -> String {
        self.place.as_ref().map_or_else(|| self.label.clone(), |place| format!("at {place}"))
    }
}

/// Collects problems and warnings while a configuration is read.
#[derive(Default)]
pub(super) struct Report {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    exposed: Vec<Problem>,
}

impl Report {
    pub(super) fn fail(&mut self, setting: &Setting, fault: Fault) {
        self.problems.push(setting.problem(fault));
    }

    pub(super) fn warn(&mut self, setting: &Setting, fault: Fault) {
        self.warnings.push(setting.problem(fault));
    }

    /// Writes down that a secret stands in the configuration itself.
    pub(super) fn exposed(&mut self, setting: &Setting) {
        self.exposed.push(setting.problem(Fault::new("is written out")));
    }

    /// The value, or `None` with the fault written down.
    pub(super) fn check<T>(&mut self, setting: &Setting, result: Result<T, Fault>) -> Option<T> {
        result.map_err(|fault| self.fail(setting, fault)).ok()
    }

    pub(super) fn failed(&self) -> bool {
        !self.problems.is_empty()
    }

    /// Warnings and exposed secrets if nothing failed, else all problems; each by file in the order of `files`, then line and
    /// column.
    pub(super) fn finish(
        self,
        files: &[Arc<str>],
    ) -> Result<(Vec<Problem>, Vec<Problem>), Problems> {
        let rank = |problem: &Problem| {
            problem.place.as_ref().map(|place| {
                let file = files.iter().position(|file| *file == place.file);
                (file.unwrap_or(files.len()), place.line, place.column)
            })
        };
        let Self { mut problems, mut warnings, mut exposed } = self;
        if problems.is_empty() {
            warnings.sort_by_key(rank);
            exposed.sort_by_key(rank);
            return Ok((warnings, exposed));
        }
        problems.sort_by_key(rank);
        Err(Problems(problems))
    }
}

/// A value as a problem may quote it: not if it is long or may be a secret or an address. The place shows it anyway.
pub(super) fn shown(value: &str) -> Option<String> {
    const TELLTALES: [&str; 6] = ["://", "whsec_", "sig=", "hooks.", "@Microsoft.", "KeyVault"];
    let telltale = TELLTALES.iter().any(|telltale| value.contains(telltale));
    // What a key of PagerDuty looks like, or a hash.
    let key = value.len() == 32
        && value.bytes().all(|b| b.is_ascii_alphanumeric())
        && value.bytes().any(|b| b.is_ascii_digit());
    let secretive = value.chars().count() > 40 || telltale || key;
    (!secretive).then(|| value.escape_debug().to_string())
}

/// The candidate that `word` was probably meant to be.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance. A swap of neighbours counts as one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.chars().take(100).collect(), b.chars().take(100).collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let mut best =
                (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before_last, j - 1) + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_slips_of_the_finger_and_nothing_else() {
        let keys = ["every", "cron", "presets", "overlap", "sweep", "sweep_every"];
        assert_eq!(nearest("evrey", keys), Some("every"));
        assert_eq!(nearest("preset", keys), Some("presets"));
        assert_eq!(nearest("sweep-every", keys), Some("sweep_every"));
        assert_eq!(nearest("interval", keys), None);
        assert_eq!(nearest("", keys), None);
    }

    #[test]
    fn shown_hides_what_may_be_a_secret() {
        assert_eq!(shown("5x").as_deref(), Some("5x"));
        assert_eq!(shown("a\nb").as_deref(), Some("a\\nb"));
        assert_eq!(shown("https://h/x"), None);
        assert_eq!(shown("whsec_AAAA"), None);
        assert_eq!(shown(&"x".repeat(41)), None);
        assert_eq!(shown("R0123456789ABCDEFGHIJKLMNOPQRSTU"), None);
    }
}
