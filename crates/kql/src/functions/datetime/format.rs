//! Datetimes and timespans as text by a format.

use crate::functions::Refusal;
use crate::time::{self, DAY, HOUR, MINUTE, SECOND};
use std::fmt::Write as _;

/// A run of one letter, or text between.
pub(super) enum Part {
    Text(char),
    Field(char, usize),
}

fn parts(
    format: &str,
    letters: &str,
    valid: fn(char, usize) -> bool,
) -> Result<Vec<Part>, Refusal> {
    let refused = || Refusal::Unsupported(format!("the format `{format}`"));
    let mut parts: Vec<Part> = Vec::new();
    for c in format.chars() {
        match (parts.last_mut(), c) {
            (Some(Part::Field(last, len)), _) if *last == c => *len += 1,
            _ if letters.contains(c) => parts.push(Part::Field(c, 1)),
            (_, ' ' | '/' | '-' | ':' | ',' | '.' | '_' | '[' | ']') => parts.push(Part::Text(c)),
            _ => return Err(refused()),
        }
    }
    let sound = parts.iter().all(|part| match part {
        Part::Text(_) => true,
        Part::Field(letter, len) => valid(*letter, *len),
    });
    if sound { Ok(parts) } else { Err(refused()) }
}

pub(super) fn of_datetimes(format: &str) -> Result<Vec<Part>, Refusal> {
    parts(format, "dfFhHmMsyt", |letter, len| match letter {
        'f' | 'F' => len <= 7,
        'y' => matches!(len, 1 | 2 | 4),
        't' => len == 2,
        _ => len <= 2,
    })
}

pub(super) fn of_timespans(format: &str) -> Result<Vec<Part>, Refusal> {
    parts(format, "dfFhHms", |letter, len| match letter {
        'f' | 'F' => len <= 7,
        'd' => len <= 8,
        _ => len <= 2,
    })
}

/// The first places of a fraction of a second; of the capital letter without zeros at the end.
fn fraction(ticks: i64, letter: char, len: usize) -> String {
    let all = format!("{:07}", ticks % SECOND);
    let kept = all.get(..len).unwrap_or(&all);
    if letter == 'F' { kept.trim_end_matches('0') } else { kept }.to_owned()
}

pub(super) fn datetime(parts: &[Part], ticks: i64) -> String {
    let date = time::date_of(ticks);
    let t = ticks.rem_euclid(DAY);
    let hour = t / HOUR;
    let mut out = String::new();
    for part in parts {
        let (letter, len) = match part {
            Part::Text(c) => {
                out.push(*c);
                continue;
            }
            Part::Field(letter, len) => (*letter, *len),
        };
        let number = match letter {
            'y' if len <= 2 => date.year % 100,
            'y' => date.year,
            'M' => date.month,
            'd' => date.day,
            'H' => hour,
            'h' => (hour + 11) % 12 + 1,
            'm' => t % HOUR / MINUTE,
            's' => t % MINUTE / SECOND,
            't' => {
                out.push_str(if hour < 12 { "AM" } else { "PM" });
                continue;
            }
            _ => {
                out.push_str(&fraction(t, letter, len));
                continue;
            }
        };
        let _ = write!(out, "{number:0>len$}");
    }
    out
}

/// Without a sign.
pub(super) fn timespan(parts: &[Part], ticks: i64) -> String {
    let t = ticks.saturating_abs();
    let mut out = String::new();
    for part in parts {
        let (letter, len) = match part {
            Part::Text(c) => {
                out.push(*c);
                continue;
            }
            Part::Field(letter, len) => (*letter, *len),
        };
        let number = match letter {
            'd' => t / DAY,
            'h' | 'H' => t % DAY / HOUR,
            'm' => t % HOUR / MINUTE,
            's' => t % MINUTE / SECOND,
            _ => {
                out.push_str(&fraction(t, letter, len));
                continue;
            }
        };
        let _ = write!(out, "{number:0>len$}");
    }
    out
}
