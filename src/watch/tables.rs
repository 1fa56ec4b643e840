//! The tables of the audit log as the embedded engine sees them: columns by name and type, in both schemas.

use super::row::{Columns, Row, Value};
use super::step::TABLE;
use chrono::{DateTime, Utc};
use kql::{Catalog, Column, Scan, Schema, Tables, Type};
use std::sync::Arc;

/// The hardware table, where it exists.
pub const HARDWARE_TABLE: &str = "CloudHsmHardwareOperationAuditLogs";

const COMMON: [(&str, Type); 18] = [
    ("TimeGenerated", Type::Datetime),
    ("OperationName", Type::String),
    ("Opcode", Type::String),
    ("CallerIpAddress", Type::String),
    ("ClientInfo", Type::String),
    ("ClientSdkPackageVersion", Type::String),
    ("DurationMs", Type::Int),
    ("ResultType", Type::String),
    ("ResultSignature", Type::String),
    ("ResultDescription", Type::String),
    ("Sku", Type::Dynamic),
    ("SourceSystem", Type::String),
    ("TenantId", Type::String),
    ("Type", Type::String),
    ("_ResourceId", Type::String),
    ("_SubscriptionId", Type::String),
    ("_BilledSize", Type::Real),
    ("_IsBillable", Type::String),
];

/// Which names the two renamed columns have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// `HsmInstance`, `ClusterType`
    Current,
    /// `MemberId`, `PoolType`
    Legacy,
    /// All four.
    Both,
}

/// The columns of an audit table; `None` for any other table.
pub fn schema(table: &str, variant: Variant) -> Option<Schema> {
    let text = |names: &[&'static str]| -> Vec<(&'static str, Type)> {
        names.iter().map(|name| (*name, Type::String)).collect()
    };
    let mut columns: Vec<(&'static str, Type)> = Vec::new();
    if table == TABLE {
        columns.extend(COMMON);
        columns.extend(match variant {
            Variant::Current => text(&["HsmInstance", "ClusterType"]),
            Variant::Legacy => text(&["MemberId", "PoolType"]),
            Variant::Both => text(&["HsmInstance", "ClusterType", "MemberId", "PoolType"]),
        });
    } else if table == HARDWARE_TABLE {
        columns.extend([
            ("TimeGenerated", Type::Datetime),
            ("AdditionalInfo", Type::Dynamic),
            ("_BilledSize", Type::Real),
        ]);
        columns.extend(text(&[
            "AuditLogType",
            "BinaryLogData",
            "BinarySignature",
            "ClusterType",
            "CommandType",
            "CorrelationId",
            "FirmwareVersion",
            "HsmInstance",
            "HSMSerialNumber",
            "_IsBillable",
            "Location",
            "Opcode",
            "OperationName",
            "OperationVersion",
            "PartitionId",
            "RebootCounter",
            "_ResourceId",
            "ResultDescription",
            "ResultType",
            "SequenceNumber",
            "SessionHandle",
            "SessionType",
            "SourceSystem",
            "_SubscriptionId",
            "TenantId",
            "Type",
            "UserID",
        ]));
    } else {
        return None;
    }
    Some(Schema::new(columns))
}

/// The audit tables with nothing in them: what queries are checked against.
#[derive(Clone, Copy, Debug)]
pub struct Empty(pub Variant);

impl Catalog for Empty {
    fn schema(&self, table: &str) -> Option<Schema> {
        schema(table, self.0)
    }
}

impl Tables for Empty {
    fn scan(&self, _: &str) -> Scan<'_> {
        Box::new(std::iter::empty())
    }
}

/// The names of a result's columns.
pub fn columns(schema: &Schema) -> Columns {
    schema
        .columns
        .iter()
        .map(|Column { name, .. }| Arc::from(name.as_str()))
        .collect::<Vec<Arc<str>>>()
        .into()
}

/// A row of the embedded engine, in the values that fingerprints are made of.
pub fn row(columns: &Columns, row: Vec<kql::Value>) -> Row {
    Row::new(Columns::clone(columns), row.into_iter().map(value).collect())
}

fn value(value: kql::Value) -> Value {
    match value {
        kql::Value::Null => Value::Null,
        kql::Value::Bool(b) => Value::Bool(b),
        kql::Value::Int(n) => Value::Long(i64::from(n)),
        kql::Value::Long(n) => Value::Long(n),
        kql::Value::Real(x) => Value::Real(x),
        kql::Value::String(text) => Value::String(text),
        kql::Value::Datetime(ticks) => from_ticks(ticks).map_or(Value::Null, Value::Datetime),
        kql::Value::Timespan(ticks) => Value::Timespan(ticks),
        kql::Value::Dynamic(json) => Value::Dynamic(json),
        kql::Value::Decimal(_) => Value::Decimal(value.text()),
        kql::Value::Guid(_) => Value::Guid(value.text()),
    }
}

/// An instant as ticks of 100 ns since 0001-01-01.
pub fn to_ticks(t: DateTime<Utc>) -> i64 {
    let nanos = i64::from(t.timestamp_subsec_nanos());
    t.timestamp()
        .saturating_mul(10_000_000)
        .saturating_add(nanos / 100)
        .saturating_add(kql::UNIX_EPOCH)
}

/// The instant of ticks of 100 ns since 0001-01-01.
pub fn from_ticks(ticks: i64) -> Option<DateTime<Utc>> {
    let since = ticks.checked_sub(kql::UNIX_EPOCH)?;
    let nanos = u32::try_from(since.rem_euclid(10_000_000) * 100).ok()?;
    DateTime::from_timestamp(since.div_euclid(10_000_000), nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_go_both_ways() {
        for text in
            ["2026-11-22T08:00:00.1234567Z", "1969-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00Z"]
        {
            let t: DateTime<Utc> = text.parse().unwrap();
            assert_eq!(from_ticks(to_ticks(t)), Some(t));
            assert_eq!(Some(to_ticks(t)), kql::parse_datetime(text));
        }
    }
}
