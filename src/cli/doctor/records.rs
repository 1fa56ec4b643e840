//! What a workspace answers: whether it may be asked, which tables and columns it has, and how fresh its records are.

use super::kinds::{COLUMNS, LAST_RECORD, QUERY, TABLE as TABLE_CHECK};
use super::workspace::Watched;
use crate::azure::management::{ResourceId, not_registered, skew};
use crate::engine::status::words::{Age, at};
use crate::hosts::checks::{Check, Cure};
use crate::ports::{LogSource, Query, QueryError};
use crate::watch::alert::Interval;
use crate::watch::row::{Row, Value};
use crate::watch::step::TABLE;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;
use std::time::Duration;

/// How far back records are looked for.
const SPAN: TimeDelta = TimeDelta::days(14);
/// No query is waited for longer.
const WAIT: Duration = Duration::from_secs(45);
/// Tables that are asked for.
const MOST: usize = 12;
/// A record older than this is worth a word: even an idle HSM is logged in to.
const OLD: TimeDelta = TimeDelta::days(1);
/// Data may take so long to flow after the first setting is made.
const FLOW: &str = "after the first diagnostic setting data may take up to 90 min to flow";
/// More lateness than this is unusual: 3 to 10 minutes are usual.
const LATE: i64 = 30 * 60;

/// What a workspace answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    /// The tables and their columns, that of the audit log first.
    pub(super) tables: Vec<(String, Result<BTreeSet<String>, QueryError>)>,
    /// The records of late, an entry an HSM.
    pub(super) records: Option<Result<Vec<Records>, QueryError>>,
    /// The service's clock less ours.
    pub(super) skew: Option<TimeDelta>,
}

/// The records of an HSM.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Records {
    hsm: Option<ResourceId>,
    count: i64,
    last: DateTime<Utc>,
    /// Seconds that 95 of 100 records took at most.
    lag: Option<i64>,
}

impl Look {
    /// The first answer, which says whether there are answers at all.
    fn first(&self) -> Option<&Result<BTreeSet<String>, QueryError>> {
        self.tables.first().map(|(_, answer)| answer)
    }

    /// Whether the audit log's table answered.
    pub(super) fn answered(&self) -> bool {
        matches!(self.first(), Some(Ok(_)))
    }

    /// The HSMs whose records came in.
    pub(super) fn hsms(&self) -> BTreeSet<ResourceId> {
        let records = self.records.iter().filter_map(|records| records.as_ref().ok()).flatten();
        records
            .filter_map(|records| records.hsm.clone())
            .filter(|id| id.is(super::hsm::TYPE))
            .collect()
    }
}

fn schema_query(table: &str) -> String {
    format!("{table}\n| getschema\n| project ColumnName")
}

fn records_query() -> String {
    format!(
        "{TABLE}\n| extend Lag = datetime_diff('second', ingestion_time(), TimeGenerated)\n\
         | summarize Records = count(), Last = max(TimeGenerated), Lag = percentile(Lag, 95) by Hsm = tolower(_ResourceId)\n\
         | top 100 by Last desc"
    )
}

/// Asks a workspace.
pub(super) async fn look(source: &dyn LogSource, tables: &[String], now: DateTime<Utc>) -> Look {
    let mut look = Look::default();
    let others = tables.iter().map(String::as_str).filter(|table| *table != TABLE);
    for table in std::iter::once(TABLE).chain(others).take(MOST) {
        let (rows, skew) = ask(source, &schema_query(table), now).await;
        look.skew = skew.or(look.skew);
        let name = |row: Row| match row.get("ColumnName") {
            Some(Value::String(name)) => Some(name.to_string()),
            _ => None,
        };
        let columns = rows.map(|rows| rows.into_iter().filter_map(name).collect());
        let over = matches!(&columns, Err(error) if !matches!(error, QueryError::NoData(_) | QueryError::Refused(_)));
        look.tables.push((table.to_owned(), columns));
        if over {
            return look;
        }
    }
    if look.answered() {
        let (rows, _) = ask(source, &records_query(), now).await;
        look.records = Some(rows.map(|rows| rows.iter().filter_map(records).collect()));
    }
    look
}

