//! Operators over small tables.

use crate::support::{now, run, schema, typed};
use kql::{Catalog, Limits, MemoryTables, RunError, Scan, Schema, Tables, Type, Value};

fn long(value: i64) -> Value {
    Value::Long(value)
}

/// Left and right sides with a key that repeats, one that is null and one on each side alone.
fn sides() -> MemoryTables {
    let row = |k: Option<i64>, v: &str| vec![k.map_or(Value::Null, long), Value::from(v)];
    MemoryTables::new()
        .with(
            "L",
            schema("k:long,v:string"),
            vec![row(Some(1), "a"), row(Some(1), "b"), row(Some(2), "c"), row(None, "n")],
        )
        .with(
            "R",
            schema("k:long,v:string,w:int"),
            vec![
                vec![long(1), Value::from("x"), Value::Int(5)],
                vec![long(1), Value::from("y"), Value::Null],
                vec![long(3), Value::from("z"), Value::Int(7)],
                vec![Value::Null, Value::from("m"), Value::Int(9)],
            ],
        )
}

#[track_caller]
fn check(tables: &MemoryTables, query: &str, wanted: &[&str]) {
    let got = run(tables, query);
    let lines: Vec<&str> = got.lines().collect();
    assert_eq!(lines, wanted, "{query}");
}

#[test]
fn joins_of_every_kind() {
    let head = "k:long v:string k1:long v1:string w:int";
    let t = sides();
    check(&t, "L | join R on k", &[head, "1|a|1|x|5", "1|a|1|y|∅", "∅|n|∅|m|9"]);
    check(&t, "L | join kind=innerunique (R) on k", &[head, "1|a|1|x|5", "1|a|1|y|∅", "∅|n|∅|m|9"]);
    check(
        &t,
        "L | join kind=inner R on k",
        &[head, "1|a|1|x|5", "1|a|1|y|∅", "1|b|1|x|5", "1|b|1|y|∅", "∅|n|∅|m|9"],
    );
    check(&t, "L | where k == 2 | join kind=leftouter R on k", &[head, "2|c|∅||∅"]);
    check(
        &t,
        "L | where k == 2 | join kind=rightouter (R | where k == 3) on k",
        &[head, "∅||3|z|7"],
    );
    check(
        &t,
        "L | where k == 2 | join kind=fullouter (R | where k == 3) on k",
        &[head, "2|c|∅||∅", "∅||3|z|7"],
    );
    check(&t, "L | join kind=leftanti R on k", &["k:long v:string", "2|c"]);
    check(&t, "L | join kind=leftsemi R on k", &["k:long v:string", "1|a", "1|b", "∅|n"]);
    check(&t, "L | join kind=rightanti R on k", &["k:long v:string w:int", "3|z|7"]);
    check(
        &t,
        "L | join kind=rightsemi R on k",
        &["k:long v:string w:int", "1|x|5", "1|y|∅", "∅|m|9"],
    );
    check(&t, "L | join kind=inner R on $left.k == $right.k, $left.v == $right.v", &[head]);
    check(&t, "L | where k == 2 | lookup R on k", &["k:long v:string v1:string w:int", "2|c||∅"]);
    check(
        &t,
        "let old = R | where k == 1; L | join kind=leftanti old on k | count",
        &["Count:long", "2"],
    );
}

#[test]
fn order_and_nulls() {
    let t = sides();
    check(&t, "L | sort by k | project k, v", &["k:long v:string", "2|c", "1|a", "1|b", "∅|n"]);
    check(&t, "L | sort by k asc | project k, v", &["k:long v:string", "∅|n", "1|a", "1|b", "2|c"]);
    check(
        &t,
        "L | order by k asc nulls last, v desc | project v",
        &["v:string", "b", "a", "c", "n"],
    );
    check(&t, "L | sort by k nulls first | project v", &["v:string", "n", "c", "a", "b"]);
    check(&t, "L | top 2 by k", &["k:long v:string", "2|c", "1|a"]);
    check(&t, "L | top 1 by k asc", &["k:long v:string", "∅|n"]);
    check(&t, "L | top 0 by k", &["k:long v:string"]);
    check(&t, "range x from 1 to 100 step 1 | top 3 by x asc", &["x:long", "1", "2", "3"]);
    check(&t, "L | take 1", &["k:long v:string", "1|a"]);
    check(&t, "L | take -1", &["k:long v:string"]);
}

