//! Records out of one file, whatever its format, which its first bytes tell and its name does not.

use super::table;
use super::values::{Found, MAX_RECORD, Trouble, Values, json_error};
use flate2::bufread::MultiGzDecoder;
use serde::de::IgnoredAny;
use serde_json::{Map, Value as Json};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

/// How much of a file is looked at to tell its format.
const HEAD: u64 = 64 * 1024;

/// What reading on brings.
#[derive(Debug)]
pub(super) enum Item {
    /// A record's fields, and the line it begins in.
    Record(u64, Map<String, Json>),
    /// A record that cannot be read.
    Bad(u64, String),
    /// The last record is not written to its end yet.
    Unfinished,
}

/// A file's bytes, unpacked, with its head given back.
struct Source {
    head: Cursor<Vec<u8>>,
    /// What went wrong while the head was read; told when the head is used up.
    error: Option<io::Error>,
    rest: Box<dyn Read + Send>,
    /// Whether all was given out, and more was asked for.
    ended: bool,
    /// Bytes that may still be given out for the record at hand, where whoever reads does not count them.
    allowed: usize,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.allowed == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut count = self.head.read(buffer)?;
        if count == 0 {
            if let Some(error) = self.error.take() {
                return Err(error);
            }
            count = self.rest.read(buffer)?;
        }
        self.allowed = self.allowed.saturating_sub(count);
        self.ended |= count == 0 && !buffer.is_empty();
        Ok(count)
    }
}

/// The records of one file.
pub(super) struct Reader {
    shape: Shape,
    packed: bool,
    done: bool,
}

enum Shape {
    /// A record, or several, in each line.
    Lines {
        source: BufReader<Source>,
        line: u64,
        buffer: Vec<u8>,
        inner: Option<Values<Cursor<Vec<u8>>>>,
    },
    /// JSON that pays no heed to lines.
    Values(Values<BufReader<Source>>),
    /// Comma-separated values under a header.
    Csv { source: Box<csv::Reader<Source>>, header: Vec<String>, record: csv::ByteRecord },
}

/// What the first bytes show.
#[derive(Debug, PartialEq, Eq)]
enum Format {
    Lines,
    Values,
    Csv,
    Utf16,
}

impl Reader {
    /// Opens a file.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::new(File::open(path)?)
    }

    /// Reads from anything.
    pub(super) fn new(input: impl Read + Send + 'static) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(64 * 1024, input);
        let packed = input.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let mut rest: Box<dyn Read + Send> =
            if packed { Box::new(MultiGzDecoder::new(input)) } else { Box::new(input) };
        let mut head = Vec::new();
        let read = rest.by_ref().take(HEAD).read_to_end(&mut head);
        let whole = u64::try_from(head.len()).is_ok_and(|len| len < HEAD);
        if head.starts_with(&[0xef, 0xbb, 0xbf]) {
            head.drain(..3);
        }
        let format = sniff(&head, whole);
        if format == Format::Utf16 {
            let why = "it is UTF-16 text: save it as UTF-8";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let source = Source {
            head: Cursor::new(head),
            error: read.err(),
            rest,
            ended: false,
            allowed: usize::MAX,
        };
        let buffered = |source| BufReader::with_capacity(64 * 1024, source);
        let shape = match format {
            Format::Lines | Format::Utf16 => {
                Shape::Lines { source: buffered(source), line: 0, buffer: Vec::new(), inner: None }
            }
            Format::Values => Shape::Values(Values::new(buffered(source), 1, true)),
            Format::Csv => Shape::Csv {
                source: Box::new(
                    csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(source),
                ),
                header: Vec::new(),
                record: csv::ByteRecord::new(),
            },
        };
        Ok(Self { shape, packed, done: false })
    }

    /// One line of a file of lines, of which it is this one; `whole` where its end was found.
    pub(super) fn of_line(text: &[u8], line: u64, whole: bool) -> Self {
        let mut head = text.to_vec();
        if whole {
            head.push(b'\n');
        }
        let source = Source {
            head: Cursor::new(head),
            error: None,
            rest: Box::new(io::empty()),
            ended: false,
            allowed: usize::MAX,
        };
        let (source, line) = (BufReader::new(source), line.saturating_sub(1));
        let shape = Shape::Lines { source, line, buffer: Vec::new(), inner: None };
        Self { shape, packed: false, done: false }
    }

    /// The bytes of a file that has records in lines, unpacked, and whether they were packed; any other reader as it is.
    pub(super) fn into_lines(self) -> Result<(impl BufRead + Send, bool), Box<Self>> {
        match self.shape {
            Shape::Lines { source, line: 0, inner: None, .. } => Ok((source, self.packed)),
            shape => Err(Box::new(Self { shape, ..self })),
        }
    }

    /// What is said of packed data that cannot be read on.
    pub(super) const DAMAGED: &str = "the packed data is damaged or cut off: its rest is not read";

    /// The next record. After an error nothing comes.
    pub(super) fn next(&mut self) -> Option<io::Result<Item>> {
        if self.done {
            return None;
        }
        let next = match &mut self.shape {
            Shape::Lines { source, line, buffer, inner } => next_line(source, line, buffer, inner),
            Shape::Values(values) => values.next().map(item),
            Shape::Csv { source, header, record } => next_csv(source, header, record),
        };
        match next {
            Some(Err(_)) if self.packed => {
                self.done = true;
                Some(Ok(Item::Bad(0, Self::DAMAGED.to_owned())))
            }
            Some(Ok(item)) => Some(Ok(item)),
            ended => {
                self.done = true;
                ended
            }
        }
    }
}

