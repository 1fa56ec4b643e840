//! `parse` and `parse-where`: columns from a text by a pattern.

use super::apply::joined;
use super::open;
use crate::functions::conversion::to_type;
use crate::plan::stages::Parse;
use crate::plan::{Node, Rows, RunState};
use crate::value::{Type, Value};
use std::rc::Rc;

pub(super) fn run<'a>(input: &'a Node, parse: &'a Parse, run: &Rc<RunState<'a>>) -> Rows<'a> {
    let rows = open(input, run);
    let run = Rc::clone(run);
    let missing: Vec<Value> = parse.types.iter().map(|(_, ty)| ty.missing()).collect();
    Box::new(rows.filter_map(move |row| {
        let row = match row {
            Ok(row) => row,
            Err(error) => return Some(Err(error)),
        };
        let read = read(&parse.text.eval(&row, &run).text(), parse);
        if parse.only && read.is_none() {
            return None;
        }
        Some(Ok(joined(&row, read.as_ref().unwrap_or(&missing), &parse.places)))
    }))
}

/// The columns, where the text fits.
fn read(text: &str, parse: &Parse) -> Option<Vec<Value>> {
    let found = parse.pattern.captures(text)?;
    let values = parse.types.iter().map(|(group, ty)| {
        let part = found.get(*group).map_or("", |m| m.as_str());
        match convert(part, *ty) {
            None if parse.relaxed => Some(ty.missing()),
            value => value,
        }
    });
    values.collect()
}

/// All of a text as a value, blanks around it left out.
pub(super) fn convert(text: &str, ty: Type) -> Option<Value> {
    let trimmed = text.trim();
    match ty {
        Type::String => Some(Value::from(text)),
        Type::Int => trimmed.parse().ok().map(Value::Int),
        Type::Long => trimmed.parse().ok().map(Value::Long),
        Type::Dynamic => serde_json::from_str(trimmed).ok().map(Value::from_json),
        Type::Datetime => to_type(&Value::from(trimmed), ty)
            .or_else(|| to_type(&Value::from(year_first(trimmed)?), ty)),
        _ => to_type(&Value::from(trimmed), ty),
    }
}

/// `2/17/2016 08:40` as `2016-2-17 08:40`.
fn year_first(text: &str) -> Option<String> {
    let (date, time) = text.split_once(' ').unwrap_or((text, ""));
    let mut parts = date.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    let sound = year.len() == 4 && parts.next().is_none();
    sound.then(|| format!("{year}-{month:0>2}-{day:0>2} {time}").trim().to_owned())
}
