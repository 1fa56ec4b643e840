//! The last good version of a configuration that comes from a blob, kept in the state store: instances come and go, and one that
//! begins while the newest version cannot be used goes on with this.

use super::origin::Version;
use crate::ports::{Document, Meta, StateStore, StoreError, When};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Its name in the store.
pub(crate) const NAME: &str = "config/good";
const FORMAT: u32 = 1;
/// How often a lost race is run again.
const RACES: usize = 3;

/// A version that was good: its own texts. Secrets are in none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Good {
    /// Where the configuration is.
    pub(crate) address: String,
    /// Since when this version is good.
    pub(crate) since: DateTime<Utc>,
    /// The configuration.
    pub(crate) text: String,
    /// The files that it names, but for those that may hold secrets.
    pub(crate) files: BTreeMap<PathBuf, String>,
    /// What its patterns matched.
    pub(crate) patterns: BTreeMap<String, Vec<PathBuf>>,
    /// Versions of the blobs, by path; the configuration's own is that of the empty path.
    pub(crate) etags: BTreeMap<PathBuf, String>,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    address: String,
    since: DateTime<Utc>,
    config: KeptFile,
    files: BTreeMap<PathBuf, KeptFile>,
    patterns: BTreeMap<String, Vec<PathBuf>>,
}

#[derive(Serialize, Deserialize)]
struct KeptFile {
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    etag: Option<String>,
}

/// Why a version is not kept, or a kept one not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    /// The store says; it may be another matter the next time.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is there cannot be read, and stays as it is.
    #[error("state document `{NAME}` is left untouched: {0}")]
    Untouched(String),
}

impl Good {
    /// The good version that `version` is.
    pub(crate) fn of(version: &Version, address: String, since: DateTime<Utc>) -> Self {
        let patterns = version.asked.patterns.iter();
        Self {
            address,
            since,
            text: version.text.clone(),
            files: version.asked.open().map(|(p, text)| (p.clone(), text.to_owned())).collect(),
            patterns: patterns
                .filter_map(|(pattern, found)| Some((pattern.clone(), found.clone().ok()?)))
                .collect(),
            etags: BTreeMap::new(),
        }
    }

    /// With the versions of its blobs.
    pub(crate) fn with_etags<'e>(self, etag: impl Fn(&Path) -> Option<&'e str>) -> Self {
        let paths = self.files.keys().cloned().chain([PathBuf::new()]);
        let etags =
            paths.filter_map(|path| Some((path.clone(), etag(&path)?.to_owned()))).collect();
        Self { etags, ..self }
    }

    /// Whether both say the same, whenever it was uploaded.
    fn says(&self, other: &Self) -> bool {
        (&self.address, &self.text, &self.files, &self.patterns)
            == (&other.address, &other.text, &other.files, &other.patterns)
    }

    fn encode(&self) -> Result<Vec<u8>, KeepError> {
        let file = |path: &Path, text: &str| KeptFile {
            text: text.to_owned(),
            etag: self.etags.get(path).cloned(),
        };
        let kept = Kept {
            format: FORMAT,
            address: self.address.clone(),
            since: self.since,
            config: file(Path::new(""), &self.text),
            files: self.files.iter().map(|(path, text)| (path.clone(), file(path, text))).collect(),
            patterns: self.patterns.clone(),
        };
        serde_json::to_vec(&kept).map_err(|e| KeepError::Untouched(e.to_string()))
    }

    fn decode(document: &Document) -> Result<Self, KeepError> {
        #[derive(Deserialize)]
        struct Any {
            format: u32,
        }
        let bad = |e: serde_json::Error| KeepError::Untouched(e.to_string());
        let Any { format } = serde_json::from_slice(&document.body).map_err(bad)?;
        if format > FORMAT {
            return Err(KeepError::Untouched(format!(
                "it has format {format}, this version reads up to {FORMAT}"
            )));
        }
        let kept: Kept = serde_json::from_slice(&document.body).map_err(bad)?;
        let mut etags = BTreeMap::new();
        let mut file = |path: PathBuf, file: KeptFile| {
            etags.extend(file.etag.map(|etag| (path.clone(), etag)));
            (path, file.text)
        };
        let (_, text) = file(PathBuf::new(), kept.config);
        let files = kept.files.into_iter().map(|(path, kept)| file(path, kept)).collect();
        Ok(Self {
            address: kept.address,
            since: kept.since,
            text,
            files,
            patterns: kept.patterns,
            etags,
        })
    }
}

