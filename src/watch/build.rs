//! From a rule as it is written to a rule that can be evaluated, with everything that can be known to be wrong with it before
//! any query is asked.

mod advice;

pub use advice::advice;

use super::alert::Interval;
use super::duration;
use super::head::Version;
use super::parameters;
use super::row::Row;
use super::rule::{Kind, Rule, RuleSpec};
use super::schedule::Schedule;
use super::tables::{Empty, Variant, columns, row, to_ticks};
use chrono::{DateTime, TimeDelta};
use kql::{Diagnostic, Diagnostics, Plan, Type};

/// How long an absence rule waits for late records.
const SETTLE: TimeDelta = TimeDelta::minutes(20);
/// Operators that sum up or cut rows.
const SUMMING: [&str; 14] = [
    "summarize",
    "distinct",
    "top",
    "take",
    "limit",
    "count",
    "make-series",
    "sample",
    "sample-distinct",
    "top-nested",
    "top-hitters",
    "reduce",
    "getschema",
    "partition",
];

/// Where in a rule a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The rule as a whole.
    Rule,
    /// This byte of `query`.
    Query(usize),
    /// This byte of `exclude`.
    Exclude(usize),
}

/// Something wrong, or odd, with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleProblem {
    /// Where.
    pub at: At,
    /// What.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Odd, but no error.
    pub warning: bool,
    /// The place in the text with a caret, if there is one.
    pub excerpt: Option<String>,
    /// Only the embedded engine cannot do it: an error where logs are files.
    pub offline: bool,
}

impl RuleProblem {
    fn error(at: At, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        Self { at, message: message.into(), hint, warning: false, excerpt: None, offline: false }
    }

    fn warning(at: At, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { warning: true, ..Self::error(at, message, hint) }
    }
}

/// A rule that was built.
#[derive(Clone, Debug)]
pub struct Built {
    /// The rule; `None` if it has errors.
    pub rule: Option<Rule>,
    /// What it returns when there is no data at all.
    pub over_nothing: Vec<Row>,
    /// Errors and warnings.
    pub problems: Vec<RuleProblem>,
}

/// Builds a rule. `default` is its schedule if it has none of its own.
pub fn build(spec: RuleSpec, default: &Schedule) -> Built {
    let mut problems = Vec::new();
    let schedule = schedule(&spec, default, &mut problems);
    let query = spec.query.clone().unwrap_or_default();
    if query.trim().is_empty() {
        let hint = "query = '''CloudHsmServiceOperationAuditLogs | where …'''";
        problems.push(RuleProblem::error(At::Rule, "the rule has no `query`", hint));
    }
    let severity = spec.severity.unwrap_or_else(|| {
        let hint = "severity = \"high\"";
        problems.push(RuleProblem::error(At::Rule, "the rule has no `severity`", hint));
        super::severity::Severity::High
    });
    let kind = kind(&spec, &schedule, &mut problems);
    let mut rule = Rule {
        id: spec.id,
        title: spec.title.unwrap_or_default(),
        severity,
        query,
        parameters: spec.parameters.unwrap_or_default(),
        exclude: spec.exclude.filter(|predicate| !predicate.trim().is_empty()),
        schedule,
        kind,
        key: spec.key.unwrap_or_default(),
        renotify: spec.renotify,
        group_by: spec.group_by,
        workspaces: spec.workspaces,
        receivers: spec.receivers,
        meaning: spec.meaning.unwrap_or_default(),
        why: spec.why.unwrap_or_default(),
        action: spec.action.unwrap_or_default(),
        false_positives: spec.false_positives.unwrap_or_default(),
        runbook: spec.runbook,
        attack: spec.attack,
    };
    let mut over_nothing = Vec::new();
    if !rule.query.trim().is_empty() {
        check_shape(&rule, &mut problems);
        check_parameters(&rule, &mut problems);
        if let Some(plan) = check_text(&rule, &mut problems) {
            check_columns(&rule, &plan, &mut problems);
            over_nothing = run_over_nothing(&plan);
        }
    }
    if let (Kind::Window { settle, .. }, None, false) =
        (&mut rule.kind, spec.settle, over_nothing.is_empty())
    {
        *settle = SETTLE;
    }
    let usable = problems.iter().all(|problem| problem.warning);
    Built { rule: usable.then_some(rule), over_nothing, problems }
}

