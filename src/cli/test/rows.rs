//! The rows of a test in the columns of a table.

use super::super::report::Stop;
use super::super::setup::file_logs;
use crate::local::rehearsal::RehearsedLogs;
use crate::ports::{LogSource, Query};
use crate::ruletest::file::{Schema, TestFile, TestRow};
use crate::watch::row::{Row, Value as Cell};
use crate::watch::step::TABLE;
use crate::watch::tables::{schema, to_ticks};
use chrono::{DateTime, Utc};
use kql::{Type, Value};
use std::path::Path;
use toml::Value as Toml;

/// A row of exported logs: it can be seen from its own time on.
pub(super) struct Exported {
    at: DateTime<Utc>,
    row: Row,
}

/// The rows of the files that a test names.
pub(super) fn exported(test: &TestFile, folder: &Path) -> Result<Vec<Exported>, Stop> {
    if test.rows_files.is_empty() {
        return Ok(Vec::new());
    }
    let globs: Vec<String> = test
        .rows_files
        .iter()
        .map(|file| folder.join(file).to_string_lossy().into_owned())
        .collect();
    let logs = file_logs(&globs)?;
    let query = Query { text: TABLE.to_owned(), timespan: None, now: DateTime::<Utc>::MAX_UTC };
    let mut rows: Vec<Row> = Vec::new();
    super::super::runtime()?
        .block_on(logs.query(&query, &mut rows))
        .map_err(|e| Stop::usage(format!("`rows_file`: {e}")))?;
    Ok(rows.into_iter().filter_map(|row| Some(Exported { at: row.time()?, row })).collect())
}

/// The columns that have other names in older workspaces.
const RENAMED: [(&str, &str); 2] = [("HsmInstance", "MemberId"), ("ClusterType", "PoolType")];

/// The name of a column in a schema.
fn name_in(name: &str, which: Schema) -> &str {
    for (current, legacy) in RENAMED {
        match which {
            Schema::Current if name == legacy => return current,
            Schema::Legacy if name == current => return legacy,
            _ => {}
        }
    }
    name
}

/// The logs of a case.
pub(super) fn logs(
    test: &TestFile,
    more: &[TestRow],
    which: Schema,
    exported: &[Exported],
) -> RehearsedLogs {
    let mut logs = RehearsedLogs::new(which.variant());
    for one in exported {
        let known = schema(TABLE, which.variant()).unwrap_or_default();
        let row = known.columns.iter().map(|column| {
            let cell = one.row.columns.iter().zip(&one.row.values).find(|(name, value)| {
                name_in(name, which) == column.name && !matches!(value, Cell::Null)
            });
            cell.map_or(Value::Null, |(_, value)| from_cell(value, column.ty))
        });
        logs.add(TABLE, one.at, one.at, row.collect());
    }
    for row in test.rows.iter().chain(more) {
        let known = schema(&row.table, which.variant()).unwrap_or_default();
        let values = known.columns.iter().map(|column| {
            if column.name == "TimeGenerated" {
                return Value::Datetime(to_ticks(row.at));
            }
            if column.name == "Type" {
                return Value::from(row.table.as_str());
            }
            let written = row.columns.iter().find(|(name, _)| name_in(name, which) == column.name);
            written.map_or(Value::Null, |(_, value)| from_toml(value, column.ty))
        });
        logs.add(&row.table, row.at, row.ingested, values.collect());
    }
    logs
}

fn from_cell(cell: &Cell, ty: Type) -> Value {
    match (ty, cell) {
        (Type::String, Cell::String(text)) => Value::String(text.clone()),
        (Type::Int, Cell::Long(n)) => i32::try_from(*n).map_or(Value::Null, Value::Int),
        (Type::Real, Cell::Real(x)) => Value::Real(*x),
        (Type::Datetime, Cell::Datetime(t)) => Value::Datetime(to_ticks(*t)),
        (Type::Dynamic, Cell::Dynamic(json)) => Value::Dynamic(json.clone()),
        _ => Value::Null,
    }
}

/// A value as the column's type; text of whatever is no text.
fn from_toml(value: &Toml, ty: Type) -> Value {
    match (ty, value) {
        (Type::String, Toml::String(text)) => Value::from(text.as_str()),
        (Type::String, other) => Value::from(other.to_string()),
        (Type::Int, Toml::Integer(n)) => i32::try_from(*n).map_or(Value::Null, Value::Int),
        (Type::Real, Toml::Float(x)) => Value::Real(*x),
        (Type::Real, Toml::Integer(n)) => {
            i32::try_from(*n).map_or(Value::Null, |n| Value::Real(f64::from(n)))
        }
        (Type::Datetime, other) => kql::parse_datetime(other.to_string().trim_matches(['"', '\'']))
            .map_or(Value::Null, Value::Datetime),
        (Type::Dynamic, other) => serde_json::to_value(other).map_or(Value::Null, Value::from_json),
        _ => Value::Null,
    }
}
