//! State that is read again by whoever wrote it and by nobody else, for going through the past: what no evaluation reads is
//! not kept.

use crate::ports::{
    Document, Etag, Listed, Meta, Reply, Request, StateStore, StoreError, Transport,
    TransportError, When,
};
use async_trait::async_trait;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The state of one watch: the head and the last seen set. Alerts are for deliveries, of which there are none.
#[derive(Debug, Default)]
pub struct FleetingStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    head: Option<(String, Document)>,
    seen: Option<(String, Document)>,
    writes: u64,
}

impl Inner {
    /// Where a document of this name is kept, if it is.
    fn place(&mut self, name: &str) -> Option<&mut Option<(String, Document)>> {
        match name.split('/').next() {
            Some("alerts") => None,
            Some("seen") => Some(&mut self.seen),
            _ => Some(&mut self.head),
        }
    }
}

impl FleetingStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StateStore for FleetingStore {
    async fn read(&self, name: &str) -> Result<Option<Document>, StoreError> {
        let mut inner = self.lock();
        let kept = inner.place(name).and_then(|place| place.as_ref());
        Ok(kept.filter(|(of, _)| of == name).map(|(_, document)| document.clone()))
    }

    async fn write(
        &self,
        name: &str,
        body: Vec<u8>,
        meta: Meta,
        when: When,
    ) -> Result<Etag, StoreError> {
        let mut inner = self.lock();
        inner.writes += 1;
        let etag = Etag(inner.writes.to_string());
        let Some(place) = inner.place(name) else { return Ok(etag) };
        let there = place.as_ref().filter(|(of, _)| of == name).map(|(_, document)| &document.etag);
        let holds = match &when {
            When::Absent => there.is_none(),
            When::Matches(etag) => there == Some(etag),
        };
        if !holds {
            return Err(StoreError::Lost(name.to_owned()));
        }
        *place = Some((name.to_owned(), Document { body, etag: etag.clone(), meta }));
        Ok(etag)
    }

    async fn delete(&self, name: &str, _: Option<&Etag>) -> Result<(), StoreError> {
        if let Some(place) = self.lock().place(name)
            && place.as_ref().is_some_and(|(of, _)| of == name)
        {
            *place = None;
        }
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        Err(StoreError::Failed(format!("`{prefix}`: nothing is listed here")))
    }
}

/// No way to any receiver.
#[derive(Clone, Copy, Debug)]
pub struct Nowhere;

#[async_trait]
impl Transport for Nowhere {
    async fn send(&self, request: Request) -> Result<Reply, TransportError> {
        Err(TransportError::Forbidden(format!("nothing is sent to `{}` here", request.receiver)))
    }
}
