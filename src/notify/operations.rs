//! What the operation names of the audit log mean. Unknown names are shown as they are.

use std::sync::OnceLock;

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Operation {
    /// The name in `OperationName`.
    #[serde(rename = "operation")]
    pub name: String,
    /// The tool's commands that cause it, as they are typed; empty if not known.
    #[serde(deserialize_with = "commands")]
    pub commands: Vec<String>,
    /// The tools that have these commands.
    pub tools: String,
    /// What happened, in a clause: "a key was deleted".
    pub what: String,
    /// `key-delete`, `user`, `session`, …
    pub category: String,
    /// Where its meaning is written down.
    pub source: String,
    /// What one of them is called: "key deletion".
    pub one: String,
    /// What several are called: "key deletions".
    pub many: String,
}

impl Operation {
    /// "a key was deleted (deleteKey)".
    pub fn sentence(&self) -> String {
        if self.commands.is_empty() {
            self.what.clone()
        } else {
            format!("{} ({})", self.what, self.commands.join(" or "))
        }
    }
}

fn commands<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let text: String = serde::Deserialize::deserialize(from)?;
    Ok(text.split('|').filter(|word| !word.is_empty()).map(str::to_owned).collect())
}

/// All operations with a known meaning.
pub fn all() -> &'static [Operation] {
    static ALL: OnceLock<Vec<Operation>> = OnceLock::new();
    ALL.get_or_init(|| {
        // The table is ours, and a test reads every line of it.
        csv::Reader::from_reader(include_str!("operations.csv").as_bytes())
            .deserialize()
            .filter_map(Result::ok)
            .collect()
    })
}

/// The meaning of an operation's name, if it is known.
pub fn explain(name: &str) -> Option<&'static Operation> {
    all().iter().find(|operation| operation.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_line_is_read_and_whole() {
        let lines = include_str!("operations.csv").lines().count();
        assert_eq!(all().len(), lines - 1);
        let names: BTreeSet<&str> = all().iter().map(|operation| &*operation.name).collect();
        assert_eq!(names.len(), all().len());
        for operation in all() {
            let texts = [&operation.what, &operation.category, &operation.one, &operation.many];
            assert!(texts.iter().all(|text| !text.is_empty()), "{operation:?}");
        }
    }

    #[test]
    fn explains_what_it_knows() {
        let delete = explain("CN_TOMBSTONE_OBJECT").unwrap();
        assert_eq!(delete.sentence(), "a key was deleted (deleteKey)");
        assert_eq!(delete.category, "key-delete");
        let pair = explain("CN_GENERATE_KEY_PAIR").unwrap();
        assert_eq!(pair.commands, ["genRSAKeyPair", "genECCKeyPair"]);
        assert_eq!(explain("cn_tombstone_object"), None);
        assert_eq!(explain(""), None);
    }
}
