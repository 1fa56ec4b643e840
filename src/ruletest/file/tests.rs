//! What the reader of test files takes, and how it says what it does not.

use super::raw::{ALERT, CASE, FAULT, FILE, QUERY};
use super::*;
use std::collections::BTreeSet;

/// The keys that a type takes, by what it says of one that it does not.
fn taken<T: serde::de::DeserializeOwned>() -> BTreeSet<String> {
    let Err(error) = toml::from_str::<T>("no_such_key = 1") else { panic!("it takes anything") };
    let said = error.message().to_owned();
    let (_, names) = said.split_once("expected").unwrap();
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_keys_that_are_looked_for_are_those_that_are_read() {
    for (keys, taken) in [
        (&FILE[..], taken::<raw::RawFile>()),
        (&CASE, taken::<RawCase>()),
        (&FAULT, taken::<RawFault>()),
        (&ALERT, taken::<RawAlert>()),
        (&QUERY, taken::<RawQuery>()),
    ] {
        assert_eq!(keys.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>(), taken);
    }
    // And those that editors know.
    let schema = crate::ruletest::schema::schema();
    for (place, keys) in [
        ("", &FILE[..]),
        ("/properties/case/items", &CASE),
        ("/properties/case/items/properties/fault/items", &FAULT),
        ("/properties/case/items/properties/alert/items", &ALERT),
        ("/properties/case/items/properties/alerts/items", &ALERT),
        ("/properties/query/items", &QUERY),
    ] {
        let object = schema.pointer(place).unwrap();
        assert_eq!(object["additionalProperties"], false, "{place}");
        let known = object["properties"].as_object().unwrap().keys();
        assert_eq!(
            known.map(String::as_str).collect::<BTreeSet<_>>(),
            keys.iter().copied().collect(),
            "{place}"
        );
    }
}

/// A file that uses every key.
const ALL: &str = r#"
presets = "key-delete"
rules = ["rules/*.toml"]
schema = "current"
start = 2026-03-03T10:00:00Z
table = "CloudHsmServiceOperationAuditLogs"
defaults = { HsmInstance = "hsm-1" }
rows_file = "logs/*.json"
rows = [{ at = "+1m", ingested = "+3m", repeat = 2, every = "0s", table = "CloudHsmHardwareOperationAuditLogs", UserID = "admin" }]
[[case]]
name = "n"
eval = ["+5m", 2026-03-03T11:00:00Z]
rows = [{ at = -1, MemberId = "old" }]
alert = [{ at = "+5m", rule = "key-delete", severity = "high", count = 2, reason = "catch-up", title = "T", text = "t", group = { A = "b" }, match = { A = 1 }, rows = [{ B = 2 }], exact = true }]
[[case.fault]]
at = "+5m"
receiver = "429"
[[case.fault]]
at = ["+5m"]
tick = "missed"
[[case.fault]]
at = "+5m"
crash = "after-send"
[[case]]
name = "m"
eval = { every = "5m", until = "+2h" }
alerts = []
[[query]]
name = "q"
kql = "T"
eval = "+5m"
expect = [{ n = 1 }]
ordered = true
fuzzy = 0.5
"#;

#[test]
fn what_is_wrong_is_refused() {
    let all = ALL.replace("at = -1", "at = \"-1d\"");
    assert_eq!(TestFile::read(&all).1, []);
    for (what, from, to) in [
        ("an unknown key", "presets", "preset"),
        ("an unknown key of a case", "eval = {", "evals = {"),
        ("an unknown key of a fault", "tick = ", "tock = "),
        ("an unknown key of an alert", "rule = ", "rules = "),
        ("an unknown key of a query", "kql = ", "kqll = "),
        ("an unknown column", "MemberId", "MemberID"),
        ("a column that the test makes", "MemberId", "TimeGenerated"),
        ("a number for presets", "\"key-delete\"\n", "5\n"),
        ("a schema that is none", "\"current\"", "\"new\""),
        ("a table that is none", "\"CloudHsmServiceOperationAuditLogs\"", "\"AzureActivity\""),
        ("a number for the start", "2026-03-03T10:00:00Z", "5"),
        ("a number for an instant", "\"-1d\"", "-1"),
        ("a time without a sign", "\"-1d\"", "\"1d\""),
        ("a time of an unknown unit", "\"-1d\"", "\"-1w\""),
        ("a span with a sign", "\"0s\"", "\"+0s\""),
        ("no repetition", "repeat = 2", "repeat = 0"),
        ("a text for a number", "repeat = 2", "repeat = \"2\""),
        ("a row without a time", "at = \"-1d\", ", ""),
        ("a severity that is none", "\"high\"", "\"hihg\""),
        ("a reason that is none", "catch-up", "catchup"),
        ("a negative count", "count = 2", "count = -2"),
        ("a text for a boolean", "exact = true", "exact = \"true\""),
        ("an answer that is none", "\"429\"", "\"200\""),
        ("a tick that is none", "\"missed\"", "\"late\""),
        ("two faults in one", "receiver = \"429\"", "receiver = \"429\"\ntick = \"missed\""),
        ("no fault", "receiver = \"429\"\n", ""),
        ("no end", ", until = \"+2h\"", ""),
        ("neither alerts nor none", "alerts = []\n", ""),
        (
            "both ways of alerts",
            "alerts = []\n",
            "alerts = []\nalert = [{ at = \"+5m\", rule = \"r\" }]\n",
        ),
        ("no name", "name = \"m\"\n", ""),
        ("a negative tolerance", "fuzzy = 0.5", "fuzzy = -0.5"),
        ("one table for many", "[[query]]", "[query]"),
    ] {
        assert!(all.contains(from), "{from}");
        let text = all.replacen(from, to, 1);
        assert_ne!(TestFile::read(&text).1, [], "{what} is taken:\n{text}");
    }
}

#[test]
fn everything_is_said_at_once_in_the_order_of_the_text() {
    let text = r#"presetz = ["key-delete"]
presets = ["key-delete"]
start = 2026-03-03T10:00:00
rows = [{ at = "soon" }, { at = "+1m", HsmInstanc = "a" }, { at = "+1m", Type = "T" }]
[[case]]
name = "c"
eval = ["+5m", "5m"]
severty = "high"
[[case.alert]]
at = "+6m"
rule = "key-delete"
cuont = 2
"#;
    let (file, wrong) = TestFile::read(text);
    assert!(file.is_some(), "the rest is read");
    let said: Vec<String> = wrong
        .iter()
        .map(|wrong| {
            let line = text.get(..wrong.at).unwrap().matches('\n').count() + 1;
            format!("{line}: {} | {}", wrong.message, wrong.hint)
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"));
    // Of what is no TOML nothing more is known.
    let (file, wrong) = TestFile::read("presets = [\n");
    assert!(file.is_none());
    assert!(wrong[0].message.starts_with("not TOML: "), "{wrong:?}");
}
