//! P6: what a tick costs, in requests.

use super::*;
use crate::watch::seen::Seen;

#[tokio::test]
async fn a_quiet_tick_reads_and_writes_each_head_once() {
    for watches in [1, 5] {
        let mut bench = Bench::new();
        bench.rules = (0..watches).map(|n| rule(&format!("r{n}"))).collect();
        bench.tick(epoch()).await;
        bench.tick(epoch() + minutes(5)).await;
        bench.store.counted();
        bench.tick(epoch() + minutes(10)).await;
        // One more for the watch `hsmwatch`.
        let heads = watches + 1;
        assert_eq!(
            bench.store.counted(),
            [
                "1 list deliveries".to_owned(),
                "1 list heads".to_owned(),
                format!("{heads} read heads"),
                format!("{heads} write heads"),
            ]
        );
        assert_eq!(bench.service.asked().len(), usize::try_from(watches * 2).unwrap());
    }
}

#[tokio::test]
async fn a_tick_that_is_not_due_writes_nothing_of_the_watch() {
    let bench = Bench::new();
    bench.tick(epoch()).await;
    bench.tick(epoch() + minutes(5)).await;
    bench.store.counted();
    bench.service.asked();
    assert_eq!(outcome(&bench.tick(epoch() + minutes(6)).await), &Outcome::NotDue);
    assert_eq!(
        bench.store.counted(),
        ["1 list deliveries", "1 list heads", "2 read heads", "1 write heads"]
    );
    assert!(bench.service.asked().is_empty());
}

#[tokio::test]
async fn news_cost_two_reads_and_three_writes_however_many() {
    for groups in [1, 100] {
        let bench = Bench::new();
        bench.begin().await;
        bench.service.add(row(epoch() + minutes(1), "first", "first"));
        bench.tick(epoch() + minutes(5)).await;
        for n in 0..groups {
            bench.service.add(row(epoch() + minutes(6), &format!("group {n}"), "row"));
        }
        bench.store.counted();
        let report = bench.tick(epoch() + minutes(10)).await;
        assert_eq!(alerts(&report).len(), groups.min(50));
        assert_eq!(alerts(&report).iter().map(|a| a.count).sum::<u64>(), groups as u64);
        assert_eq!(
            bench.store.counted(),
            [
                "1 list deliveries",
                "1 list heads",
                "2 read heads",
                "1 read seen",
                "1 write alerts",
                "2 write heads",
                "1 write seen",
            ]
        );
        // What was told already and is still within the overlap costs the look at the seen set.
        let report = bench.tick(epoch() + minutes(15)).await;
        assert_eq!(outcome(&report), &Outcome::Done { rows: groups as u64 + 1, alerts: vec![] });
        assert_eq!(
            bench.store.counted(),
            ["1 list deliveries", "1 list heads", "2 read heads", "1 read seen", "2 write heads",]
        );
    }
}

#[tokio::test]
async fn a_watch_with_200_000_fingerprints_writes_less_than_5_mb_for_news() {
    let mut bench = Bench::new();
    bench.configured.truncate(1);
    bench.begin().await;
    bench.service.add(row(epoch() + minutes(1), "g", "first"));
    bench.tick(epoch() + minutes(5)).await;
    // As if there had been that many more.
    let mut head = bench.head().await;
    let name = head.seen.clone().unwrap();
    let mut seen = Seen::decode(&bench.body(&name).await).unwrap();
    for n in 1..200_000_u128 {
        let fingerprint = n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835).to_le_bytes();
        seen.count(fingerprint, epoch() + minutes(2));
    }
    bench.put(&name, &seen.encode()).await;
    head.seen_rows = 200_000;
    bench.put(&Head::name(&Bench::key("r")), &head.encode()).await;
    for n in 0..20 {
        bench.service.add(row(epoch() + minutes(41), &format!("group {n}"), "news"));
    }
    bench.store.bytes.lock().unwrap().clear();
    let report = bench.tick(epoch() + minutes(45)).await;
    assert_eq!(alerts(&report).len(), 20);
    assert_eq!(bench.head().await.seen_rows, 200_020);
    let bytes = bench.store.bytes.lock().unwrap().clone();
    let commit = bytes["seen"] + bytes["alerts"] + bytes["heads"];
    assert!(commit < 5_000_000, "{bytes:?}");
    let head = bench.body(&Head::name(&Bench::key("r"))).await.len();
    assert!(head < 64 * 1024, "{head}");
}

#[tokio::test]
async fn a_delivery_reads_record_head_and_alerts_and_writes_its_record_twice() {
    let mut bench = Bench::new();
    bench.configured.truncate(1);
    bench.begin().await;
    bench.service.add(row(epoch() + minutes(1), "g", "n"));
    bench.tick(epoch() + minutes(5)).await;
    bench.store.counted();
    assert_eq!(bench.deliver(epoch() + minutes(5)).await, [("a".to_owned(), Delivered::Ok)]);
    assert_eq!(
        bench.store.counted(),
        ["1 read alerts", "1 read deliveries", "1 read heads", "2 write deliveries"]
    );
}

#[tokio::test]
async fn a_race_is_lost_without_telling_twice() {
    let bench = Bench::new();
    bench.begin().await;
    bench.service.add(row(epoch() + minutes(1), "g", "n"));
    let now = epoch() + minutes(5);
    let (first, second) = (bench.engine(), bench.engine());
    let offered = Mutex::new(Vec::new());
    let offer = |ticket: Ticket| offered.lock().unwrap().push(ticket);
    let watches = bench.watches();
    let (one, two) =
        tokio::join!(first.tick(&watches, now, &offer), second.tick(&watches, now, &offer));
    let told = alerts(&one.unwrap()).len() + alerts(&two.unwrap()).len();
    assert_eq!(told, 1);
    assert_eq!(offered.lock().unwrap().len(), 2, "one ticket a receiver");
}
