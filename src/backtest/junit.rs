//! The report that continuous integration reads: a case for each expectation, for each rule that failed, and, where that
//! fails the back-test, for each rule that told what nobody expected.

use super::expect::{Policy, Verdict};
use super::outcome::Outcome;
use std::fmt::Write as _;

/// A case: its name, its class, and what is wrong with it, by its kind.
type Case = (String, &'static str, Option<(&'static str, String)>);

/// The report. Without `verdict` the cases are the rules, which pass where they could be evaluated.
pub fn report(outcome: &Outcome, verdict: Option<&Verdict>) -> String {
    let mut cases: Vec<Case> = Vec::new();
    for rule in &outcome.rules {
        let wrong = rule.failure.as_ref().map(|(at, why)| {
            let many = rule.failed;
            (
                "error",
                format!("{many} of {} evaluations failed, first at {at}: {why}", rule.evaluations),
            )
        });
        let skipped = rule.skipped.clone().map(|why| ("skipped", why));
        cases.push((rule.id.clone(), "hsmwatch.backtest.rules", wrong.or(skipped)));
    }
    for met in verdict.iter().flat_map(|verdict| &verdict.met) {
        let name = format!(
            "{}: {}{}",
            met.expectation.rule,
            met.expectation.bound(),
            met.expectation.scope()
        );
        let wrong = (!met.passed).then(|| ("failure", met.sentence()));
        cases.push((name, "hsmwatch.backtest.expectations", wrong));
    }
    if let Some(verdict) = verdict.filter(|verdict| verdict.policy == Policy::Fail) {
        for one in &verdict.unexpected {
            let why = format!("{} alerts that no expectation covers", one.alerts);
            cases.push((one.rule.clone(), "hsmwatch.backtest.unexpected", Some(("failure", why))));
        }
    }
    let count = |kind: &str| {
        cases.iter().filter(|(.., wrong)| wrong.as_ref().is_some_and(|(k, _)| *k == kind)).count()
    };
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        cases.len(),
        count("failure"),
        count("error"),
        count("skipped")
    );
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a text cannot fail.
    let _ =
        writeln!(out, "<testsuites {counts}>\n  <testsuite name=\"hsmwatch backtest\" {counts}>");
    for (name, class, wrong) in &cases {
        let name = escape(name);
        let _ = match wrong {
            None => writeln!(out, "    <testcase name=\"{name}\" classname=\"{class}\"/>"),
            Some((kind, why)) => {
                let why = escape(why);
                writeln!(
                    out,
                    "    <testcase name=\"{name}\" classname=\"{class}\">\n      <{kind} message=\"{why}\"/>\n    </testcase>"
                )
            }
        };
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

/// A text within XML, attributes included; characters that XML does not have are left out.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}
