//! The table that exported files hold, and how a record of any format becomes one of its rows.

use super::cell::{Kind, value};
use crate::watch::row::Value;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};

/// The table of Cloud HSM's service operations.
pub const TABLE: &str = "CloudHsmServiceOperationAuditLogs";
/// Its category in a diagnostic setting.
pub(super) const CATEGORY: &str = "HsmServiceOperations";

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The bit of a column that not every workspace has; 0 for those that all have.
    drift: u8,
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, drift: 0 }
}

/// Every column that the table has or had. The first half of 2026 brought `HsmInstance` and `ClusterType` in place of
/// `MemberId` and `PoolType`; files of both times are read as they are.
pub(super) const COLUMNS: [Column; 22] = [
    column("TimeGenerated", Kind::Datetime),
    column("OperationName", Kind::String),
    column("CallerIpAddress", Kind::String),
    column("ClientInfo", Kind::String),
    column("ClientSdkPackageVersion", Kind::String),
    Column { name: "HsmInstance", kind: Kind::String, drift: 1 },
    Column { name: "ClusterType", kind: Kind::String, drift: 2 },
    Column { name: "MemberId", kind: Kind::String, drift: 4 },
    Column { name: "PoolType", kind: Kind::String, drift: 8 },
    column("Opcode", Kind::String),
    column("DurationMs", Kind::Int),
    column("ResultType", Kind::String),
    column("ResultSignature", Kind::String),
    column("ResultDescription", Kind::String),
    column("Sku", Kind::Dynamic),
    column("SourceSystem", Kind::String),
    column("TenantId", Kind::String),
    column("Type", Kind::String),
    column("_BilledSize", Kind::Real),
    column("_IsBillable", Kind::String),
    column("_ResourceId", Kind::String),
    column("_SubscriptionId", Kind::String),
];

/// The table's schemas: workspaces differ in four columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// With `HsmInstance` and `ClusterType`, of 2026.
    Current,
    /// With `MemberId` and `PoolType`, before.
    Legacy,
    /// With all four.
    Both,
}

impl Variant {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Current, Self::Legacy, Self::Both];

    /// The columns of [`TABLE`].
    pub fn columns(self) -> Vec<Column> {
        let drift = Drift(match self {
            Self::Current => 1 | 2,
            Self::Legacy => 4 | 8,
            Self::Both => 15,
        });
        drift.columns().iter().filter_map(|at| COLUMNS.get(*at)).copied().collect()
    }
}

/// Which of the drifting columns some files use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Drift(u8);

impl Drift {
    pub(super) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether a table with these columns has a place for `other`.
    pub(super) fn covers(self, other: Self) -> bool {
        other.0 & !self.used() == 0
    }

    /// Without any of the four a table has the columns of today.
    fn used(self) -> u8 {
        if self.0 == 0 { 1 | 2 } else { self.0 }
    }

    /// The places in [`COLUMNS`] of the columns that a table with these files has.
    pub(super) fn columns(self) -> Vec<usize> {
        let used = self.used();
        let kept = COLUMNS.iter().enumerate();
        kept.filter(|(_, c)| c.drift == 0 || c.drift & used != 0).map(|(at, _)| at).collect()
    }
}

/// What a record turned out to be.
#[derive(Debug, PartialEq)]
pub(super) enum Record {
    /// A row of the table.
    Row(TableRow),
    /// A record of another table or category.
    Other(String),
}

/// A row of the table, all columns of [`COLUMNS`] in their order.
#[derive(Debug, PartialEq)]
pub(super) struct TableRow {
    pub(super) time: DateTime<Utc>,
    pub(super) values: Vec<Value>,
    pub(super) drift: Drift,
}

/// Plain names of an envelope's fields that the table has no column for, and of what tools add.
const ENVELOPE: [&str; 8] = [
    "category",
    "operationversion",
    "correlationid",
    "identity",
    "level",
    "location",
    "timereceived",
    "tablename",
];

/// What a field of a record is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A column, by its place in [`COLUMNS`].
    Column(usize),
    /// What tells the record's category.
    Category,
    /// The object with further fields.
    Properties,
    /// Of the envelope, and no column.
    Envelope,
    /// What may hold records itself.
    Wrap,
    /// None of these.
    Unknown,
}

/// See [`Place`].
pub(super) fn place_of(name: &str) -> Place {
    let plain = plain_name(name);
    match plain.as_str() {
        _ if name.eq_ignore_ascii_case("records") || name.eq_ignore_ascii_case("tables") => {
            Place::Wrap
        }
        _ if name.eq_ignore_ascii_case("category") => Place::Category,
        "properties" => Place::Properties,
        plain => match place(plain) {
            Some(at) => Place::Column(at),
            None if ENVELOPE.contains(&plain) => Place::Envelope,
            None => Place::Unknown,
        },
    }
}

