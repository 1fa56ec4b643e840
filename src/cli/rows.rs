//! The rows of an answer as they are printed: a table for people, JSON and CSV for programs.

use super::columns::{line, widths};
use super::report::{out, out_raw, talk};
use crate::notify::limits::{Unit, cap, clean, is_hidden};
use crate::notify::wording::short_name;
use crate::ports::RowSink;
use crate::watch::alert::Interval;
use crate::watch::row::{Columns, Row, Value};
use serde_json::{Map, Value as Json};
use std::fmt::Write as _;
use std::io::IsTerminal as _;

/// Rows that decide how wide a table's columns are. Longer tables are printed as they come.
const MEASURED: usize = 1_000;
/// The widest cell of a table, in characters, unless all is asked for.
const CELL: usize = 40;

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// Columns, for people
    Table,
    /// One array of objects
    Json,
    /// One object a line
    Jsonl,
    /// Comma-separated values
    Csv,
}

/// Prints rows as they come.
pub(crate) struct Printer {
    output: Output,
    wide: bool,
    within: Option<Interval>,
    /// Rows printed or kept.
    pub(crate) count: u64,
    columns: Columns,
    measured: Vec<Row>,
    widths: Option<Vec<usize>>,
}

impl Printer {
    /// Passes rows over whose `TimeGenerated` is not `within`, if that is asked for.
    pub(crate) fn new(output: Output, wide: bool, within: Option<Interval>) -> Self {
        let columns = Columns::from(Vec::new());
        Self { output, wide, within, count: 0, columns, measured: Vec::new(), widths: None }
    }

    /// The answer is complete.
    pub(crate) fn finish(&mut self) {
        match self.output {
            Output::Table => self.flush(true),
            Output::Json if self.count == 0 => out("[]"),
            Output::Json => out("\n]"),
            Output::Jsonl | Output::Csv => {}
        }
    }

    /// Prints what was held back to be measured.
    fn flush(&mut self, all: bool) {
        let rows = std::mem::take(&mut self.measured);
        if rows.is_empty() {
            return;
        }
        // What is empty throughout says nothing, but that can only be known of all rows.
        let empty = |n: usize| rows.iter().all(|row| row.values.get(n).is_none_or(Value::is_empty));
        let shown: Vec<bool> =
            (0..self.columns.len()).map(|n| self.wide || !all || !empty(n)).collect();
        let left_out = shown.iter().filter(|shown| !**shown).count();
        let keep = |cells: Vec<String>| -> Vec<String> {
            cells.into_iter().zip(&shown).filter(|(_, shown)| **shown).map(|(c, _)| c).collect()
        };
        let head = keep(self.columns.iter().map(|name| clean(name, 100)).collect());
        let cells: Vec<Vec<String>> = rows.iter().map(|row| keep(self.cells(row))).collect();
        let names: Vec<&str> = head.iter().map(String::as_str).collect();
        let widths = widths(&names, &cells);
        out(line(&head, &widths));
        for cells in &cells {
            out(line(cells, &widths));
        }
        if left_out > 0 {
            talk(format!("{left_out} empty columns are left out; --wide shows them"));
        }
        self.widths = Some(widths);
    }

    fn cells(&self, row: &Row) -> Vec<String> {
        row.iter().map(|(name, value)| cell(name, value, self.wide)).collect()
    }
}

