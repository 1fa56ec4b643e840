#![doc = include_str!("../README.md")]

mod aggregates;
mod ast;
mod bind;
#[cfg(test)]
mod coverage;
mod decimal;
mod diagnostics;
mod explain;
mod functions;
mod guid;
mod lexer;
mod lints;
mod needs;
mod num;
mod ops;
mod outline;
mod parser;
mod plan;
mod schema;
mod store;
mod time;
mod value;

pub use diagnostics::{
    BAD_LITERAL, Diagnostic, Diagnostics, NOT_SERIALIZED, Severity, Span, TOO_COMPLEX, UNSUPPORTED,
};
pub use explain::{Stage, Stages};
pub use lints::{LINTS, lints};
pub use needs::{Bounds, Test, Texts, Wanted};
pub use ops::slices::{Memory, Settled};
pub use outline::{ClockCall, Outline, OutlineOperator, outline};
pub use plan::{Limits, Plan, Rows, RunError};
pub use schema::{Catalog, Column, MemoryTables, Row, Scan, ScanError, Schema, Tables};
pub use store::{ColumnTable, JsonLinesError, infer_schema, read_json_lines};
pub use time::{
    DAY, HOUR, MAX_DATETIME, MICROSECOND, MILLISECOND, MINUTE, SECOND, UNIX_EPOCH, format_datetime,
    format_timespan, parse_datetime, parse_timespan,
};
pub use value::{Decimal, Guid, Type, Value};

/// Parses and binds a query against the tables of `catalog`.
///
/// `now` is the query's one instant, in ticks since 0001-01-01: what `now()` and `ago()` count from.
///
/// # Errors
/// All that is wrong with the query: what Kusto's own binder refuses, with its codes, and what only this
/// engine does not run ([`Diagnostic::unsupported`]).
pub fn bind(text: &str, catalog: &dyn Catalog, now: i64) -> Result<Plan, Diagnostics> {
    let statements = parser::parse(text).map_err(Diagnostics::new)?;
    bind::bind(&statements, text, catalog, now, &[])
}

/// Binds a query with parameters: names that stand for single values, which [`Plan::run_with`] gives. So a query that is
/// asked again and again with other values is bound once.
///
/// ```
/// # use kql::{MemoryTables, Type};
/// let query = "print since = now() - start";
/// assert!(kql::bind(query, &MemoryTables::new(), 0).is_err());
/// assert!(kql::bind_with(query, &MemoryTables::new(), 0, &[("start", Type::Datetime)]).is_ok());
/// ```
///
/// # Errors
/// As [`bind`]. What has to be a constant cannot be a parameter.
pub fn bind_with(
    text: &str,
    catalog: &dyn Catalog,
    now: i64,
    parameters: &[(&str, Type)],
) -> Result<Plan, Diagnostics> {
    let statements = parser::parse(text).map_err(Diagnostics::new)?;
    bind::bind(&statements, text, catalog, now, parameters)
}
