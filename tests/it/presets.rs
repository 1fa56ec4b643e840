//! Every preset through the embedded engine: rows that it must find and rows that it must not, on every schema that
//! the table has had.

use chrono::TimeDelta;
use hsmwatch::watch::build::build;
use hsmwatch::watch::presets;
use hsmwatch::watch::rule::RuleSpec;
use hsmwatch::watch::schedule::Schedule;
use hsmwatch::watch::tables::{Empty, HARDWARE_TABLE, Variant as Tables};
use kql::{MemoryTables, Schema, Type, Value};
use std::collections::BTreeMap;

const TABLE: &str = "CloudHsmServiceOperationAuditLogs";
const WEU: &str =
    "/subscriptions/0/providers/microsoft.hardwaresecuritymodules/cloudhsmclusters/weu";
const NEU: &str =
    "/subscriptions/0/providers/microsoft.hardwaresecuritymodules/cloudhsmclusters/neu";
const WINDOW: (&str, &str) = ("2026-03-03T10:00:00Z", "2026-03-03T11:00:00Z");

/// What the columns of the HSM instance and of the cluster's type are called.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Variant {
    /// `HsmInstance`, `ClusterType`
    Current,
    /// `MemberId`, `PoolType`
    Legacy,
    /// A workspace that has lived through the change: both pairs, one of them empty in each row.
    Both,
}

const VARIANTS: [Variant; 3] = [Variant::Current, Variant::Legacy, Variant::Both];

/// One audit record, as little of it as a test needs.
#[derive(Clone, Copy)]
struct Record<'a> {
    time: &'a str,
    operation: &'a str,
    caller: &'a str,
    client: &'a str,
    resource: &'a str,
    instance: &'a str,
    /// Whether its source writes the old columns, where both are there.
    old: bool,
}

const RECORD: Record<'_> = Record {
    time: "2026-03-03T10:30:00Z",
    operation: "CN_LOGIN",
    caller: "10.0.0.1",
    client: "app",
    resource: WEU,
    instance: "hsm-1",
    old: false,
};

fn datetime(text: &str) -> Value {
    Value::Datetime(kql::parse_datetime(text).unwrap())
}

fn columns(variant: Variant) -> Vec<(&'static str, Type)> {
    let mut columns = vec![
        ("TenantId", Type::String),
        ("TimeGenerated", Type::Datetime),
        ("OperationName", Type::String),
        ("Opcode", Type::String),
        ("CallerIpAddress", Type::String),
        ("ClientInfo", Type::String),
        ("ClientSdkPackageVersion", Type::String),
        ("ResultType", Type::String),
        ("ResultSignature", Type::String),
        ("ResultDescription", Type::String),
        ("DurationMs", Type::Int),
        ("Sku", Type::Dynamic),
        ("Type", Type::String),
        ("_ResourceId", Type::String),
    ];
    if variant != Variant::Legacy {
        columns.extend([("HsmInstance", Type::String), ("ClusterType", Type::String)]);
    }
    if variant != Variant::Current {
        columns.extend([("MemberId", Type::String), ("PoolType", Type::String)]);
    }
    columns
}

fn row(record: &Record<'_>, variant: Variant) -> kql::Row {
    let old = variant == Variant::Legacy || (variant == Variant::Both && record.old);
    columns(variant)
        .into_iter()
        .map(|(column, _)| match column {
            "TimeGenerated" => datetime(record.time),
            "OperationName" => record.operation.into(),
            "CallerIpAddress" => record.caller.into(),
            "ClientInfo" => record.client.into(),
            "ResultType" => "Success".into(),
            "DurationMs" => Value::Int(7),
            "_ResourceId" => record.resource.into(),
            "HsmInstance" if !old => record.instance.into(),
            "MemberId" if old => record.instance.into(),
            "ClusterType" if !old => "Production".into(),
            "PoolType" if old => "Production".into(),
            _ => Value::Null,
        })
        .collect()
}

