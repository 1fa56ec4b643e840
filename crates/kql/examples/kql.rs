//! Runs a query over JSON lines: `kql [--format table|json|csv] [--now DATETIME] 'T | count' < rows.jsonl`.
//!
//! The table `T` has the columns of the first thousand rows; text that is a datetime makes a datetime column. Rows are
//! read as the query asks for them, so the table may be read once only: `T | join (T) …` wants a file.

use kql::{Catalog, Diagnostics, Row, Scan, Schema, Tables, Type, Value};
use serde_json::{Map, Value as Json};
use std::cell::RefCell;
use std::error::Error;
use std::io::{BufRead, Lines, StdinLock, Write};
use std::process::ExitCode;

type Failure = Box<dyn Error + Send + Sync>;

struct Options {
    query: String,
    format: String,
    now: i64,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), Failure> {
    let options = options(std::env::args().skip(1))?;
    let input = Input::open()?;
    let plan = kql::bind(&options.query, &input, options.now).map_err(|found: Diagnostics| {
        Failure::from(found.render("query", &options.query).trim_end().to_owned())
    })?;
    let out = std::io::stdout().lock();
    let rows = plan.run(&input);
    match options.format.as_str() {
        "json" => json(out, plan.schema(), rows),
        "csv" => csv(out, plan.schema(), rows),
        _ => table(out, plan.schema(), rows),
    }
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, Failure> {
    let usage = "usage: kql [--format table|json|csv] [--now DATETIME] QUERY < ROWS.jsonl";
    let (mut query, mut format, mut now) = (None, "table".to_owned(), None);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--format" => {
                format = args
                    .next()
                    .filter(|f| ["table", "json", "csv"].contains(&&**f))
                    .ok_or(usage)?;
            }
            "--now" => {
                now = Some(args.next().as_deref().and_then(kql::parse_datetime).ok_or(usage)?);
            }
            _ if query.is_none() => query = Some(arg),
            _ => return Err(usage.into()),
        }
    }
    let now = match now {
        Some(now) => now,
        None => clock()?,
    };
    Ok(Options { query: query.ok_or(usage)?, format, now })
}

#[expect(clippy::disallowed_methods, reason = "the edge of the program reads the clock once")]
fn clock() -> Result<i64, Failure> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(kql::UNIX_EPOCH + i64::try_from(since.as_nanos() / 100)?)
}

/// The rows of standard input: the first ones already read, to see their columns.
struct Input {
    schema: Schema,
    head: RefCell<Vec<Map<String, Json>>>,
    rest: RefCell<Option<Lines<StdinLock<'static>>>>,
}

const HEAD: usize = 1_000;

impl Input {
    fn open() -> Result<Self, Failure> {
        let mut lines = std::io::stdin().lock().lines();
        let mut head = Vec::new();
        for line in lines.by_ref().take(HEAD) {
            head.push(serde_json::from_str::<Map<String, Json>>(&line?)?);
        }
        let mut schema = Schema::default();
        for (name, value) in head.iter().flatten() {
            let ty = type_of(value);
            match (schema.index(name).and_then(|at| schema.columns.get_mut(at)), ty) {
                (Some(column), Some(ty)) if column.ty != ty => column.ty = wider(column.ty, ty),
                (None, Some(ty)) => schema.columns.push(kql::Column { name: name.clone(), ty }),
                _ => {}
            }
        }
        Ok(Self { schema, head: RefCell::new(head), rest: RefCell::new(Some(lines)) })
    }

    fn row(&self, map: &Map<String, Json>) -> Row {
        self.schema
            .columns
            .iter()
            .map(|c| value(map.get(&c.name).unwrap_or(&Json::Null), c.ty))
            .collect()
    }
}

fn type_of(value: &Json) -> Option<Type> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(_) => Type::Bool,
        Json::Number(n) if n.is_i64() => Type::Long,
        Json::Number(_) => Type::Real,
        Json::String(text) if text.len() > 9 && kql::parse_datetime(text).is_some() => {
            Type::Datetime
        }
        Json::String(_) => Type::String,
        Json::Array(_) | Json::Object(_) => Type::Dynamic,
    })
}

fn wider(a: Type, b: Type) -> Type {
    match (a, b) {
        (Type::Long | Type::Real, Type::Long | Type::Real) => Type::Real,
        (Type::String | Type::Datetime, Type::String | Type::Datetime) => Type::String,
        _ => Type::Dynamic,
    }
}

fn value(json: &Json, ty: Type) -> Value {
    match (ty, json) {
        (Type::Bool, Json::Bool(b)) => Value::Bool(*b),
        (Type::Long, Json::Number(n)) => n.as_i64().map_or(Value::Null, Value::Long),
        (Type::Real, Json::Number(n)) => n.as_f64().map_or(Value::Null, Value::Real),
        (Type::Datetime, Json::String(s)) => {
            kql::parse_datetime(s).map_or(Value::Null, Value::Datetime)
        }
        (Type::String, Json::String(s)) => Value::from(s.as_str()),
        (Type::Dynamic, other) => Value::from_json(other.clone()),
        _ => Value::Null,
    }
}

impl Catalog for Input {
    fn schema(&self, table: &str) -> Option<Schema> {
        (table == "T").then(|| self.schema.clone())
    }
}

impl Tables for Input {
    fn scan(&self, _: &str) -> Scan<'_> {
        let Some(rest) = self.rest.take() else {
            let error = Failure::from("standard input was read before, and can be read once only");
            return Box::new(std::iter::once(Err(error)));
        };
        let head = self.head.take();
        let head = head.into_iter().map(|map| Ok(self.row(&map)));
        Box::new(head.chain(rest.map(|line| {
            let map = serde_json::from_str::<Map<String, Json>>(&line?)?;
            Ok(self.row(&map))
        })))
    }
}

fn json(mut out: impl Write, schema: &Schema, rows: kql::Rows<'_>) -> Result<(), Failure> {
    for row in rows {
        let columns = schema.columns.iter().map(|c| c.name.clone());
        let map: Map<String, Json> = columns.zip(row?.iter().map(Value::to_json)).collect();
        writeln!(out, "{}", Json::Object(map))?;
    }
    Ok(())
}

fn csv(mut out: impl Write, schema: &Schema, rows: kql::Rows<'_>) -> Result<(), Failure> {
    let quoted = |text: &str| {
        if text.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    };
    let names: Vec<String> = schema.columns.iter().map(|c| quoted(&c.name)).collect();
    writeln!(out, "{}", names.join(","))?;
    for row in rows {
        let fields: Vec<String> = row?.iter().map(|v| quoted(&v.text())).collect();
        writeln!(out, "{}", fields.join(","))?;
    }
    Ok(())
}

fn table(mut out: impl Write, schema: &Schema, rows: kql::Rows<'_>) -> Result<(), Failure> {
    let mut lines: Vec<Vec<String>> = vec![schema.columns.iter().map(|c| c.name.clone()).collect()];
    for row in rows {
        lines.push(row?.iter().map(|v| v.text().to_string()).collect());
    }
    let mut widths = vec![0; schema.columns.len()];
    for line in &lines {
        for (width, field) in widths.iter_mut().zip(line) {
            *width = field.chars().count().max(*width);
        }
    }
    for line in &lines {
        let padded: Vec<String> =
            line.iter().zip(&widths).map(|(f, w)| format!("{f:<w$}")).collect();
        writeln!(out, "{}", padded.join("  ").trim_end())?;
    }
    Ok(())
}
