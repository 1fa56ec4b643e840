//! One suite for every state store: what the engine's promises stand on.

use chrono::{TimeDelta, Utc};
use hsmwatch::local::disk::DiskStore;
use hsmwatch::local::memory::MemoryStore;
use hsmwatch::ports::{Etag, Meta, StateStore, StoreError, When};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use tokio::task::JoinSet;

fn meta(pairs: &[(&str, &str)]) -> Meta {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn lost(name: &str) -> StoreError {
    StoreError::Lost(name.to_owned())
}

/// Everything a store must do. It must be empty.
pub(crate) async fn conformance(store: Arc<dyn StateStore>) {
    documents(&*store).await;
    conditions(&*store).await;
    refusals(&*store).await;
    listings(&*store).await;
    races(&store).await;
}

async fn documents(store: &dyn StateStore) {
    assert_eq!(store.read("docs/none").await.unwrap(), None);
    assert_eq!(store.read("docs/none/below").await.unwrap(), None);
    let big: Vec<u8> = (0..5_000_000_u32).map(|i| (i % 251) as u8).collect();
    let facts =
        meta(&[("due", "2026-11-24T08:00:00Z"), ("state", "a \"b\"\\ {c}; d=e"), ("none", "")]);
    let bodies: [(&str, &[u8]); 4] = [
        ("docs/empty", b""),
        ("docs/lines", b"\n\n{\"a\":1}\r\n\0\xff"),
        ("docs/big", &big),
        ("docs/v1.2.json", b"dots"),
    ];
    for (name, body) in bodies {
        let etag = store.write(name, body.to_vec(), facts.clone(), When::Absent).await.unwrap();
        let read = store.read(name).await.unwrap().unwrap();
        assert!(read.body == body, "{name}");
        assert_eq!((read.etag, read.meta), (etag, facts.clone()), "{name}");
    }
    // A document and a "directory" of the same name are two things, and case counts.
    for name in ["docs", "docs/empty/below", "Docs/empty", "docs/Empty"] {
        store.write(name, name.into(), Meta::new(), When::Absent).await.unwrap();
    }
    for name in ["docs", "docs/empty/below", "Docs/empty", "docs/Empty"] {
        assert_eq!(store.read(name).await.unwrap().unwrap().body, name.as_bytes());
    }
    assert_eq!(store.read("docs/empty").await.unwrap().unwrap().body, b"");
}

async fn conditions(store: &dyn StateStore) {
    let name = "cas/head";
    let write =
        async |body: &str, when: When| store.write(name, body.into(), Meta::new(), when).await;
    let ghost = Etag("no-such-version".into());
    assert_eq!(write("x", When::Matches(ghost.clone())).await, Err(lost(name)));
    let first = write("same", When::Absent).await.unwrap();
    assert_eq!(write("other", When::Absent).await, Err(lost(name)));
    let second = write("same", When::Matches(first.clone())).await.unwrap();
    assert_ne!(first, second, "the same bytes written again are a new version");
    assert_eq!(write("stale", When::Matches(first.clone())).await, Err(lost(name)));
    assert_eq!(store.read(name).await.unwrap().unwrap().body, b"same");

    assert_eq!(store.delete(name, Some(&first)).await, Err(lost(name)));
    assert!(store.read(name).await.unwrap().is_some());
    store.delete(name, Some(&second)).await.unwrap();
    assert_eq!(store.read(name).await.unwrap(), None);
    store.delete(name, None).await.unwrap();
    store.delete(name, Some(&second)).await.unwrap();
    store.delete("cas/no/such/thing", None).await.unwrap();

    // Deleted and made again, it is none of its former versions.
    let third = write("same", When::Absent).await.unwrap();
    assert!(third != first && third != second);
    assert_eq!(write("x", When::Matches(second)).await, Err(lost(name)));
    store.delete(name, None).await.unwrap();
    assert_eq!(store.list("cas/").await.unwrap(), vec![]);
}

async fn refusals(store: &dyn StateStore) {
    let failed = |result: Result<(), StoreError>, what: &str| {
        assert!(matches!(result, Err(StoreError::Failed(_))), "{what}: {result:?}");
    };
    for name in ["", "/a", "a/", "a//b", "../a", "a/..", "a/./b", "a b", "ä", "a\\b", "a\nb"] {
        let write = store.write(name, vec![], Meta::new(), When::Absent).await;
        failed(write.map(drop), name);
        failed(store.read(name).await.map(drop), name);
        failed(store.delete(name, None).await, name);
    }
    for (key, value) in
        [("ok", "grün"), ("ok", "a\nb"), ("ok", "a\r"), ("Bad", "x"), ("a-b", "x"), ("", "x")]
    {
        let write = store.write("meta/bad", vec![], meta(&[(key, value)]), When::Absent).await;
        failed(write.map(drop), key);
    }
    assert_eq!(store.list("meta/").await.unwrap(), vec![]);
}

async fn listings(store: &dyn StateStore) {
    let mut expected = Vec::new();
    let begun = Utc::now();
    for n in (0..40).rev() {
        let name = format!("list/{}/{n:03}.rec", if n % 2 == 0 { "even" } else { "odd" });
        let facts = meta(&[("n", &n.to_string())]);
        let etag = store.write(&name, vec![b'x'; n], facts.clone(), When::Absent).await.unwrap();
        expected.push((name, etag, facts));
    }
    for name in ["list/even", "list/even-more", "list/even.x/1", "lister"] {
        let etag = store.write(name, vec![], Meta::new(), When::Absent).await.unwrap();
        expected.push((name.to_owned(), etag, Meta::new()));
    }
    expected.sort();
    for prefix in [
        "list/",
        "list",
        "list/even/",
        "list/even",
        "list/odd/00",
        "list/even/01",
        "lister",
        "list/none/",
        "l/../list/",
    ] {
        let listed = store.list(prefix).await.unwrap();
        for line in &listed {
            let off = (line.modified - begun).abs();
            assert!(off < TimeDelta::minutes(10), "{} {off}", line.name);
        }
        let listed: Vec<_> = listed.into_iter().map(|l| (l.name, l.etag, l.meta)).collect();
        let wanted: Vec<_> =
            expected.iter().filter(|(name, ..)| name.starts_with(prefix)).cloned().collect();
        assert_eq!(listed, wanted, "{prefix}");
    }
    let all = store.list("").await.unwrap();
    assert!(all.is_sorted_by(|a, b| a.name < b.name) && all.len() > expected.len());
}

/// Of 16 writers with the same condition one wins, and the document is the winner's.
async fn races(store: &Arc<dyn StateStore>) {
    let mut when = When::Absent;
    for round in 0..6 {
        let mut writers = JoinSet::new();
        for writer in 0..16 {
            let (store, when) = (Arc::clone(store), when.clone());
            let body = format!("{round}/{writer}").repeat(1000).into_bytes();
            writers.spawn(async move {
                (body.clone(), store.write("race/head", body, Meta::new(), when).await)
            });
        }
        let mut winners = Vec::new();
        for (body, result) in writers.join_all().await {
            match result {
                Ok(etag) => winners.push((body, etag)),
                Err(error) => assert_eq!(error, lost("race/head")),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        let read = store.read("race/head").await.unwrap().unwrap();
        assert_eq!((read.body, read.etag.clone()), winners.pop().unwrap());
        when = When::Matches(read.etag);
    }
}

#[tokio::test]
async fn memory_conforms() {
    conformance(Arc::new(MemoryStore::new())).await;
}

#[tokio::test]
async fn disk_conforms() {
    let dir = tempfile::tempdir().unwrap();
    conformance(Arc::new(DiskStore::open(dir.path().join("a/b/state")).unwrap())).await;
}

#[tokio::test]
async fn disk_keeps_documents_between_runs() {
    let dir = tempfile::tempdir().unwrap();
    let first = DiskStore::open(dir.path()).unwrap();
    let etag = first.write("a/b", b"x".to_vec(), meta(&[("k", "v")]), When::Absent).await.unwrap();
    let listed = first.list("").await.unwrap();
    drop(first);
    let second = DiskStore::open(dir.path()).unwrap();
    assert_eq!(second.list("").await.unwrap(), listed);
    assert_eq!(second.read("a/b").await.unwrap().unwrap().etag, etag);
    second.write("a/b", b"y".to_vec(), Meta::new(), When::Matches(etag)).await.unwrap();
}

const CHILD_DIRECTORY: &str = "HSMWATCH_TEST_STORE";

/// Starts this test program again as a process that runs only `test`.
fn child(test: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(CHILD_DIRECTORY, directory)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

async fn count_up(store: &DiskStore) -> u64 {
    loop {
        let read = store.read("count").await.unwrap();
        let (count, when) = read.map_or((0, When::Absent), |document| {
            let text = String::from_utf8(document.body).unwrap();
            (text.trim_matches('.').parse().unwrap(), When::Matches(document.etag))
        });
        let body = format!("{}{}", count + 1, ".".repeat(200_000)).into_bytes();
        match store.write("count", body, Meta::new(), when).await {
            Ok(_) => return count + 1,
            Err(error) => assert_eq!(error, lost("count")),
        }
    }
}

/// Not tests: what the processes of the two tests below do.
#[tokio::test]
#[ignore = "run by other tests in a process of its own"]
async fn process_that_counts_to_30() {
    let Some(directory) = std::env::var_os(CHILD_DIRECTORY) else { return };
    let store = DiskStore::open(directory).unwrap();
    for _ in 0..30 {
        count_up(&store).await;
    }
}

#[tokio::test]
#[ignore = "run by other tests in a process of its own"]
async fn process_that_counts_until_killed() {
    let Some(directory) = std::env::var_os(CHILD_DIRECTORY) else { return };
    let store = DiskStore::open(directory).unwrap();
    for _ in 0..100_000 {
        count_up(&store).await;
    }
}

#[tokio::test]
async fn processes_share_a_disk_store_without_losing_a_write() {
    let dir = tempfile::tempdir().unwrap();
    let children: Vec<_> =
        (0..3).map(|_| child("store::process_that_counts_to_30", dir.path())).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let store = DiskStore::open(dir.path()).unwrap();
    assert_eq!(count_up(&store).await, 91);
}

#[tokio::test]
async fn a_killed_process_leaves_a_whole_document_and_no_lock() {
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open(dir.path()).unwrap();
    let mut last = count_up(&store).await;
    for _ in 0..5 {
        let mut child = child("store::process_that_counts_until_killed", dir.path());
        // Kill it as soon as it has written something, which is in the midst of the next write.
        while store
            .read("count")
            .await
            .unwrap()
            .is_some_and(|d| d.body.starts_with(format!("{last}.").as_bytes()))
        {
            assert!(child.try_wait().unwrap().is_none(), "it ended without writing");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let after = count_up(&DiskStore::open(dir.path()).unwrap()).await;
        assert!(after > last);
        last = after;
    }
}
