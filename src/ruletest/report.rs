//! What came of rule tests: for people, for programs, and for continuous integration.

use super::judge::Difference;
use crate::notify::limits::is_hidden;
use serde_json::{Value as Json, json};
use std::fmt::Write as _;
use std::time::Duration;

/// What came of a file.
#[derive(Clone, Debug)]
pub struct FileReport {
    /// Its name.
    pub file: String,
    /// Its runs: a case or a query with one schema.
    pub runs: Vec<Run>,
}

/// A case or a query, run with one schema.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its name.
    pub name: String,
    /// The schema's word.
    pub schema: &'static str,
    /// Line of the file.
    pub line: usize,
    /// What differs; nothing: it passed.
    pub failures: Vec<Failure>,
    /// How long it took.
    pub took: Duration,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Line of the file.
    pub line: usize,
    /// What should have been.
    pub expected: String,
    /// What was.
    pub found: Vec<String>,
    /// The rows that each operator of the query gave, with how deep it is.
    pub stages: Vec<(u64, usize, String)>,
}

impl Failure {
    /// Of a difference, at the line of its place.
    pub fn new(difference: Difference, line: usize) -> Self {
        let Difference { expected, found, .. } = difference;
        Self { line, expected, found, stages: Vec::new() }
    }
}

/// Runs, and how many of them failed.
pub fn counts(files: &[FileReport]) -> (usize, usize) {
    let runs = files.iter().flat_map(|file| &file.runs);
    runs.fold((0, 0), |(all, failed), run| {
        (all + 1, failed + usize::from(!run.failures.is_empty()))
    })
}

/// For people. What came of a case with several schemas is said once, if it is the same.
pub fn human(file: &FileReport, colour: bool) -> String {
    let paint = |code: &str, text: &str| {
        if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    };
    // Names are whatever somebody wrote, and rows whatever somebody logged.
    let seen = |text: &str| text.chars().filter(|c| !is_hidden(*c)).collect::<String>();
    let mut out = format!("{}\n", paint("1", &seen(&file.file)));
    let mut told: Vec<(&str, usize, &[Failure])> = Vec::new();
    for run in &file.runs {
        let outcome = (run.name.as_str(), run.line, run.failures.as_slice());
        if told.contains(&outcome) {
            continue;
        }
        let same = file
            .runs
            .iter()
            .filter(|r| (r.name.as_str(), r.line, r.failures.as_slice()) == outcome);
        let schemas: Vec<&str> = same.map(|r| r.schema).collect();
        let schemas = schemas.join(", ");
        told.push(outcome);
        if run.failures.is_empty() {
            let _ = writeln!(out, "  {} {} ({schemas})", paint("32", "ok"), seen(&run.name));
            continue;
        }
        let failed = paint("31", "FAILED");
        let _ = writeln!(out, "  {failed} {} ({schemas}), line {}", seen(&run.name), run.line);
        for failure in &run.failures {
            let _ =
                writeln!(out, "    line {}: expected {}", failure.line, seen(&failure.expected));
            for line in failure.found.iter().map(|line| seen(line)) {
                let shown = match line.get(..1) {
                    Some("-") => paint("31", &line),
                    Some("+") => paint("32", &line),
                    _ => line,
                };
                let _ = writeln!(out, "      {shown}");
            }
            if !failure.stages.is_empty() {
                let _ = writeln!(out, "      rows after each step of the query:");
            }
            for (rows, depth, text) in &failure.stages {
                let _ = writeln!(out, "      {rows:>9}  {}{}", "  ".repeat(*depth), seen(text));
            }
        }
    }
    out
}

/// For programs.
pub fn json(files: &[FileReport]) -> Json {
    let (runs, failed) = counts(files);
    let file = |file: &FileReport| {
        let runs = file.runs.iter().map(|run| {
            let failures = run.failures.iter().map(|failure| {
                let stages = failure.stages.iter().map(
                    |(rows, depth, text)| json!({"rows": rows, "depth": depth, "operator": text}),
                );
                json!({
                    "line": failure.line, "expected": failure.expected, "found": failure.found,
                    "stages": stages.collect::<Vec<_>>(),
                })
            });
            json!({
                "name": run.name, "schema": run.schema, "line": run.line,
                "passed": run.failures.is_empty(), "seconds": run.took.as_secs_f64(),
                "failures": failures.collect::<Vec<_>>(),
            })
        });
        json!({"file": file.file, "runs": runs.collect::<Vec<_>>()})
    };
    json!({"runs": runs, "failed": failed, "files": files.iter().map(file).collect::<Vec<_>>()})
}

/// For continuous integration: a suite a file, a case a run.
pub fn junit(files: &[FileReport]) -> String {
    let (runs, failed) = counts(files);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"hsmwatch test\" tests=\"{runs}\" failures=\"{failed}\">\n"
    );
    for file in files {
        let (runs, failed) = counts(std::slice::from_ref(file));
        let name = escaped(&file.file);
        let _ =
            writeln!(out, "  <testsuite name=\"{name}\" tests=\"{runs}\" failures=\"{failed}\">");
        for run in &file.runs {
            let _ = write!(
                out,
                "    <testcase classname=\"{name}\" name=\"{} ({})\" time=\"{:.3}\"",
                escaped(&run.name),
                run.schema,
                run.took.as_secs_f64()
            );
            if run.failures.is_empty() {
                out.push_str("/>\n");
                continue;
            }
            out.push_str(">\n");
            for failure in &run.failures {
                let text = failure.found.join("\n");
                let _ = writeln!(
                    out,
                    "      <failure message=\"line {}: expected {}\">{}</failure>",
                    failure.line,
                    escaped(&failure.expected),
                    escaped(&text)
                );
            }
            out.push_str("    </testcase>\n");
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// Text as XML may hold it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