async fn ask(
    source: &dyn LogSource,
    text: &str,
    now: DateTime<Utc>,
) -> (Result<Vec<Row>, QueryError>, Option<TimeDelta>) {
    let timespan = Some(Interval { from: now - SPAN, to: now + TimeDelta::hours(1) });
    let query = Query { text: text.to_owned(), timespan, now };
    let mut rows: Vec<Row> = Vec::new();
    let answer = tokio::time::timeout(WAIT, source.query(&query, &mut rows)).await;
    #[expect(clippy::disallowed_methods, reason = "two clocks are compared")]
    let then = Utc::now();
    match answer {
        Ok(Ok(answer)) => (Ok(rows), answer.date.map(|date| skew(date, then))),
        Ok(Err(error)) => (Err(error), None),
        Err(_) => {
            let why = format!("no answer within {} s", WAIT.as_secs());
            (Err(QueryError::Unavailable(why)), None)
        }
    }
}

fn records(row: &Row) -> Option<Records> {
    let whole = |name: &str| match row.get(name) {
        Some(Value::Long(n)) => Some(*n),
        Some(Value::Real(x)) if x.is_finite() => format!("{x:.0}").parse().ok(),
        _ => None,
    };
    let Some(Value::Datetime(last)) = row.get("Last") else { return None };
    let hsm = match row.get("Hsm") {
        Some(Value::String(id)) => ResourceId::parse(id),
        _ => None,
    };
    Some(Records { hsm, count: whole("Records")?, last: *last, lag: whole("Lag") })
}

/// What there is to say of a workspace that was asked. `role`: what gives the right.
pub(super) fn checks(
    watched: &Watched,
    look: &Look,
    role: &dyn Fn() -> Cure,
    now: DateTime<Utc>,
) -> Vec<Check> {
    let name = &watched.name;
    let Some(first) = look.first() else { return Vec::new() };
    let right = match first {
        Ok(_) | Err(QueryError::NoData(_)) => QUERY.ok("it may be asked"),
        Err(error) => refused(error, role),
    };
    let mut checks = vec![right.of(name)];
    if !matches!(first, Ok(_) | Err(QueryError::NoData(_))) {
        for kind in [&TABLE_CHECK, &COLUMNS, &LAST_RECORD] {
            checks.push(kind.skipped("the workspace did not answer").of(name));
        }
        return checks;
    }
    checks.extend(tables(look).into_iter().map(|check| check.of(name)));
    match first {
        Ok(columns) => {
            checks.push(schema(columns).of(name));
            checks.push(fresh(look, now).of(name));
        }
        Err(_) => {
            for kind in [&COLUMNS, &LAST_RECORD] {
                checks.push(kind.skipped("the table is not there yet").of(name));
            }
        }
    }
    checks
}

fn refused(error: &QueryError, role: &dyn Fn() -> Cure) -> Check {
    let text = error.to_string();
    if let Some(namespace) = not_registered(&text) {
        return QUERY.fail(text).cure(super::cures::register(&namespace, None));
    }
    match error {
        QueryError::Denied(why) if why.contains("check the workspace's `id`") => QUERY.fail(text).cure(
            Cure::az("az monitor log-analytics workspace list --query \"[].{name:name, customerId:customerId}\" --output table")
                .and_text("`id` (HSMWATCH_WORKSPACE_ID) is the customer id, not the name; and `cloud` must be that of the workspace"),
        ),
        QueryError::Denied(why) if why.contains("no token") => QUERY.fail(text).cure(Cure::text("see the check `token`")),
        QueryError::Denied(_) => {
            let seen = text.split("; assign the role").next().unwrap_or_default().to_owned();
            QUERY.fail(seen).cure(role())
        }
        QueryError::Throttled { .. } => QUERY.warn(text).cure(Cure::text("try again in some minutes")),
        QueryError::NoData(_) | QueryError::Refused(_) | QueryError::TooLarge(_) => QUERY.warn(text),
        QueryError::Unavailable(_) => QUERY
            .fail(text)
            .cure(Cure::text("see whether this machine reaches the query API, by a proxy or a firewall's rule; then try again")),
    }
}

