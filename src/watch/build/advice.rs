//! What is odd about a rule that can be evaluated: columns that only one schema of the table has, costs, and answers that
//! are not the same twice.

use super::super::alert::Interval;
use super::super::rule::Rule;
use super::super::tables::Variant;
use super::{At, RuleProblem, bind, caret};
use chrono::{DateTime, TimeDelta};
use kql::Diagnostic;

/// The schemas that the table has had, as people know them apart.
const SCHEMAS: [(Variant, &str); 2] = [
    (Variant::Current, "the table's current columns"),
    (Variant::Legacy, "the table's old columns (`MemberId`, `PoolType`)"),
];

/// Warnings about a rule that was built, save those that a comment in its query allows: `// allow: KQL104`.
pub fn advice(rule: &Rule) -> Vec<RuleProblem> {
    let mut problems = one_schema_only(rule);
    let allowed = allowed(&rule.query);
    let found = kql::lints(&rule.query).into_iter().filter(|d| !allowed.contains(&d.code));
    problems.extend(found.map(|d| warning(&d, &rule.query, d.span.start, At::Query, "")));
    problems
}

/// What binds on a table with the columns of both schemas, as one is while the service changes over, and not on one with
/// those of one alone.
fn one_schema_only(rule: &Rule) -> Vec<RuleProblem> {
    let window =
        Interval { from: DateTime::UNIX_EPOCH, to: DateTime::UNIX_EPOCH + TimeDelta::days(1) };
    let bare = Rule { exclude: None, ..rule.clone() };
    if bind(rule, window, Variant::Both).is_err() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for (variant, schema) in SCHEMAS {
        let (part, at, failed) = match bind(&bare, window, variant) {
            Err(failed) => (rule.query.as_str(), At::Query as fn(usize) -> At, failed),
            Ok(_) => match (&rule.exclude, bind(rule, window, variant)) {
                (Some(exclude), Err(failed)) => (exclude.as_str(), At::Exclude as _, failed),
                _ => continue,
            },
        };
        let (text, diagnostics) = failed;
        let begin = text.rfind(part).unwrap_or(0);
        for diagnostic in diagnostics.iter().filter(|d| !d.unsupported) {
            let offset = diagnostic.span.start.saturating_sub(begin).min(part.len());
            let mut problem =
                warning(diagnostic, part, offset, at, &format!("on {schema} it fails: "));
            problem.hint = Some(
                "`column_ifexists(\"HsmInstance\", \"\")` is right on both; which one a workspace has is Azure's choice"
                    .to_owned(),
            );
            problems.push(problem);
        }
    }
    problems
}

fn warning(
    Diagnostic { code, span, message, help, .. }: &Diagnostic,
    text: &str,
    offset: usize,
    at: fn(usize) -> At,
    before: &str,
) -> RuleProblem {
    RuleProblem {
        at: at(offset),
        message: format!("{before}{message} ({code})"),
        hint: help.clone(),
        warning: true,
        excerpt: Some(caret(text, offset, span.len)),
        offline: false,
    }
}

/// The codes in comments that begin with `allow:`.
fn allowed(query: &str) -> Vec<&str> {
    let comments = query.lines().filter_map(|line| Some(line.split_once("//")?.1.trim()));
    comments
        .filter_map(|comment| comment.strip_prefix("allow:"))
        .flat_map(|codes| codes.split([',', ' ']))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::presets;
    use super::super::super::rule::RuleSpec;
    use super::super::super::schedule::Schedule;
    use super::super::build;
    use super::*;

    fn of(query: &str, exclude: Option<&str>) -> Vec<String> {
        let spec = RuleSpec {
            id: "r".to_owned(),
            title: Some("R".to_owned()),
            severity: Some(super::super::super::severity::Severity::High),
            query: Some(query.to_owned()),
            exclude: exclude.map(str::to_owned),
            window: Some(TimeDelta::hours(1)),
            ..RuleSpec::default()
        };
        let rule = build(spec, &Schedule::Every(TimeDelta::minutes(5))).rule.unwrap();
        advice(&rule).into_iter().map(|p| format!("{:?} {}", p.at, p.message)).collect()
    }

    #[test]
    fn odd_rules_are_told() {
        const T: &str = "CloudHsmServiceOperationAuditLogs";
        let filtered = format!("{T} | where OperationName == 'CN_LOGIN'");
        for (query, exclude, expected) in [
            (filtered.clone(), None, vec![]),
            (
                format!("{T} | count"),
                None,
                vec!["Query(0) the table is read without any filter (KQL101)"],
            ),
            (
                format!("{filtered} | take 5"),
                None,
                vec![
                    "Query(72) rows are cut without an order: which are left is not known (KQL104)",
                ],
            ),
            (format!("// allow: KQL104, KQL101\n{filtered} | take 5"), None, vec![]),
            (
                format!("{filtered} and HsmInstance == 'a'"),
                None,
                vec![
                    "Query(74) on the table's old columns (`MemberId`, `PoolType`) it fails: The name 'HsmInstance' does not refer to any known column, table, variable or function (KS142)",
                ],
            ),
            (
                filtered,
                Some("MemberId == 'a'"),
                vec![
                    "Exclude(0) on the table's current columns it fails: The name 'MemberId' does not refer to any known column, table, variable or function (KS142)",
                ],
            ),
        ] {
            assert_eq!(of(&query, exclude), expected, "{query}");
        }
    }

    #[test]
    fn presets_are_not_odd() {
        for preset in presets::all() {
            let built = build(preset.spec.clone(), &Schedule::Every(TimeDelta::minutes(5)));
            let rule = built.rule.unwrap();
            assert_eq!(advice(&rule), [], "{}", rule.id);
        }
    }
}
