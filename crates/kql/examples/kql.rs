//! Runs a query over JSON lines: `kql 'T | summarize count() by user' < rows.jsonl`.

use kql::{Catalog, ColumnTable, MemoryTables, Plan, Rows, RunError, Schema, Stages, Value};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Read, Write};
use std::process::ExitCode;

const HELP: &str = "\
Runs a KQL query over JSON lines.

Usage: kql [OPTIONS] QUERY [NAME=FILE]... < ROWS.jsonl

Standard input is the table `T`; each NAME=FILE is one more table. A table has the columns of its first thousand
objects: whole numbers are long, text that is a datetime throughout is datetime, objects and arrays are dynamic.

Options:
  --format FORMAT  table (default), json (one object a line) or csv
  --explain        then say on standard error how many rows each operator gave
  --now DATETIME   what now() and ago() count from (default: the clock)
  --schema         show the columns of the result instead of its rows
  --help           this text

Examples:
  kql 'T | where ms > 100 | top 5 by ms' < calls.jsonl
  kql --format csv 'T | summarize count() by user, bin(at, 1h)' < calls.jsonl
  kql --explain 'T | join kind=leftanti (Known) on user' Known=known.jsonl < calls.jsonl
  kql 'print 7 / 2, format_timespan(90m, \"hh:mm\")'

Exit status: 0, 1 where the query has errors or cannot be run, 2 where the command line or the rows cannot be read.
";

/// Objects that say which columns there are.
const HEAD: usize = 1_000;

enum Failure {
    /// Of the query: it is shown as it is.
    Query(String),
    Other(Box<dyn Error + Send + Sync>),
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

fn main() -> ExitCode {
    let (code, text) = match run() {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Query(text)) => (1, text),
        Err(Failure::Other(error)) => (2, format!("kql: {error}\n")),
    };
    let _ = write!(std::io::stderr(), "{text}");
    ExitCode::from(code)
}

#[derive(Default)]
struct Options {
    query: Option<String>,
    format: Option<String>,
    now: Option<i64>,
    explain: bool,
    schema: bool,
    help: bool,
    files: Vec<(String, String)>,
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--help" | "-h" => options.help = true,
            "--explain" => options.explain = true,
            "--schema" => options.schema = true,
            "--format" => {
                let format = args.next().filter(|f| ["table", "json", "csv"].contains(&&**f));
                options.format = Some(format.ok_or("`--format` is one of table, json, csv")?);
            }
            "--now" => {
                let now = args.next().as_deref().and_then(kql::parse_datetime);
                options.now = Some(now.ok_or("`--now` is a datetime such as 2026-11-22T10:00Z")?);
            }
            _ if arg.starts_with("--") => {
                return Err(format!("there is no option `{arg}`: see `kql --help`"));
            }
            _ if options.query.is_none() => options.query = Some(arg),
            _ => match arg.split_once('=') {
                Some((name, file)) if !name.is_empty() => {
                    options.files.push((name.to_owned(), file.to_owned()));
                }
                _ => return Err(format!("`{arg}` is no NAME=FILE: see `kql --help`")),
            },
        }
    }
    Ok(options)
}

#[expect(clippy::disallowed_methods, reason = "the edge of the program reads the clock once")]
fn clock() -> Result<i64, Failure> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(kql::UNIX_EPOCH + i64::try_from(since.as_nanos() / 100)?)
}

/// The schemas, before the rows are read.
struct Schemas(BTreeMap<String, Schema>);

impl Catalog for Schemas {
    fn schema(&self, table: &str) -> Option<Schema> {
        self.0.get(table).cloned()
    }
}

