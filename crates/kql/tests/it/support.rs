//! Tables, and queries as text in and text out.

use kql::{MemoryTables, Row, Schema, Type, Value};

/// 2026-11-24T12:00:00Z.
pub(crate) fn now() -> i64 {
    kql::parse_datetime("2026-11-24T12:00:00Z").unwrap()
}

pub(crate) fn schema(text: &str) -> Schema {
    Schema::new(text.split(',').map(|column| {
        let (name, ty) = column.split_once(':').unwrap();
        (name.to_owned(), Type::from_name(ty).unwrap())
    }))
}

/// A table of one column per type, with a row of values and a row of nothing.
pub(crate) fn typed() -> MemoryTables {
    let columns = "t:datetime,s:string,s2:string,i:int,l:long,r:real,b:bool,ts:timespan,d:dynamic,g:guid,dec:decimal";
    let full = vec![
        Value::Datetime(kql::parse_datetime("2026-11-22T08:15:30.5Z").unwrap()),
        Value::from("CN_CREATE_USER"),
        Value::from("x"),
        Value::Int(7),
        Value::Long(10),
        Value::Real(2.5),
        Value::Bool(true),
        Value::Timespan(kql::HOUR),
        Value::from_json(
            serde_json::json!({"family": "Standard", "n": 3, "list": [1, 2], "null": null}),
        ),
        Value::Guid(1.into()),
        Value::Decimal(kql::Decimal::parse("1.5").unwrap()),
    ];
    let empty: Row = full.iter().map(|_| Value::Null).collect();
    MemoryTables::new().with("T", schema(columns), vec![full, empty]).with(
        "R",
        schema("s:string,l:long,x:string,t:datetime"),
        vec![],
    )
}

/// The result of a query as lines: the names, then the rows; nulls are `∅`.
pub(crate) fn run(tables: &MemoryTables, query: &str) -> String {
    let plan = match kql::bind(query, tables, now()) {
        Ok(plan) => plan,
        Err(found) => panic!("{}", found.render("query", query)),
    };
    let names: Vec<String> =
        plan.schema().columns.iter().map(|c| format!("{}:{}", c.name, c.ty)).collect();
    let mut lines = vec![names.join(" ")];
    for row in plan.run(tables) {
        let row = row.unwrap();
        assert_eq!(row.len(), plan.schema().columns.len(), "{query}");
        for (value, column) in row.iter().zip(&plan.schema().columns) {
            assert!(
                value.ty().is_none_or(|ty| ty == column.ty),
                "{query}: {} is {value:?}",
                column.name
            );
            assert!(
                column.ty != Type::String || !value.is_null(),
                "{query}: {} is a null string",
                column.name
            );
        }
        let values: Vec<String> = row
            .iter()
            .map(|v| if v.is_null() { "∅".to_owned() } else { v.text().to_string() })
            .collect();
        lines.push(values.join("|"));
    }
    lines.join("\n")
}

/// The type and value of an expression, over a row so that nothing is folded, and alone.
pub(crate) fn eval(expression: &str) -> String {
    let tables = MemoryTables::new().with("One", Schema::default(), vec![vec![]]);
    let query = format!("One | extend value = {expression}");
    let result = run(&tables, &query);
    let (head, value) = result.split_once('\n').unwrap();
    format!("{} {value}", head.trim_start_matches("value:"))
}

/// The codes of what is wrong, each with its place: `KS142@10+3`.
pub(crate) fn refused(tables: &MemoryTables, query: &str) -> Vec<String> {
    match kql::bind(query, tables, now()) {
        Ok(_) => Vec::new(),
        Err(found) => {
            found.iter().map(|d| format!("{}@{}+{}", d.code, d.span.start, d.span.len)).collect()
        }
    }
}
