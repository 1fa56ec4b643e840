//! Records out of nested JSON, one at a time: `{"records":[…]}`, `{"tables":[{"columns":…,"rows":[…]}]}`, `[…]`, single
//! objects, and any of them one after the other. Only one record is ever held.
//!
//! A record's extent is found by its brackets before it is parsed, so that one bad record does not take the next with it.

use serde_json::{Map, Value as Json};
use std::io::{self, BufRead};

/// The longest record, in bytes.
pub(super) const MAX_RECORD: usize = 16 * 1024 * 1024;

/// A record's fields, and the line it begins in.
pub(super) type Found = (u64, Map<String, Json>);

/// Why a record could not be read.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The record in this line is bad; there may be more.
    Bad(u64, String),
    /// The input itself failed: nothing more comes.
    Io(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Where we are, innermost last. Outside all of them is the top.
enum Frame {
    /// In an array of records.
    Records,
    /// In an object: a record, or what wraps `records` or `tables`.
    Object { fields: Map<String, Json>, bytes: usize, wraps: bool, line: u64 },
    /// In `tables`, after this many.
    Tables(usize),
    /// In a table.
    Table { name: String, columns: Vec<String>, first: bool },
    /// In the rows of a table, which are wanted or not.
    Rows { columns: Vec<String>, wanted: bool },
}

/// Reads records from `reader`.
pub(super) struct Values<R> {
    reader: R,
    line: u64,
    stack: Vec<Frame>,
    scratch: Vec<u8>,
    /// Whether to go on with the next line after nonsense.
    resume: bool,
    done: bool,
}

impl<R: BufRead> Values<R> {
    /// From an input whose first line is `line`. With `resume`, nonsense costs a line; without, the rest.
    pub(super) fn new(reader: R, line: u64, resume: bool) -> Self {
        Self { reader, line, stack: Vec::new(), scratch: Vec::new(), resume, done: false }
    }

    /// The next record.
    pub(super) fn next(&mut self) -> Option<Result<Found, Trouble>> {
        while !self.done {
            match self.step() {
                Ok(Some(record)) => return Some(Ok(record)),
                Ok(None) => {}
                Err(trouble) => {
                    // With nothing left, what was said of this record says it all.
                    self.done |=
                        matches!(trouble, Trouble::Io(_)) || matches!(self.peek(), Ok(None));
                    return Some(Err(trouble));
                }
            }
        }
        None
    }

    fn step(&mut self) -> Result<Option<Found>, Trouble> {
        let Some(byte) = self.token()? else {
            self.done = true;
            return if self.stack.is_empty() {
                Ok(None)
            } else {
                Err(Trouble::Bad(self.line, "the file ends in the midst of a record".to_owned()))
            };
        };
        let line = self.line;
        match (self.stack.last(), byte) {
            (None, b'[') => self.enter(Frame::Records)?,
            (None, b'{') => {
                let fields = Map::new();
                self.enter(Frame::Object { fields, bytes: 0, wraps: false, line })?;
            }
            (Some(Frame::Records | Frame::Tables(_) | Frame::Rows { .. }), b']') => {
                self.leave()?;
            }
            (Some(Frame::Records), _) => {
                return match self.parsed()? {
                    Ok(Json::Object(fields)) => Ok(Some((line, fields))),
                    Ok(_) => Err(Trouble::Bad(line, "it is not a JSON object".to_owned())),
                    Err(why) => Err(Trouble::Bad(line, why)),
                };
            }
            (Some(Frame::Object { .. }), b'}') => {
                if let Some(Frame::Object { fields, wraps: false, line, .. }) = self.leave()? {
                    return Ok(Some((line, fields)));
                }
            }
            (Some(Frame::Object { .. }), b'"') => self.member()?,
            (Some(Frame::Tables(n)), b'{') => {
                let first = *n == 0;
                self.enter(Frame::Table { name: String::new(), columns: Vec::new(), first })?;
            }
            (Some(Frame::Table { .. }), b'}') => {
                self.leave()?;
                if let Some(Frame::Tables(n)) = self.stack.last_mut() {
                    *n += 1;
                }
            }
            (Some(Frame::Table { .. }), b'"') => self.table_member()?,
            (Some(Frame::Rows { .. }), b'[') => return self.row(line),
            _ => return Err(self.nonsense("it is not JSON")),
        }
        Ok(None)
    }

    /// A member of an object at the top: the way into `records` and `tables`, or a field of a record.
    fn member(&mut self) -> Result<(), Trouble> {
        let (key, next) = self.key()?;
        let inner = match (key.to_ascii_lowercase().as_str(), next) {
            ("records", b'[') => Some(Frame::Records),
            ("tables", b'[') => Some(Frame::Tables(0)),
            _ => None,
        };
        if let Some(inner) = inner {
            if let Some(Frame::Object { wraps, .. }) = self.stack.last_mut() {
                *wraps = true;
            }
            return self.enter(inner);
        }
        let value = match self.parsed()? {
            Ok(value) => value,
            Err(why) => return Err(self.nonsense(&why)),
        };
        let size = self.scratch.len() + key.len();
        let mut full = false;
        if let Some(Frame::Object { fields, bytes, .. }) = self.stack.last_mut() {
            *bytes += size;
            full = *bytes > MAX_RECORD;
            fields.insert(key, value);
        }
        if full { Err(self.nonsense("the record is longer than 16 MB")) } else { Ok(()) }
    }

    /// A member of a table.
    fn table_member(&mut self) -> Result<(), Trouble> {
        let (key, next) = self.key()?;
        if key == "rows" && next == b'[' {
            let Some(Frame::Table { name, columns, first }) = self.stack.last_mut() else {
                return Ok(());
            };
            let wanted = *first || name == "PrimaryResult";
            let columns = std::mem::take(columns);
            return self.enter(Frame::Rows { columns, wanted });
        }
        let value = match self.parsed()? {
            Ok(value) => value,
            Err(why) => return Err(self.nonsense(&why)),
        };
        if let Some(Frame::Table { name, columns, .. }) = self.stack.last_mut() {
            match (key.as_str(), value) {
                ("name", Json::String(text)) => *name = text,
                ("columns", Json::Array(all)) => {
                    let names = all.iter().map(|column| column.get("name").and_then(Json::as_str));
                    *columns = names.map(|name| name.unwrap_or_default().to_owned()).collect();
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// One row of a table, as a record.
    fn row(&mut self, line: u64) -> Result<Option<Found>, Trouble> {
        let cells = match self.parsed()? {
            Ok(Json::Array(cells)) => cells,
            Ok(_) => Vec::new(),
            Err(why) => return Err(Trouble::Bad(line, why)),
        };
        let Some(Frame::Rows { columns, wanted: true }) = self.stack.last() else {
            return Ok(None);
        };
        if columns.is_empty() {
            return Err(Trouble::Bad(line, "the rows come before their `columns`".to_owned()));
        }
        if columns.len() != cells.len() {
            let why = format!("it has {} values for {} columns", cells.len(), columns.len());
            return Err(Trouble::Bad(line, why));
        }
        Ok(Some((line, columns.iter().cloned().zip(cells).collect())))
    }

    /// A key, the colon after it, and the first byte of its value, which stays.
    fn key(&mut self) -> Result<(String, u8), Trouble> {
        let key = match self.parsed()? {
            Ok(Json::String(key)) => key,
            Ok(_) => return Err(self.nonsense("it is not JSON")),
            Err(why) => return Err(self.nonsense(&why)),
        };
        if self.token()? != Some(b':') {
            return Err(self.nonsense("a name in it has no value"));
        }
        self.bump()?;
        match self.token()? {
            Some(next) => Ok((key, next)),
            None => Err(self.nonsense("it ends in the midst of a record")),
        }
    }

    fn enter(&mut self, frame: Frame) -> Result<(), Trouble> {
        self.stack.push(frame);
        self.bump()?;
        Ok(())
    }

    fn leave(&mut self) -> Result<Option<Frame>, Trouble> {
        self.bump()?;
        Ok(self.stack.pop())
    }

    /// Gives up on all that is open, and goes on at the next line or not at all.
    fn nonsense(&mut self, why: &str) -> Trouble {
        let line = match self.stack.first() {
            Some(Frame::Object { wraps: false, line, .. }) => *line,
            _ => self.line,
        };
        self.stack.clear();
        if self.resume {
            loop {
                match self.bump() {
                    Ok(Some(b'\n')) => break,
                    Ok(Some(_)) => {}
                    Ok(None) => {
                        self.done = true;
                        break;
                    }
                    Err(error) => return Trouble::Io(error),
                }
            }
        } else {
            self.done = true;
        }
        Trouble::Bad(line, why.to_owned())
    }

    /// The next byte that is not blank or a comma, which stays.
    fn token(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.peek()? {
                Some(b' ' | b'\t' | b'\r' | b'\n' | b',') => {
                    self.bump()?;
                }
                other => return Ok(other),
            }
        }
    }

    /// Takes one value, and parses it.
    fn parsed(&mut self) -> Result<Result<Json, String>, Trouble> {
        if !self.extent()? {
            return Err(self.nonsense("the record is longer than 16 MB"));
        }
        Ok(serde_json::from_slice(&self.scratch).map_err(|error| json_error(&error)))
    }

    /// Puts the bytes of one value into `scratch`; false if it is too long. At the end of the input it is what there is.
    fn extent(&mut self) -> io::Result<bool> {
        self.scratch.clear();
        let (mut depth, mut text, mut escaped) = (0_usize, false, false);
        while let Some(byte) = self.peek()? {
            let closing = matches!(byte, b']' | b'}');
            if depth == 0 && !text && !self.scratch.is_empty() {
                // A bare word ends before the next sign; strings and brackets end below.
                if closing
                    || matches!(
                        byte,
                        b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' | b'{' | b'[' | b'"'
                    )
                {
                    return Ok(true);
                }
            }
            self.bump()?;
            self.scratch.push(byte);
            if self.scratch.len() > MAX_RECORD {
                return Ok(false);
            }
            if text {
                text = escaped || byte != b'"';
                escaped = !escaped && byte == b'\\';
                if !text && depth == 0 {
                    return Ok(true);
                }
            } else {
                match byte {
                    b'"' => text = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth = depth.saturating_sub(1);
                        if depth == 0 {
                            return Ok(true);
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(true)
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.reader.fill_buf() {
                Ok(buffer) => return Ok(buffer.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn bump(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek()?;
        if let Some(byte) = byte {
            self.reader.consume(1);
            self.line += u64::from(byte == b'\n');
        }
        Ok(byte)
    }
}

/// What the JSON parser says, without its own line numbers, which count within the record.
pub(super) fn json_error(error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "it ends in the midst of a record".to_owned();
    }
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    format!("it is not JSON: {text}")
}
