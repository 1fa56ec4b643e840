//! Tables held by columns give what tables of rows give.

use crate::support::schema;
use kql::{ColumnTable, MemoryTables, Row, Type, Value};
use proptest::prelude::*;

const COLUMNS: &str =
    "t:datetime,s:string,l:long,i:int,r:real,b:bool,ts:timespan,d:dynamic,g:guid,dec:decimal";

fn value(ty: Type) -> BoxedStrategy<Value> {
    let some = match ty {
        Type::Datetime => (0_i64..50).prop_map(|n| Value::Datetime(n * kql::HOUR)).boxed(),
        Type::Timespan => (0_i64..50).prop_map(Value::Timespan).boxed(),
        Type::String => "[ab]{0,2}".prop_map(Value::from).boxed(),
        Type::Long => (-3_i64..3).prop_map(Value::Long).boxed(),
        Type::Int => (-3_i32..3).prop_map(Value::Int).boxed(),
        Type::Real => (-2_i32..2).prop_map(|n| Value::Real(f64::from(n) / 2.0)).boxed(),
        Type::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Dynamic => {
            (0..3).prop_map(|n| Value::from_json(serde_json::json!({ "n": n }))).boxed()
        }
        Type::Guid => (0_u128..3).prop_map(|n| Value::Guid(n.into())).boxed(),
        Type::Decimal => {
            "[0-9]\\.[0-9]".prop_map(|t| Value::Decimal(kql::Decimal::parse(&t).unwrap())).boxed()
        }
    };
    prop_oneof![1 => Just(ty.missing()), 4 => some].boxed()
}

fn rows(sorted: bool) -> impl Strategy<Value = Vec<Row>> {
    let columns: Vec<_> = schema(COLUMNS).columns.iter().map(|c| value(c.ty)).collect();
    prop::collection::vec(columns, 0..40).prop_map(move |mut rows: Vec<Row>| {
        if sorted {
            rows.sort_by_key(|row| match row.first() {
                Some(Value::Datetime(ticks)) => *ticks,
                _ => i64::MIN,
            });
        }
        rows
    })
}

fn answer(tables: &MemoryTables, query: &str) -> Vec<Row> {
    let plan = kql::bind(query, tables, 0).unwrap();
    plan.run(tables).collect::<Result<_, _>>().unwrap()
}

proptest! {
    #[test]
    fn columns_and_rows_answer_alike(rows in prop_oneof![rows(true), rows(false)]) {
        let schema = schema(COLUMNS);
        let mut columns = ColumnTable::new(schema.clone());
        for row in &rows {
            columns.push(row.clone()).unwrap();
        }
        prop_assert_eq!(columns.len(), rows.len());
        let held = MemoryTables::new().with("T", schema, rows);
        let columns = MemoryTables::new().with_columns("T", columns);
        for query in [
            "T",
            "T | where t >= datetime(0001-01-01 10:00) and t < datetime(0001-01-02) | project s, l",
            "T | where t > datetime(0001-01-01 10:00) | where t <= datetime(0001-01-01 20:00)",
            "T | where t == datetime(0001-01-01 10:00) or isnull(t)",
            "T | where t < datetime(0001-01-01) - 1d",
            "T | where s == 'a' and s in ('a', 'b') | project r, s",
            "T | where s in ('', 'ab') | summarize count(), sum(l), take_any(i) by s",
            "T | where s == 'never' | count",
            "T | where s != 'a' and l > 0 | project d, g, dec, b",
            "T | join kind=leftanti (T | where t < datetime(0001-01-01 20:00)) on s",
            "T | where t >= datetime(0001-01-01 20:00) | join kind=inner (T | where s == 'a') on l",
        ] {
            prop_assert_eq!(answer(&held, query), answer(&columns, query), "{}", query);
        }
    }
}

#[test]
fn a_row_that_does_not_fit_is_refused() {
    let mut table = ColumnTable::new(schema("s:string,l:long"));
    assert_eq!(table.push(vec![Value::from("a")]).unwrap_err(), "1 values for 2 columns");
    let wrong = vec![Value::Long(1), Value::Long(1)];
    assert_eq!(table.push(wrong).unwrap_err(), "column `s` is string, the value is long");
    assert!(table.is_empty());
    table.push(vec![Value::Null, Value::Null]).unwrap();
    assert_eq!(table.all_rows().collect::<Vec<_>>(), [[Value::from(""), Value::Null]]);
}