fn tables(look: &Look) -> Vec<Check> {
    let mut checks = Vec::new();
    let there: Vec<String> = look
        .tables
        .iter()
        .filter(|(_, answer)| answer.is_ok())
        .map(|(table, _)| format!("`{table}`"))
        .collect();
    if !there.is_empty() {
        let verb = if there.len() == 1 { "is" } else { "are" };
        checks.push(TABLE_CHECK.ok(format!("{} {verb} there", there.join(", "))));
    }
    for (table, answer) in &look.tables {
        match answer {
            Ok(_) => {}
            Err(QueryError::NoData(_)) if table == TABLE => checks.push(
                TABLE_CHECK
                    .warn(format!(
                        "`{table}` is not there: it is made when the first record comes in"
                    ))
                    .cure(Cure::text(format!("use the HSM once (log in to it); {FLOW}"))),
            ),
            Err(QueryError::NoData(_)) => checks.push(
                TABLE_CHECK.warn(format!("`{table}`, which a rule reads, is not there yet")).cure(
                    Cure::text(
                        "enable its category in a diagnostic setting, or leave the rule off",
                    ),
                ),
            ),
            Err(error) => checks.push(
                TABLE_CHECK.fail(format!("`{table}`, which a rule reads: {error}")).cure(
                    Cure::az("hsmwatch check")
                        .and_text("mend the name of the table in the rule's query"),
                ),
            ),
        }
    }
    checks
}

fn schema(columns: &BTreeSet<String>) -> Check {
    let has = |name: &str| columns.contains(name);
    let new = has("HsmInstance") && has("ClusterType");
    let old = has("MemberId") && has("PoolType");
    let seen = match (new, old) {
        (true, true) => "HsmInstance, ClusterType and the older MemberId, PoolType",
        (true, false) => "HsmInstance, ClusterType: the new schema",
        (false, true) => "MemberId, PoolType: the old schema, which the shipped rules read as well",
        (false, false) => {
            let seen = "neither HsmInstance and ClusterType nor MemberId and PoolType: a schema that is not known";
            return COLUMNS.warn(seen).cure(
                Cure::az(format!("hsmwatch query '{TABLE} | getschema'"))
                    .and_text("rules of one's own may name columns that are not there"),
            );
        }
    };
    COLUMNS.ok(seen)
}

