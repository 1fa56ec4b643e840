//! State in Blob Storage, against Azurite.

use crate::store::conformance;
use crate::support::azurite::{ACCOUNT, KEY, account_sas, azurite};
use crate::support::proxy::{Mishap, Proxy};
use axum::http::Method;
use hsmwatch::azure::Cloud;
use hsmwatch::azure::blob::BlobStore;
use hsmwatch::azure::storage::{Secret, key, service};
use hsmwatch::ports::{Meta, StateStore, StoreError, When};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use url::Url;

/// A store at this URL, with this secret, in this container.
fn store(url: &str, secret: Option<&Secret>, container: &str) -> BlobStore {
    let url: Url = url.parse().unwrap();
    let (key, who) = key(&url, secret, Cloud::Public, |_| None).unwrap();
    BlobStore::new(&url, container, &key, who).unwrap()
}

fn shared_key() -> Secret {
    Secret::AccountKey(KEY.to_owned().into())
}

fn sas(permissions: &str) -> Secret {
    Secret::Sas(account_sas(permissions).into())
}

async fn create(store: &BlobStore, name: &str) -> Result<hsmwatch::ports::Etag, StoreError> {
    store.write(name, b"x".to_vec(), Meta::new(), When::Absent).await
}

#[tokio::test]
async fn conforms_with_the_development_key() {
    let azurite = azurite();
    conformance(Arc::new(store(azurite.blob_url(), None, &azurite.container()))).await;
}

#[tokio::test]
async fn conforms_with_a_shared_key() {
    let azurite = azurite();
    let secret = shared_key();
    conformance(Arc::new(store(azurite.blob_url(), Some(&secret), &azurite.container()))).await;
}

#[tokio::test]
async fn conforms_with_a_shared_access_signature() {
    let azurite = azurite();
    let secret = sas("rwdlac");
    conformance(Arc::new(store(azurite.blob_url(), Some(&secret), &azurite.container()))).await;
}

#[tokio::test]
async fn the_container_is_made_on_first_use_by_whoever_comes_first() {
    let azurite = azurite();
    let container = azurite.container();
    let one = store(azurite.blob_url(), None, &container);
    assert_eq!(one.read("heads/a").await.unwrap(), None);
    assert_eq!(one.list("").await.unwrap(), vec![]);
    one.delete("heads/a", None).await.unwrap();
    let ghost = When::Matches(hsmwatch::ports::Etag("0x8".into()));
    let lost = one.write("heads/a", vec![], Meta::new(), ghost).await;
    assert_eq!(lost, Err(StoreError::Lost("heads/a".into())));

    let mut makers = JoinSet::new();
    for n in 0..8 {
        let store = store(azurite.blob_url(), None, &container);
        makers.spawn(async move { create(&store, &format!("heads/{n}")).await });
    }
    for result in makers.join_all().await {
        result.unwrap();
    }
    assert_eq!(one.list("heads/").await.unwrap().len(), 8);
}

#[tokio::test]
async fn a_lease_is_named_and_is_no_lost_race() {
    let azurite = azurite();
    let container = azurite.container();
    let store = store(azurite.blob_url(), None, &container);
    let etag = create(&store, "heads/a").await.unwrap();
    let url: Url = azurite.blob_url().parse().unwrap();
    let (key, _) = key(&url, None, Cloud::Public, |_| None).unwrap();
    let blob = service(&url, &key).unwrap().blob_client(&container, "heads/a");
    blob.acquire_lease(60, None).await.unwrap();
    let when = When::Matches(etag.clone());
    let write = store.write("heads/a", b"y".to_vec(), Meta::new(), when).await;
    let delete = store.delete("heads/a", Some(&etag)).await;
    let said = format!("{}\n{}", write.unwrap_err(), delete.unwrap_err());
    insta::assert_snapshot!(said.replace(&container, "CONTAINER"));
    assert_eq!(store.read("heads/a").await.unwrap().unwrap().etag, etag);
}

/// A proxy before Azurite and a store behind it.
fn proxied() -> (Proxy, BlobStore) {
    let azurite = azurite();
    let proxy = Proxy::before(azurite.blob_url());
    let store = store(&proxy.url(), Some(&shared_key()), &azurite.container());
    (proxy, store)
}

