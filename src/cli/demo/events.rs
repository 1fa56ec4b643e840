//! The bundled log: lines of the storage archive of a diagnostic setting, each with the instant from which a query sees it.

use crate::watch::step::TABLE;
use crate::watch::tables::{self, Variant, to_ticks};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::sync::Arc;

/// The log itself.
const EVENTS: &str = include_str!("../../../demo/events.jsonl");

/// A record, as a person would look at it and as the query engine does.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) time: DateTime<Utc>,
    /// From when on a query sees it.
    pub(super) available: DateTime<Utc>,
    pub(super) operation: String,
    pub(super) caller: String,
    pub(super) client: String,
    pub(super) instance: String,
    /// In lower case, as Log Analytics gives it.
    pub(super) resource: String,
    /// The row of the table in its newer and older columns.
    pub(super) row: Vec<kql::Value>,
}

/// A line of the archive.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    time: DateTime<Utc>,
    available: DateTime<Utc>,
    resource_id: String,
    operation_name: String,
    caller_ip_address: String,
    result_type: String,
    duration_ms: i32,
    properties: Properties,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Properties {
    hsm_instance: String,
    cluster_type: String,
    member_id: String,
    pool_type: String,
    opcode: String,
    client_info: String,
    client_sdk_package_version: String,
}

/// All records, by their time.
pub(super) fn all() -> Result<Vec<Record>, serde_json::Error> {
    let columns = tables::schema(TABLE, Variant::Both).unwrap_or_default().columns;
    let mut records = EVENTS
        .lines()
        .map(|text| serde_json::from_str::<Line>(text).map(|line| record(line, &columns)))
        .collect::<Result<Vec<_>, _>>()?;
    records.sort_by_key(|record| record.time);
    Ok(records)
}

fn record(line: Line, columns: &[kql::Column]) -> Record {
    let Line { properties: given, .. } = line;
    let resource = line.resource_id.to_ascii_lowercase();
    let row = columns
        .iter()
        .map(|column| {
            let text = match column.name.as_str() {
                "TimeGenerated" => return kql::Value::Datetime(to_ticks(line.time)),
                "DurationMs" => return kql::Value::Int(line.duration_ms),
                "OperationName" => &line.operation_name,
                "CallerIpAddress" => &line.caller_ip_address,
                "ResultType" => &line.result_type,
                "_ResourceId" => &resource,
                "HsmInstance" => &given.hsm_instance,
                "ClusterType" => &given.cluster_type,
                "MemberId" => &given.member_id,
                "PoolType" => &given.pool_type,
                "Opcode" => &given.opcode,
                "ClientInfo" => &given.client_info,
                "ClientSdkPackageVersion" => &given.client_sdk_package_version,
                _ => return kql::Value::Null,
            };
            kql::Value::String(Arc::from(text.as_str()))
        })
        .collect();
    let new = !given.hsm_instance.is_empty();
    Record {
        time: line.time,
        available: line.available,
        operation: line.operation_name,
        caller: line.caller_ip_address,
        client: given.client_info,
        instance: if new { given.hsm_instance } else { given.member_id },
        resource,
        row,
    }
}
