//! Loading: inputs in blocks of whole lines, read by as many as there are processors.

use super::super::reader::{Item, Reader};
use super::super::table::{self, Drift, Record};
use super::super::values::MAX_RECORD;
use super::super::{FilesError, Report, unreadable};
use super::line::{Coded, Coder, Words};
use super::store::{Archive, CODED, Codes, Part};
use crate::watch::alert::Interval;
use crate::watch::tables::to_ticks;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

/// Bytes of a block: enough that handing it over costs nothing.
const BLOCK: usize = 1 << 20;

/// Something to read: a file, or a blob that was fetched.
pub struct Input {
    /// As people call it.
    pub name: String,
    /// Its bytes.
    pub bytes: Box<dyn Read + Send>,
}

impl Input {
    /// A file.
    pub fn file(path: &Path, name: String) -> Result<Self, FilesError> {
        let file = File::open(path).map_err(|error| unreadable(name.clone(), &error))?;
        Ok(Self { name, bytes: Box::new(file) })
    }
}

/// What loading is told besides its inputs.
pub struct Loading<'a> {
    /// Rows of other times are passed over.
    pub within: Option<Interval>,
    /// Those who read at once.
    pub readers: usize,
    /// Takes the number of bytes that were just read.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// Where a part belongs: the input, and the block in it.
type At = (usize, usize);

/// Work for one who reads.
enum Task {
    /// Whole lines, from this one on; `last` where no more follow.
    Lines { at: At, name: String, line: u64, bytes: Vec<u8>, last: bool },
    /// An input of another format.
    Whole { at: At, name: String, reader: Box<Reader> },
}

/// What came of a task.
struct Done {
    part: Part,
    report: Report,
    drift: Drift,
}

/// Reads all inputs. Bad records are passed over: the report has them.
pub fn load(
    inputs: impl Iterator<Item = Result<Input, FilesError>>,
    loading: &Loading<'_>,
) -> Result<(Archive, Report), FilesError> {
    let words = Words::new();
    let done: Mutex<BTreeMap<At, Result<Done, FilesError>>> = Mutex::default();
    let (send, receive) = sync_channel::<Task>(loading.readers * 2);
    let receive = Mutex::new(receive);
    let mut read = Report::default();
    let handed = std::thread::scope(|scope| {
        for _ in 0..loading.readers.max(1) {
            scope.spawn(|| work(&receive, &words, loading, &done));
        }
        let handed = hand_out(inputs, &send, loading, &mut read);
        drop(send);
        handed
    });
    handed?;
    let mut parts = Vec::new();
    let mut drift = Drift::default();
    for (_, one) in done.into_inner().unwrap_or_else(PoisonError::into_inner) {
        let one = one?;
        read.add(&one.report);
        drift.add(one.drift);
        parts.push(one.part);
    }
    Ok((Archive::new(&parts, words.into_values(), drift), read))
}

/// Reads the inputs' bytes, and gives them to those who read.
fn hand_out(
    inputs: impl Iterator<Item = Result<Input, FilesError>>,
    send: &SyncSender<Task>,
    loading: &Loading<'_>,
    read: &mut Report,
) -> Result<(), FilesError> {
    for (input, opened) in inputs.enumerate() {
        let Input { name, bytes } = opened?;
        read.files += 1;
        let failed = |error: &io::Error| unreadable(name.clone(), error);
        let reader = Reader::new(bytes).map_err(|e| failed(&e))?;
        match reader.into_lines() {
            Err(reader) => {
                let task = Task::Whole { at: (input, 0), name: name.clone(), reader };
                // Those who read end only after this.
                let _ = send.send(task);
            }
            Ok((lines, packed)) => {
                let bad = lines_of(lines, input, &name, send, loading);
                match bad {
                    Ok(()) => {}
                    Err(_) if packed => read.bad(&name, 0, Reader::DAMAGED.to_owned()),
                    Err(error) => return Err(failed(&error)),
                }
            }
        }
    }
    Ok(())
}

