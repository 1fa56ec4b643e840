//! State in memory: the twin of the other stores, for demonstrations and tests.

use crate::ports::names::{check_meta, check_name};
use crate::ports::{Document, Etag, Listed, Meta, StateStore, StoreError, When};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Documents in memory. They end with the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    documents: BTreeMap<String, (Document, DateTime<Utc>)>,
    writes: u64,
    clock: Option<DateTime<Utc>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on writes are dated `now`, until this is called again. Without it the machine's clock dates them.
    pub fn set_clock(&self, now: DateTime<Utc>) {
        self.lock().clock = Some(now);
    }

    // No code that holds the lock can panic half-way through a change, so a poisoned lock guards whole data.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn read(&self, name: &str) -> Result<Option<Document>, StoreError> {
        check_name(name)?;
        Ok(self.lock().documents.get(name).map(|(document, _)| document.clone()))
    }

    async fn write(
        &self,
        name: &str,
        body: Vec<u8>,
        meta: Meta,
        when: When,
    ) -> Result<Etag, StoreError> {
        check_name(name)?;
        check_meta(name, &meta)?;
        let mut inner = self.lock();
        let holds = match (inner.documents.get(name), &when) {
            (None, When::Absent) => true,
            (Some((document, _)), When::Matches(etag)) => document.etag == *etag,
            _ => false,
        };
        if !holds {
            return Err(StoreError::Lost(name.to_owned()));
        }
        inner.writes += 1;
        let etag = Etag(inner.writes.to_string());
        let modified = inner.clock.unwrap_or_else(machine_clock);
        let document = Document { body, etag: etag.clone(), meta };
        inner.documents.insert(name.to_owned(), (document, modified));
        Ok(etag)
    }

    async fn delete(&self, name: &str, matches: Option<&Etag>) -> Result<(), StoreError> {
        check_name(name)?;
        let mut inner = self.lock();
        match (inner.documents.get(name), matches) {
            (Some((document, _)), Some(etag)) if document.etag != *etag => {
                Err(StoreError::Lost(name.to_owned()))
            }
            _ => {
                inner.documents.remove(name);
                Ok(())
            }
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let inner = self.lock();
        let from = inner.documents.range(prefix.to_owned()..);
        let listed = from.take_while(|(name, _)| name.starts_with(prefix));
        Ok(listed
            .map(|(name, (document, modified))| Listed {
                name: name.clone(),
                etag: document.etag.clone(),
                meta: document.meta.clone(),
                modified: *modified,
            })
            .collect())
    }
}

#[expect(clippy::disallowed_methods, reason = "a store dates its documents by its own clock")]
fn machine_clock() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_clock_can_be_set() {
        let store = MemoryStore::new();
        let then = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        store.set_clock(then);
        store.write("a", vec![], Meta::new(), When::Absent).await.unwrap();
        assert_eq!(store.list("").await.unwrap()[0].modified, then);
    }
}
