//! A test bed's state: looked at, and changed as time or someone's hand would change it.

use super::bed::{SECRETS, TestBed};
use chrono::{TimeDelta, Utc};
use hsmwatch::engine::case::CaseDoc;
use hsmwatch::engine::record::Record;
use hsmwatch::local::disk::DiskStore;
use hsmwatch::notify::desk::SETTLE;
use hsmwatch::ports::{Document, StateStore as _, When};
use hsmwatch::watch::head::Head;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

impl TestBed {
    /// Every file of the state directory, by its name below it.
    pub(crate) fn state_files(&self) -> BTreeMap<String, Vec<u8>> {
        fn walk(root: &Path, dir: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(root, &path, files);
                } else {
                    let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                    files.insert(name, fs::read(&path).unwrap());
                }
            }
        }
        let mut files = BTreeMap::new();
        walk(&self.state_dir(), &self.state_dir(), &mut files);
        files
    }

    /// Stops the test if a secret stands in any of these texts or in any file of the state.
    #[track_caller]
    pub(crate) fn keeps_secrets(&self, texts: &[&str]) {
        let files = self.state_files();
        let all = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
        for (what, bytes) in all.chain(texts.iter().map(|text| ("output", text.as_bytes()))) {
            for secret in SECRETS {
                let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
                let text = String::from_utf8_lossy(bytes);
                assert!(!found, "`{secret}` stands in {what}:\n{text}");
            }
        }
    }

    /// Names of state documents that begin so.
    pub(crate) fn documents(&self, prefix: &str) -> Vec<String> {
        let store = DiskStore::open(self.state_dir()).unwrap();
        let listed = runtime().block_on(store.list(prefix)).unwrap();
        listed.into_iter().map(|line| line.name).collect()
    }

    /// A state document's body.
    pub(crate) fn document(&self, name: &str) -> Vec<u8> {
        let store = DiskStore::open(self.state_dir()).unwrap();
        runtime().block_on(store.read(name)).unwrap().unwrap().body
    }

    /// Changes state documents whose names begin so, as time or someone's hand would.
    pub(crate) fn change(&self, prefix: &str, change: impl Fn(&mut Document) -> bool) {
        let store = DiskStore::open(self.state_dir()).unwrap();
        runtime().block_on(async {
            for line in store.list(prefix).await.unwrap() {
                let mut document = store.read(&line.name).await.unwrap().unwrap();
                if change(&mut document) {
                    let Document { body, etag, meta } = document;
                    store.write(&line.name, body, meta, When::Matches(etag)).await.unwrap();
                }
            }
        });
    }

    /// All retries and abandoned claims come due, as if the time had passed.
    pub(crate) fn deliveries_come_due(&self) {
        let now = Utc::now();
        self.change("deliveries/", |document| {
            let mut record = Record::decode(&document.body).unwrap();
            (record.next_due, record.claim_until) =
                (record.next_due.min(now), record.claim_until.min(now));
            (document.body, document.meta) = (record.encode(), record.meta());
            true
        });
    }

    /// Attempts to open a case were made so long ago that a search shows what came of them, and turns have run out.
    pub(crate) fn cases_settle(&self) {
        let now = Utc::now();
        self.change("cases/", |document| {
            let mut case = CaseDoc::decode(&document.body).unwrap();
            if let Some(opening) = &mut case.memory.opening {
                opening.since -= SETTLE;
            }
            case.claim_until = case.claim_until.min(now);
            (document.body, document.meta) = (case.encode(), case.meta());
            true
        });
    }

    /// All watches began this much earlier, were told nothing in that time, and have not run since.
    pub(crate) fn began_earlier(&self, by: TimeDelta) {
        self.change_heads(|head| {
            for t in [
                &mut head.started_at,
                &mut head.watermark,
                &mut head.floor,
                &mut head.sweep.previous,
            ] {
                *t -= by;
            }
            head.versions.iter_mut().for_each(|version| version.since -= by);
        });
    }

    /// Changes the heads of all watches but hsmwatch's own.
    pub(crate) fn change_heads(&self, change: impl Fn(&mut Head)) {
        self.change("heads/", |document| {
            let mut head = Head::decode(&document.body).unwrap();
            let watched = head.own.is_none();
            if watched {
                change(&mut head);
                document.body = head.encode();
            }
            watched
        });
    }

    /// Names, sizes and times of the files in the state directory.
    pub(crate) fn state_stamps(&self) -> BTreeSet<(PathBuf, u64, Option<SystemTime>)> {
        let mut stamps = BTreeSet::new();
        let mut left = vec![self.state_dir()];
        while let Some(dir) = left.pop() {
            // What is gone between the listing and the look is gone.
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                match entry.metadata() {
                    Ok(meta) if meta.is_dir() => left.push(entry.path()),
                    Ok(meta) => {
                        stamps.insert((entry.path(), meta.len(), meta.modified().ok()));
                    }
                    Err(_) => {}
                }
            }
        }
        stamps
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
