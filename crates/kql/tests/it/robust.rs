//! No text breaks the engine: not its size, not its nesting, not nonsense.

use crate::support::{now, typed};
use proptest::prelude::*;

fn all_of(text: &str) {
    let tables = typed();
    let _ = kql::outline(text);
    match kql::bind(text, &tables, now()) {
        Ok(plan) => {
            for row in plan.run(&tables).take(1_000) {
                let _ = row;
            }
        }
        Err(found) => {
            let shown = found.render("t", text);
            assert!(
                !shown.is_empty(),
                "{} {}",
                text.chars().take(60).collect::<String>(),
                text.len()
            );
            for d in &found {
                assert!(d.span.end() <= text.len(), "{d:?}");
                assert!(
                    text.is_char_boundary(d.span.start) && text.is_char_boundary(d.span.end()),
                    "{d:?}"
                );
            }
        }
    }
}

const PIECES: &[&str] = &[
    "T",
    "R",
    "|",
    "where",
    "project",
    "extend",
    "summarize",
    "by",
    "count()",
    "join",
    "kind=leftanti",
    "on",
    "s",
    "i",
    "d",
    "t",
    "b",
    "(",
    ")",
    "[",
    "]",
    ",",
    ";",
    "let",
    "=",
    "==",
    "!=",
    "'a'",
    "\"",
    "@'x\\'",
    "1",
    "2.5",
    "1h",
    "..",
    "between",
    "in",
    "!in",
    "has",
    "and",
    "or",
    "not(",
    "ago(",
    "now()",
    "datetime(2026-11-22)",
    "dynamic([1])",
    "arg_max(",
    "*",
    "-",
    "+",
    "/",
    "%",
    "take",
    "top",
    "sort",
    "asc",
    "union",
    "print",
    "range",
    "x",
    "{",
    "}",
    "f",
    ":",
    "long",
    "toscalar(",
    "materialize(",
    "bin(",
    "iff(",
    "case(",
    "ü",
    "```",
    "//",
    "\n",
    "$left.s",
    ".",
    "column_ifexists('a',",
    "coalesce(",
    "matches regex",
    "project-away",
    "distinct",
    "lookup",
    "datatable(",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "\\PC{0,80}") {
        all_of(&text);
    }

    #[test]
    fn any_pieces(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        all_of(&pieces.join(" "));
    }

    #[test]
    fn any_pipeline(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..12)) {
        all_of(&format!("T | where {}", pieces.join(" ")));
        all_of(&format!("T | summarize {}", pieces.join(" ")));
        all_of(&format!("let f = T; f | extend {}", pieces.join("")));
    }

    #[test]
    fn time_text_round_trips(ticks in 0..kql::MAX_DATETIME, span in any::<i64>()) {
        prop_assert_eq!(kql::parse_datetime(&kql::format_datetime(ticks)), Some(ticks));
        let shown = kql::format_timespan(span);
        prop_assert_eq!(kql::parse_timespan(&shown).unwrap_or(span), span);
        let _ = kql::parse_datetime(&shown);
    }

    #[test]
    fn any_time_text(text in "\\PC{0,24}") {
        let _ = kql::parse_datetime(&text);
        let _ = kql::parse_timespan(&text);
    }
}

#[test]
fn deep_and_long_texts_end() {
    let many = 20_000;
    let texts = [
        format!("T | where {}", "(".repeat(many)),
        format!("T | where {}true{}", "(".repeat(many), ")".repeat(many)),
        format!("T | where {}b{}", "not(".repeat(60), ")".repeat(60)),
        format!("T | where i == {}1", "-".repeat(many)),
        format!("T | where i == 1{}", " + 1".repeat(many)),
        format!("T | where b{}", " and b".repeat(many)),
        format!("T{}", " | where b".repeat(many)),
        format!("T{}", " | where b".repeat(250)),
        format!("T | extend x = d{}", ".a".repeat(many)),
        format!("T | extend x = d{}", "[".repeat(many)),
        format!("T | where s in ({}'a')", "'a', ".repeat(many)),
        format!("T | project {}s", "toint(s), ".repeat(many)),
        format!("T | project {}s", "i + 1, ".repeat(many)),
        "{".repeat(many),
        "T |".repeat(many),
        "let a = ".repeat(many),
        format!("let f = () {{{}", "let f = () {".repeat(many)),
        format!("{}T", "union (".repeat(many)),
        "x".repeat(many * 10),
        format!("T | where s == '{}", "\\n".repeat(many)),
        format!("print x = dynamic({}", "[".repeat(many)),
        format!("{}T", "let a = 1;".repeat(many)),
        (0..900)
            .fold("let a0 = T;".to_owned(), |t, n| format!("{t} let a{} = a{n} | where b;", n + 1))
            + " a900",
        (0..30).fold("let a0 = T;".to_owned(), |t, n| {
            format!("{t} let a{} = union a{n}, a{n};", n + 1)
        }) + " a30 | take 3",
        (0..40).fold("let f0 = () { 1 };".to_owned(), |t, n| {
            format!("{t} let f{} = () {{ f{n}() + f{n}() }};", n + 1)
        }) + " print f40()",
        (0..15).fold("let f0 = () { 1 };".to_owned(), |t, n| {
            format!("{t} let f{} = () {{ f{n}() + f{n}() }};", n + 1)
        }) + " print f15()",
    ];
    // An end is all that is asked for here: how soon it comes is for the benchmarks.
    for text in &texts {
        all_of(text);
    }
}
