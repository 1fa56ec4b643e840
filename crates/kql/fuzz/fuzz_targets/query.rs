//! Any text as a query: it is refused or answered, soon, and within its budget. Diagnostics can be shown.
#![no_main]

use kql::{Limits, MemoryTables, Schema, Type, Value};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const LIMITS: Limits = Limits { rows: 10_000, bytes: 1 << 24, work: 50_000 };

static TABLES: LazyLock<MemoryTables> = LazyLock::new(|| {
    let schema = Schema::new([
        ("t", Type::Datetime),
        ("s", Type::String),
        ("l", Type::Long),
        ("i", Type::Int),
        ("r", Type::Real),
        ("b", Type::Bool),
        ("ts", Type::Timespan),
        ("d", Type::Dynamic),
        ("g", Type::Guid),
        ("dec", Type::Decimal),
    ]);
    let full = vec![
        Value::Datetime(kql::UNIX_EPOCH),
        Value::from("CN_CREATE_USER äöü"),
        Value::Long(i64::MIN),
        Value::Int(7),
        Value::Real(2.5),
        Value::Bool(true),
        Value::Timespan(kql::HOUR),
        Value::from_json(serde_json::json!({"a": [1, 2.5, null, {"b": "c"}]})),
        Value::Guid(1.into()),
        kql::Decimal::parse("1.5").map_or(Value::Null, Value::Decimal),
    ];
    let empty = full.iter().map(|_| Value::Null).collect();
    MemoryTables::new().with("T", schema.clone(), vec![full, empty]).with("E", schema, Vec::new())
});

fuzz_target!(|text: &str| {
    let _ = kql::outline(text);
    match kql::bind(text, &*TABLES, kql::UNIX_EPOCH) {
        Ok(plan) => {
            let plan = plan.with_limits(LIMITS);
            let width = plan.schema().columns.len();
            for row in plan.run(&*TABLES).take(100_000) {
                let Ok(row) = row else { break };
                assert_eq!(row.len(), width);
                for (value, column) in row.iter().zip(&plan.schema().columns) {
                    assert!(value.ty().is_none_or(|ty| ty == column.ty), "{}", column.name);
                    assert!(column.ty != Type::String || !value.is_null(), "{}", column.name);
                    let _ = value.text();
                }
            }
        }
        Err(found) => {
            let _ = found.render("query", text);
        }
    }
});