/// Cuts lines into blocks.
fn lines_of(
    mut lines: impl BufRead,
    input: usize,
    name: &str,
    send: &SyncSender<Task>,
    loading: &Loading<'_>,
) -> io::Result<()> {
    let (mut line, mut block) = (1, 0);
    let mut rest: Vec<u8> = Vec::new();
    loop {
        let mut bytes = std::mem::take(&mut rest);
        let before = bytes.len();
        let limit = u64::try_from(BLOCK).unwrap_or(u64::MAX);
        let read = lines.by_ref().take(limit).read_to_end(&mut bytes);
        let last = read.is_err() || bytes.len() == before;
        (loading.progress)(u64::try_from(bytes.len() - before).unwrap_or(0));
        if !last {
            match bytes.iter().rposition(|byte| *byte == b'\n') {
                Some(end) => rest = bytes.split_off(end + 1),
                // Longer than any record may be: whoever reads it says so.
                None if bytes.len() <= MAX_RECORD => {
                    rest = bytes;
                    continue;
                }
                None => {
                    lines.skip_until(b'\n')?;
                    bytes.push(b'\n');
                }
            }
        }
        // Looked for one after the other: blocks are read much slower than this.
        let ends = bytes.split(|byte| *byte == b'\n').count() - 1;
        let task = Task::Lines { at: (input, block), name: name.to_owned(), line, bytes, last };
        let _ = send.send(task);
        line += u64::try_from(ends).unwrap_or(0);
        block += 1;
        if last {
            return read.map(|_| ());
        }
    }
}

fn work(
    tasks: &Mutex<Receiver<Task>>,
    words: &Words,
    loading: &Loading<'_>,
    done: &Mutex<BTreeMap<At, Result<Done, FilesError>>>,
) {
    let mut coder = Coder::new(words);
    loop {
        let task = tasks.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(task) = task else { return };
        let (at, one) = match task {
            Task::Lines { at, name, line, bytes, last } => {
                let mut rows = Rows::new(loading.within, &name);
                rows.lines(&mut coder, &bytes, line, last);
                (at, Ok(rows.done()))
            }
            Task::Whole { at, name, mut reader } => {
                let mut rows = Rows::new(loading.within, &name);
                let read = rows.items(&mut coder, &mut reader);
                (at, read.map(|()| rows.done()).map_err(|error| unreadable(name.clone(), &error)))
            }
        };
        done.lock().unwrap_or_else(PoisonError::into_inner).insert(at, one);
    }
}

/// The rows of a task.
struct Rows<'n> {
    name: &'n str,
    within: Option<(i64, i64)>,
    times: Vec<i64>,
    codes: Vec<Vec<u32>>,
    report: Report,
    drift: Drift,
}

impl<'n> Rows<'n> {
    fn new(within: Option<Interval>, name: &'n str) -> Self {
        Self {
            name,
            within: within.map(|within| (to_ticks(within.from), to_ticks(within.to))),
            times: Vec::new(),
            codes: vec![Vec::new(); CODED],
            report: Report::default(),
            drift: Drift::default(),
        }
    }

    fn push(&mut self, row: &Coded) {
        self.report.rows += 1;
        self.drift.add(row.drift);
        if self.within.is_some_and(|(from, to)| row.ticks < from || row.ticks >= to) {
            return;
        }
        self.times.push(row.ticks);
        for (column, code) in self.codes.iter_mut().zip(row.codes) {
            column.push(code);
        }
    }

    fn lines(&mut self, coder: &mut Coder<'_>, bytes: &[u8], first: u64, last: bool) {
        for (number, line) in (first..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            let whole = line.last() == Some(&b'\n') || !last;
            let text = line.trim_ascii();
            if !text.is_empty() {
                let report = &mut self.report;
                if let Some(row) = coder.line(text, &mut |name| report.ignore(name)) {
                    self.push(&row);
                } else {
                    let bytes = line.strip_suffix(b"\n").unwrap_or(line);
                    let mut reader = Reader::of_line(bytes, number, whole);
                    // There is nothing here that could fail.
                    let _ = self.items(coder, &mut reader);
                }
            }
        }
    }

    fn items(&mut self, coder: &mut Coder<'_>, reader: &mut Reader) -> io::Result<()> {
        while let Some(item) = reader.next() {
            match item? {
                Item::Unfinished => self.report.unfinished.push(self.name.to_owned()),
                Item::Bad(line, why) => self.report.bad(self.name, line, why),
                Item::Record(line, fields) => {
                    let report = &mut self.report;
                    match table::record(&fields, &mut |field| report.ignore(field)) {
                        Ok(Record::Row(row)) => self.push(&coder.row(&row)),
                        Ok(Record::Other(other)) => self.report.other(other),
                        Err(why) => self.report.bad(self.name, line, why),
                    }
                }
            }
        }
        Ok(())
    }

    fn done(self) -> Done {
        let codes = self.codes.iter().map(|codes| Codes::new(codes)).collect();
        Done { part: Part { times: self.times, codes }, report: self.report, drift: self.drift }
    }
}
