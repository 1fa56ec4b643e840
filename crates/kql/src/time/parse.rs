//! The texts of datetimes and timespans.

use super::{DAY, HOUR, MICROSECOND, MILLISECOND, MINUTE, SECOND, checked, from_date};

/// Reads a text from left to right.
struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    fn digits(&mut self, min: usize, max: usize) -> Option<(i64, usize)> {
        let len = self.0.bytes().take(max).take_while(u8::is_ascii_digit).count();
        if len < min {
            return None;
        }
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some((head.parse().ok()?, len))
    }

    fn letters(&mut self) -> &str {
        let len = self.0.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (head, tail) = self.0.split_at_checked(len).unwrap_or(("", self.0));
        self.0 = tail;
        head
    }

    fn number(&mut self, min: usize, max: usize) -> Option<i64> {
        self.digits(min, max).map(|(n, _)| n)
    }

    fn eat(&mut self, wanted: char) -> bool {
        if let Some(rest) = self.0.strip_prefix(wanted) {
            self.0 = rest;
            return true;
        }
        false
    }

    /// Ticks of a fraction of a second; digits past the tick are dropped.
    fn fraction(&mut self) -> Option<i64> {
        let len = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        let kept: String = head.chars().chain("0000000".chars()).take(7).collect();
        if len == 0 { None } else { kept.parse().ok() }
    }
}