/// The drift that a column is a sign of.
pub(super) fn drift_of(column: usize) -> Drift {
    Drift(COLUMNS.get(column).map_or(0, |c| c.drift))
}

/// A resource id as the table has it, and the subscription that it names.
pub(super) fn resource(id: &str) -> (String, Option<String>) {
    let id = id.to_ascii_lowercase();
    let rest = id.strip_prefix("/subscriptions/");
    let subscription = rest.and_then(|rest| rest.split('/').next()).map(str::to_owned);
    (id, subscription)
}

/// Makes a row of a record's fields: the columns of the table, or the envelope in which a diagnostic setting wraps them,
/// in any letter case and with or without underscores. `ignored` takes the names that are no column.
pub(super) fn record(
    fields: &Map<String, Json>,
    ignored: &mut dyn FnMut(&str),
) -> Result<Record, String> {
    if let Some(other) = other_table(fields) {
        return Ok(Record::Other(other));
    }
    let mut cells = Cells { cells: [None; COLUMNS.len()], drift: Drift::default() };
    // Some exporters write the properties as a string that holds JSON.
    let parsed: Json;
    let mut properties = None;
    for (name, value) in fields {
        match plain_name(name).as_str() {
            plain if cells.take(plain, value) => {}
            "properties" => properties = Some(value),
            plain if ENVELOPE.contains(&plain) => {}
            _ => ignored(name),
        }
    }
    let properties = match properties {
        Some(Json::String(text)) => {
            parsed = serde_json::from_str(text).unwrap_or(Json::Null);
            parsed.as_object()
        }
        other => other.and_then(Json::as_object),
    };
    for (name, value) in properties.into_iter().flatten() {
        if !cells.take(&plain_name(name), value) {
            ignored(name);
        }
    }
    let Cells { cells, drift } = cells;
    let mut values: Vec<Value> = COLUMNS
        .iter()
        .zip(cells)
        .map(|(column, cell)| value(column.kind, cell.unwrap_or(&Json::Null)))
        .collect();
    let time = match values.first() {
        Some(Value::Datetime(time)) => *time,
        _ => return Err(no_time(fields, cells.first().copied().flatten())),
    };
    finish(&mut values);
    Ok(Record::Row(TableRow { time, values, drift }))
}

/// A record's values at their columns' places.
struct Cells<'a> {
    cells: [Option<&'a Json>; COLUMNS.len()],
    drift: Drift,
}

impl<'a> Cells<'a> {
    /// Puts a value at its column, unless one is there; false if it has no column.
    fn take(&mut self, plain: &str, value: &'a Json) -> bool {
        let Some(at) = place(plain) else { return false };
        self.drift.add(Drift(COLUMNS.get(at).map_or(0, |c| c.drift)));
        if let Some(cell @ (None | Some(Json::Null))) = self.cells.get_mut(at) {
            *cell = Some(value);
        }
        true
    }
}

/// The category or table of a record of another one.
fn other_table(fields: &Map<String, Json>) -> Option<String> {
    let named = |wanted: &str| {
        let mut found = fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.find_map(|(_, value)| value.as_str()).map(str::trim).filter(|text| !text.is_empty())
    };
    let (name, ours) = match (named("category"), named("Type")) {
        (Some(category), _) => (category, CATEGORY),
        (None, Some(table)) => (table, TABLE),
        (None, None) => return None,
    };
    (!name.eq_ignore_ascii_case(ours)).then(|| name.to_owned())
}

/// What Log Analytics does to every row: the resource id in lower case, its subscription beside it, and the table's name.
fn finish(values: &mut [Value]) {
    let mut subscription = None;
    for (column, value) in COLUMNS.iter().zip(&mut *values) {
        match (column.name, &*value) {
            ("_ResourceId", Value::String(id)) => {
                let (id, of) = resource(id);
                subscription = of.map(Value::string);
                *value = Value::string(id);
            }
            ("Type", _) => *value = Value::string(TABLE),
            _ => {}
        }
    }
    if let (Some(last), Some(subscription)) = (values.last_mut(), subscription)
        && last.is_empty()
    {
        *last = subscription;
    }
}

fn no_time(fields: &Map<String, Json>, cell: Option<&Json>) -> String {
    let local = fields.keys().find(|name| plain_name(name).starts_with("timegenerated ["));
    match (cell, local) {
        (Some(Json::String(text)), _) if !text.is_empty() => {
            let short: String = text.chars().take(40).collect();
            format!("`{}` is no date and time", short.escape_debug())
        }
        (_, Some(name)) => format!("`{}`: export with times in UTC", name.escape_debug()),
        _ => "it has neither `TimeGenerated` nor `time`".to_owned(),
    }
}

