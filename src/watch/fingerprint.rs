//! Fingerprints: what makes two rows the same row. The same row gives the same fingerprint whether it was read from Log
//! Analytics or from a file, in the old schema or the new one.

use super::row::{Row, Value, ticks_text};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// 128 bits of a SHA-256.
pub type Fingerprint = [u8; 16];

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// A hash over parts, each length-prefixed so that no two lists of parts give the same bytes.
#[derive(Clone)]
pub struct Hash(Sha256);

impl Hash {
    /// A hash for one purpose: hashes of different domains never meet.
    pub fn new(domain: &str) -> Self {
        let mut hash = Self(Sha256::new());
        hash.part(domain.as_bytes());
        hash
    }

    /// Adds a part.
    pub fn part(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a part of text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.part(text.as_bytes())
    }

    /// The first 128 bits.
    pub fn finish(&self) -> Fingerprint {
        let digest = self.0.clone().finalize();
        let mut out = [0; 16];
        out.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
        out
    }
}

/// Whose rows they are: a fingerprint never meets one of another workspace, rule or version.
#[derive(Clone)]
pub struct Scope(Hash);

impl Scope {
    /// The scope of a rule's version on a workspace.
    pub fn new(workspace_id: &str, rule_id: &str, version: &str) -> Self {
        let mut hash = Hash::new("row");
        hash.text(workspace_id).text(rule_id).text(version);
        Self(hash)
    }

    /// The fingerprint of a row by all its columns, or by `key` alone where there is one.
    pub fn fingerprint(&self, row: &Row, key: &[String]) -> Fingerprint {
        let mut hash = self.0.clone();
        let mut columns: Vec<(&str, &Value)> = row
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .filter_map(|(name, value)| Some((canonical_name(name, row)?, value)))
            .collect();
        if !key.is_empty() {
            let wanted: Vec<&str> = key.iter().map(|k| key_name(k, row)).collect();
            columns.retain(|(name, _)| wanted.contains(name));
        }
        columns.sort_unstable_by_key(|(name, _)| *name);
        for (name, value) in columns {
            hash.text(name);
            if name == "_ResourceId" {
                hash.text("s").text(&value.text().to_lowercase());
            } else {
                canonical_value(&mut hash, value);
            }
        }
        hash.finish()
    }
}

/// The name under which a column enters, or `None` if it does not: columns that only say where the row was stored, and
/// the former names of renamed columns where the new ones are there.
fn canonical_name<'a>(name: &'a str, row: &Row) -> Option<&'a str> {
    let filled = |column: &str| row.get(column).is_some_and(|v| !v.is_empty());
    match name {
        "TenantId" | "Type" | "SourceSystem" => None,
        "_ResourceId" => Some(name),
        "MemberId" if !filled("HsmInstance") => Some("HsmInstance"),
        "PoolType" if !filled("ClusterType") => Some("ClusterType"),
        "MemberId" if row.get("MemberId") == row.get("HsmInstance") => None,
        "PoolType" if row.get("PoolType") == row.get("ClusterType") => None,
        _ if name.starts_with('_') => None,
        _ => Some(name),
    }
}

/// The name under which a key's column is found: a renamed column by either name.
fn key_name<'a>(name: &'a str, row: &Row) -> &'a str {
    let new = match name {
        "MemberId" => "HsmInstance",
        "PoolType" => "ClusterType",
        _ => return name,
    };
    let stands_alone = row.get(name).is_some_and(|value| !value.is_empty())
        && canonical_name(name, row) == Some(name);
    if stands_alone { name } else { new }
}

fn canonical_value(hash: &mut Hash, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bool(b) => {
            hash.text("b").part(&[u8::from(*b)]);
        }
        Value::Long(n) => {
            hash.text("n").text(&n.to_string());
        }
        Value::Real(_) | Value::Decimal(_) => {
            hash.text("r").text(&value.text());
        }
        // A guid is a string in one source and a guid in another.
        Value::String(s) | Value::Guid(s) => {
            hash.text("s").text(s);
        }
        Value::Datetime(t) => {
            hash.text("t").text(&ticks_text(*t));
        }
        Value::Timespan(ticks) => {
            hash.text("d").text(&ticks.to_string());
        }
        Value::Dynamic(json) => {
            let mut text = String::new();
            sorted_json(json, &mut text);
            hash.text("j").text(&text);
        }
    }
}

/// JSON with sorted keys. Depth is bounded by the parser that read it.
fn sorted_json(json: &Json, out: &mut String) {
    match json {
        Json::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (key, value) in entries {
                out.push_str(&Json::from(key.as_str()).to_string());
                out.push(':');
                sorted_json(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Json::Array(items) => {
            out.push('[');
            for item in items {
                sorted_json(item, out);
                out.push(',');
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests;
