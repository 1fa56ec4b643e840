//! What tables are told that a query needs of them.

use crate::support::schema;
use kql::{MemoryTables, Wanted};

/// `t s | t 2026-01-01…2026-01-02 | s a,b` for each read of the table, sorted.
fn needs(query: &str) -> Vec<String> {
    let tables = MemoryTables::new().with(
        "T",
        schema("t:datetime,u:datetime,s:string,x:string,n:long"),
        Vec::new(),
    );
    let plan = kql::bind(query, &tables, 0).unwrap();
    let names = ["t", "u", "s", "x", "n"];
    let day = |ticks: i64| match ticks {
        i64::MIN | i64::MAX => String::new(),
        _ => kql::format_datetime(ticks).split('.').next().unwrap_or_default().to_owned(),
    };
    let name = |at: usize| names.get(at).copied().unwrap_or_default();
    let shown = |wanted: &Wanted| {
        let columns = names.iter().zip(&wanted.columns).filter(|(_, w)| **w).map(|(n, _)| *n);
        let mut parts = vec![columns.collect::<Vec<_>>().join(" ")];
        for b in &wanted.bounds {
            parts.push(format!("{} {}…{}", name(b.column), day(b.from), day(b.last)));
        }
        for t in &wanted.texts {
            let mut texts: Vec<&str> = t.any_of.iter().map(AsRef::as_ref).collect();
            texts.sort_unstable();
            parts.push(format!("{} {}", name(t.column), texts.join(",")));
        }
        parts.join(" | ")
    };
    let mut all: Vec<String> = plan.reads("T").into_iter().map(shown).collect();
    all.sort_unstable();
    all
}

#[test]
fn columns_that_no_operator_looks_at_are_not_needed() {
    for (query, expected) in [
        ("T", "t u s x n"),
        ("T | count", ""),
        ("T | project s", "s"),
        ("T | extend y = n + 1 | project y", "n"),
        ("T | extend y = n + 1 | project s", "s"),
        ("T | where x has 'a' | project s", "s x"),
        ("T | summarize count() by s", "s"),
        ("T | summarize sum(n) by s, bin(t, 1h)", "t s n"),
        ("T | sort by n | project s", "s n"),
        ("T | top 3 by n | project s", "s n"),
        ("T | take 3 | project s", "s"),
        ("T | distinct s", "s"),
        ("T | project-away t, u | distinct *", "s x n"),
        ("T | where n in (toscalar(range i from 1 to 2 step 1)) | count", "n"),
    ] {
        assert_eq!(needs(query), [expected], "{query}");
    }
}

#[test]
fn every_read_of_a_table_is_asked_for_what_it_needs() {
    assert_eq!(
        needs("T | join kind=inner (T | project s, n) on s | project x, n1"),
        ["s n", "s x"]
    );
    assert_eq!(needs("T | join kind=leftanti (T | where n > 1) on s | project x"), ["s n", "s x"]);
    assert_eq!(needs("union (T | project s), (T | project n) | where s == 'a'"), ["n", "s | s a"]);
    // One source of two readers: what either needs.
    assert_eq!(
        needs(
            "let A = T | where s == 'a' | project t, n; A | join kind=inner (A) on n | project t, n"
        ),
        ["s n | s a", "t s n | s a"]
    );
}

#[test]
fn bounds_and_texts_reach_the_table() {
    for (query, expected) in [
        (
            "T | where t >= datetime(2026-01-01) and t < datetime(2026-01-02) | count",
            "t | t 2026-01-01T00:00:00…2026-01-01T23:59:59",
        ),
        (
            "T | where datetime(2026-01-01) < t | where t <= datetime(2026-01-02) | count",
            "t | t 2026-01-01T00:00:00…2026-01-02T00:00:00",
        ),
        // Through what only passes the column on.
        (
            "T | extend y = 1 | sort by n | where t == datetime(2026-01-01) | count",
            "t n | t 2026-01-01T00:00:00…2026-01-01T00:00:00",
        ),
        (
            "T | project t = u | where t >= datetime(2026-01-01) | count",
            "u | u 2026-01-01T00:00:00…",
        ),
        ("T | where s in ('a', 'b') and x == 'c' | count", "s x | s a,b | x c"),
        // Nothing can be said of these.
        ("T | take 3 | where s == 'a' | count", "s"),
        ("T | where s == 'a' or x == 'b' | count", "s x"),
        ("T | where s != 'a' and s !in ('b') and s in~ ('C') | count", "s"),
        ("T | where t != datetime(2026-01-01) | count", "t"),
        ("T | extend t = u | extend s = strcat(s, 'x') | where s == 'a' | count", "s"),
        ("T | where bin(t, 1d) == datetime(2026-01-01) | count", "t"),
        ("T | summarize t = max(t) by s | where t >= datetime(2026-01-01)", "t s"),
    ] {
        assert_eq!(needs(query), [expected], "{query}");
    }
    // A table that is read in two ways through one name.
    assert_eq!(
        needs(
            "let A = materialize(T | where isnotempty(s));
             A | where t >= datetime(2026-01-02) | join kind=leftanti (A | where t < datetime(2026-01-02)) on s"
        ),
        ["t u s x n"]
    );
    assert_eq!(
        needs(
            "let A = T | where isnotempty(s);
             A | where t >= datetime(2026-01-02) and t < datetime(2026-01-03)
             | join kind=leftanti (A | where t < datetime(2026-01-02)) on s | project x"
        ),
        ["t s x | t 2026-01-02T00:00:00…2026-01-02T23:59:59", "t s | t …2026-01-01T23:59:59"]
    );
}
