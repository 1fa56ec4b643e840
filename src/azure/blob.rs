//! State in a container of Blob Storage: one blob a document, its facts in the blob's metadata.
//!
//! A write that is repeated because its answer was lost finds the blob changed: by itself. So each write carries an id of its
//! own in the metadata, and whoever is told "changed" after a repetition looks whose id is there.

mod facts;
mod write;

use super::storage::{Fault, Key, StorageError, account, fault, service, service_once};
use crate::ports::names::{check_meta, check_name};
use crate::ports::{Document, Etag, Listed, Meta, StateStore, StoreError, When};
use async_trait::async_trait;
use azure_storage_blob::BlobContainerClient;
use azure_storage_blob::models::{
    BlobClientDeleteOptions, BlobClientDownloadOptions, BlobContainerClientListBlobsOptions,
    BlobItem, ListBlobsIncludeItem,
};
use chrono::DateTime;
use facts::{bare, from_metadata, quoted};
use futures_util::TryStreamExt as _;
use std::fmt;
use std::num::NonZero;
use std::time::Duration;
use url::Url;

/// Nothing but a write is waited for longer, retries included.
const LIMIT: Duration = Duration::from_secs(20);
/// How often a document is fetched whose bytes broke off on the way.
const FETCHES: usize = 3;
/// Documents up to this size are one request, whichever way they go.
const ONE_REQUEST: usize = 16 * 1024 * 1024;

/// A container as a state store. It is made when something is first written to it.
pub struct BlobStore {
    /// Repeats what fails, for all that may be repeated unseen.
    patient: BlobContainerClient,
    /// Never repeats: writes.
    once: BlobContainerClient,
    account: String,
    container: String,
    who: String,
}

impl fmt::Debug for BlobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobStore({}/{} as {})", self.account, self.container, self.who)
    }
}

impl BlobStore {
    /// The store in `container` of the account at `url`, for `who` as people call it. Nothing is asked yet.
    pub fn new(url: &Url, container: &str, key: &Key, who: &str) -> Result<Self, StorageError> {
        Ok(Self {
            patient: service(url, key)?.blob_container_client(container),
            once: service_once(url, key)?.blob_container_client(container),
            account: account(url),
            container: container.to_owned(),
            who: who.to_owned(),
        })
    }

    /// What a fault means to whoever uses a store. `what` was to be done.
    fn error(&self, what: &str, fault: Fault) -> StoreError {
        let place = format!("container `{}` of account `{}`", self.container, self.account);
        let failed = |why: String| StoreError::Failed(format!("{place}: {what}: {why}"));
        let unknown = |why: String| StoreError::Unknown(format!("{place}: {what}: {why}"));
        match fault {
            Fault::NoAnswer { why, .. } | Fault::NoToken(why) => unknown(why),
            Fault::NoConnection(why) => unknown(format!("no connection: {why}")),
            Fault::Denied(said) => failed(format!("{}: {said}", self.cure())),
            Fault::Leased(code) => failed(format!(
                "a lease is on it ({code}): break the lease; hsmwatch takes none and needs none"
            )),
            Fault::Refused(said) => failed(said),
            Fault::NoContainer => failed("the container is not there".to_owned()),
            Fault::NotModified | Fault::NoBlob | Fault::Condition | Fault::ContainerThere => {
                unknown("an answer that no question was for".to_owned())
            }
        }
    }

    /// Who is not allowed, and what would help.
    fn cure(&self) -> String {
        let who = &self.who;
        match who.as_str() {
            "the account key" | "Azurite's development key" => format!(
                "{who} is not accepted; check it, and that the account allows keys and this network"
            ),
            "the shared access signature" => format!(
                "{who} does not allow it; it must allow read, write, delete, list and create on blobs and containers, \
                 and not have ended"
            ),
            _ => format!(
                "{who} is not allowed; give it the role `Storage Blob Data Contributor` on the container \
                 (it takes some minutes to work), and check that the account allows this network"
            ),
        }
    }

    async fn within<T>(
        &self,
        what: &str,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let late = |_| {
            let why = format!("no answer within {} s", LIMIT.as_secs());
            self.error(what, Fault::NoAnswer { why, wait: None })
        };
        tokio::time::timeout(LIMIT, Box::pin(work)).await.map_err(late)?
    }