/// Keeps a version, unless the one that is kept says the same.
pub(crate) async fn keep(store: &dyn StateStore, good: &Good) -> Result<(), KeepError> {
    let mut last = StoreError::Lost(NAME.to_owned());
    for _ in 0..RACES {
        let when = match store.read(NAME).await? {
            None => When::Absent,
            Some(document) if Good::decode(&document)?.says(good) => return Ok(()),
            Some(document) => When::Matches(document.etag),
        };
        match store.write(NAME, good.encode()?, Meta::new(), when).await {
            Ok(_) => return Ok(()),
            Err(error @ StoreError::Failed(_)) => return Err(error.into()),
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

/// The version of the configuration at `address` that is kept.
pub(crate) async fn kept(store: &dyn StateStore, address: &str) -> Result<Option<Good>, KeepError> {
    let Some(document) = store.read(NAME).await? else { return Ok(None) };
    Ok(Some(Good::decode(&document)?).filter(|good| good.address == address))
}

/// Forgets what is kept: it is not the last good version any more, and that one must not be kept.
pub(crate) async fn forget(store: &dyn StateStore) -> Result<(), KeepError> {
    let Some(document) = store.read(NAME).await? else { return Ok(()) };
    Good::decode(&document)?;
    Ok(store.delete(NAME, Some(&document.etag)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::memory::MemoryStore;

    fn good(text: &str) -> Good {
        let path = |path: &str| PathBuf::from(path);
        Good {
            address: "https://acme.blob.core.windows.net/conf/hsmwatch.toml".to_owned(),
            since: "2026-05-04T10:00:00Z".parse().unwrap(),
            text: text.to_owned(),
            files: [(path("conf/rules/a.toml"), "[[rule]]".to_owned())].into(),
            patterns: [("conf/rules/*".to_owned(), vec![path("conf/rules/a.toml")])].into(),
            etags: [
                (path(""), "\"1\"".to_owned()),
                (path("conf/rules/a.toml"), "\"2\"".to_owned()),
            ]
            .into(),
        }
    }

    #[tokio::test]
    async fn a_version_is_kept_once_and_read_again() {
        let store = MemoryStore::new();
        let address = good("").address;
        assert_eq!(kept(&store, &address).await.unwrap(), None);
        keep(&store, &good("a")).await.unwrap();
        assert_eq!(kept(&store, &address).await.unwrap(), Some(good("a")));
        assert_eq!(kept(&store, "https://elsewhere").await.unwrap(), None);
        let first = store.read(NAME).await.unwrap().unwrap();
        let later = Good { since: DateTime::<Utc>::MAX_UTC, etags: BTreeMap::new(), ..good("a") };
        keep(&store, &later).await.unwrap();
        assert_eq!(
            store.read(NAME).await.unwrap().unwrap().etag,
            first.etag,
            "written for nothing"
        );
        keep(&store, &good("b")).await.unwrap();
        assert_eq!(kept(&store, &address).await.unwrap(), Some(good("b")));
        forget(&store).await.unwrap();
        forget(&store).await.unwrap();
        assert_eq!(kept(&store, &address).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_left_untouched() {
        for body in [&b"{\"format\":2}"[..], b"{\"format\":1}", b"?", b""] {
            let store = MemoryStore::new();
            store.write(NAME, body.to_vec(), Meta::new(), When::Absent).await.unwrap();
            let untouched = "state document `config/good` is left untouched: ";
            for error in [
                keep(&store, &good("a")).await.unwrap_err(),
                kept(&store, "x").await.unwrap_err(),
                forget(&store).await.unwrap_err(),
            ] {
                assert!(error.to_string().starts_with(untouched), "{error}");
            }
            assert_eq!(store.read(NAME).await.unwrap().unwrap().body, body);
        }
    }

    #[tokio::test]
    async fn of_two_that_keep_at_once_both_are_content() {
        let store = MemoryStore::new();
        let (a, b) = (good("a"), good("a"));
        let (x, y) = tokio::join!(keep(&store, &a), keep(&store, &b));
        x.unwrap();
        y.unwrap();
        assert!(kept(&store, &a.address).await.unwrap().unwrap().says(&a));
    }
}