#[test]
fn summarize_groups_and_names() {
    let t = sides();
    check(&t, "L | summarize count() by k", &["k:long count_:long", "1|2", "2|1", "∅|1"]);
    check(
        &t,
        "L | summarize count(), dcount(k), max(v), make_set(k)",
        &["count_:long dcount_k:long max_v:string set_k:dynamic", "4|2|n|[1,2]"],
    );
    check(
        &t,
        "R | summarize sum(w), avg(w), min(w), countif(w > 5), take_any(v)",
        &["sum_w:long avg_w:real min_w:int countif_:long v:string", "21|7.0|5|2|x"],
    );
    check(
        &t,
        "R | summarize arg_max(w, v), arg_min(w, *) by k",
        &["k:long w:int v:string w1:int v1:string", "1|5|x|5|x", "3|7|z|7|z", "∅|9|m|9|m"],
    );
    check(
        &t,
        "L | where false | summarize count(), sum(k), max(k), max(v), avg(k), make_list(v)",
        &[
            "count_:long sum_k:long max_k:long max_v:string avg_k:real list_v:dynamic",
            "0|0|∅||NaN|[]",
        ],
    );
    check(&t, "L | where false | summarize count() by k", &["k:long count_:long"]);
    check(
        &t,
        "L | summarize n = count() * 2 + 1, round(avg(k), 1)",
        &["n:long avg_k:real", "9|1.3"],
    );
    check(&t, "L | summarize (a, b) = arg_max(k, v)", &["a:long b:string", "2|c"]);
    check(&t, "L | distinct k", &["k:long", "1", "2", "∅"]);
    check(&t, "L | summarize by x = k > 1", &["x:bool", "False", "True", "∅"]);
}

#[test]
fn columns_move_and_change() {
    let t = sides();
    check(&t, "L | take 1 | extend k = k + 1, w = k", &["k:long v:string w:long", "2|a|1"]);
    check(
        &t,
        "L | take 1 | extend k + 1, strcat(v, 'x')",
        &["k:long v:string Column1:long Column2:string", "1|a|2|ax"],
    );
    check(&t, "L | take 1 | project-rename key = k | project-away v", &["key:long", "1"]);
    check(&t, "R | take 1 | project-keep k, w*", &["k:long w:int", "1|5"]);
    check(&t, "R | take 1 | project-reorder w", &["w:int k:long v:string", "5|1|x"]);
    check(&t, "L | project toint(k), k | take 1", &["k:int k1:long", "1|1"]);
    check(&t, "L | count as n", &["n:long", "4"]);
}

#[test]
fn sources_and_lets() {
    let t = sides();
    check(
        &t,
        "union (L | take 1), (R | take 1 | project k, w)",
        &["k:long v:string w:int", "1|a|∅", "1||5"],
    );
    check(&t, "L | take 1 | union kind=inner (R | take 1)", &["k:long v:string", "1|a", "1|x"]);
    check(
        &t,
        "union withsource=from L, (R | take 1) | summarize count() by from",
        &["from:string count_:long", "L|4", "union_arg1|1"],
    );
    check(
        &t,
        "union (print a = 1), (print a = 'x')",
        &["a_long:long a_string:string", "1|", "∅|x"],
    );
    check(
        &t,
        "print 1, x = 2, now()",
        &["print_0:long x:long print_2:datetime", "1|2|2026-11-24T12:00:00.0000000Z"],
    );
    check(&t, "range x from 1 to 5 step 2", &["x:long", "1", "3", "5"]);
    check(
        &t,
        "datatable(a:long, b:string)[1, 'x', long(null), '']",
        &["a:long b:string", "1|x", "∅|"],
    );
    check(
        &t,
        "let n = 2; let f = (a:long, b:long = 10) { a * b }; print f(n), f(n, 3)",
        &["print_0:long print_1:long", "20|6"],
    );
    check(&t, "let f = (T:(k:long)) { T | where k == 2 }; f(L)", &["k:long v:string", "2|c"]);
    check(&t, "let v = 'let'; L | take 1 | project v", &["v:string", "a"]);
    check(
        &t,
        "let m = toscalar(L | summarize max(k)); L | where k == m",
        &["k:long v:string", "2|c"],
    );
    check(&t, "L | where k in ((R | project k))", &["k:long v:string", "1|a", "1|b"]);
    check(&t, "L | where k !in (R) | project v", &["v:string", "c", "n"]);
    check(&t, "let s = dynamic(['A']); L | where v in~ (s)", &["k:long v:string", "1|a"]);
    check(
        &t,
        "let window_start = datetime(2026-11-22); let window_end = datetime(2026-11-23); print window_end - window_start",
        &["print_0:timespan", "1.00:00:00"],
    );
}