    async fn fetch(&self, name: &str) -> Result<Option<Document>, StoreError> {
        let blob = self.patient.blob_client(name);
        let mut last = Fault::NoBlob;
        for _ in 0..FETCHES {
            let options = BlobClientDownloadOptions {
                partition_size: NonZero::new(ONE_REQUEST),
                ..BlobClientDownloadOptions::default()
            };
            let got = async {
                let answer = blob.download(Some(options)).await?;
                let etag = answer.properties.etag.clone();
                let meta = from_metadata(answer.properties.metadata.clone());
                Ok::<_, azure_core::Error>((answer.body.collect().await?, etag, meta))
            };
            match got.await {
                Ok((body, Some(etag), meta)) => {
                    return Ok(Some(Document { body: body.to_vec(), etag: bare(&etag), meta }));
                }
                Ok((_, None, _)) => {
                    let why = "an answer without an ETag".to_owned();
                    last = Fault::NoAnswer { why, wait: None };
                }
                Err(error) => match fault(&error) {
                    Fault::NoBlob | Fault::NoContainer => return Ok(None),
                    // The bytes broke off, or it was written while its parts were read.
                    again @ (Fault::NoAnswer { .. } | Fault::Condition) => last = again,
                    fault => return Err(self.error(&reading(name), fault)),
                },
            }
        }
        Err(self.error(&reading(name), last))
    }

    async fn remove(&self, name: &str, matches: Option<&Etag>) -> Result<(), StoreError> {
        let options = BlobClientDeleteOptions {
            if_match: matches.map(quoted),
            ..BlobClientDeleteOptions::default()
        };
        let blob = self.patient.blob_client(name);
        let deleting = format!("deleting `{name}`");
        // A repetition that finds it gone finds what it wanted.
        match blob.delete(Some(options)).await.map_err(|e| fault(&e)) {
            Ok(_) | Err(Fault::NoBlob | Fault::NoContainer) => Ok(()),
            // What is not there is at no version either: look which of the two it is.
            Err(Fault::Condition) => match blob.get_properties(None).await.map_err(|e| fault(&e)) {
                Ok(_) => Err(StoreError::Lost(name.to_owned())),
                Err(Fault::NoBlob | Fault::NoContainer) => Ok(()),
                Err(fault) => Err(self.error(&deleting, fault)),
            },
            Err(fault) => Err(self.error(&deleting, fault)),
        }
    }

    async fn listing(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let options = BlobContainerClientListBlobsOptions {
            include: Some(vec![ListBlobsIncludeItem::Metadata]),
            prefix: Some(prefix.to_owned()).filter(|prefix| !prefix.is_empty()),
            ..BlobContainerClientListBlobsOptions::default()
        };
        let wrong =
            |error: &azure_core::Error| self.error(&format!("listing `{prefix}`"), fault(error));
        let mut pages = self.patient.list_blobs(Some(options)).map_err(|e| wrong(&e))?.into_pages();
        let mut listed = Vec::new();
        loop {
            let page = match pages.try_next().await {
                Ok(Some(page)) => page.into_model().map_err(|e| wrong(&e))?,
                Ok(None) => break,
                Err(error) if fault(&error) == Fault::NoContainer => break,
                Err(error) => return Err(wrong(&error)),
            };
            listed.extend(page.blob_items.into_iter().filter_map(line));
        }
        listed.retain(|line: &Listed| line.name.starts_with(prefix));
        // Accounts with folders of their own order names another way.
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }
}

fn reading(name: &str) -> String {
    format!("reading `{name}`")
}

/// A line of a listing. `None`: a folder, where the account keeps such.
fn line(item: BlobItem) -> Option<Listed> {
    let properties = item.properties?;
    let metadata = item.metadata.and_then(|metadata| metadata.values).unwrap_or_default();
    if metadata.keys().any(|key| key.eq_ignore_ascii_case("hdi_isfolder")) {
        return None;
    }
    let modified = properties.last_modified?;
    Some(Listed {
        name: item.name?,
        etag: bare(&properties.etag?),
        meta: from_metadata(metadata),
        modified: DateTime::from_timestamp(modified.unix_timestamp(), modified.nanosecond())?,
    })
}

#[async_trait]
impl StateStore for BlobStore {
    async fn read(&self, name: &str) -> Result<Option<Document>, StoreError> {
        check_name(name)?;
        self.within(&reading(name), self.fetch(name)).await
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
        self.put(name, body, meta, when).await
    }

    async fn delete(&self, name: &str, matches: Option<&Etag>) -> Result<(), StoreError> {
        check_name(name)?;
        self.within(&format!("deleting `{name}`"), self.remove(name, matches)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.within(&format!("listing `{prefix}`"), self.listing(prefix)).await
    }
}