fn write_statuses(proxy: &Proxy) -> Vec<(String, u16)> {
    let seen = proxy.take().into_iter();
    seen.filter(|s| !s.blob.is_empty()).map(|s| (s.method.to_string(), s.status)).collect()
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_known_again() {
    let (proxy, store) = proxied();
    create(&store, "first").await.unwrap();
    for mishap in [Mishap::LoseAnswer, Mishap::Masked(503), Mishap::Masked(500)] {
        let name = format!("docs/{mishap:?}");
        let name = name.replace(['(', ')'], "");
        proxy.script(Method::PUT, &name, std::slice::from_ref(&mishap));
        let first = create(&store, &name).await.unwrap();
        let read = store.read(&name).await.unwrap().unwrap();
        assert_eq!((&read.etag, read.meta.len()), (&first, 0));

        proxy.script(Method::PUT, &name, &[mishap]);
        let facts = Meta::from([("due".to_owned(), "now".to_owned())]);
        let when = When::Matches(first.clone());
        let second = store.write(&name, b"y".to_vec(), facts.clone(), when.clone()).await.unwrap();
        let read = store.read(&name).await.unwrap().unwrap();
        assert_eq!((read.etag, read.body, read.meta), (second, b"y".to_vec(), facts.clone()));
        // And another's write is still another's.
        let third = store.write(&name, b"y".to_vec(), facts, when).await;
        assert_eq!(third, Err(StoreError::Lost(name.clone())));
    }
}

#[tokio::test]
async fn a_large_write_whose_answer_was_lost_is_known_again() {
    let (proxy, store) = proxied();
    create(&store, "first").await.unwrap();
    // Larger than what goes in one request: blocks, and a list of them that carries the condition.
    let body: Vec<u8> = (0..20_000_000_u32).map(|i| (i % 253) as u8).collect();
    proxy.script(Method::PUT, "big", &[Mishap::None, Mishap::None, Mishap::LoseAnswer]);
    let etag = store.write("big", body.clone(), Meta::new(), When::Absent).await.unwrap();
    let again = store.write("big", body.clone(), Meta::new(), When::Absent).await;
    assert_eq!(again, Err(StoreError::Lost("big".into())));
    let read = store.read("big").await.unwrap().unwrap();
    assert!(read.body == body && read.etag == etag);
}

#[tokio::test]
async fn a_lost_race_costs_one_request() {
    let (proxy, store) = proxied();
    create(&store, "a").await.unwrap();
    proxy.take();
    assert_eq!(create(&store, "a").await, Err(StoreError::Lost("a".into())));
    assert_eq!(write_statuses(&proxy), [("PUT".to_owned(), 409)]);
}

/// Our write arrived, someone read it and wrote, and then our repetition lost: nobody can say whether ours was there.
#[tokio::test]
async fn a_write_that_may_have_been_overwritten_is_unknown() {
    let (proxy, store) = proxied();
    let etag = create(&store, "a").await.unwrap();
    let masked = [Mishap::Masked(500), Mishap::Answer(412, "ConditionNotMet")];
    proxy.script(Method::PUT, "a", &masked);
    proxy.script(Method::HEAD, "a", &[Mishap::Answer(404, "BlobNotFound")]);
    let result = store.write("a", b"y".to_vec(), Meta::new(), When::Matches(etag)).await;
    assert!(matches!(result, Err(StoreError::Unknown(_))), "{result:?}");
}

#[tokio::test]
async fn a_busy_service_is_asked_again_a_few_times() {
    let (proxy, store) = proxied();
    create(&store, "first").await.unwrap();
    let busy = || Mishap::Answer(503, "ServerBusy");
    proxy.take();
    proxy.script(Method::PUT, "a", &[busy(), busy()]);
    create(&store, "a").await.unwrap();
    let ok = |status| ("PUT".to_owned(), status);
    assert_eq!(write_statuses(&proxy), [ok(503), ok(503), ok(201)]);

    for method in [Method::GET, Method::DELETE] {
        proxy.script(method, "a", &[busy(), busy()]);
    }
    assert_eq!(store.read("a").await.unwrap().unwrap().body, b"x");
    store.delete("a", None).await.unwrap();

    let begun = Instant::now();
    proxy.script(Method::PUT, "b", &vec![busy(); 20]);
    let unknown = create(&store, "b").await.unwrap_err();
    assert!(
        matches!(&unknown, StoreError::Unknown(why) if why.contains("ServerBusy")),
        "{unknown}"
    );
    proxy.script(Method::GET, "c", &vec![busy(); 20]);
    assert!(matches!(store.read("c").await, Err(StoreError::Unknown(_))));
    assert!(begun.elapsed() < Duration::from_secs(25));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_fetched_again_and_never_taken_for_whole() {
    let (proxy, store) = proxied();
    let body = vec![b'z'; 100_000];
    store.write("a", body.clone(), Meta::new(), When::Absent).await.unwrap();
    proxy.script(Method::GET, "a", &[Mishap::CutBody, Mishap::LoseAnswer, Mishap::CutBody]);
    assert_eq!(store.read("a").await.unwrap().unwrap().body, body);
    proxy.script(Method::GET, "a", &vec![Mishap::CutBody; 20]);
    assert!(matches!(store.read("a").await, Err(StoreError::Unknown(_))));
}

#[tokio::test]
async fn bytes_that_look_compressed_come_back_as_they_are() {
    let (proxy, store) = proxied();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &[b'a'; 5000]).unwrap();
    let body = gzip.finish().unwrap();
    store.write("a", body.clone(), Meta::new(), When::Absent).await.unwrap();
    assert_eq!(store.read("a").await.unwrap().unwrap().body, body);
    let accepts = |headers: &axum::http::HeaderMap| headers.contains_key("accept-encoding");
    assert!(!proxy.headers().iter().any(accepts), "nothing may be compressed on the way");
}

#[tokio::test]
async fn listings_have_pages() {
    let azurite = azurite();
    let proxy = Proxy::before(azurite.blob_url());
    proxy.pages(7);
    let store = store(&proxy.url(), Some(&sas("rwdlac")), &azurite.container());
    for n in (0..40).rev() {
        create(&store, &format!("deliveries/{n:02}")).await.unwrap();
    }
    proxy.take();
    let listed = store.list("deliveries/").await.unwrap();
    let names: Vec<_> = listed.iter().map(|line| line.name.clone()).collect();
    assert_eq!(names, (0..40).map(|n| format!("deliveries/{n:02}")).collect::<Vec<_>>());
    assert_eq!(proxy.take().len(), 6);
}

#[tokio::test]
async fn a_dead_endpoint_is_given_up_in_time_and_named_without_secrets() {
    // A port that was free a moment ago, and one where nobody ever answers.
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut probes = JoinSet::new();
    for address in [refused, silent.local_addr().unwrap()] {
        for secret in [shared_key(), sas("rwdlac")] {
            let url = format!("http://{address}/{ACCOUNT}");
            probes.spawn(async move {
                let store = Arc::new(store(&url, Some(&secret), "state"));
                let begun = Instant::now();
                let (read, write, delete, list) = tokio::join!(
                    store.read("heads/a"),
                    create(&store, "heads/a"),
                    store.delete("heads/a", None),
                    store.list("heads/"),
                );
                let errors =
                    [read.unwrap_err(), write.unwrap_err(), delete.unwrap_err(), list.unwrap_err()];
                (errors, begun.elapsed(), format!("{store:?}"))
            });
        }
    }
    for (errors, took, debug) in probes.join_all().await {
        assert!(took < Duration::from_secs(25), "{took:?}");
        for error in errors {
            let text = format!("{error} {error:?} {debug}");
            assert!(matches!(error, StoreError::Unknown(_)), "{text}");
            assert!(text.contains("container `state` of account `devstoreaccount1`"), "{text}");
            for secret in ["sig=", "Eby8", "sv=", "http"] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
        }
    }
    drop(silent);
}

#[tokio::test]
async fn refusals_name_account_container_and_cure() {
    let azurite = azurite();
    let container = azurite.container();
    let wrong_key = Secret::AccountKey("bm8gc3VjaCBrZXk=".to_owned().into());
    let mut said = Vec::new();
    for secret in [wrong_key, sas("rl"), Secret::Sas("sv=2021-12-02&sig=bm8%3D".to_owned().into())]
    {
        let store = store(azurite.blob_url(), Some(&secret), &container);
        let error = create(&store, "heads/a").await.unwrap_err();
        assert!(matches!(error, StoreError::Failed(_)), "{error:?}");
        said.push(error.to_string().replace(&container, "CONTAINER"));
    }
    insta::assert_snapshot!(said.join("\n"));
}
