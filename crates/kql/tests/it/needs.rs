//! What tables are told that a query needs of them.

use crate::support::schema;
use kql::{Catalog, Scan, Schema, Tables, Type, Value, Wanted};
use std::cell::RefCell;

/// Remembers what it was asked, and has one row.
#[derive(Default)]
struct Asked {
    wanted: RefCell<Vec<Wanted>>,
    seeks: bool,
}

impl Catalog for Asked {
    fn schema(&self, table: &str) -> Option<Schema> {
        (table == "T").then(|| schema("t:datetime,u:datetime,s:string,x:string,n:long"))
    }
}

impl Tables for Asked {
    fn scan(&self, _: &str) -> Scan<'_> {
        let day = Value::Datetime(kql::parse_datetime("2026-01-02").unwrap_or_default());
        let row = vec![day.clone(), day, Value::from("a"), Value::from("x"), Value::Long(1)];
        Box::new(std::iter::once(Ok(row)))
    }

    fn seeks(&self) -> bool {
        self.seeks
    }

    fn scan_for(&self, table: &str, wanted: &Wanted) -> Scan<'_> {
        self.wanted.borrow_mut().push(wanted.clone());
        self.scan(table)
    }
}

/// `t s | t 2026-01-01…2026-01-02 | s a,b | ? s` for each scan, the last for any other condition.
fn needs(query: &str) -> Vec<String> {
    shown(query, &Asked::default())
}

fn shown(query: &str, asked: &Asked) -> Vec<String> {
    let plan = kql::bind(query, asked, 0).unwrap();
    assert_eq!(plan.run(asked).filter(Result::is_err).count(), 0);
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
        for test in &wanted.tests {
            let columns: Vec<&str> = test.columns.iter().map(|at| name(*at)).collect();
            parts.push(format!("? {}", columns.join(" ")));
        }
        parts.join(" | ")
    };
    asked.wanted.borrow().iter().map(shown).collect()
}

#[test]
fn columns_that_no_operator_looks_at_are_not_needed() {
    for (query, expected) in [
        ("T", "t u s x n"),
        ("T | count", ""),
        ("T | project s", "s"),
        ("T | extend y = n + 1 | project y", "n"),
        ("T | extend y = n + 1 | project s", "s"),
        ("T | where x has 'a' | project s", "s x | ? x"),
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
        ["s x", "s n"]
    );
    assert_eq!(
        needs("T | join kind=leftanti (T | where n > 1) on s | project x"),
        ["s x", "s n | ? n"]
    );
    assert_eq!(needs("union (T | project s), (T | project n) | where s == 'a'"), ["s | s a", "n"]);
    // One source of two readers: what either needs.
    assert_eq!(
        needs(
            "let A = T | where s == 'a' | project t, n; A | join kind=inner (A) on n | project t, n"
        ),
        ["t s n | s a", "s n | s a"]
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
        // Nothing, or nothing simple, can be said of these.
        ("T | take 3 | where s == 'a' | count", "s"),
        ("T | where s == 'a' or x == 'b' | count", "s x | ? s x"),
        ("T | where s != 'a' and s !in ('b') and s in~ ('C') | count", "s | ? s | ? s | ? s"),
        ("T | where t != datetime(2026-01-01) | count", "t | ? t"),
        ("T | extend t = u | extend s = strcat(s, 'x') | where s == 'a' | count", "s"),
        ("T | where bin(t, 1d) == datetime(2026-01-01) | count", "t | ? t"),
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
        ["t u s x n | ? s"]
    );
    assert_eq!(
        needs(
            "let A = T | where isnotempty(s);
             A | where t >= datetime(2026-01-02) and t < datetime(2026-01-03)
             | join kind=leftanti (A | where t < datetime(2026-01-02)) on s | project x"
        ),
        [
            "t s x | t 2026-01-02T00:00:00…2026-01-02T23:59:59 | ? s",
            "t s | t …2026-01-01T23:59:59 | ? s"
        ]
    );
}

#[test]
fn the_right_side_of_a_join_is_asked_for_the_keys_of_the_left_one() {
    let seeking = |query: &str| shown(query, &Asked { seeks: true, ..Asked::default() });
    // One scan for each key, and all of them at once where their rows are needed.
    assert_eq!(
        seeking("T | join kind=leftanti (T | where n > 1) on s | count"),
        ["s", "s n | ? n", "s n | s a | ? n"]
    );
    assert_eq!(seeking("T | join kind=inner T on s, x | count"), ["s x", "s x", "s x | s a | x x"]);
    assert_eq!(
        seeking(
            "T | join kind=leftouter (T | extend y = x | project y, n) on $left.x == $right.y | count"
        ),
        ["x", "x | x x"]
    );
    // Numbers are no texts, and right rows without a left one may matter.
    assert_eq!(seeking("T | join kind=leftsemi T on n | count"), ["n", "n"]);
    assert_eq!(seeking("T | join kind=rightouter T on s | count"), ["s", "s"]);
    assert_eq!(seeking("T | join kind=leftsemi (T | summarize by s) on s | count"), ["s", "s"]);
    // Rows that are kept for several readers are all read.
    assert_eq!(
        seeking("let A = materialize(T); T | join kind=leftsemi A on s | union A | count"),
        ["s", "t u s x n"]
    );
    // Without a left row there is nothing to read.
    assert_eq!(needs("T | where n > 1 | join T on s | count"), ["s n | ? n"]);
}

#[test]
fn parameters_bound_what_is_read() {
    let asked = Asked::default();
    let query = "T | where t >= start and t < finish and s == who and n > 0 | project n";
    let names = [("start", Type::Datetime), ("finish", Type::Datetime), ("who", Type::String)];
    let plan = kql::bind_with(query, &asked, 0, &names).unwrap();
    let day = |text| Value::Datetime(kql::parse_datetime(text).unwrap_or_default());
    let mut ids = Vec::new();
    for (to, who, rows) in [("2026-01-03", "a", 1), ("2026-01-02", "a", 0), ("2026-01-03", "b", 0)]
    {
        let values = [day("2026-01-01"), day(to), Value::from(who)];
        assert_eq!(plan.run_with(&asked, &values).count(), rows, "{to} {who}");
        let wanted = asked.wanted.borrow_mut().pop().unwrap();
        let bounds = wanted.bounds.first().unwrap();
        assert_eq!(Value::Datetime(bounds.last + 1), day(to));
        assert!(wanted.texts.first().unwrap().any_of.contains(who));
        let test = wanted.tests.first().unwrap();
        let mut check = test.check();
        assert!(check(&[Value::Long(1)]) && !check(&[Value::Long(0)]) && !check(&[Value::Null]));
        ids.push(test.id());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "a condition is the same in every run");
    // One that is not given, or of another type, is null.
    assert_eq!(plan.run_with(&asked, &[Value::Long(1)]).count(), 0);
}
