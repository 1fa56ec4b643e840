//! `ServiceNow`'s encoded queries. What it does not understand it leaves out, and so may return everything.

use serde_json::{Map, Value as Json};

/// A query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// All of these must hold, of each at least one.
    groups: Vec<Vec<Condition>>,
    /// Fields to sort by, and whether the last comes first.
    order: Vec<(String, bool)>,
    /// What was left out.
    pub(crate) left_out: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    field: String,
    operator: &'static str,
    value: String,
}

/// The longer ones first: one may begin like another.
const OPERATORS: &[&str] = &[
    "ISNOTEMPTY",
    "ISEMPTY",
    "STARTSWITH",
    "ENDSWITH",
    "NOT LIKE",
    "NOT IN",
    "LIKE",
    "IN",
    "!=",
    ">=",
    "<=",
    "=",
    ">",
    "<",
];

impl Query {
    /// Reads a query over records with these fields.
    pub(crate) fn parse(text: &str, knows: &dyn Fn(&str) -> bool) -> Self {
        let mut query = Self::default();
        // A doubled caret stands for itself.
        let text = text.replace("^^", "\0");
        for part in text.split('^').filter(|p| !p.is_empty() && *p != "EQ") {
            let part = part.replace('\0', "^");
            let sorted = part.strip_prefix("ORDERBYDESC").map(|field| (field, true));
            let sorted =
                sorted.or_else(|| part.strip_prefix("ORDERBY").map(|field| (field, false)));
            if let Some((field, down)) = sorted {
                if knows(field) {
                    query.order.push((field.to_owned(), down));
                } else {
                    query.left_out.push(part.clone());
                }
                continue;
            }
            let (or, rest) = match part.strip_prefix("OR") {
                Some(rest) => (true, rest),
                None => (false, &*part),
            };
            match condition(rest).filter(|c| knows(&c.field)) {
                Some(condition) => match query.groups.last_mut().filter(|_| or) {
                    Some(group) => group.push(condition),
                    None => query.groups.push(vec![condition]),
                },
                None => query.left_out.push(part.clone()),
            }
        }
        query
    }

    pub(crate) fn holds(&self, record: &Map<String, Json>) -> bool {
        self.groups.iter().all(|group| group.iter().any(|condition| condition.holds(record)))
    }

    /// Sorts as asked.
    pub(crate) fn sort(&self, records: &mut [Map<String, Json>]) {
        for (field, down) in self.order.iter().rev() {
            let key = |record: &Map<String, Json>| text(record, field);
            records.sort_by(|a, b| if *down { key(b).cmp(&key(a)) } else { key(a).cmp(&key(b)) });
        }
    }
}

fn text(record: &Map<String, Json>, field: &str) -> String {
    record.get(field).and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn condition(part: &str) -> Option<Condition> {
    let end = part
        .find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.'))?;
    let (field, rest) = part.split_at(end);
    let operator = OPERATORS.iter().find(|operator| rest.starts_with(**operator))?;
    let value = rest.strip_prefix(operator)?.to_owned();
    (!field.is_empty()).then(|| Condition { field: field.to_owned(), operator, value })
}

impl Condition {
    fn holds(&self, record: &Map<String, Json>) -> bool {
        let actual = text(record, &self.field);
        let (actual, value) = (actual.to_lowercase(), self.value.to_lowercase());
        let among = || value.split(',').any(|v| v == actual);
        match self.operator {
            "ISEMPTY" => actual.is_empty(),
            "ISNOTEMPTY" => !actual.is_empty(),
            "STARTSWITH" => actual.starts_with(&value),
            "ENDSWITH" => actual.ends_with(&value),
            "LIKE" => actual.contains(&value),
            "NOT LIKE" => !actual.contains(&value),
            "IN" => among(),
            "NOT IN" => !among(),
            "!=" => actual != value,
            ">=" => actual >= value,
            "<=" => actual <= value,
            ">" => actual > value,
            "<" => actual < value,
            _ => actual == value,
        }
    }
}