/// Letters in lower case, without underscores and without what the portal adds to the names of time columns.
fn plain_name(name: &str) -> String {
    let name = name.trim();
    let name = name.strip_suffix("[UTC]").map_or(name, str::trim_end);
    name.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether a header of this name marks a file of the table's columns.
pub(super) fn is_time_column(name: &str) -> bool {
    plain_name(name).starts_with("timegenerated")
}

/// The place in [`COLUMNS`] of a plain name.
fn place(plain: &str) -> Option<usize> {
    let plain = if plain == "time" { "timegenerated" } else { plain };
    COLUMNS.iter().position(|column| {
        let name = column.name.trim_start_matches('_');
        name.eq_ignore_ascii_case(plain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    fn row(json: &Json) -> TableRow {
        match record(json.as_object().unwrap(), &mut |_| ()).unwrap() {
            Record::Row(row) => row,
            Record::Other(other) => panic!("{other}"),
        }
    }

    fn cell(row: &TableRow, name: &str) -> Value {
        row.values[COLUMNS.iter().position(|c| c.name == name).unwrap()].clone()
    }

    #[test]
    fn cells_take_their_columns_type() {
        let row = row(&json!({
            "TimeGenerated": "2026-11-22T08:00:00.12345678Z", "DurationMs": "12", "ResultSignature": 200,
            "Sku": "{\"name\":\"B1\"}", "_BilledSize": "NaN", "ResultType": null,
            "_ResourceId": "/SUBSCRIPTIONS/ABC/RESOURCEGROUPS/X",
        }));
        assert_eq!(cell(&row, "TimeGenerated").text(), "2026-11-22T08:00:00.1234567Z");
        assert_eq!(cell(&row, "DurationMs"), Value::Long(12));
        assert_eq!(cell(&row, "ResultSignature"), Value::string("200"));
        assert_eq!(cell(&row, "ResultType"), Value::string(""));
        assert_eq!(cell(&row, "Sku"), Value::Dynamic(Arc::new(json!({"name": "B1"}))));
        assert!(matches!(cell(&row, "_BilledSize"), Value::Real(x) if x.is_nan()));
        assert_eq!(cell(&row, "_ResourceId"), Value::string("/subscriptions/abc/resourcegroups/x"));
        assert_eq!(cell(&row, "_SubscriptionId"), Value::string("abc"));
        assert_eq!(cell(&row, "Type"), Value::string(TABLE));
    }

    #[test]
    fn the_outer_value_wins_and_null_does_not_count() {
        let row = row(&json!({
            "time": "2026-11-22T08:00:00Z", "resultType": null, "operationName": "CN_LOGIN",
            "properties": {"operation_name": "other", "result_type": "Success", "member_id": "m", "Category": "x"},
        }));
        assert_eq!(cell(&row, "OperationName"), Value::string("CN_LOGIN"));
        assert_eq!(cell(&row, "ResultType"), Value::string("Success"));
        assert_eq!(row.drift, Drift(4));
    }

    #[test]
    fn properties_may_be_text() {
        let row =
            row(&json!({"time": "2026-11-22T08:00:00Z", "properties": "{\"opcode\":\"0x1\"}"}));
        assert_eq!(cell(&row, "Opcode"), Value::string("0x1"));
    }

    #[test]
    fn other_tables_are_told_apart() {
        let other = |json: Json| other_table(json.as_object().unwrap());
        assert_eq!(other(json!({"category": "hsmserviceoperations", "type": "x"})), None);
        assert_eq!(other(json!({"Category": "HsmOperations"})), Some("HsmOperations".into()));
        assert_eq!(other(json!({"Type": "AzureActivity"})), Some("AzureActivity".into()));
        assert_eq!(other(json!({"Type": "", "category": ""})), None);
    }

    #[test]
    fn a_record_without_a_time_says_why() {
        let why = |json: Json| record(json.as_object().unwrap(), &mut |_| ()).unwrap_err();
        assert_eq!(why(json!({"a": 1})), "it has neither `TimeGenerated` nor `time`");
        assert_eq!(why(json!({"time": "soon"})), "`soon` is no date and time");
        assert_eq!(
            why(json!({"TimeGenerated [Local Time]": "x"})),
            "`TimeGenerated [Local Time]`: export with times in UTC"
        );
    }

    #[test]
    fn the_schema_is_that_of_the_files() {
        let names = |drift: u8| -> Vec<&str> {
            let columns = Drift(drift).columns();
            let drifting = columns.into_iter().map(|at| COLUMNS[at]).filter(|c| c.drift != 0);
            drifting.map(|c| c.name).collect()
        };
        assert_eq!(names(0), ["HsmInstance", "ClusterType"]);
        assert_eq!(names(4 | 8), ["MemberId", "PoolType"]);
        assert_eq!(names(15), ["HsmInstance", "ClusterType", "MemberId", "PoolType"]);
    }
}