#[test]
fn rows_of_many_chunks_stay_in_order() {
    let mut table = ColumnTable::new(schema("t:datetime,n:long"));
    for n in 0..200_000 {
        table.push(vec![Value::Datetime(n * kql::SECOND), Value::Long(n)]).unwrap();
    }
    assert!(table.bytes() < 200_000 * 20, "{}", table.bytes());
    let tables = MemoryTables::new().with_columns("T", table);
    let query = "T | where t >= datetime(0001-01-02) and t < datetime(0001-01-03) | summarize min(n), max(n), count()";
    let expected = [86_400, 172_799, 86_400].map(Value::Long);
    assert_eq!(answer(&tables, query), [expected]);
}

mod lines {
    use super::*;
    use kql::{infer_schema, read_json_lines};

    fn read(text: &str) -> Vec<Vec<String>> {
        let schema = infer_schema(text.as_bytes(), 1_000).unwrap();
        let table = read_json_lines(text.as_bytes(), &schema, None).unwrap();
        let names = schema.columns.iter().map(|c| format!("{}:{}", c.name, c.ty)).collect();
        let rows = table.all_rows().map(|row| row.iter().map(|v| v.text().to_string()).collect());
        std::iter::once(names).chain(rows).collect()
    }

    #[test]
    fn types_are_those_of_all_values() {
        let text = r#"{"at": "2026-11-22T08:00:00Z", "s": "a\u00e4\"", "n": 1, "r": 1, "b": true, "d": {"x": [1]}, "m": 1}

            {"r": 2.5, "at": "2026-11-22T09:00:00.5Z", "s": "2026-11-22T09:00:00Z", "m": "x", "nothing": null}"#;
        assert_eq!(
            read(text),
            [
                vec![
                    "at:datetime",
                    "s:string",
                    "n:long",
                    "r:real",
                    "b:bool",
                    "d:dynamic",
                    "m:dynamic"
                ],
                vec![
                    "2026-11-22T08:00:00.0000000Z",
                    "aä\"",
                    "1",
                    "1.0",
                    "True",
                    r#"{"x":[1]}"#,
                    "1"
                ],
                vec![
                    "2026-11-22T09:00:00.5000000Z",
                    "2026-11-22T09:00:00Z",
                    "",
                    "2.5",
                    "",
                    "",
                    "x"
                ],
            ]
        );
    }

    #[test]
    fn values_of_other_types_are_converted_or_null() {
        let schema = schema("s:string,l:long,t:datetime,d:dynamic");
        let text = br#"{"s": 12, "l": "13", "t": 5, "d": "x"}
            {"s": {"a": 1}, "l": {}, "t": "no", "d": null}
            {"s": [1], "l": 1.9, "d": 18446744073709551615, "s": "second", "other": [[[]]]}"#;
        let table = read_json_lines(text, &schema, None).unwrap();
        let rows: Vec<Row> = table.all_rows().collect();
        let json = |json| Value::from_json(json);
        assert_eq!(
            rows,
            [
                vec![Value::from("12"), Value::Long(13), Value::Null, json("x".into())],
                vec![Value::from(r#"{"a":1}"#), Value::Null, Value::Null, Value::Null],
                vec![Value::from("[1]"), Value::Long(1), Value::Null, json(u64::MAX.into())],
            ]
        );
    }

    #[test]
    fn only_wanted_columns_are_filled() {
        let text = br#"{"a": "x", "b": "y"}"#;
        let schema = schema("a:string,b:string");
        let table = read_json_lines(text, &schema, Some(&[false, true])).unwrap();
        let rows: Vec<Row> = table.all_rows().collect();
        assert_eq!(rows, [[Value::from(""), Value::from("y")]]);
    }

    #[test]
    fn a_broken_line_is_named() {
        let long = format!("{{\"a\": \"{}\"}}\n", "x".repeat(1 << 20)).repeat(9);
        for (text, line, message) in [
            ("{\"a\": 1}\n\n{\"a\": }\n", 3, "expected value (column 7)"),
            ("[1]", 1, "invalid type: sequence, expected a JSON object (column 0)"),
            ("{\"a\": 1} 2", 1, "trailing characters (column 10)"),
            (&format!("{long}{{\"a\""), 10, "EOF while parsing an object (column 4)"),
        ] {
            let schema = schema("a:string");
            let error = read_json_lines(text.as_bytes(), &schema, None).unwrap_err();
            assert_eq!((error.line, error.message.as_str()), (line, message));
        }
        assert_eq!(infer_schema(b"{}\nx", 10).unwrap_err().line, 2);
    }
}
