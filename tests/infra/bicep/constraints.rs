//! What the declaration of a parameter says of its values.

use super::ast::{Kind, Node, Param};
use crate::eval::value::{fits, is_unknown, kind};
use serde_json::{Value, json};

impl Param {
    /// The values of `@allowed`.
    pub(crate) fn allowed(&self) -> Option<Vec<Value>> {
        let of = self.decorators.iter().find(|decorator| decorator.name == "allowed")?;
        let Kind::Array(items) = &of.args.first()?.kind else { return None };
        Some(items.iter().filter_map(literal).collect())
    }

    /// The number in `@minLength` and its like.
    pub(crate) fn bound(&self, name: &str) -> Option<i64> {
        let of = self.decorators.iter().find(|decorator| decorator.name == name)?;
        match of.args.first()?.kind {
            Kind::Number(number) => Some(number),
            _ => None,
        }
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.decorators.iter().any(|decorator| decorator.name == "secure")
    }

    /// Whether a value must be given.
    pub(crate) fn is_required(&self) -> bool {
        self.default.is_none() && !self.kind.ends_with('?')
    }
}

/// A value that is written out.
pub(crate) fn literal(node: &Node) -> Option<Value> {
    Some(match &node.kind {
        Kind::Text(_) => json!(node.text()?),
        Kind::Number(number) => json!(number),
        Kind::Bool(value) => json!(value),
        Kind::Null => Value::Null,
        Kind::Array(items) => json!(items.iter().map(literal).collect::<Option<Vec<_>>>()?),
        Kind::Object(entries) => {
            let pair = |entry: &super::ast::Entry| {
                Some((entry.name()?.to_owned(), literal(&entry.value)?))
            };
            Value::Object(entries.iter().map(pair).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// Why a parameter cannot have this value.
pub(crate) fn misfit(param: &Param, value: &Value) -> Result<(), String> {
    if !fits(&param.kind, value) {
        return Err(format!("is {}, not {}", kind(value), param.kind));
    }
    if is_unknown(value) || value.is_null() {
        return Ok(());
    }
    if let Some(allowed) = param.allowed() {
        let each = match value {
            Value::Array(items) if !allowed.contains(value) => items.clone(),
            one => vec![one.clone()],
        };
        if let Some(odd) = each.iter().find(|one| !allowed.contains(one)) {
            return Err(format!("is {odd}, which is not allowed"));
        }
    }
    let length = match value {
        Value::String(text) => i64::try_from(text.chars().count()).ok(),
        Value::Array(items) => i64::try_from(items.len()).ok(),
        _ => None,
    };
    let bounds = [
        ("minLength", length, "is too short: at least", i64::lt as fn(&i64, &i64) -> bool),
        ("maxLength", length, "is too long: at most", i64::gt),
        ("minValue", value.as_i64(), "is too small: at least", i64::lt),
        ("maxValue", value.as_i64(), "is too large: at most", i64::gt),
    ];
    for (name, measure, words, beyond) in bounds {
        if let (Some(measure), Some(bound)) = (measure, param.bound(name))
            && beyond(&measure, &bound)
        {
            return Err(format!("{words} {bound}"));
        }
    }
    Ok(())
}
