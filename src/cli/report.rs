//! Printing: data to standard output, talk to standard error, colour only on a terminal. The one place where text for people
//! leaves the program.

use crate::config::Problems;
use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// Why a verb stopped before its end.
#[derive(Debug)]
pub(crate) struct Stop {
    code: u8,
    text: String,
    hint: Option<String>,
}

impl Stop {
    /// It ran, and the answer is no: exit code 1.
    pub(crate) fn no(text: impl Into<String>) -> Self {
        Self { code: 1, text: text.into(), hint: None }
    }

    /// Usage or configuration: exit code 2.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { code: 2, text: text.into(), hint: None }
    }

    /// What it is fed with cannot be used, where 1 and 2 say other things: exit code 3.
    pub(crate) fn fed(text: impl Into<String>) -> Self {
        Self { code: 3, text: text.into(), hint: None }
    }

    /// The same with a part of its text said otherwise.
    pub(crate) fn renamed(self, what: &str, other: &str) -> Self {
        Self { text: self.text.replacen(what, other, 1), ..self }
    }

    /// With what to do.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// What stopped it, without what to do.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What stopped it and what to do, as one text.
    pub(crate) fn sentence(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}\n  hint: {hint}", self.text),
            None => self.text.clone(),
        }
    }

    /// Prints it.
    pub(crate) fn report(self) -> ExitCode {
        talk(format!("error: {}", self.text));
        if let Some(hint) = self.hint {
            talk(format!("  hint: {hint}"));
        }
        ExitCode::from(self.code)
    }
}

impl From<Problems> for Stop {
    fn from(problems: Problems) -> Self {
        let things = count(problems.0.len(), "problem");
        Self::usage(format!("{things} in the configuration\n{problems}"))
    }
}

/// `1 rule`, `2 rules`.
pub(crate) fn count(n: usize, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

/// Data. A reader that has gone away is no error.
pub(crate) fn out(text: impl Display) {
    let _gone = writeln!(anstream::stdout(), "{text}");
}

/// Data without a line's end.
pub(crate) fn out_raw(bytes: &[u8]) {
    let mut stdout = std::io::stdout();
    let _gone = stdout.write_all(bytes).and_then(|()| stdout.flush());
}

/// Data of which every byte counts: what cannot be written is an error.
pub(crate) fn out_whole(text: &str) -> std::io::Result<()> {
    let mut stdout = std::io::stdout();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
}

/// Talk.
pub(crate) fn talk(text: impl Display) {
    let _gone = writeln!(anstream::stderr(), "{text}");
}

/// A line of progress that the next one replaces; nothing where nobody looks.
pub(crate) fn progress(text: impl Display) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        let _gone = write!(stderr, "\r\x1b[2K{text}").and_then(|()| stderr.flush());
    }
}

/// Takes the line of progress away.
pub(crate) fn progress_done() {
    progress("");
}

/// Whether standard output shows colours.
pub(crate) fn colour() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

/// What clap says: help and version on standard output, errors on standard error.
pub(crate) fn clap(error: &clap::Error) {
    let _gone = error.print();
}

/// Logs of a long-running verb: people read them on a terminal, programs elsewhere.
pub(crate) fn start_logging(json: bool) {
    use tracing_subscriber::{EnvFilter, fmt};
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("hsmwatch=info,warn"));
    let ansi = std::io::stderr().is_terminal();
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second subscriber in the same process is a matter of tests.
    let _already =
        if json { builder.json().try_init() } else { builder.with_ansi(ansi).try_init() };
}