impl RowSink for Printer {
    fn row(&mut self, row: Row) {
        if let Some(within) = self.within
            && row.time().is_none_or(|time| !within.contains(time))
        {
            return;
        }
        let first = self.count == 0;
        self.count += 1;
        if first {
            self.columns = Columns::clone(&row.columns);
        }
        match self.output {
            Output::Table => {
                if let Some(widths) = &self.widths {
                    out(line(&self.cells(&row), widths));
                    return;
                }
                self.measured.push(row);
                if self.measured.len() >= MEASURED {
                    self.flush(false);
                }
            }
            Output::Json => {
                let before = if first { "[\n" } else { ",\n" };
                out_raw(format!("{before}{}", object(&row)).as_bytes());
            }
            Output::Jsonl => out_raw(format!("{}\n", object(&row)).as_bytes()),
            Output::Csv => {
                let terminal = std::io::stdout().is_terminal();
                if first {
                    out_raw(&record(self.columns.iter().map(|name| guarded(name, terminal))));
                }
                let cells = row.values.iter().map(|value| match value {
                    Value::String(text) => guarded(text, terminal),
                    other => other.text(),
                });
                out_raw(&record(cells));
            }
        }
    }
}

/// A cell of a table: one line, nothing hidden, cut if it is long.
fn cell(name: &str, value: &Value, wide: bool) -> String {
    let text = value.text();
    if wide {
        return clean(&text, usize::MAX);
    }
    let short = short_name(&text);
    // The end of an ARM id tells one HSM from another, the beginning does not.
    if name == "_ResourceId" && short.len() < text.len() {
        return cap(&format!("…/{}", clean(short, CELL)), CELL, Unit::Chars);
    }
    cap(&clean(&text, CELL * 2), CELL, Unit::Chars)
}

/// A row as JSON. Characters that hide or reorder others are written as escapes, which means the same to a program.
fn object(row: &Row) -> String {
    let object: Map<String, Json> =
        row.iter().map(|(name, value)| (name.to_owned(), value.json())).collect();
    escaped(&Json::Object(object).to_string())
}

/// JSON with hidden characters as escapes.
pub(crate) fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        // Line ends and the like stand between values, not in them: the writer has escaped those.
        if is_hidden(c) && !c.is_ascii_control() || c == '\u{7f}' {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// A text for a CSV cell: a spreadsheet must not take it for a formula, nor a terminal for a command.
fn guarded(text: &str, terminal: bool) -> String {
    let text = if terminal { clean(text, usize::MAX) } else { text.to_owned() };
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}

fn record(cells: impl Iterator<Item = String>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory cannot fail.
    let _ = writer.write_record(cells);
    writer.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESCAPE: &str = "\u{1b}]8;;https://evil.example\u{7}x\u{202e}y\nz";

    #[test]
    fn cells_are_harmless_and_short() {
        let cell = |text: &str, wide| cell("ClientInfo", &Value::string(text), wide);
        assert_eq!(cell(ESCAPE, false), "]8;;https://evil.examplexy z");
        assert_eq!(cell(&"a".repeat(50), false), format!("{}…", "a".repeat(39)));
        assert_eq!(cell(&"a".repeat(50), true), "a".repeat(50));
        let id = "/subscriptions/s/resourcegroups/g/providers/p/t/hsm-prod";
        assert_eq!(super::cell("_ResourceId", &Value::string(id), false), "…/hsm-prod");
        assert_eq!(super::cell("_ResourceId", &Value::string(id), true), id);
    }

    #[test]
    fn json_says_the_same_with_escapes() {
        let columns: Columns = vec![std::sync::Arc::from("ClientInfo")].into();
        let text = format!("{ESCAPE}\u{7f}\u{9b}\u{e0041}");
        let row = Row::new(columns, vec![Value::string(&text)]);
        let json = object(&row);
        assert!(json.chars().all(|c| !is_hidden(c)), "{json}");
        let back: Json = serde_json::from_str(&json).unwrap();
        assert_eq!(back["ClientInfo"], text);
    }

    #[test]
    fn csv_holds_no_formulas() {
        assert_eq!(guarded("=1+1", false), "'=1+1");
        assert_eq!(guarded("a=1", false), "a=1");
        assert_eq!(guarded("\u{1b}[2J=x", true), "[2J=x");
        let cells = ["a,b", "c\"d", ""].map(str::to_owned);
        assert_eq!(record(cells.into_iter()), b"\"a,b\",\"c\"\"d\",\n");
    }
}
