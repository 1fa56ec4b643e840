//! What a rule makes of an operation, found out by running it over made-up records with the embedded engine.

use crate::watch::alert::Interval;
use crate::watch::head::Version;
use crate::watch::row::Row;
use crate::watch::rule::Rule;
use crate::watch::step::TABLE;
use crate::watch::tables::{Empty, HARDWARE_TABLE, Variant, columns, row, schema, to_ticks};
use chrono::{DateTime, TimeDelta, Utc};
use kql::{MemoryTables, Plan, Schema, Type, Value};

/// The HSM of made-up records.
pub(crate) const HSM: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/hsmwatch-test/providers/microsoft.hardwaresecuritymodules/cloudhsmclusters/hsmwatch-test";
/// The caller of made-up records: an address that belongs to nobody.
pub(crate) const CALLER: &str = "192.0.2.10";
/// The client of made-up records.
pub(crate) const CLIENT: &str = "hsmwatch send-test";
/// The user of made-up records of the hardware.
pub(crate) const USER: &str = "hsmwatch-test";
/// An operation that nobody knows.
const NOBODY_KNOWS: &str = "HSMWATCH_NO_SUCH_OPERATION";
/// Made-up records: one an hour for a week, so that rules for certain hours and rules that count see them.
const HOURS: u32 = 7 * 24;

/// How a rule answers to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watches {
    /// It does not.
    No,
    /// It looks for this operation.
    This,
    /// It looks at every operation.
    Any,
}

/// A rule that made-up records can be shown to.
pub(crate) struct Probe<'r> {
    rule: &'r Rule,
    /// `None`: the embedded engine cannot run it.
    plan: Option<Plan>,
    now: DateTime<Utc>,
    any: bool,
}

impl<'r> Probe<'r> {
    /// Made-up records end at `now`.
    pub(crate) fn new(rule: &'r Rule, now: DateTime<Utc>) -> Self {
        let window = Interval { from: now - TimeDelta::hours(i64::from(HOURS)), to: now };
        let text = Version::of(rule, now).ask(window);
        let plan = kql::bind(&text, &Empty(Variant::Both), to_ticks(now)).ok();
        let mut probe = Self { rule, plan, now, any: false };
        probe.any = probe.latest(NOBODY_KNOWS).is_some();
        probe
    }

    /// Whether the rule watches an operation.
    pub(crate) fn watches(&self, operation: &str) -> Watches {
        match (self.latest(operation), self.any) {
            (Some(_), true) => Watches::Any,
            (Some(_), false) => Watches::This,
            // It may want more than made-up records have: what it names, it watches.
            (None, false) if self.names(operation) => Watches::This,
            (None, _) => Watches::No,
        }
    }

    fn names(&self, operation: &str) -> bool {
        let text = self.rule.text();
        ['"', '\''].iter().any(|q| text.contains(&format!("{q}{operation}{q}")))
    }

    /// The last row that the rule returns for records of an operation.
    pub(crate) fn latest(&self, operation: &str) -> Option<Row> {
        let plan = self.plan.as_ref()?;
        // A rule that watches for absence returns something whatever there is.
        let tables = records(operation, self.now);
        let names = columns(plan.schema());
        let rows = plan.run(&tables).map_while(Result::ok).map(|r| row(&names, r));
        rows.max_by_key(Row::time)
    }
}

/// Records of an operation, one an hour up to `now`, in each table.
fn records(operation: &str, now: DateTime<Utc>) -> MemoryTables {
    let tables = MemoryTables::new();
    [TABLE, HARDWARE_TABLE].into_iter().fold(tables, |tables, table| {
        let (schema, rows) = records_of(table, operation, now);
        tables.with(table, schema, rows)
    })
}

fn records_of(table: &str, operation: &str, now: DateTime<Utc>) -> (Schema, Vec<kql::Row>) {
    let schema = schema(table, Variant::Both).unwrap_or_default();
    let rows = (0..HOURS).rev().map(|hour| {
        let time = now - TimeDelta::hours(i64::from(hour)) - TimeDelta::minutes(1);
        let value = |column: &kql::Column| match (column.name.as_str(), column.ty) {
            ("TimeGenerated", _) => Value::Datetime(to_ticks(time)),
            (name, Type::String) => Value::String(text(name, operation).into()),
            (_, Type::Int) => Value::Int(12),
            _ => Value::Null,
        };
        schema.columns.iter().map(value).collect()
    });
    let rows = rows.collect();
    (schema, rows)
}

fn text<'t>(column: &str, operation: &'t str) -> &'t str {
    match column {
        "OperationName" => operation,
        "CallerIpAddress" => CALLER,
        "ClientInfo" => CLIENT,
        "UserID" => USER,
        "HsmInstance" | "MemberId" => "hsmwatch-test-1",
        "_ResourceId" => HSM,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::catalogue;

    #[test]
    fn rules_are_known_by_what_they_do() {
        let now = "2026-11-22T09:00:00Z".parse().unwrap();
        let watched = |operation: &str| -> Vec<String> {
            let entries = catalogue::entries(None);
            let this = entries
                .iter()
                .filter(|e| Probe::new(&e.rule, now).watches(operation) == Watches::This);
            this.map(|e| e.rule.id.clone()).collect()
        };
        assert!(watched("CN_TOMBSTONE_OBJECT").contains(&"key-delete".to_owned()));
        assert!(watched("CN_LOGIN").contains(&"login-session".to_owned()));
        assert!(watched("CN_LOGIN").contains(&"login-burst".to_owned()));
        assert!(watched("CN_FIPS_RAND_NOT").is_empty());
    }

    #[test]
    fn what_a_rule_names_it_watches_also_where_it_asks_for_more() {
        let now = "2026-11-22T09:00:00Z".parse().unwrap();
        let entries = catalogue::entries(None);
        let rule = Rule {
            query: "CloudHsmServiceOperationAuditLogs | where OperationName == 'A' and CallerIpAddress == '10.0.0.1'".to_owned(),
            ..(*entries[0].rule).clone()
        };
        assert_eq!(Probe::new(&rule, now).watches("A"), Watches::This);
        assert_eq!(Probe::new(&rule, now).watches("B"), Watches::No);
        let rule = Rule {
            query: "CloudHsmServiceOperationAuditLogs | where OperationName !in ('A', 'B')"
                .to_owned(),
            ..rule
        };
        assert_eq!(Probe::new(&rule, now).watches("A"), Watches::No);
        assert_eq!(Probe::new(&rule, now).watches("C"), Watches::Any);
    }
}
