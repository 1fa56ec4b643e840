//! An answer of the query API, decoded as it arrives: rows go to the sink one by one and the answer is never held.
//!
//! `{"tables":[{"name","columns","rows":[[…],…]}],"error"?,…}`. Only the table `PrimaryResult` counts (else the first).

use super::cell::Layout;
use super::scan::Scan;
use crate::ports::RowSink;
use serde_json::Value as Json;

/// The longest row, and the longest of the small parts. A row of the service is far below: it cuts cells at 64 KB.
const MAX_ROW: usize = 32 << 20;
/// The most that is held when a table's rows come before its name or columns.
const MAX_HELD: usize = 8 << 20;
const PRIMARY: &str = "PrimaryResult";

/// Why an answer cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DecodeError {
    /// Not a byte, or only white space.
    #[error("the answer is empty")]
    Empty,
    /// It ends too early.
    #[error("the answer ends in the middle")]
    Truncated,
    /// Not what was agreed.
    #[error("the answer is not what the query service writes: {0}")]
    Malformed(String),
    /// A part of it is longer than anything the service writes.
    #[error("the answer holds {0} too large to be held")]
    TooLong(&'static str),
}

/// What an answer said beside its rows.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Decoded {
    /// Tables, whether they counted or not.
    pub(super) tables: usize,
    /// `error`, if there was one.
    pub(super) error: Option<Json>,
    /// Rows handed over.
    pub(super) rows: u64,
}

/// What an open bracket holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum In {
    Top,
    Tables,
    Table,
    Rows,
}

/// What the value that is being read is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Key,
    Name,
    Columns,
    HeldRows,
    Error,
    Row,
    Nothing,
}

impl What {
    fn limit(self) -> (usize, &'static str) {
        match self {
            Self::Row => (MAX_ROW, "a row"),
            Self::HeldRows => (MAX_HELD, "rows before their table's name and columns"),
            Self::Key => (64 << 10, "a key"),
            Self::Name => (64 << 10, "a table's name"),
            Self::Columns => (1 << 20, "a list of columns"),
            Self::Error => (1 << 20, "an error"),
            Self::Nothing => (0, "a value"),
        }
    }
}

#[derive(Debug)]
enum At {
    Start,
    /// Before a key (or element) or the closing bracket.
    Inside(In),
    Colon(In),
    Value(In),
    Within(In, What, Scan),
    End,
}

#[derive(Debug, Default)]
struct Table {
    name: Option<String>,
    layout: Option<Layout>,
    rows: Option<Vec<u8>>,
}