fn schedule(spec: &RuleSpec, default: &Schedule, problems: &mut Vec<RuleProblem>) -> Schedule {
    match (spec.every, &spec.cron) {
        (Some(every), _) => Schedule::Every(every),
        (None, Some(cron)) => Schedule::cron(cron).unwrap_or_else(|e| {
            let hint = "six fields (second minute hour day month weekday) or five (no second)";
            problems.push(RuleProblem::error(At::Rule, format!("`cron`: {e}"), hint));
            default.clone()
        }),
        (None, None) => default.clone(),
    }
}

fn kind(spec: &RuleSpec, schedule: &Schedule, problems: &mut Vec<RuleProblem>) -> Kind {
    let Some(window) = spec.window else {
        if spec.lookback.is_some() && spec.key.as_ref().is_none_or(Vec::is_empty) {
            problems.push(RuleProblem::error(
                At::Rule,
                "the rule has `lookback` and no `key`",
                "name the columns that make something new, such as key = [\"CallerIpAddress\"]",
            ));
        }
        return Kind::Event { lookback: spec.lookback };
    };
    if spec.lookback.is_some() {
        let hint = "window rules look at one window; drop one of the two";
        problems.push(RuleProblem::error(
            At::Rule,
            "the rule has both `window` and `lookback`",
            hint,
        ));
    }
    let interval = schedule.interval(DateTime::UNIX_EPOCH);
    if interval * 2 > window {
        problems.push(RuleProblem::error(
            At::Rule,
            format!(
                "the rule is evaluated every {} and its window is {}: what falls between two windows would be missed",
                duration::text(interval),
                duration::text(window)
            ),
            format!("every = \"{}\" or less: at most half the window", duration::text(window / 2)),
        ));
    }
    Kind::Window { window, settle: spec.settle.unwrap_or_default() }
}

/// What the tokens say, whether or not the engine runs the query.
fn check_shape(rule: &Rule, problems: &mut Vec<RuleProblem>) {
    // A string that is not closed is reported with the text's other errors.
    let Ok(outline) = kql::outline(&rule.query) else { return };
    if matches!(rule.kind, Kind::Event { .. }) {
        let summing = outline.operators.iter().find(|o| SUMMING.contains(&o.name.as_str()));
        if let Some(operator) = summing {
            let mut problem = RuleProblem::error(
                At::Query(operator.span.start),
                format!("`{}` sums up or cuts rows, and the rule has no `window`", operator.name),
                "give it a window, such as window = \"1h\"; without one a rule returns one row for each row of the log, with `TimeGenerated`",
            );
            problem.excerpt = Some(caret(&rule.query, operator.span.start, operator.span.len));
            problems.push(problem);
        }
    }
    for call in &outline.clock_calls {
        problems.push(RuleProblem::warning(
            At::Query(call.span.start),
            format!(
                "`{}()` counts from the moment of the query, not from its window",
                call.function
            ),
            "use `window_start` and `window_end`, which stand before every query",
        ));
    }
}

/// What nobody asks for is a mistake of somebody.
fn check_parameters(rule: &Rule, problems: &mut Vec<RuleProblem>) {
    for name in rule.parameters.keys() {
        if let Err(error) = parameters::check_name(name) {
            problems.push(RuleProblem::error(At::Rule, error.to_string(), "choose another name"));
        }
        let texts = [Some(&rule.query), rule.exclude.as_ref()];
        if !texts.into_iter().flatten().any(|text| parameters::names(text, name)) {
            problems.push(RuleProblem::warning(
                At::Rule,
                format!("the query does not use the parameter `{name}`"),
                "take it out, or name it in the query",
            ));
        }
    }
}

