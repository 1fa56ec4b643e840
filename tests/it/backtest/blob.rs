//! Logs in the container into which a diagnostic setting archives them.

use super::{Desk, HSM, RULES, desk, logs};
use crate::support::azurite::azurite;
use azure_core::http::RequestContent;
use hsmwatch::azure::Cloud;
use hsmwatch::azure::storage::{key, service};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// A container with the records of [`logs`], each in the blob of its hour; its address.
async fn archived() -> String {
    let azurite = azurite();
    let name = azurite.container();
    let url = azurite.blob_url().parse().unwrap();
    let (key, _) = key(&url, None, Cloud::Public, |_| None).unwrap();
    let container = service(&url, &key).unwrap().blob_container_client(&name);
    container.create(None).await.unwrap();
    let mut blobs: BTreeMap<String, String> = BTreeMap::new();
    for line in logs().lines() {
        let record: Json = serde_json::from_str(line).unwrap();
        let time = record["time"].as_str().unwrap();
        let parts: Vec<&str> = time.split(['-', 'T', ':']).take(4).collect();
        let [year, month, day, hour] = parts.try_into().unwrap();
        let blob = format!("resourceId={HSM}/y={year}/m={month}/d={day}/h={hour}/m=00/PT1H.json");
        let text = blobs.entry(blob).or_default();
        text.push_str(line);
        text.push('\n');
    }
    // Others' logs are in other containers as a rule, and never ours.
    blobs.insert(
        format!("resourceId={HSM}/y=2026/m=03/d=03/h=20/m=00/other.txt"),
        "not a record\n".to_owned(),
    );
    for (name, text) in blobs {
        let blob = container.blob_client(&name);
        blob.upload(RequestContent::from(text.into_bytes()), None).await.unwrap();
    }
    format!("{}/{name}", azurite.blob_url())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_tells_what_its_files_tell() {
    let container = archived().await;
    let files = desk().json(&[&["--logs", "logs"], RULES.as_slice()].concat(), 0);
    let blobs = Desk::new().json(&[&["--logs", &container], RULES.as_slice()].concat(), 0);
    assert_eq!(blobs["alerts"], files["alerts"]);
    assert_eq!(blobs["summary"]["alerts"], 21);
    assert_eq!(blobs["summary"]["rows"], files["summary"]["rows"]);
    // A folder of it, and days of it: blobs of other days are not even read.
    let folder = format!("{container}/resourceId={HSM}/y=2026/m=03/d=05/");
    let day = Desk::new().json(&[&["--logs", &folder], RULES.as_slice()].concat(), 0);
    assert_eq!(day["summary"]["rows"], 4);
    let days = ["--from", "2026-03-05", "--to", "2026-03-06"];
    let of = |logs: &str| {
        Desk::new().json(&[&["--logs", logs], days.as_slice(), RULES.as_slice()].concat(), 0)
    };
    let some = of(&container);
    assert_eq!(some["alerts"], {
        let files =
            desk().json(&[&["--logs", "logs"], days.as_slice(), RULES.as_slice()].concat(), 0);
        files["alerts"].clone()
    });
    assert!(
        some["summary"]["files"].as_u64().unwrap() < blobs["summary"]["files"].as_u64().unwrap(),
        "{some}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_said() {
    let container = archived().await;
    let said = |logs: &str, more: &[&str]| {
        let ran = Desk::new().run(&[&["--logs", logs], more, RULES.as_slice()].concat()).exits(3);
        ran.stderr.replace(&container, "CONTAINER")
    };
    let name = container.rsplit_once('/').unwrap().1;
    let none = said(&container, &["--from", "2025-03-05", "--to", "2025-03-06"]);
    assert!(none.contains(&format!("the logs of `{name}`: no blob of that period")), "{none}");
    let missing = said(&format!("{container}-x"), &[]);
    assert!(missing.contains("there is no container"), "{missing}");
    let secret = said(&format!("{container}?sig=s3cret"), &[]);
    assert!(secret.contains("the URL has a query") && !secret.contains("s3cret"), "{secret}");
}