#[test]
fn schemas_are_those_of_the_service() {
    let t = typed();
    let head = |query: &str| run(&t, query).lines().next().unwrap_or_default().to_owned();
    for (query, wanted) in [
        (
            "T | project i+1, d.family, d[\"a\"], d.a.b, d[0], bin(t,1h), now()",
            "Column1:long d_family:dynamic d_a:dynamic d_a_b:dynamic d_0:dynamic t:datetime Column2:datetime",
        ),
        (
            "T | project strlen(s), gettype(s), tostring(d.x), tolower(s)",
            "strlen_s:long type_s:string d_x:string Column1:string",
        ),
        (
            "T | summarize count(), count(), max(i), max(i+1), max(tolower(s))",
            "count_:long count_1:long max_i:int max_:long max_1:string",
        ),
        (
            "T | project s,t,i,g | summarize arg_max(i,*) by bin(t,1h)",
            "t:datetime i:int s:string t1:datetime g:guid",
        ),
        (
            "T | project s,i | summarize arg_max(i, tolower(s), strcat(s,s))",
            "i:int max_i_arg1:string max_i_arg2:string",
        ),
        (
            "T | project s,i | summarize any(s,i), x = take_any(s)",
            "any_s:string any_i:int x:string",
        ),
        ("T | project i, Column1=1, i+1, l+1", "i:int Column1:long Column11:long Column2:long"),
        ("T | project Column1=1 | extend 1+1", "Column1:long Column2:long"),
        (
            "T | project s, i | join kind=leftouter (R | project s, i=l, s1='') on s",
            "s:string i:int s2:string i1:long s1:string",
        ),
        ("T | project column_ifexists('s',''), column_ifexists('nope',5)", "s:string Column1:long"),
        (
            "T | project iff(b,1,2.0), iff(b,d,'a'), iff(b,1,'a')",
            "Column1:real Column2:string Column3:dynamic",
        ),
    ] {
        assert_eq!(head(query), wanted, "{query}");
    }
}

/// A table without an end.
struct Endless;

impl Catalog for Endless {
    fn schema(&self, table: &str) -> Option<Schema> {
        (table == "T").then(|| Schema::new([("n", Type::Long), ("s", Type::String)]))
    }
}

impl Tables for Endless {
    fn scan(&self, _: &str) -> Scan<'_> {
        Box::new((0..).map(|n| Ok(vec![long(n), Value::from("text")])))
    }
}

#[test]
fn rows_are_read_as_they_are_asked_for() {
    for query in [
        "T | take 1",
        "T | where n > 10 | extend m = n * 2 | project m | take 3",
        "T | distinct n | take 5",
        "T | join kind=inner (print n = 5) on n | take 1",
        "union T, T | take 1",
    ] {
        let plan = kql::bind(query, &Endless, now()).unwrap();
        assert!(plan.run(&Endless).count() > 0, "{query}");
    }
}

#[test]
fn limits_name_the_operator() {
    for (query, wanted) in [
        ("T | sort by n", "sort"),
        ("T | summarize count() by n", "summarize"),
        ("T | summarize make_list(s)", "summarize"),
        ("T | distinct n", "distinct"),
        ("print n = 1 | join T on n", "join"),
        ("T | top 5000 by n", "top"),
        ("print n = 1 | where n in (T)", "in"),
    ] {
        let plan = kql::bind(query, &Endless, now()).unwrap().with_limits(Limits {
            rows: 1_000,
            bytes: 1 << 20,
            ..Limits::default()
        });
        let error = plan.run(&Endless).find_map(Result::err).unwrap();
        let RunError::Limit { operator, limit, .. } = &error else { panic!("{query}: {error}") };
        assert_eq!((*operator, *limit), (wanted, 1_000), "{query}");
    }
}

#[test]
fn a_reader_s_failure_ends_the_rows() {
    struct Broken;
    impl Catalog for Broken {
        fn schema(&self, _: &str) -> Option<Schema> {
            Some(Schema::new([("n", Type::Long)]))
        }
    }
    impl Tables for Broken {
        fn scan(&self, table: &str) -> Scan<'_> {
            if table == "Short" {
                return Box::new(std::iter::once(Ok(vec![])));
            }
            if table == "Typed" {
                return Box::new(std::iter::once(Ok(vec![Value::from("x")])));
            }
            Box::new([Ok(vec![long(1)]), Err("disk gone".into()), Ok(vec![long(2)])].into_iter())
        }
    }
    let errors = |query: &str| {
        let plan = kql::bind(query, &Broken, 0).unwrap();
        plan.run(&Broken)
            .map(|r| r.map_or_else(|e| e.to_string(), |r| r[0].text().to_string()))
            .collect::<Vec<_>>()
    };
    assert_eq!(errors("T"), ["1", "reading table `T`: disk gone"]);
    assert_eq!(errors("T | sort by n"), ["reading table `T`: disk gone"]);
    assert_eq!(errors("Short"), ["a row of table `Short` does not fit: 0 values for 1 columns"]);
    assert_eq!(
        errors("Typed"),
        ["a row of table `Typed` does not fit: column `n` is long, the value is string"]
    );
}
