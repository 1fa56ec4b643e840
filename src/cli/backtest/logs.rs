//! The logs of a back-test: files, and blobs of a container, read once into memory.

use super::super::report::{Stop, progress, progress_done};
use super::container::Container;
use crate::backtest::chart::grouped;
use crate::config::ContainerPlace;
use crate::local::files::archive::{Archive, Input, Loading, load as read};
use crate::local::files::{FilesError, LogFiles, Report};
use crate::watch::alert::Interval;
use glob::Pattern;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Reads the rows of all logs that lie in `within`.
pub(super) fn load(logs: &[String], within: Interval) -> Result<(Archive, Report), Stop> {
    let (mut patterns, mut containers) = (Vec::new(), Vec::new());
    for logs in logs {
        match ContainerPlace::parse(logs) {
            Some(place) => {
                let place = place.map_err(|problem| Stop::fed(problem.to_string()))?;
                containers.push(Container::open(&place, within)?);
            }
            None => patterns.push(pattern(logs)),
        }
    }
    let (mut paths, mut unmatched) = (Vec::new(), Vec::new());
    if !patterns.is_empty() {
        let files = LogFiles::open(&patterns, Path::new("")).map_err(|e| wrong(&e))?;
        (paths, unmatched) = files.list().map_err(|e| wrong(&e))?;
    }
    let size: u64 = paths.iter().map(|(path, _)| path.metadata().map_or(0, |m| m.len())).sum();
    let size = containers.iter().map(Container::size).sum::<u64>() + size;
    let inputs = paths.into_iter().map(|(path, name)| Input::file(&path, name));
    let inputs = inputs.chain(containers.into_iter().flat_map(Container::inputs));
    let done = AtomicU64::new(0);
    let progressed = |bytes: u64| {
        let done = done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        progress(format!("reading logs: {} of {} MB", grouped(done >> 20), grouped(size >> 20)));
    };
    let readers = std::thread::available_parallelism().map_or(1, usize::from);
    let loading = Loading { within: Some(within), readers, progress: &progressed };
    let loaded = read(inputs, &loading);
    progress_done();
    let (archive, mut report) = loaded.map_err(|e| wrong(&e))?;
    report.unmatched = unmatched;
    Ok((archive, report))
}

/// A folder stands for all files below it.
fn pattern(logs: &str) -> String {
    let path = Path::new(logs);
    if path.is_dir() {
        return format!("{}/**/*", Pattern::escape(logs.trim_end_matches(['/', '\\'])));
    }
    if path.is_file() { Pattern::escape(logs) } else { logs.to_owned() }
}

fn wrong(error: &FilesError) -> Stop {
    let text = error.to_string();
    match error {
        // There is no configuration to be relative to.
        FilesError::NoMatch(_) => Stop::fed(text.split(": ").next().unwrap_or_default())
            .hint("put archived logs there, or mend the path"),
        _ => Stop::fed(text),
    }
}