/// A preset's query, with its parameters before it.
fn text_of(spec: &RuleSpec) -> String {
    let built = build(spec.clone(), &Schedule::Every(TimeDelta::minutes(5)));
    built.rule.unwrap_or_else(|| panic!("{}: {:?}", spec.id, built.problems)).text()
}

/// The answer of a preset over a window, as the columns of each row.
fn ask(
    id: &str,
    (start, end): (&str, &str),
    variant: Variant,
    records: &[Record<'_>],
) -> Vec<BTreeMap<String, Value>> {
    let query = text_of(&presets::get(id).unwrap().spec);
    let text =
        format!("let window_start = datetime({start}); let window_end = datetime({end});\n{query}");
    let rows = records.iter().map(|record| row(record, variant)).collect();
    let tables = MemoryTables::new().with(TABLE, Schema::new(columns(variant)), rows);
    let bound = kql::bind(&text, &tables, 0);
    assert!(bound.is_ok(), "{id} {variant:?}: {bound:?}");
    let plan = bound.unwrap();
    let names: Vec<String> = plan.schema().columns.iter().map(|c| c.name.clone()).collect();
    plan.run(&tables).map(|row| names.iter().cloned().zip(row.unwrap()).collect()).collect()
}

fn count(id: &str, variant: Variant, records: &[Record<'_>]) -> usize {
    ask(id, WINDOW, variant, records).len()
}

/// `count` logins that are a second apart, the first at the window's beginning.
fn logins(times: &[String]) -> Vec<Record<'_>> {
    times.iter().map(|time| Record { time, ..RECORD }).collect()
}

fn seconds(count: usize) -> Vec<String> {
    (0..count).map(|s| format!("2026-03-03T10:00:{s:02}Z")).collect()
}

#[test]
fn the_four_of_the_tutorial_find_their_operations_and_no_others() {
    let watched = [
        ("login-session", ["CN_LOGIN", "CN_AUTHORIZE_SESSION"].as_slice()),
        ("user-change", &["CN_CREATE_USER", "CN_DELETE_USER"]),
        ("key-create", &["CN_GENERATE_KEY", "CN_GENERATE_KEY_PAIR"]),
        ("key-delete", &["CN_TOMBSTONE_OBJECT"]),
    ];
    // Neighbours by name, another case, and what contains a watched name.
    let others = [
        "CN_LOGOUT",
        "CN_LIST_USERS",
        "CN_CREATE_CO",
        "CN_DESTROY_OBJECT",
        "CN_GENERATE_KEY_PAIRS",
        "cn_login",
        "CN_LOGIN ",
        "",
    ];
    for variant in VARIANTS {
        for old in [false, true] {
            for (id, operations) in watched {
                let all = watched.iter().flat_map(|(_, o)| *o).chain(&others);
                let records: Vec<_> =
                    all.map(|operation| Record { operation, old, ..RECORD }).collect();
                let found: Vec<Value> = ask(id, WINDOW, variant, &records)
                    .into_iter()
                    .map(|row| row["OperationName"].clone())
                    .collect();
                let wanted: Vec<Value> = operations.iter().map(|o| Value::from(*o)).collect();
                assert_eq!(found, wanted, "{id} {variant:?} old={old}");
            }
        }
    }
}

#[test]
fn an_event_rule_gives_all_that_an_alert_says() {
    for id in ["login-session", "user-change", "key-create", "key-delete", "caller-first-seen"] {
        for variant in VARIANTS {
            for old in [false, true] {
                let operation = match id {
                    "user-change" => "CN_CREATE_USER",
                    "key-create" => "CN_GENERATE_KEY",
                    "key-delete" => "CN_TOMBSTONE_OBJECT",
                    _ => "CN_LOGIN",
                };
                let time = "2026-03-03T10:59:59.9999999Z";
                let [row] = ask(id, WINDOW, variant, &[Record { time, operation, old, ..RECORD }])
                    .try_into()
                    .unwrap();
                let wanted = BTreeMap::from(
                    [
                        ("OperationName", operation.into()),
                        ("HsmInstance", "hsm-1".into()),
                        ("CallerIpAddress", "10.0.0.1".into()),
                        ("TimeGenerated", datetime(time)),
                        ("ClientInfo", "app".into()),
                        ("ResultType", "Success".into()),
                        ("ResultSignature", "".into()),
                        ("ResultDescription", "".into()),
                        ("DurationMs", Value::Int(7)),
                        ("Opcode", "".into()),
                        ("ClusterType", "Production".into()),
                        ("_ResourceId", WEU.into()),
                    ]
                    .map(|(name, value)| (name.to_owned(), value)),
                );
                assert_eq!(row, wanted, "{id} {variant:?} old={old}");
            }
        }
    }
}

#[test]
fn equal_records_stay_as_many_as_they_are() {
    let deletion = Record { operation: "CN_TOMBSTONE_OBJECT", ..RECORD };
    for variant in VARIANTS {
        assert_eq!(count("key-delete", variant, &[deletion; 3]), 3);
        assert_eq!(count("caller-first-seen", variant, &[deletion; 3]), 3);
    }
}

/// The engine bounds event rules by the time it asks for; their text must not do it a second time.
#[test]
fn an_event_rule_leaves_time_to_the_engine() {
    let late = Record { time: "2026-03-01T00:00:00Z", operation: "CN_TOMBSTONE_OBJECT", ..RECORD };
    assert_eq!(count("key-delete", Variant::Current, &[late]), 1);
}

#[test]
fn a_burst_begins_at_the_threshold() {
    let (below, at) = (seconds(19), seconds(20));
    for variant in VARIANTS {
        assert_eq!(count("login-burst", variant, &logins(&below)), 0);
        let mut records = logins(&at);
        records[19].old = true;
        records[19].instance = "hsm-2";
        records[19].client = "other";
        let [row] = ask("login-burst", WINDOW, variant, &records).try_into().unwrap();
        assert_eq!(row["Logins"], Value::Long(20));
        // A row that sums up names no operation: receivers speak of results then, not of "1 login".
        assert!(!row.contains_key("OperationName"));
        assert_eq!(row["CallerIpAddress"], "10.0.0.1".into());
        assert_eq!(row["_ResourceId"], WEU.into());
        assert_eq!(row["HsmInstance"], "hsm-1, hsm-2".into());
        assert_eq!(row["ClientInfo"], "app, other".into());
        assert_eq!(row["ClusterType"], "Production".into());
        assert_eq!(row["FirstLogin"], datetime("2026-03-03T10:00:00Z"));
        assert_eq!(row["TimeGenerated"], datetime("2026-03-03T10:00:19Z"));
    }
}

#[test]
fn a_burst_is_of_one_caller_on_one_hsm_in_one_window() {
    let times = seconds(20);
    let burst = |change: &dyn Fn(&mut Record<'_>)| {
        let mut records = logins(&times);
        change(&mut records[7]);
        count("login-burst", Variant::Both, &records)
    };
    assert_eq!(burst(&|_| ()), 1);
    assert_eq!(burst(&|r| r.caller = "10.0.0.2"), 0);
    assert_eq!(burst(&|r| r.resource = NEU), 0);
    assert_eq!(burst(&|r| r.operation = "CN_AUTHORIZE_SESSION"), 0);
    // The window is half open.
    assert_eq!(burst(&|r| r.time = WINDOW.0), 1);
    assert_eq!(burst(&|r| r.time = "2026-03-03T10:59:59.9999999Z"), 1);
    assert_eq!(burst(&|r| r.time = WINDOW.1), 0);
    assert_eq!(burst(&|r| r.time = "2026-03-03T09:59:59.9999999Z"), 0);
}

#[test]
fn two_callers_that_burst_are_two_rows() {
    let times = seconds(25);
    let mut records = logins(&times);
    records.extend(logins(&times).into_iter().map(|r| Record { caller: "10.0.0.2", ..r }));
    assert_eq!(count("login-burst", Variant::Current, &records), 2);
    assert_eq!(count("login-burst", Variant::Current, &[]), 0);
}

#[test]
fn a_caller_is_known_on_the_hsm_where_it_has_been() {
    let now = RECORD;
    let before = Record { time: "2026-02-20T00:00:00Z", operation: "CN_TOKEN_INFO", ..RECORD };
    for variant in VARIANTS {
        for old in [false, true] {
            let now = Record { old, ..now };
            let found = |records: &[Record<'_>]| count("caller-first-seen", variant, records);
            assert_eq!(found(&[now]), 1, "never seen");
            assert_eq!(found(&[before, now]), 0, "seen");
            assert_eq!(found(&[before, before, now, now]), 0, "seen twice");
            assert_eq!(found(&[Record { resource: NEU, ..before }, now]), 1, "seen elsewhere");
            assert_eq!(found(&[Record { caller: "10.0.0.2", ..before }, now]), 1, "another");
            assert_eq!(found(&[before]), 0, "nothing now");
            assert_eq!(found(&[Record { caller: "", ..now }]), 0, "nobody");
            // Half open at both ends: what is at the beginning is new, what is at the end is not asked for yet.
            let (start, end) = WINDOW;
            assert_eq!(found(&[Record { time: start, ..now }]), 1);
            assert_eq!(found(&[Record { time: end, ..now }]), 0);
            assert_eq!(found(&[Record { time: start, ..now }, now]), 2, "both are new");
            let just_before = Record { time: "2026-03-03T09:59:59.9999999Z", ..now };
            assert_eq!(found(&[just_before, now]), 0);
            assert_eq!(found(&[Record { time: end, ..now }, now]), 1, "later is not before");
        }
    }
}

#[test]
fn silence_is_a_row_and_a_record_ends_it() {
    for variant in VARIANTS {
        let [row] = ask("log-silence", WINDOW, variant, &[]).try_into().unwrap();
        // Equal at every instant of a silence, so that it is told once.
        assert_eq!(row, BTreeMap::from([("Records".to_owned(), Value::Long(0))]));
        let found = |time| count("log-silence", variant, &[Record { time, ..RECORD }]);
        assert_eq!(found(RECORD.time), 0);
        assert_eq!(found(WINDOW.0), 0);
        assert_eq!(found(WINDOW.1), 1);
        assert_eq!(found("2026-03-03T09:59:59.9999999Z"), 1);
    }
}

/// An event rule must not sum up or cut rows, and what is told must not depend on when it is asked.
#[test]
fn the_outline_is_that_of_the_rule_s_kind() {
    const SUMS_UP: [&str; 6] = ["summarize", "distinct", "top", "take", "limit", "make-series"];
    for preset in presets::all() {
        let id = &preset.spec.id;
        let outline = kql::outline(preset.spec.query.as_deref().unwrap()).unwrap();
        let sums_up = outline.operators.iter().any(|o| SUMS_UP.contains(&o.name.as_str()));
        assert_eq!(sums_up, preset.spec.window.is_some(), "{id}");
        let table = if id.starts_with("hardware-") { HARDWARE_TABLE } else { TABLE };
        assert_eq!(outline.tables, [table], "{id}");
        assert!(outline.clock_calls.is_empty() && outline.isfuzzy.is_none(), "{id}");
    }
}

/// As the engine appends it.
#[test]
fn an_exclusion_can_be_appended_to_every_preset() {
    for preset in presets::all() {
        let spec = &preset.spec;
        let predicate = match spec.id.as_str() {
            "log-silence" => "Records > 1",
            "volume-unusual" => "_ResourceId endswith 'weu'",
            id if id.starts_with("hardware-") => "UserID == 'app' and HsmInstance != ''",
            "instance-first-seen" => "HsmInstance == 'hsm-1'",
            _ => "CallerIpAddress == '10.0.0.1' and ClientInfo has 'app' and HsmInstance != ''",
        };
        let spec = RuleSpec { exclude: Some(predicate.to_owned()), ..spec.clone() };
        let text = text_of(&spec);
        let text = format!(
            "let window_start = datetime(2026-03-03); let window_end = datetime(2026-03-04); {text}"
        );
        if spec.id == "outside-working-hours" {
            continue;
        }
        kql::bind(&text, &Empty(Tables::Both), 0).unwrap_or_else(|e| panic!("{}: {e}", spec.id));
    }
}