/// Binds the query, and the query with `exclude`.
fn check_text(rule: &Rule, problems: &mut Vec<RuleProblem>) -> Option<Plan> {
    let window =
        Interval { from: DateTime::UNIX_EPOCH, to: DateTime::UNIX_EPOCH + TimeDelta::days(1) };
    let bare = Rule { exclude: None, ..rule.clone() };
    let bound = bind(&bare, window, Variant::Both);
    match bound {
        Err((text, diagnostics)) => {
            report(&diagnostics, &text, &rule.query, At::Query, problems);
            None
        }
        Ok(plan) => match (&rule.exclude, bind(rule, window, Variant::Both)) {
            (None, _) => Some(plan),
            (Some(_), Ok(plan)) => Some(plan),
            (Some(predicate), Err((text, diagnostics))) => {
                report(&diagnostics, &text, predicate, At::Exclude, problems);
                None
            }
        },
    }
}

fn bind(rule: &Rule, window: Interval, variant: Variant) -> Result<Plan, (String, Diagnostics)> {
    let text = Version::of(rule, DateTime::UNIX_EPOCH).ask(window);
    kql::bind(&text, &Empty(variant), to_ticks(window.to)).map_err(|e| (text, e))
}

/// Tells of what is wrong in `part`, which stands somewhere in `text`.
fn report(
    diagnostics: &Diagnostics,
    text: &str,
    part: &str,
    at: fn(usize) -> At,
    problems: &mut Vec<RuleProblem>,
) {
    let begin = text.rfind(part).unwrap_or(0);
    for Diagnostic { code, span, message, help, unsupported, .. } in diagnostics {
        let offset = span.start.saturating_sub(begin).min(part.len());
        // A table of their own, or one that we do not know: the service knows.
        let foreign = *code == "KS204";
        let offline = *unsupported || foreign;
        let mut message = format!("{message} ({code})");
        if foreign {
            message.push_str(": the query is not checked further");
        }
        problems.push(RuleProblem {
            at: at(offset),
            message,
            hint: help.clone(),
            warning: offline,
            excerpt: Some(caret(part, offset, span.len)),
            offline,
        });
    }
}

/// The line, and a caret under the place.
fn caret(text: &str, offset: usize, len: usize) -> String {
    let before = text.get(..offset).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |n| n + 1);
    let line = text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
    let indent: String = before
        .get(line_start..)
        .unwrap_or_default()
        .chars()
        .map(|c| if c == '\t' { '\t' } else { ' ' })
        .collect();
    let rest = line.chars().count().saturating_sub(indent.chars().count());
    let marked =
        text.get(offset..offset + len).map_or(1, |t| t.chars().count()).clamp(1, rest.max(1));
    format!("{line}\n{indent}{}", "^".repeat(marked))
}

fn check_columns(rule: &Rule, plan: &Plan, problems: &mut Vec<RuleProblem>) {
    let schema = plan.schema();
    let has = |name: &str| schema.columns.iter().any(|c| c.name == name);
    let time = schema.columns.iter().find(|c| c.name == "TimeGenerated");
    if matches!(rule.kind, Kind::Event { .. }) && time.is_none_or(|c| c.ty != Type::Datetime) {
        problems.push(RuleProblem::error(
            At::Query(0),
            "the query returns no `TimeGenerated`, and the rule has no `window`",
            "project `TimeGenerated` as it is in the table, or give the rule a window, such as window = \"1h\"",
        ));
    }
    let given: Vec<&str> = schema.columns.iter().map(|c| c.name.as_str()).collect();
    let lists = [("key", Some(&rule.key)), ("group_by", rule.group_by.as_ref())];
    for (what, list) in lists {
        for column in list.into_iter().flatten().filter(|column| !has(column)) {
            problems.push(RuleProblem::error(
                At::Rule,
                format!("`{what}` names `{column}`, which the query does not return"),
                format!("it returns {}", given.join(", ")),
            ));
        }
    }
}

/// What the query returns when there is nothing: rows for rules that watch for absence.
fn run_over_nothing(plan: &Plan) -> Vec<Row> {
    let names = columns(plan.schema());
    let tables = Empty(Variant::Both);
    plan.run(&tables).map_while(Result::ok).take(100).map(|r| row(&names, r)).collect()
}