/// The forms of datetimes that Kusto's literals and `todatetime()` take: ISO 8601, RFC 822 and 850, and month first
/// with slashes or dashes. Without an offset: UTC.
pub fn parse_datetime(text: &str) -> Option<i64> {
    let mut c = Cursor(text.trim());
    let date = date(&mut c)?;
    if c.0.is_empty() || c.0 == "Z" {
        return Some(date);
    }
    if !c.eat('T') && !c.eat('t') && !c.eat(' ') {
        return None;
    }
    c.0 = c.0.trim_start();
    let mut hour = c.number(1, 2)?;
    if !c.eat(':') {
        return None;
    }
    let minute = c.number(1, 2)?;
    let (mut second, mut fraction) = (0, 0);
    if c.eat(':') {
        second = c.number(1, 2)?;
        if c.eat('.') || c.eat(',') {
            fraction = c.fraction()?;
        }
    }
    c.0 = c.0.trim_start();
    if let Some(half) = c.0.get(..2).map(str::to_ascii_uppercase).filter(|h| h == "AM" || h == "PM")
    {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + if half == "PM" { 12 } else { 0 };
        c.0 = c.0.get(2..).unwrap_or("").trim_start();
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let time = hour * HOUR + minute * MINUTE + second * SECOND + fraction;
    checked(date + time - offset(&mut c)?)
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] =
    ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/// Where a name, or its first three letters, stands in a list.
fn named(names: &[&str], name: &str) -> Option<i64> {
    let name = name.to_ascii_lowercase();
    let at = names.iter().position(|n| *n == name || n.get(..3) == Some(&name))?;
    i64::try_from(at).ok()
}

/// Midnight of the date at the front of the text.
fn date(c: &mut Cursor<'_>) -> Option<i64> {
    if c.0.starts_with(|l: char| l.is_ascii_alphabetic()) {
        named(&DAYS, c.letters())?;
        if !c.eat(',') {
            return None;
        }
        c.0 = c.0.trim_start();
        return day_month_year(c);
    }
    let digits = c.0.bytes().take_while(u8::is_ascii_digit).count();
    let between = c.0.get(digits..).and_then(|rest| rest.chars().next());
    let after = c.0.get(digits + 1..).unwrap_or("");
    match (digits, between) {
        (4, _) => {
            let year = c.number(4, 4)?;
            let (mut month, mut day) = (1, 1);
            let separator = ['-', '/', '.'].into_iter().find(|s| c.eat(*s));
            if let Some(separator) = separator {
                month = c.number(1, 2)?;
                if c.eat(separator) {
                    day = c.number(1, 2)?;
                }
            }
            from_date(year, month, day)
        }
        (1 | 2, Some('-' | ' ')) if after.starts_with(|l: char| l.is_ascii_alphabetic()) => {
            day_month_year(c)
        }
        (1 | 2, Some(separator @ ('-' | '/'))) => {
            let month = c.number(1, 2)?;
            c.eat(separator);
            let day = c.number(1, 2)?;
            if !c.eat(separator) {
                return None;
            }
            from_date(c.number(4, 4)?, month, day)
        }
        _ => None,
    }
}

/// `8 Nov 14`, `08-Nov-2014`: of two digits, years from 50 on are of the last century.
fn day_month_year(c: &mut Cursor<'_>) -> Option<i64> {
    let day = c.number(1, 2)?;
    let separator = [' ', '-'].into_iter().find(|s| c.eat(*s))?;
    let month = named(&MONTHS, c.letters())? + 1;
    if !c.eat(separator) {
        return None;
    }
    let (year, len) = c.digits(2, 4)?;
    let year = match len {
        2 if year < 50 => 2000 + year,
        2 => 1900 + year,
        4 => year,
        _ => return None,
    };
    from_date(year, month, day)
}

fn offset(c: &mut Cursor<'_>) -> Option<i64> {
    if matches!(c.0, "" | "Z" | "z" | "UTC" | "GMT") {
        return Some(0);
    }
    let sign = if c.eat('+') { 1 } else { -1 };
    if sign < 0 && !c.eat('-') {
        return None;
    }
    let hours = c.number(2, 2)?;
    c.eat(':');
    let minutes = if c.0.is_empty() { 0 } else { c.number(2, 2)? };
    (c.0.is_empty() && hours <= 14 && minutes < 60)
        .then_some(sign * (hours * HOUR + minutes * MINUTE))
}

/// Ticks of a unit as a timespan literal names it; of a nanosecond, less than a tick, one.
pub(crate) fn unit(name: &str) -> Option<i64> {
    Some(match name {
        "d" | "day" | "days" => DAY,
        "h" | "hr" | "hrs" | "hour" | "hours" => HOUR,
        "m" | "min" | "minute" | "minutes" => MINUTE,
        "s" | "sec" | "second" | "seconds" => SECOND,
        "ms" | "milli" | "millis" | "millisecond" | "milliseconds" => MILLISECOND,
        "micro" | "micros" | "microsecond" | "microseconds" => MICROSECOND,
        "tick" | "ticks" => 1,
        _ if is_nano(name) => 1,
        _ => return None,
    })
}

/// A hundred of these are a tick.
fn is_nano(name: &str) -> bool {
    matches!(name, "nano" | "nanos" | "nanosecond" | "nanoseconds")
}

/// `1.5h`, `10 min`: a number and a unit.
pub(crate) fn parse_units(text: &str) -> Option<i64> {
    let split = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, name) = text.split_at_checked(split)?;
    let (number, unit) = (number.trim(), unit(name)?);
    let nano = is_nano(name);
    if let Ok(whole) = number.parse::<i64>() {
        return if nano { Some(whole / 100) } else { whole.checked_mul(unit) };
    }
    if nano {
        return None;
    }
    let real: f64 = number.parse().ok()?;
    crate::num::real_to_long((real * crate::num::long_to_real(unit)).round())
}

/// `[-][d.]hh:mm[:ss[.fffffff]]`, `[-]d` as days, or a number with a unit.
pub fn parse_timespan(text: &str) -> Option<i64> {
    let text = text.trim();
    let (sign, body) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    if !body.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if body.contains(|c: char| c.is_ascii_alphabetic()) {
        return Some(sign * parse_units(body)?);
    }
    let mut c = Cursor(body);
    let mut first = c.number(1, 8)?;
    if c.0.is_empty() {
        return first.checked_mul(sign * DAY);
    }
    let mut days = 0;
    if c.eat('.') {
        days = first;
        first = c.number(1, 2)?;
    }
    if !c.eat(':') {
        return None;
    }
    let mut minutes = c.number(1, 2)?;
    let (mut seconds, mut fraction) = (0, 0);
    if c.eat(':') {
        seconds = c.number(1, 2)?;
        // Four numbers start with the days.
        if days == 0 && c.eat(':') {
            (days, first, minutes) = (first, minutes, seconds);
            seconds = c.number(1, 2)?;
        }
        if c.eat('.') {
            fraction = c.fraction()?;
        }
    }
    if !c.0.is_empty() || first > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let time = first * HOUR + minutes * MINUTE + seconds * SECOND + fraction;
    days.checked_mul(DAY)?.checked_add(time).map(|t| sign * t)
}