fn fresh(look: &Look, now: DateTime<Utc>) -> Check {
    let records = match &look.records {
        Some(Ok(records)) => records,
        Some(Err(error)) => return LAST_RECORD.warn(format!("cannot be seen: {error}")),
        None => return LAST_RECORD.skipped("the table is not there yet"),
    };
    let count: i64 = records.iter().map(|records| records.count).sum();
    let Some(last) = records.iter().map(|records| records.last).max() else {
        return LAST_RECORD
            .warn(format!("none in the last {} days", SPAN.num_days()))
            .cure(Cure::text(format!("log in to the HSM and look again; if nothing comes, look at the diagnostic setting; {FLOW}")));
    };
    let hsms = records.iter().filter(|records| records.hsm.is_some()).count();
    let age = Age::since(last, now);
    let mut seen = format!(
        "{age} ago ({}); {count} in {} days from {hsms} HSM{}",
        at(last),
        SPAN.num_days(),
        if hsms == 1 { "" } else { "s" }
    );
    let lag = records.iter().filter_map(|records| records.lag).max();
    if let Some(lag) = lag {
        let within = Age(TimeDelta::seconds(lag)).to_string();
        seen.extend(["; 95 of 100 came within ", &within]);
    }
    if now - last > OLD {
        return LAST_RECORD.warn(seen).cure(Cure::text(
            "if the HSM was used since, look at its diagnostic setting; a login is a record too",
        ));
    }
    if lag.is_some_and(|lag| lag > LATE) {
        return LAST_RECORD.warn(seen).cure(Cure::text(
            "usual are 3 to 10 minutes; late records are told all the same, up to `sweep` (49h)",
        ));
    }
    LAST_RECORD.ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::checks::Verdict;

    fn now() -> DateTime<Utc> {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn columns(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn of(look: &Look) -> Vec<(String, Verdict, String)> {
        let watched = Watched {
            name: "prod".into(),
            customer_id: None,
            resource_id: None,
            source: None,
            files: false,
            here: false,
            tables: Vec::new(),
        };
        let checks = checks(&watched, look, &|| Cure::az("az role"), now());
        checks.into_iter().map(|check| (check.id, check.verdict, check.seen)).collect()
    }

    fn answered(records: Vec<Records>) -> Look {
        let columns = columns(&["HsmInstance", "ClusterType"]);
        Look {
            tables: vec![(TABLE.to_owned(), Ok(columns))],
            records: Some(Ok(records)),
            skew: None,
        }
    }

    fn record(minutes: i64, lag: i64) -> Records {
        Records { hsm: None, count: 3, last: now() - TimeDelta::minutes(minutes), lag: Some(lag) }
    }

    #[test]
    fn both_schemas_and_none() {
        for (names, verdict) in [
            (&["HsmInstance", "ClusterType"][..], Verdict::Ok),
            (&["MemberId", "PoolType"], Verdict::Ok),
            (&["HsmInstance", "ClusterType", "MemberId", "PoolType"], Verdict::Ok),
            (&["HsmInstance"], Verdict::Warn),
            (&[], Verdict::Warn),
        ] {
            assert_eq!(schema(&columns(names)).verdict, verdict, "{names:?}");
        }
    }

    #[test]
    fn how_fresh_records_are() {
        let last = |records| of(&answered(records)).pop().unwrap();
        let (_, verdict, seen) = last(vec![record(7, 240), record(90, 100)]);
        assert_eq!(verdict, Verdict::Ok);
        assert_eq!(
            seen,
            "7m ago (2026-11-24 11:53:00 UTC); 6 in 14 days from 0 HSMs; 95 of 100 came within 4m"
        );
        assert_eq!(last(vec![record(7, 3600)]).1, Verdict::Warn);
        assert_eq!(last(vec![record(60 * 25, 60)]).1, Verdict::Warn);
        assert_eq!(last(Vec::new()).1, Verdict::Warn);
    }

    #[test]
    fn a_missing_table_of_the_hsm_is_a_matter_of_time_and_another_one_of_spelling() {
        let none = Look {
            tables: vec![(TABLE.to_owned(), Err(QueryError::NoData("no table".into())))],
            ..Look::default()
        };
        let verdicts: Vec<Verdict> = of(&none).into_iter().map(|(_, verdict, _)| verdict).collect();
        assert_eq!(verdicts, [Verdict::Ok, Verdict::Warn, Verdict::Skipped, Verdict::Skipped]);
        let mut other = answered(vec![record(1, 1)]);
        other.tables.push(("Typo".into(), Err(QueryError::Refused("no such".into()))));
        assert!(
            of(&other).iter().any(|(id, verdict, _)| id == "table" && *verdict == Verdict::Fail)
        );
    }

    #[test]
    fn refusals_name_their_own_cure() {
        let refusal = |error: QueryError| {
            let look = Look { tables: vec![(TABLE.to_owned(), Err(error))], ..Look::default() };
            let watched = Watched {
                name: "prod".into(),
                customer_id: None,
                resource_id: None,
                source: None,
                files: false,
                here: false,
                tables: Vec::new(),
            };
            let first = checks(&watched, &look, &|| Cure::az("az role"), now()).remove(0);
            (first.verdict, first.cure.unwrap_or_default())
        };
        let (verdict, cure) = refusal(QueryError::Denied("no; assign the role `x`".into()));
        assert_eq!((verdict, cure.az.as_deref()), (Verdict::Fail, Some("az role")));
        let (_, cure) = refusal(QueryError::Denied("no; check the workspace's `id`".into()));
        assert!(cure.text.unwrap().contains("customer id"));
        let text = "The subscription is not registered to use namespace 'microsoft.insights'.";
        let (_, cure) = refusal(QueryError::Refused(text.into()));
        assert_eq!(
            cure.az.as_deref(),
            Some("az provider register --namespace Microsoft.Insights --wait")
        );
    }
}
