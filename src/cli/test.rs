//! `test`: rule tests, by the engine that runs every day.

mod rehearse;
mod rows;

use super::backtest::read_rules;
use super::report::{Stop, colour, count, out, progress, progress_done, talk};
use super::setup::Ready;
use super::{Context, Done, Format};
use crate::config::nearest;
use crate::ruletest::file::{Schema, TestFile, Wrong};
use crate::ruletest::judge::{judge, judge_rows};
use crate::ruletest::report::{Failure, FileReport, Run, counts, human, json, junit};
use crate::ruletest::{Case, QueryTest, rewrite, schema};
use crate::watch::presets;
use crate::watch::tables::to_ticks;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Instant;

const AFTER: &str = "\
Examples:
  hsmwatch test                                 # every *.test.toml below this folder
  hsmwatch test presets/tests -k deletion       # only what is named like this
  hsmwatch test rules/ --junit rule-tests.xml
  hsmwatch test new-rule.test.toml --update     # write down what is told now
  hsmwatch test --schema > hsmwatch-test.schema.json

A test says which rows come when, and which alerts they should make:
  presets = [\"key-delete\"]                      # or rules = [\"../rules/*.toml\"]
  start = 2026-11-22T08:00:00Z
  rows = [ { at = \"+2m\", OperationName = \"CN_TOMBSTONE_OBJECT\", ingested = \"+19m\" } ]

  [[case]]
  name = \"a deletion is told once, when its row has come\"
  eval = [\"+5m\", \"+20m\", \"+25m\"]
    [[case.alert]]
    at = \"+20m\"
    rule = \"key-delete\"
    count = 1

docs/rule-tests.md has it all; with the schema, and `#:schema ./hsmwatch-test.schema.json` as a file's first line, editors complete it.

Exit codes: 0 all passed; 1 one failed; 2 a test, a rule or the command line is wrong.";

/// Test rules: which alerts do rows make, and when
///
/// Rows come when the test says, the timer fires when the test says, and receivers, timer and process fail where it says so.
/// What is told, and what is not told twice, is decided by the engine that runs every day. Each case is run with the columns of
/// newer workspaces and with those of older ones.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// Test files, or folders with *.test.toml files [default: this folder]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only cases and queries whose file or name has this in it
    #[arg(short = 'k', long = "filter", value_name = "TEXT")]
    filter: Option<String>,
    /// Write a report for continuous integration to this file, in `JUnit`'s format
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Print the report as JSON; the same as --format json
    #[arg(long)]
    json: bool,
    /// Write the alerts that are told now into the files, in place of those expected by cases that fail
    #[arg(long)]
    update: bool,
    /// Print the JSON schema of test files, for completion and checks in an editor
    #[arg(long, conflicts_with_all = ["paths", "filter", "junit", "json", "update"])]
    schema: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Done {
    if args.schema {
        out(schema::text().trim_end());
        return Ok(ExitCode::SUCCESS);
    }
    let files = files(&args.paths)?;
    let mut rules = Rules::default();
    let mut reports = Vec::new();
    let mut wrong: Vec<String> = Vec::new();
    // Cases that were written anew, and runs of theirs: these pass from now on.
    let (mut updated, mut settled) = (0, 0);
    for (at, path) in files.iter().enumerate() {
        progress(format!("testing: {} of {}", at + 1, files.len()));
        match one(path, args, &mut rules) {
            Ok(Some((report, changes))) => {
                updated += changes.cases;
                settled += changes.runs;
                reports.push(report);
            }
            Ok(None) => {}
            Err(problems) => wrong.extend(problems),
        }
    }
    progress_done();
    let (runs, failed) = counts(&reports);
    if let Some(path) = &args.junit {
        std::fs::write(path, junit(&reports))
            .map_err(|e| Stop::usage(format!("cannot write `{}`: {e}", path.display())))?;
    }
    if args.json || context.format == Format::Json {
        out(json(&reports));
    } else {
        let colour = colour();
        for report in reports.iter().filter(|report| !report.runs.is_empty()) {
            out(human(report, colour).trim_end());
        }
        let files = reports.iter().filter(|report| !report.runs.is_empty()).count();
        let verdict =
            if failed == 0 { "all passed".to_owned() } else { format!("{failed} failed") };
        if runs > 0 || wrong.is_empty() {
            talk(format!("{} in {}: {verdict}", count(runs, "run"), count(files, "file")));
        }
        if updated > 0 {
            talk(format!("wrote down what is told now: {}", count(updated, "case")));
        }
    }
    if !wrong.is_empty() {
        let things = count(wrong.len(), "problem");
        return Err(Stop::usage(format!("{things} in the tests\n{}", wrong.join("\n"))));
    }
    if runs == 0 {
        return Err(Stop::usage("no test was run").hint(match &args.filter {
            Some(filter) => format!("no file and no case has `{filter}` in its name"),
            None => "test files end in .test.toml".to_owned(),
        }));
    }
    Ok(if failed == settled { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The test files of the paths, each once, in order.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Stop> {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here[..] } else { paths };
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            let pattern =
                format!("{}/**/*.test.toml", glob::Pattern::escape(&path.to_string_lossy()));
            let all = glob::glob(&pattern).map_err(|e| Stop::usage(e.to_string()))?;
            let mut inside: Vec<PathBuf> = all.filter_map(Result::ok).collect();
            if inside.is_empty() {
                return Err(Stop::usage(format!("no test in `{}`", path.display()))
                    .hint("test files end in .test.toml"));
            }
            inside.sort();
            found.extend(inside);
        } else if path.is_file() {
            found.push(path.clone());
        } else {
            return Err(Stop::usage(format!("`{}` is no file and no folder", path.display())));
        }
    }
    let mut seen = std::collections::HashSet::new();
    found.retain(|path| seen.insert(path.clone()));
    Ok(found)
}

/// Rules that have been read, by what names them.
#[derive(Default)]
struct Rules(BTreeMap<Named, Rc<Vec<Ready>>>);

/// Presets and files.
type Named = (Vec<String>, Vec<String>);

impl Rules {
    fn of(&mut self, test: &TestFile, folder: &Path) -> Result<Rc<Vec<Ready>>, Stop> {
        let mut presets = test.presets.clone();
        presets.sort();
        let mut files = Vec::new();
        for pattern in &test.rules {
            let pattern = folder.join(pattern);
            // `..` is taken away, so that rules are named as people would name them.
            files.push(tidy(&pattern).to_string_lossy().into_owned());
        }
        let key = (presets, files);
        if let Some(rules) = self.0.get(&key) {
            return Ok(Rc::clone(rules));
        }
        let rules = Rc::new(if key.0.is_empty() && key.1.is_empty() {
            Vec::new()
        } else {
            read_rules(&key.0, &key.1)?
        });
        self.0.insert(key, Rc::clone(&rules));
        Ok(rules)
    }
}

/// The path without `.` and without what `..` takes back.
fn tidy(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(out.components().next_back(), Some(Component::Normal(_))) =>
            {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

/// Line and column of a byte, both from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    (line, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1)
}

/// What was written anew.
#[derive(Default)]
struct Changes {
    cases: usize,
    runs: usize,
}

/// Runs a file; nothing where the filter leaves nothing of it.
///
/// # Errors
/// All problems of the file, each with its place and what to do.
fn one(
    path: &Path,
    args: &Args,
    rules: &mut Rules,
) -> Result<Option<(FileReport, Changes)>, Vec<String>> {
    let name = path.display().to_string();
    let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
    let text = std::fs::read_to_string(path).map_err(|e| {
        one_problem(&Stop::usage(format!("cannot read the test file `{name}`: {e}")))
    })?;
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let (test, mut wrong) = TestFile::read(&text);
    let unknown = test.as_ref().map(|test| unknown_presets(test, &text)).unwrap_or_default();
    // Rules are read only where all of them are named well.
    let ready = match &test {
        Some(test) if unknown.is_empty() => {
            Some(rules.of(test, &folder).map_err(|stop| named(&name, &stop)))
        }
        _ => None,
    };
    wrong.extend(unknown);
    if let (Some(test), Some(Ok(ready))) = (&test, &ready) {
        wrong.extend(unknown_rules(test, ready));
    }
    let mut problems = shown(&name, &text, wrong);
    let (test, ready) = match (test, ready) {
        (Some(test), Some(Ok(ready))) if problems.is_empty() => (test, ready),
        (_, ready) => {
            problems.extend(ready.and_then(Result::err).into_iter().flatten());
            return Err(problems);
        }
    };
    let wanted = |of: &str| {
        args.filter.as_ref().is_none_or(|filter| of.contains(filter) || name.contains(filter))
    };
    let cases: Vec<&Case> = test.cases.iter().filter(|case| wanted(&case.name)).collect();
    let queries: Vec<&QueryTest> =
        test.queries.iter().filter(|query| wanted(&query.name)).collect();
    if cases.is_empty() && queries.is_empty() {
        return Ok(None);
    }
    let exported = rows::exported(&test, &folder).map_err(|stop| named(&name, &stop))?;
    let mut report = FileReport { file: name.clone(), runs: Vec::new() };
    let mut rewritten = text.clone();
    let mut changes = Changes::default();
    // From the end, so that places before stay what they are.
    for case in cases.iter().rev() {
        let mut told_by_schema = Vec::new();
        let (mut failing, mut broken) = (0, false);
        for schema in &test.schemas {
            let began = Instant::now();
            let played = rehearse::play(case, &test, &ready, *schema, &exported)
                .map_err(|stop| named(&name, &stop))?;
            broken |= !played.errors.is_empty();
            let mut failures: Vec<Failure> = played
                .errors
                .iter()
                .map(|error| Failure {
                    line: place(&text, case.offset).0,
                    expected: "every evaluation to succeed".to_owned(),
                    found: error.lines().map(str::to_owned).collect(),
                    stages: Vec::new(),
                })
                .collect();
            for difference in judge(case, &played.told, test.start) {
                let line = place(&text, difference.offset).0;
                let about = difference.about.clone();
                let mut failure = Failure::new(difference, line);
                if let Some((rule, at)) = about {
                    failure.stages = played.stages(&rule, at, &ready);
                    failure.found.extend(played.not_due(&rule, at));
                }
                failures.push(failure);
            }
            failing += usize::from(!failures.is_empty());
            told_by_schema.push(played.told);
            let line = place(&text, case.offset).0;
            let (name, schema) = (case.name.clone(), schema.as_str());
            report.runs.push(Run { name, schema, line, failures, took: began.elapsed() });
        }
        if args.update && failing > 0 {
            if broken {
                talk(format!("{name}: `{}` has failed evaluations: not written", case.name));
                continue;
            }
            let facts = |told: &[crate::ruletest::Told]| -> Vec<_> {
                told.iter().map(|t| (t.at, t.alert.rule.id.clone(), t.alert.count)).collect()
            };
            let first = told_by_schema.first().map(Vec::as_slice).unwrap_or_default();
            if told_by_schema.iter().any(|told| facts(told) != facts(first)) {
                talk(format!(
                    "{name}: `{}` tells something else with each schema: not written",
                    case.name
                ));
                continue;
            }
            match rewrite::alerts(&rewritten, case.offset, first, test.start)
                .filter(|text| TestFile::parse(text).is_ok())
            {
                Some(text) => {
                    rewritten = text;
                    changes.cases += 1;
                    changes.runs += failing;
                }
                None => talk(format!(
                    "{name}: `{}` cannot be written: its alerts are not laid out as [[case.alert]]",
                    case.name
                )),
            }
        }
    }
    report.runs.sort_by_key(|run| run.line);
    if changes.cases > 0 {
        std::fs::write(path, rewritten).map_err(|e| {
            one_problem(&Stop::usage(format!("cannot write the test file `{name}`: {e}")))
        })?;
    }
    for query in queries {
        for schema in &test.schemas {
            report.runs.push(ask(query, &test, *schema, &exported, &text));
        }
    }
    Ok(Some((report, changes)))
}

fn one_problem(stop: &Stop) -> Vec<String> {
    vec![stop.sentence()]
}

fn named(file: &str, stop: &Stop) -> Vec<String> {
    vec![format!("{file}: {}", stop.sentence())]
}

/// Problems as people read them, in the order of the text.
fn shown(file: &str, text: &str, mut wrong: Vec<Wrong>) -> Vec<String> {
    wrong.sort_by_key(|wrong| wrong.at);
    wrong
        .into_iter()
        .map(|Wrong { at, message, hint, meant }| {
            let (line, column) = place(text, at);
            let near = meant
                .as_ref()
                .and_then(|(word, known)| nearest(word, known.iter().map(String::as_str)));
            let hint = near.map_or(hint, |near| format!("did you mean `{near}`?"));
            let hint = if hint.is_empty() { hint } else { format!("\n  hint: {hint}") };
            format!("{file}:{line}:{column}: {message}{hint}")
        })
        .collect()
}

/// Every preset that is named is one, or a set of them.
fn unknown_presets(test: &TestFile, text: &str) -> Vec<Wrong> {
    let sets = presets::sets();
    let unknown = test
        .presets
        .iter()
        .filter(|name| presets::get(name).is_none() && !sets.contains_key(name.as_str()));
    unknown
        .map(|name| {
            let ids = presets::all().iter().map(|preset| preset.spec.id.clone());
            let place =
                ['"', '\''].iter().find_map(|quote| text.find(&format!("{quote}{name}{quote}")));
            Wrong {
                at: place.unwrap_or(0),
                message: format!("`{name}` is neither a preset nor a set"),
                hint: "`hsmwatch rules` lists them".to_owned(),
                meant: Some((name.clone(), ids.chain(sets.keys().cloned()).collect())),
            }
        })
        .collect()
}

/// Every rule that is expected to tell is one of the file's.
fn unknown_rules(test: &TestFile, rules: &[Ready]) -> Vec<Wrong> {
    let ids: Vec<String> = rules.iter().map(|ready| ready.rule.id.clone()).collect();
    let alerts = test.cases.iter().flat_map(|case| &case.alerts);
    alerts
        .filter(|alert| !ids.contains(&alert.rule))
        .map(|alert| Wrong {
            at: alert.offset,
            message: format!("`{}` is none of the rules of this file", alert.rule),
            hint: format!("the rules are {}", ids.join(", ")),
            meant: Some((alert.rule.clone(), ids.clone())),
        })
        .collect()
}

/// Runs a query over the rows that can be seen at its instant.
fn ask(
    query: &QueryTest,
    test: &TestFile,
    schema: Schema,
    exported: &[rows::Exported],
    text: &str,
) -> Run {
    let began = Instant::now();
    let line = place(text, query.offset).0;
    let mut failures = Vec::new();
    let mut failed = |found: Vec<String>, stages| {
        let expected = format!("{} of the query", count(query.expect.len(), "row"));
        failures.push(Failure { line, expected, found, stages });
    };
    let logs = rows::logs(test, &[], schema, exported);
    let tables = logs.at(query.eval, None);
    match kql::bind(&query.kql, &tables, to_ticks(query.eval)) {
        Err(all) => {
            failed(all.render("kql", &query.kql).lines().map(str::to_owned).collect(), Vec::new());
        }
        Ok(plan) => {
            let names: Vec<String> = plan.schema().columns.iter().map(|c| c.name.clone()).collect();
            let (found, stages) = plan.explain(&tables);
            let found: Result<Vec<Vec<serde_json::Value>>, _> = found
                .map(|row| row.map(|row| row.iter().map(kql::Value::to_json).collect()))
                .collect();
            match found {
                Err(error) => failed(vec![error.to_string()], Vec::new()),
                Ok(found) => {
                    let differences = judge_rows(query, &names, &found);
                    if !differences.is_empty() {
                        failed(differences, rehearse::shown(&query.kql, &stages));
                    }
                }
            }
        }
    }
    Run { name: query.name.clone(), schema: schema.as_str(), line, failures, took: began.elapsed() }
}
