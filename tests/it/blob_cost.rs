//! What a tick costs in requests to the storage service, counted there, and the program with its state in a storage account.

use crate::support::azurite::azurite;
use crate::support::bed::{TestBed, deletion};
use crate::support::proxy::{Mishap, Proxy};
use axum::http::Method;
use chrono::Utc;
use std::collections::BTreeMap;

/// A bed whose state is in a container of Azurite's, behind a proxy.
fn bed(more: &str) -> (TestBed, Proxy) {
    let proxy = Proxy::before(azurite().blob_url());
    let container = azurite().container();
    let state = format!("account_url = \"{}\"\ncontainer = \"{container}\"", proxy.url());
    let mut bed = TestBed::new().state(&state);
    bed.set_receiver("itsm", "webhook", more);
    (bed, proxy)
}

/// Requests since the last call, by method and kind of document; the head of hsmwatch's own watch apart.
fn counted(proxy: &Proxy) -> Vec<String> {
    let own = hsmwatch::watch::head::Head::name(&hsmwatch::watch::own::watch_id().key());
    let mut counts: BTreeMap<(String, String), u32> = BTreeMap::new();
    for seen in proxy.take() {
        let what = match seen.blob.as_str() {
            "" if seen.query.contains("comp=list") => "listing",
            "" => "container",
            blob if blob == own => "own head",
            blob => blob.split('/').next().unwrap(),
        };
        *counts.entry((what.to_owned(), seen.method.to_string())).or_default() += 1;
    }
    counts.into_iter().map(|((what, method), n)| format!("{n} {method} {what}")).collect()
}

#[test]
fn a_tick_costs_what_the_design_says() {
    // The watch's alerts are for nobody: deliveries are counted below.
    let (bed, proxy) = bed("rules = [\"login-session\"]");
    bed.begin();
    bed.run_once().exits(0);
    proxy.take();
    bed.run_once().exits(0);
    let quiet = ["1 GET heads", "1 PUT heads", "2 GET listing", "1 GET own head", "1 PUT own head"];
    assert_eq!(counted(&proxy), quiet);

    bed.delete_key("the first");
    bed.run_once().exits(0);
    for alerts in [1, 100] {
        for n in 0..alerts {
            let hsm = format!("/subscriptions/s/hsm-{alerts}-{n}");
            bed.log(deletion(&hsm, Utc::now()).with("_ResourceId", hsm.clone()));
        }
        proxy.take();
        bed.run_once().exits(0);
        let news = [
            "1 PUT alerts",
            "1 GET heads",
            "1 PUT heads",
            "2 GET listing",
            "1 GET own head",
            "1 PUT own head",
            "1 GET seen",
            "1 PUT seen",
        ];
        assert_eq!(counted(&proxy), news, "{alerts}");
    }
}

#[test]
fn a_delivery_costs_three_reads_and_two_writes() {
    let (bed, proxy) = bed("");
    bed.begin();
    bed.run_once().exits(0);
    bed.delete_key("client");
    proxy.take();
    bed.run_once().exits(0);
    assert_eq!(
        counted(&proxy),
        [
            "1 GET alerts",
            "1 PUT alerts",
            "1 GET deliveries",
            "2 PUT deliveries",
            "2 GET heads",
            "1 PUT heads",
            "2 GET listing",
            "1 GET own head",
            "1 PUT own head",
            "1 PUT seen",
        ]
    );
    assert_eq!(bed.told("itsm").len(), 1);
}

/// Every write of a tick loses its answer in turn: each deletion is in one alert, delivered once, and no run fails.
#[test]
fn lost_answers_lose_and_double_nothing() {
    let (bed, proxy) = bed("");
    bed.begin();
    for blob in ["seen/", "alerts/", "heads/", "deliveries/"] {
        for mishap in [Mishap::LoseAnswer, Mishap::Masked(500), Mishap::LoseRequest] {
            bed.delete_key(&format!("{blob} {mishap:?}"));
            proxy.script(Method::PUT, blob, &[mishap]);
            bed.run_once().exits(0);
        }
    }
    bed.run_once().exits(0);
    let told = bed.told("itsm");
    assert_eq!(told.len(), 12, "{told:?}");
    assert!(told.values().all(|alerts| alerts.len() == 1), "{told:?}");
    assert_eq!(bed.at("itsm").deliveries().len(), 12);
    assert_eq!(bed.problems(), [""; 0]);
}

#[test]
fn a_storage_service_that_is_down_is_named_and_all_is_well_when_it_is_back() {
    let (bed, proxy) = bed("");
    bed.begin();
    bed.delete_key("during the outage");
    let down = vec![Mishap::Answer(503, "ServerBusy"); 4];
    proxy.script(Method::GET, "", &down);
    let ran = bed.run_once().exits(1);
    let url = proxy.url();
    assert!(ran.stderr.contains("of account `devstoreaccount1`: listing `heads/`"), "{ran:?}");
    assert!(!ran.stderr.contains(&url) && !ran.stderr.contains('?'), "{ran:?}");
    bed.run_once().exits(0);
    assert_eq!(bed.told("itsm").len(), 1);
}
