//! Expectations written anew: the alerts of a case as they were told, everything else in the file as it is.

use super::judge::Told;
use super::time::relative;
use chrono::{DateTime, Utc};
use std::fmt::Write as _;
use std::ops::Range;

/// The text with the alerts of the case at `offset` replaced; nothing where the case is not laid out as `[[case]]`.
pub fn alerts(text: &str, offset: usize, told: &[Told], start: DateTime<Utc>) -> Option<String> {
    let lines: Vec<Range<usize>> = lines(text);
    let line = |at: usize| lines.get(at).and_then(|range| text.get(range.clone()));
    let first = lines.iter().rposition(|range| range.start <= offset)?;
    let first = (0..=first).rev().find(|at| is(line(*at), "[[case]]"))?;
    let end = (first + 1..lines.len())
        .find(|at| header(line(*at)).is_some_and(|h| !h.starts_with("case.")))
        .unwrap_or(lines.len());
    let mut out = String::new();
    let mut skipping = false;
    let mut last = String::new();
    for at in first..end {
        let here = line(at).unwrap_or_default();
        match header(Some(here)) {
            Some("case.alert") => skipping = true,
            Some(_) => skipping = false,
            // A comment before a header belongs to what follows.
            None if skipping && at_rest(here) => {
                last.push_str(here);
                continue;
            }
            None => {}
        }
        if skipping {
            last.clear();
            continue;
        }
        out.push_str(&std::mem::take(&mut last));
        let inline = here
            .trim_start()
            .strip_prefix("alerts")
            .is_some_and(|r| r.trim_start().starts_with('='));
        if inline {
            // Only a list on one line is replaced.
            here.trim_end().ends_with(']').then_some(())?;
        } else {
            out.push_str(here);
        }
    }
    let kept = out.trim_end().len();
    let (mut body, rest) = (out.get(..kept)?.to_owned(), last);
    body.push('\n');
    if told.is_empty() {
        // A key of the case stands before its tables.
        let place = body.find("\n[[case.").map_or(body.len(), |at| at + 1);
        body.insert_str(place, "alerts = []\n");
    }
    for told in told {
        let alert = &told.alert;
        let indent = "  ";
        let _ = write!(
            body,
            "{indent}[[case.alert]]\n{indent}at = \"{}\"\n{indent}rule = \"{}\"\n{indent}severity = \"{}\"\n{indent}count = {}\n",
            relative(told.at, start),
            alert.rule.id,
            alert.rule.severity,
            alert.count
        );
    }
    let (from, to) =
        (lines.get(first)?.start, lines.get(end).map_or(text.len(), |range| range.start));
    let gap = if to < text.len() && rest.trim().is_empty() { "\n" } else { "" };
    Some(format!(
        "{}{body}{gap}{}{}",
        text.get(..from)?,
        rest.trim_start_matches('\n'),
        text.get(to..)?
    ))
}

/// The lines with their ends.
fn lines(text: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let from = at;
            at += line.len();
            from..at
        })
        .collect()
}

fn at_rest(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// The name in `[name]` or `[[name]]`.
fn header(line: Option<&str>) -> Option<&str> {
    let line = line?.trim_start();
    let inner = line.strip_prefix("[[").or_else(|| line.strip_prefix('['))?;
    inner.split(']').next().map(str::trim)
}

fn is(line: Option<&str>, header: &str) -> bool {
    line.is_some_and(|line| line.trim_start().starts_with(header))
}
