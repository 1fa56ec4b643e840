//! Runs queries that bring their own rows and says what they give, for comparisons with other engines.
//!
//! Reads `{"id": …, "kql": "…"}` a line; writes `{"id", "columns", "types", "rows"}` a line, or
//! `{"id", "error": {"code", "message", "span": {"start", "length"}}, "unsupported": bool}`.
//!
//! ```sh
//! echo '{"id": 1, "kql": "print x = 1, 2s"}' | cargo run --release -p kql --example conform
//! ```
//!
//! Types are Kusto's names. Datetimes are RFC 3339 with seven digits and `Z`, timespans Kusto's text, decimals and guids
//! text, dynamic values JSON, reals numbers (`"NaN"`, `"Infinity"`, `"-Infinity"`). Nulls are `null`; a string is never.
//!
//! `--now DATETIME` sets the instant of `now()`.

use kql::{Limits, MemoryTables, RunError, Value};
use serde_json::{Map, Value as Json, json};
use std::error::Error;
use std::io::{BufRead, Write};
use std::process::ExitCode;

/// Queries of one row each take milliseconds: what takes more than this is a mistake.
const LIMITS: Limits = Limits { rows: 2_000_000, bytes: 1 << 30, work: 50_000_000 };

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "conform: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let usage = "usage: conform [--now DATETIME] < QUERIES.jsonl";
    let mut args = std::env::args().skip(1);
    let now = match (args.next().as_deref(), args.next()) {
        (None, _) => clock()?,
        (Some("--now"), Some(text)) => kql::parse_datetime(&text).ok_or(usage)?,
        _ => return Err(usage.into()),
    };
    let mut out = std::io::stdout().lock();
    for (at, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let number = at + 1;
        let question: Json =
            serde_json::from_str(&line).map_err(|error| format!("line {number}: {error}"))?;
        let id = question.get("id").cloned().unwrap_or(Json::Null);
        let text = question
            .get("kql")
            .and_then(Json::as_str)
            .ok_or_else(|| format!("line {number}: `kql` is missing or no text"))?;
        let mut answer = answer(text, now);
        answer.insert("id".to_owned(), id);
        writeln!(out, "{}", Json::Object(answer))?;
        out.flush()?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the edge of the program reads the clock once")]
fn clock() -> Result<i64, Box<dyn Error>> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(kql::UNIX_EPOCH + i64::try_from(since.as_nanos() / 100)?)
}

fn answer(text: &str, now: i64) -> Map<String, Json> {
    let tables = MemoryTables::new();
    let plan = match kql::bind(text, &tables, now) {
        Ok(plan) => plan.with_limits(LIMITS),
        Err(found) => {
            // An error of the query weighs more than what the engine lacks.
            let first = found.iter().find(|d| !d.unsupported).or(found.iter().next());
            return first.map_or_else(Map::new, |d| {
                let span = json!({"start": d.span.start, "length": d.span.len});
                failure(d.code, &d.message, &span, found.only_unsupported())
            });
        }
    };
    let rows: Result<Vec<Json>, RunError> = plan
        .run(&tables)
        .map(|row| row.map(|row| Json::Array(row.iter().map(shown).collect())))
        .collect();
    match rows {
        Ok(rows) => {
            let columns = &plan.schema().columns;
            let names = columns.iter().map(|c| Json::from(c.name.as_str())).collect();
            let types = columns.iter().map(|c| Json::from(c.ty.name())).collect();
            Map::from_iter([
                ("columns".to_owned(), Json::Array(names)),
                ("types".to_owned(), Json::Array(types)),
                ("rows".to_owned(), Json::Array(rows)),
            ])
        }
        Err(error) => failure(error.code(), &error.to_string(), &Json::Null, error.unsupported()),
    }
}

fn failure(code: &str, message: &str, span: &Json, unsupported: bool) -> Map<String, Json> {
    Map::from_iter([
        ("error".to_owned(), json!({"code": code, "message": message, "span": span})),
        ("unsupported".to_owned(), Json::from(unsupported)),
    ])
}

fn shown(value: &Value) -> Json {
    match value {
        Value::Real(real) if !real.is_finite() => Json::from(value.text().as_ref()),
        other => other.to_json(),
    }
}