/// Takes the bytes of an answer in pieces of any size.
#[derive(Debug)]
pub(super) struct Decoder {
    at: At,
    /// The beginning of a value whose end is still to come.
    carry: Vec<u8>,
    key: String,
    table: Table,
    /// The first table, held until it is known that there is no `PrimaryResult`.
    first: Option<Table>,
    answered: bool,
    out: Decoded,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self {
            at: At::Start,
            carry: Vec::new(),
            key: String::new(),
            table: Table::default(),
            first: None,
            answered: false,
            out: Decoded::default(),
        }
    }

    /// Rows handed over so far.
    pub(super) fn rows(&self) -> u64 {
        self.out.rows
    }

    /// Takes the next bytes.
    pub(super) fn feed(&mut self, bytes: &[u8], sink: &mut dyn RowSink) -> Result<(), DecodeError> {
        let mut rest = bytes;
        loop {
            if !matches!(self.at, At::Within(..)) {
                // Commas are passed over like white space: this reads, it does not judge style.
                let spare = |b: &u8| matches!(b, b' ' | b'\n' | b'\r' | b'\t' | b',');
                let skip = rest.iter().take_while(|b| spare(b)).count();
                rest = rest.get(skip..).unwrap_or_default();
            }
            let Some(first) = rest.first() else { return Ok(()) };
            let used = self.step(*first, rest, sink)?;
            rest = rest.get(used..).unwrap_or_default();
        }
    }

    /// Says what the answer held, once all bytes are in.
    pub(super) fn finish(self) -> Result<Decoded, DecodeError> {
        match self.at {
            // "No rows" is said by a table with none; anything less is no answer, and no time counts as covered by it.
            At::End if self.out.tables > 0 && !self.answered && self.out.error.is_none() => {
                Err(DecodeError::Malformed("no table".to_owned()))
            }
            At::End => Ok(self.out),
            At::Start => Err(DecodeError::Empty),
            _ => Err(DecodeError::Truncated),
        }
    }

    /// One step on `rest`, which begins with `first`; answers how many bytes it used.
    fn step(
        &mut self,
        first: u8,
        rest: &[u8],
        sink: &mut dyn RowSink,
    ) -> Result<usize, DecodeError> {
        match (&mut self.at, first) {
            (At::Within(level, what, scan), _) => {
                let (level, what) = (*level, *what);
                let end = scan.piece(rest);
                let piece = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
                let (limit, name) = what.limit();
                if what != What::Nothing && self.carry.len() + piece.len() > limit {
                    return Err(DecodeError::TooLong(name));
                }
                match end {
                    None if what == What::Nothing => {}
                    None => self.carry.extend_from_slice(piece),
                    Some(_) if self.carry.is_empty() => self.done(level, what, piece, sink)?,
                    Some(_) => {
                        let mut whole = std::mem::take(&mut self.carry);
                        whole.extend_from_slice(piece);
                        self.done(level, what, &whole, sink)?;
                        // The room is used again for the next row, unless it was a giant.
                        if whole.capacity() <= 1 << 20 {
                            whole.clear();
                            self.carry = whole;
                        }
                    }
                }
                return Ok(piece.len());
            }
            (At::Start, b'{') => self.at = At::Inside(In::Top),
            // A byte order mark.
            (At::Start, 0xef | 0xbb | 0xbf) => {}
            (At::Inside(level @ (In::Top | In::Table)), b'"') => {
                self.at = At::Within(*level, What::Key, Scan::default());
                return Ok(0);
            }
            (At::Inside(In::Top), b'}') => self.at = At::End,
            (At::Inside(In::Tables), b'{') => {
                self.table = Table::default();
                self.at = At::Inside(In::Table);
            }
            (At::Inside(In::Table), b'}') => {
                self.at = At::Inside(In::Tables);
                self.table_ends(sink)?;
            }
            (At::Inside(In::Tables), b']') => {
                self.at = At::Inside(In::Top);
                if let (false, Some(table)) = (self.answered, self.first.take()) {
                    self.held(table, sink)?;
                }
            }
            (At::Inside(In::Rows), b']') => self.at = At::Inside(In::Table),
            (At::Inside(In::Rows), b'[' | b'{') => {
                self.at = At::Within(In::Rows, What::Row, Scan::default());
                return Ok(0);
            }
            (At::Colon(level), b':') => self.at = At::Value(*level),
            (At::Value(level), first) if !matches!(first, b']' | b'}' | b':') => {
                let level = *level;
                return Ok(self.value(level, first));
            }
            _ => {
                let shown = char::from(first).escape_default();
                return Err(DecodeError::Malformed(format!("unexpected `{shown}`")));
            }
        }
        Ok(1)
    }

    /// Begins the value of `self.key`; answers how many bytes that used.
    fn value(&mut self, level: In, first: u8) -> usize {
        let what = match (level, self.key.as_str()) {
            (In::Top, "tables") if first == b'[' => {
                self.at = At::Inside(In::Tables);
                return 1;
            }
            (In::Table, "rows") if first == b'[' && self.streams() => {
                self.answered = true;
                self.at = At::Inside(In::Rows);
                return 1;
            }
            (In::Table, "rows") if !self.answered && self.may_count() => What::HeldRows,
            (In::Table, "name") => What::Name,
            (In::Table, "columns") => What::Columns,
            (In::Top, "error") => What::Error,
            _ => What::Nothing,
        };
        self.at = At::Within(level, what, Scan::default());
        0
    }

    /// Whether the rows that begin now can go straight to the sink.
    fn streams(&self) -> bool {
        !self.answered && self.table.layout.is_some() && self.table.name.as_deref() == Some(PRIMARY)
    }

    /// Whether this table may turn out to be the one that counts.
    fn may_count(&self) -> bool {
        self.out.tables == 0 || self.table.name.as_deref().is_none_or(|name| name == PRIMARY)
    }

    /// A value is complete.
    fn done(
        &mut self,
        level: In,
        what: What,
        json: &[u8],
        sink: &mut dyn RowSink,
    ) -> Result<(), DecodeError> {
        self.at = At::Inside(level);
        match what {
            What::Nothing => {}
            What::Key => {
                self.key = read(json, "a key")?;
                self.at = At::Colon(level);
            }
            What::Name => self.table.name = read(json, "a table's name")?,
            What::Columns => {
                self.table.layout = Some(Layout::read(json).map_err(malformed("columns"))?);
            }
            What::HeldRows => self.table.rows = Some(json.to_vec()),
            What::Error => self.out.error = read(json, "error")?,
            What::Row => self.row(json, sink)?,
        }
        Ok(())
    }

    fn row(&mut self, json: &[u8], sink: &mut dyn RowSink) -> Result<(), DecodeError> {
        // The engine behind the service says in the place of a row that it broke off: `{"Exceptions":[…]}`.
        if json.first() == Some(&b'{') {
            let mut said: Json = read(json, "a row")?;
            let message = ["Exceptions", "OneApiErrors", "Error"]
                .iter()
                .find_map(|key| said.get_mut(key).map(Json::take))
                .unwrap_or(said);
            self.out.error = Some(serde_json::json!({
                "code": "PartialError",
                "message": message.as_array().and_then(|m| m.first()).and_then(Json::as_str)
                    .map_or_else(|| message.to_string(), str::to_owned),
            }));
            return Ok(());
        }
        let Some(layout) = &mut self.table.layout else {
            return Err(DecodeError::Malformed("rows without columns".to_owned()));
        };
        sink.row(layout.row(json).map_err(malformed("a row"))?);
        self.out.rows += 1;
        Ok(())
    }

    fn table_ends(&mut self, sink: &mut dyn RowSink) -> Result<(), DecodeError> {
        self.out.tables += 1;
        let table = std::mem::take(&mut self.table);
        if table.name.as_deref() == Some(PRIMARY) && !self.answered {
            self.held(table, sink)?;
        } else if self.out.tables == 1 {
            self.first = Some(table);
        }
        Ok(())
    }

    /// Reads a table whose rows were held.
    fn held(&mut self, mut table: Table, sink: &mut dyn RowSink) -> Result<(), DecodeError> {
        self.answered = true;
        let no_list = || Err(DecodeError::Malformed("rows are no list".to_owned()));
        let held = match table.rows.take() {
            None => return Err(DecodeError::Malformed("a table without rows".to_owned())),
            Some(rows) if rows == b"null" => return Ok(()),
            Some(rows) => rows,
        };
        let Some((b'[', rows)) = held.split_first() else { return no_list() };
        let back = std::mem::replace(&mut self.at, At::Inside(In::Rows));
        self.table = table;
        self.feed(rows, sink)?;
        self.table = Table::default();
        match std::mem::replace(&mut self.at, back) {
            At::Inside(In::Table) => Ok(()),
            _ => no_list(),
        }
    }
}

fn read<'de, T: serde::Deserialize<'de>>(
    json: &'de [u8],
    what: &'static str,
) -> Result<T, DecodeError> {
    serde_json::from_slice(json).map_err(malformed(what))
}

/// The position in the error is that within the part, of no use to anyone.
fn malformed(what: &'static str) -> impl Fn(serde_json::Error) -> DecodeError {
    move |error| DecodeError::Malformed(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests;