fn item(next: Result<Found, Trouble>) -> io::Result<Item> {
    match next {
        Ok((line, fields)) => Ok(Item::Record(line, fields)),
        Err(Trouble::Bad(line, why)) => Ok(Item::Bad(line, why)),
        Err(Trouble::Io(error)) => Err(error),
    }
}

fn next_line(
    source: &mut BufReader<Source>,
    line: &mut u64,
    buffer: &mut Vec<u8>,
    inner: &mut Option<Values<Cursor<Vec<u8>>>>,
) -> Option<io::Result<Item>> {
    loop {
        if let Some(values) = inner {
            match values.next() {
                Some(next) => return Some(item(next)),
                None => *inner = None,
            }
        }
        buffer.clear();
        let limit = u64::try_from(MAX_RECORD).unwrap_or(u64::MAX);
        match source.by_ref().take(limit).read_until(b'\n', buffer) {
            Err(error) => return Some(Err(error)),
            Ok(0) => return None,
            Ok(_) => *line += 1,
        }
        let whole = buffer.last() == Some(&b'\n');
        if !whole && buffer.len() >= MAX_RECORD {
            let skipped = source.skip_until(b'\n');
            let bad = || Item::Bad(*line, "the line is longer than 16 MB".to_owned());
            return Some(skipped.map(|_| bad()));
        }
        let text = buffer.trim_ascii();
        if text.is_empty() {
            continue;
        }
        match serde_json::from_slice::<Json>(text) {
            Ok(Json::Object(fields)) if !wraps(&fields) => {
                return Some(Ok(Item::Record(*line, fields)));
            }
            Ok(Json::Object(_) | Json::Array(_)) => {}
            Ok(_) => return Some(Ok(Item::Bad(*line, "it is not a JSON object".to_owned()))),
            Err(error) if error.is_eof() && !whole => return Some(Ok(Item::Unfinished)),
            // Several values in one line end the first too early; all else is simply bad.
            Err(error) if !error.to_string().starts_with("trailing characters") => {
                return Some(Ok(Item::Bad(*line, json_error(&error))));
            }
            Err(_) => {}
        }
        *inner = Some(Values::new(Cursor::new(text.to_vec()), *line, false));
    }
}

/// Whether an object holds records rather than being one.
fn wraps(fields: &Map<String, Json>) -> bool {
    fields.iter().any(|(name, value)| {
        value.is_array()
            && (name.eq_ignore_ascii_case("records") || name.eq_ignore_ascii_case("tables"))
    })
}

fn next_csv(
    source: &mut csv::Reader<Source>,
    header: &mut Vec<String>,
    record: &mut csv::ByteRecord,
) -> Option<io::Result<Item>> {
    loop {
        let line = source.position().line();
        source.get_mut().allowed = MAX_RECORD;
        match source.read_byte_record(record).map_err(csv_error) {
            Ok(true) => {}
            Ok(false) => return None,
            // A quotation mark that is never closed: the CSV reader would hold the rest of the file.
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                let why = "the record is longer than 16 MB: the rest of the file is not read";
                return Some(Ok(Item::Bad(line, why.to_owned())));
            }
            Err(error) => return Some(Err(error)),
        }
        let line = record.position().map_or(line, csv::Position::line);
        if header.is_empty() {
            *header =
                record.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
            continue;
        }
        if record.len() != header.len() {
            let why = format!("it has {} values for {} columns", record.len(), header.len());
            // The source was asked for more only if this record has no end of line.
            let unfinished = source.get_ref().ended;
            return Some(Ok(if unfinished { Item::Unfinished } else { Item::Bad(line, why) }));
        }
        let cells = record.iter().map(|cell| str::from_utf8(cell).map(Json::from));
        let fields = header.iter().zip(cells).map(|(name, cell)| Ok((name.clone(), cell?)));
        return Some(Ok(match fields.collect::<Result<_, std::str::Utf8Error>>() {
            Ok(fields) => Item::Record(line, fields),
            Err(_) => Item::Bad(line, "it is not UTF-8 text".to_owned()),
        }));
    }
}

/// What went wrong below the CSV reader. Records of bytes and of any length are never wrong in themselves.
fn csv_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        _ => io::ErrorKind::InvalidData.into(),
    }
}

/// Tells the format of a file by its beginning, which may be all of it.
fn sniff(head: &[u8], whole: bool) -> Format {
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Format::Utf16;
    }
    let head = head.trim_ascii_start();
    let end = head.iter().position(|b| *b == b'\n');
    let first = head.get(..end.unwrap_or(head.len())).unwrap_or(head);
    match first.first() {
        Some(b'{' | b'[') => match serde_json::from_slice::<IgnoredAny>(first) {
            Err(error) if error.is_eof() && ((end.is_none() && !whole) || opens(first)) => {
                Format::Values
            }
            _ => Format::Lines,
        },
        Some(_) if csv_header(first) => Format::Csv,
        _ => Format::Lines,
    }
}

/// Whether a line that is no whole JSON value opens one that goes on in the next lines.
fn opens(line: &[u8]) -> bool {
    let Some((bracket, rest)) = line.split_first() else { return false };
    let rest = rest.trim_ascii();
    let key = rest.strip_prefix(b"\"").and_then(|rest| rest.split(|b| *b == b'"').next());
    *bracket == b'['
        || rest.is_empty()
        || key.is_some_and(|key| {
            key.eq_ignore_ascii_case(b"records") || key.eq_ignore_ascii_case(b"tables")
        })
}

fn csv_header(line: &[u8]) -> bool {
    let fields = line.split(|b| *b == b',').filter_map(|field| str::from_utf8(field).ok());
    fields.map(|field| field.trim().trim_matches('"')).any(table::is_time_column)
}