fn run() -> Result<(), Failure> {
    let options = options(std::env::args().skip(1))?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if options.help {
        write!(out, "{HELP}")?;
        return Ok(());
    }
    let query = options.query.as_deref().ok_or("a query is missing: see `kql --help`")?;
    let now = options.now.map_or_else(clock, Ok)?;
    let mut texts = BTreeMap::new();
    for (name, file) in &options.files {
        let text = std::fs::read(file).map_err(|error| format!("`{file}`: {error}"))?;
        texts.insert(name.clone(), text);
    }
    // Where the query brings its own rows, nothing has to be read, and nobody has to type anything.
    let reads = kql::outline(query).map(|outline| outline.tables).unwrap_or_default();
    if reads.iter().any(|table| table == "T") && !texts.contains_key("T") {
        let mut text = Vec::new();
        std::io::stdin().lock().read_to_end(&mut text)?;
        texts.insert("T".to_owned(), text);
    }
    let mut schemas = Schemas(BTreeMap::new());
    for (name, text) in &texts {
        let schema =
            kql::infer_schema(text, HEAD).map_err(|error| format!("table `{name}`: {error}"))?;
        schemas.0.insert(name.clone(), schema);
    }
    let plan = kql::bind(query, &schemas, now)
        .map_err(|found| Failure::Query(found.render("query", query)))?;
    if options.schema {
        for column in &plan.schema().columns {
            writeln!(out, "{}: {}", column.name, column.ty)?;
        }
        return Ok(());
    }
    let mut tables = MemoryTables::new();
    for (name, schema) in &schemas.0 {
        let text = texts.remove(name).unwrap_or_default();
        tables = tables.with_columns(name, rows(&plan, name, &text, schema)?);
    }
    let (rows, stages) = if options.explain {
        let (rows, stages) = plan.explain(&tables);
        (rows, Some(stages))
    } else {
        (plan.run(&tables), None)
    };
    let shown = match options.format.as_deref() {
        Some("json") => json(&mut out, plan.schema(), rows),
        Some("csv") => csv(&mut out, plan.schema(), rows),
        _ => table(&mut out, plan.schema(), rows),
    };
    out.flush()?;
    if let Some(stages) = stages {
        explain(query, &stages)?;
    }
    shown
}

/// The columns that some read of the query looks at.
fn rows(plan: &Plan, name: &str, text: &[u8], schema: &Schema) -> Result<ColumnTable, Failure> {
    let mut wanted = vec![false; schema.columns.len()];
    for read in plan.reads(name) {
        for (all, one) in wanted.iter_mut().zip(&read.columns) {
            *all |= one;
        }
    }
    kql::read_json_lines(text, schema, Some(&wanted))
        .map_err(|error| Failure::from(format!("table `{name}`: {error}")))
}

fn failed(error: &RunError) -> Failure {
    Failure::Query(format!("error[{}]: {error}\n", error.code()))
}

fn json(mut out: impl Write, schema: &Schema, rows: Rows<'_>) -> Result<(), Failure> {
    for row in rows {
        let row = row.map_err(|error| failed(&error))?;
        let columns = schema.columns.iter().map(|c| c.name.clone());
        let map: Map<String, Json> = columns.zip(row.iter().map(Value::to_json)).collect();
        writeln!(out, "{}", Json::Object(map))?;
    }
    Ok(())
}

fn csv(mut out: impl Write, schema: &Schema, rows: Rows<'_>) -> Result<(), Failure> {
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
        let row = row.map_err(|error| failed(&error))?;
        let fields: Vec<String> = row.iter().map(|v| quoted(&v.text())).collect();
        writeln!(out, "{}", fields.join(","))?;
    }
    Ok(())
}

/// Text as it may be shown: a terminal acts on control characters.
fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    text.chars().map(shown).collect()
}

fn table(mut out: impl Write, schema: &Schema, rows: Rows<'_>) -> Result<(), Failure> {
    let mut lines: Vec<Vec<String>> = vec![schema.columns.iter().map(|c| plain(&c.name)).collect()];
    for row in rows {
        let row = row.map_err(|error| failed(&error))?;
        lines.push(row.iter().map(|value| plain(&value.text())).collect());
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

/// The rows that each operator gave, beside its line of the query.
fn explain(query: &str, stages: &Stages<'_>) -> Result<(), Failure> {
    let mut out = std::io::stderr().lock();
    writeln!(out, "\n      rows  operator")?;
    for stage in stages.all() {
        let rest = query.get(stage.span.start..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        let text = line.split('|').next().unwrap_or_default().trim();
        let text: String = plain(text).chars().take(80).collect();
        writeln!(out, "{:>10}  {}{text}", stage.rows, "  ".repeat(stage.depth))?;
    }
    Ok(())
}
