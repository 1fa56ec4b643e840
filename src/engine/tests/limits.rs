//! P9: limits that only the engine can be driven to. Those of pure code are beside that code.

use super::*;
use crate::watch::alert::Reason;
use crate::watch::head::{FailureKind, OUTBOX_ALERTS};
use crate::watch::intake::{ALERTS_PER_EVALUATION, HITS_PER_ALERT};

fn after(n: i64) -> DateTime<Utc> {
    epoch() + minutes(n)
}

#[tokio::test]
async fn alerts_of_one_evaluation() {
    let bench = Bench::new();
    bench.begin().await;
    for n in 0..ALERTS_PER_EVALUATION + 10 {
        bench.service.add(row(after(1), &format!("group {n}"), "one"));
    }
    let report = bench.tick(after(5)).await;
    let told = alerts(&report);
    assert_eq!(told.len(), ALERTS_PER_EVALUATION);
    assert_eq!(told.last().unwrap().reason, Reason::Digest);
    assert_eq!(told.last().unwrap().count, 11);
}

#[tokio::test]
async fn hits_of_one_alert() {
    let bench = Bench::new();
    bench.begin().await;
    for n in 0..HITS_PER_ALERT + 10 {
        bench.service.add(row(after(1), "g", &format!("row {n}")));
    }
    let told = alerts(&bench.tick(after(5)).await).to_vec();
    assert_eq!((told[0].hits.len(), told[0].hits_truncated), (HITS_PER_ALERT, 10));
    assert_eq!(told[0].count, 510);
    // What was only counted is told all the same.
    assert!(alerts(&bench.tick(after(10)).await).is_empty());
}

#[tokio::test]
async fn alerts_in_an_outbox() {
    let mut bench = Bench::new();
    bench.configured.truncate(1);
    bench.begin().await;
    bench.receivers.answer("a", 503);
    let per_tick = ALERTS_PER_EVALUATION - 1;
    let mut sum = 0;
    let mut n = 0;
    let mut own = Vec::new();
    while bench.head().await.held.is_none() {
        n += 1;
        for group in 0..per_tick {
            bench.service.add(row(after(n * 5 - 1), &format!("group {group}"), &n.to_string()));
        }
        let report = bench.tick(after(n * 5)).await;
        sum += alerts(&report).iter().map(|alert| alert.count).sum::<u64>();
        own.extend(own_titles(&report).into_iter().map(str::to_owned));
        assert!(bench.head().await.open_alerts() <= OUTBOX_ALERTS);
        // Ten times 49 find room, ten digests fill it up, and the next finds none.
        assert!(n <= 21);
    }
    let head = bench.head().await;
    let held = head.held.clone().unwrap();
    assert_eq!((n, head.open_alerts()), (21, OUTBOX_ALERTS));
    assert_eq!(sum + held.count, u64::try_from(n).unwrap() * per_tick as u64, "exact counts");
    assert_eq!(own, ["Alerts pile up: r on prod"]);
    // Delivered: there is room, and what was held is told in one digest.
    bench.receivers.answer("a", 200);
    bench.tickets.lock().unwrap().clear();
    bench.tick(after(n * 5 + 1)).await;
    bench.tickets.lock().unwrap().truncate(20);
    bench.deliver(after(n * 5 + 1)).await;
    let report = bench.tick(after(n * 5 + 5)).await;
    let told = alerts(&report);
    assert_eq!((told.len(), told[0].reason, told[0].count), (1, Reason::Digest, held.count));
    assert_eq!(bench.head().await.held, None);
    let names = own_titles(&report);
    assert_eq!(names, ["Well again: Alerts pile up: r on prod"]);
}

#[tokio::test]
async fn rows_of_a_summary() {
    let mut bench = Bench::new();
    bench.rules[0].kind = RuleKind::Window { window: minutes(60), settle: minutes(0) };
    bench.begin().await;
    let many = row(after(30), "g", "n");
    bench.service.rows.lock().unwrap().resize(50_001, many);
    let report = bench.tick(after(60)).await;
    let Outcome::Failed { kind: FailureKind::Refused, error, .. } = outcome(&report) else {
        panic!("{:?}", own_titles(&report))
    };
    assert!(error.contains("50001 rows, more than the 50000"), "{error}");
}

#[tokio::test]
async fn size_of_a_head() {
    let mut bench = Bench::new();
    bench.begin().await;
    bench.receivers.answer("a", 503);
    // A full outbox, and as many and as long versions as there may be.
    for n in 1..=20 {
        bench.rules[0].query =
            format!("CloudHsmServiceOperationAuditLogs // {n}{}", "x".repeat(16_000));
        for group in 0..49 {
            bench.service.add(row(after(n * 5 - 1), &format!("group {group}"), &n.to_string()));
        }
        bench.tick(after(n * 5)).await;
        let size = bench.body(&Head::name(&Bench::key("r"))).await.len();
        assert!(size <= 64 * 1024, "{size} bytes");
    }
    assert_eq!(bench.head().await.open_alerts(), OUTBOX_ALERTS);
}

#[tokio::test]
async fn silence_of_the_table() {
    let mut bench = Bench::new();
    bench.silent_after = Some(minutes(60));
    bench.begin().await;
    let mut told = Vec::new();
    for n in (5..=120).step_by(5) {
        told.extend(
            own_titles(&bench.tick(after(n)).await).into_iter().map(|title| (n, title.to_owned())),
        );
    }
    assert_eq!(told, [(60, "The audit log is silent: prod".to_owned())]);
    // The service of these tests hands over rows as they are: this one is what the summary would return.
    let columns: Columns = [Arc::from("Latest"), Arc::from("TimeGenerated")].to_vec().into();
    let latest = Value::Datetime(after(121));
    bench.service.add(Row::new(columns, vec![latest.clone(), latest]));
    let report = bench.tick(after(125)).await;
    assert_eq!(own_titles(&report), ["Well again: The audit log is silent: prod"]);
}
