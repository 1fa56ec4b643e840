//! The same row gives the same fingerprint, and no other row does.

use super::*;
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

fn scope() -> Scope {
    Scope::new("workspace", "rule", "version")
}

fn row(columns: &[(&str, Value)]) -> Row {
    let names: Vec<Arc<str>> = columns.iter().map(|(name, _)| Arc::from(*name)).collect();
    Row::new(names.into(), columns.iter().map(|(_, value)| value.clone()).collect())
}

fn of(columns: &[(&str, Value)]) -> Fingerprint {
    scope().fingerprint(&row(columns), &[])
}

fn s(text: &str) -> Value {
    Value::string(text)
}

fn time() -> Value {
    Value::Datetime("2026-03-01T12:00:00.1234567Z".parse::<DateTime<Utc>>().unwrap())
}

fn dynamic(text: &str) -> Value {
    Value::Dynamic(Arc::new(serde_json::from_str(text).unwrap()))
}

#[test]
fn log_analytics_and_a_file_give_the_same() {
    let id = "/subscriptions/0b1f/resourceGroups/RG/providers/Microsoft.HardwareSecurityModules/cloudHsmClusters/hsm";
    let log_analytics = of(&[
        ("TenantId", s("11111111-2222-3333-4444-555555555555")),
        ("TimeGenerated", time()),
        ("OperationName", s("CN_LOGIN")),
        ("HsmInstance", s("hsm1")),
        ("ClusterType", s("Standard_B1")),
        ("CallerIpAddress", s("")),
        ("ResultSignature", Value::Null),
        ("Opcode", Value::Long(17)),
        ("Properties", dynamic(r#"{"b":[1,{"y":1,"x":null}],"a":"1"}"#)),
        ("SourceSystem", s("Azure")),
        ("Type", s("CloudHsmServiceOperationAuditLogs")),
        ("_ResourceId", s(&id.to_lowercase())),
        ("_ItemId", s("8f14e45f")),
        ("_BilledSize", Value::Real(712.0)),
    ]);
    let file = of(&[
        ("Properties", dynamic(r#"{"a":"1","b":[1,{"x":null,"y":1}]}"#)),
        ("_ResourceId", s(&id.to_uppercase())),
        ("MemberId", s("hsm1")),
        ("PoolType", s("Standard_B1")),
        ("Opcode", Value::Long(17)),
        ("OperationName", s("CN_LOGIN")),
        ("TimeGenerated", time()),
    ]);
    assert_eq!(log_analytics, file);
}

#[test]
fn what_does_not_make_a_row() {
    let base = || vec![("OperationName", s("CN_LOGIN")), ("HsmInstance", s("hsm1"))];
    let expected = of(&base());
    for (name, value) in [
        ("TenantId", s("x")),
        ("Type", s("x")),
        ("SourceSystem", s("x")),
        ("_TimeReceived", time()),
        ("_ItemId", s("x")),
        ("Empty", s("")),
        ("Null", Value::Null),
        ("JsonNull", Value::Dynamic(Arc::new(serde_json::Value::Null))),
        // Both names of a renamed column, with the same value.
        ("MemberId", s("hsm1")),
    ] {
        let mut columns = base();
        columns.push((name, value.clone()));
        assert_eq!(of(&columns), expected, "{name}");
        columns.rotate_right(1);
        assert_eq!(of(&columns), expected, "{name} first");
    }
    assert_eq!(
        of(&[("OperationName", s("CN_LOGIN")), ("MemberId", s("hsm1")), ("HsmInstance", s(""))]),
        expected
    );
}

#[test]
fn what_does() {
    let all = [
        of(&[("A", s("1"))]),
        of(&[("A", s("2"))]),
        of(&[("B", s("1"))]),
        of(&[("A", s("1")), ("B", s("1"))]),
        of(&[("a", s("1"))]),
        of(&[("A", Value::Long(1))]),
        of(&[("A", Value::Real(1.0))]),
        of(&[("A", Value::Bool(true))]),
        of(&[("A", Value::Bool(false))]),
        of(&[("A", Value::Timespan(1))]),
        of(&[("A", dynamic("1"))]),
        of(&[("A", dynamic("\"1\""))]),
        of(&[("A", dynamic("[]"))]),
        of(&[("A", dynamic("{}"))]),
        of(&[("A", dynamic(r#"{"a":1}"#))]),
        of(&[("A", dynamic(r#"{"a":[1]}"#))]),
        of(&[("A", dynamic(r#"["a",1]"#))]),
        of(&[("A", time())]),
        of(&[("A", s(" "))]),
        of(&[("AB", s("C"))]),
        of(&[("A", s("BC"))]),
        of(&[("MemberId", s("other")), ("HsmInstance", s("hsm1"))]),
        of(&[("HsmInstance", s("hsm1"))]),
        of(&[("HsmInstance", s("other"))]),
        of(&[("_ResourceId", s("/a"))]),
        of(&[("_ResourceId", s("/b"))]),
        of(&[]),
    ];
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

#[test]
fn the_last_tick_of_a_time_counts_and_what_is_beneath_does_not() {
    let at = |text: &str| of(&[("T", Value::Datetime(text.parse().unwrap()))]);
    assert_ne!(at("2026-03-01T12:00:00.1234567Z"), at("2026-03-01T12:00:00.1234568Z"));
    assert_eq!(at("2026-03-01T12:00:00.1234567Z"), at("2026-03-01T13:00:00.123456789+01:00"));
}

#[test]
fn a_guid_is_the_same_as_its_text() {
    let guid = "74be27de-1e4e-49d9-b579-fe0b331d3642";
    assert_eq!(of(&[("A", Value::Guid(Arc::from(guid)))]), of(&[("A", s(guid))]));
}

#[test]
fn scopes_never_meet() {
    let columns = [("A", s("1"))];
    let all: BTreeSet<Fingerprint> = [
        ("w", "r", "v"),
        ("x", "r", "v"),
        ("w", "s", "v"),
        ("w", "r", "u"),
        ("wr", "", "v"),
        ("w", "rv", ""),
        ("", "wr", "v"),
    ]
    .iter()
    .map(|(workspace, rule, version)| {
        Scope::new(workspace, rule, version).fingerprint(&row(&columns), &[])
    })
    .collect();
    assert_eq!(all.len(), 7);
}

#[test]
fn with_a_key_only_its_columns_enter() {
    let key = |names: &[&str], columns: &[(&str, Value)]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        scope().fingerprint(&row(columns), &names)
    };
    let one = [("Caller", s("10.0.0.1")), ("Op", s("A")), ("TimeGenerated", time())];
    let two = [("Op", s("B")), ("Caller", s("10.0.0.1"))];
    assert_eq!(key(&["Caller"], &one), key(&["Caller"], &two));
    assert_ne!(key(&["Caller", "Op"], &one), key(&["Caller", "Op"], &two));
    assert_eq!(key(&["Op", "Caller"], &one), key(&["Caller", "Op"], &one));
    // Either name of a renamed column finds it under either.
    let old = [("MemberId", s("hsm1"))];
    let new = [("HsmInstance", s("hsm1")), ("X", s("x"))];
    let both = [("HsmInstance", s("hsm1")), ("MemberId", s("hsm1"))];
    for name in ["MemberId", "HsmInstance"] {
        assert_eq!(key(&[name], &old), key(&[name], &new), "{name}");
        assert_eq!(key(&[name], &old), key(&[name], &both), "{name}");
    }
    let differ = [("HsmInstance", s("hsm1")), ("MemberId", s("hsm2"))];
    assert_ne!(key(&["MemberId"], &differ), key(&["HsmInstance"], &differ));
    assert_eq!(key(&["MemberId"], &old), key(&["HsmInstance"], &new));
    assert_ne!(key(&["HsmInstance"], &old), key(&["HsmInstance"], &[("HsmInstance", s("hsm2"))]));
}

#[test]
fn parts_do_not_run_together() {
    let of = |parts: &[&str]| {
        let mut hash = Hash::new("test");
        for part in parts {
            hash.text(part);
        }
        hash.finish()
    };
    let all = [
        of(&["ab", "c"]),
        of(&["a", "bc"]),
        of(&["abc"]),
        of(&["abc", ""]),
        of(&["", "abc"]),
        of(&[]),
    ];
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    assert_ne!(Hash::new("a").finish(), Hash::new("b").finish());
    assert_eq!(hex(&[0, 15, 255]), "000fff");
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a-c ]{0,3}".prop_map(|text| Value::string(&text)),
        (-2..3_i64).prop_map(Value::Long),
        (-2..3_i64).prop_map(Value::Timespan),
        any::<bool>().prop_map(Value::Bool),
        (0..3_i32).prop_map(|n| Value::Real(f64::from(n) / 2.0)),
        Just(Value::Null),
        (0..3_i64).prop_map(|n| Value::Datetime(DateTime::from_timestamp(n, 0).unwrap())),
        (0..3_u8).prop_map(|n| Value::Dynamic(Arc::new(json!({"k": n})))),
    ]
}

type Columns = std::collections::BTreeMap<String, Value>;

/// What is left of a row when everything that says nothing is taken out.
fn canonical(columns: &Columns) -> Columns {
    columns.iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn shuffled(columns: &Columns, by: usize, reversed: bool) -> Row {
    let mut list: Vec<(&str, Value)> =
        columns.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
    let n = list.len().max(1);
    list.rotate_left(by % n);
    if reversed {
        list.reverse();
    }
    row(&list)
}

proptest! {
    #[test]
    fn equal_if_and_only_if_the_rows_are(
        one in prop::collection::btree_map("[a-c]{1,2}", any_value(), 0..4),
        two in prop::collection::btree_map("[a-c]{1,2}", any_value(), 0..4),
        by in 0..8_usize,
        reversed in any::<bool>(),
    ) {
        let print = |row: &Row| scope().fingerprint(row, &[]);
        let first = print(&shuffled(&one, 0, false));
        prop_assert_eq!(first, print(&shuffled(&one, by, reversed)));
        let same = canonical(&one) == canonical(&two);
        prop_assert_eq!(first == print(&shuffled(&two, by, reversed)), same);
    }

    #[test]
    fn one_changed_column_changes_it(
        mut columns in prop::collection::btree_map("[a-c]{1,2}", any_value(), 1..5),
        which in 0..5_usize,
        value in any_value(),
    ) {
        let before = canonical(&columns);
        let print = |columns: &Columns| scope().fingerprint(&shuffled(columns, 0, false), &[]);
        let first = print(&columns);
        let name = columns.keys().nth(which % columns.len()).unwrap().clone();
        columns.insert(name, value);
        prop_assert_eq!(first == print(&columns), before == canonical(&columns));
    }
}
