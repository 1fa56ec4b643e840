//! `test`: rule tests, by the engine that runs every day.

mod rehearse;
mod rows;

use super::backtest::read_rules;
use super::report::{Stop, colour, count, out, progress, progress_done, talk};
use super::setup::Ready;
use super::{Context, Done, Format};
use crate::config::nearest;
use crate::ruletest::file::{Schema, TestFile};
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
    let mut wrong = Vec::new();
    let mut updated = 0;
    for (at, path) in files.iter().enumerate() {
        progress(format!("testing: {} of {}", at + 1, files.len()));
        match one(path, args, &mut rules) {
            Ok(Some((report, changes))) => {
                updated += changes;
                reports.push(report);
            }
            Ok(None) => {}
            Err(stop) => wrong.push(stop.sentence()),
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
        talk(format!("{} in {}: {verdict}", count(runs, "run"), count(files, "file")));
        if updated > 0 {
            talk(format!("wrote down what is told now: {}", count(updated, "case")));
        }
    }
    if !wrong.is_empty() {
        return Err(Stop::usage(wrong.join("\n")));
    }
    if runs == 0 {
        return Err(Stop::usage("no test was run").hint(match &args.filter {
            Some(filter) => format!("no file and no case has `{filter}` in its name"),
            None => "test files end in .test.toml".to_owned(),
        }));
    }
    Ok(if failed == 0 || updated > 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
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
        let sets = presets::sets();
        for name in &key.0 {
            if presets::get(name).is_none() && !sets.contains_key(name) {
                let ids = presets::all().iter().map(|preset| preset.spec.id.as_str());
                let near = nearest(name, ids.chain(sets.keys().map(String::as_str)));
                let stop =
                    Stop::usage(format!("`presets`: `{name}` is neither a preset nor a set"));
                return Err(stop.hint(near.map_or_else(
                    || "`hsmwatch rules` lists them".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                )));
            }
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

/// Runs a file; nothing where the filter leaves nothing of it. With how many cases were written anew.
fn one(path: &Path, args: &Args, rules: &mut Rules) -> Result<Option<(FileReport, usize)>, Stop> {
    let name = path.display().to_string();
    let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Stop::usage(format!("cannot read the test file `{name}`: {e}")))?;
    let test = TestFile::parse(&text).map_err(|all| {
        let lines = all.iter().map(|wrong| {
            let (line, column) = place(&text, wrong.at);
            format!("{name}:{line}:{column}: {}", wrong.message)
        });
        Stop::usage(lines.collect::<Vec<_>>().join("\n"))
    })?;
    let wanted = |of: &str| {
        args.filter.as_ref().is_none_or(|filter| of.contains(filter) || name.contains(filter))
    };
    let cases: Vec<&Case> = test.cases.iter().filter(|case| wanted(&case.name)).collect();
    let queries: Vec<&QueryTest> =
        test.queries.iter().filter(|query| wanted(&query.name)).collect();
    if cases.is_empty() && queries.is_empty() {
        return Ok(None);
    }
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let ready = rules.of(&test, &folder).map_err(|stop| named(&name, &stop))?;
    known_rules(&name, &text, &cases, &ready)?;
    let exported = rows::exported(&test, &folder).map_err(|stop| named(&name, &stop))?;
    let mut report = FileReport { file: name.clone(), runs: Vec::new() };
    let mut rewritten = text.clone();
    let mut updated = 0;
    // From the end, so that places before stay what they are.
    for case in cases.iter().rev() {
        let mut told_by_schema = Vec::new();
        let mut failing = false;
        for schema in &test.schemas {
            let began = Instant::now();
            let played = rehearse::play(case, &test, &ready, *schema, &exported)
                .map_err(|stop| named(&name, &stop))?;
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
            failing |= !failures.is_empty();
            told_by_schema.push(played.told);
            let line = place(&text, case.offset).0;
            let (name, schema) = (case.name.clone(), schema.as_str());
            report.runs.push(Run { name, schema, line, failures, took: began.elapsed() });
        }
        if args.update && failing {
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
                    updated += 1;
                }
                None => talk(format!(
                    "{name}: `{}` cannot be written: its alerts are not laid out as [[case.alert]]",
                    case.name
                )),
            }
        }
    }
    report.runs.sort_by_key(|run| run.line);
    if updated > 0 {
        std::fs::write(path, rewritten)
            .map_err(|e| Stop::usage(format!("cannot write the test file `{name}`: {e}")))?;
    }
    for query in queries {
        for schema in &test.schemas {
            report.runs.push(ask(query, &test, *schema, &exported, &text));
        }
    }
    Ok(Some((report, updated)))
}

fn named(file: &str, stop: &Stop) -> Stop {
    Stop::usage(format!("{file}: {}", stop.sentence()))
}

/// Every rule that is expected to tell is one of the file's.
fn known_rules(file: &str, text: &str, cases: &[&Case], rules: &[Ready]) -> Result<(), Stop> {
    let ids: Vec<&str> = rules.iter().map(|ready| ready.rule.id.as_str()).collect();
    let mut wrong = Vec::new();
    for alert in cases.iter().flat_map(|case| &case.alerts) {
        if !ids.contains(&alert.rule.as_str()) {
            let (line, column) = place(text, alert.offset);
            let near = nearest(&alert.rule, ids.iter().copied());
            let hint = near.map_or_else(
                || format!("the rules are {}", ids.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            wrong.push(format!(
                "{file}:{line}:{column}: `{}` is none of the rules of this file\n  hint: {hint}",
                alert.rule
            ));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Stop::usage(wrong.join("\n"))) }
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
    let tables = logs.at(query.eval);
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
