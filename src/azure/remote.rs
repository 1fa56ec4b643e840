//! Reads a container of Blob Storage: a configuration and what is beside it, or archived logs.

mod archive;

pub use archive::{Bytes, Stored};

use super::storage::{Fault, Key, StorageError, account, fault, service};
use azure_storage_blob::BlobContainerClient;
use azure_storage_blob::models::{
    BlobClientDownloadOptions, BlobContainerClientListBlobsOptions, BlobItem,
};
use futures_util::TryStreamExt as _;
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZero;
use std::time::Duration;
use url::Url;

/// No file of a configuration needs to be larger.
pub const LIMIT: usize = 1024 * 1024;
/// A listing that goes on beyond this is not one of rule files.
pub const MOST: usize = 5000;
/// No answer is waited for longer, retries included.
const WAIT: Duration = Duration::from_secs(15);

/// A container that is read.
pub struct Remote {
    client: BlobContainerClient,
    account: String,
    container: String,
    who: String,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({}/{} as {})", self.account, self.container, self.who)
    }
}

/// What a blob holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The same as before.
    Unchanged,
    /// This.
    Text {
        /// Its text.
        text: String,
        /// Its version.
        etag: String,
    },
}

/// Why a blob, or the container, cannot be read. Texts carry no URL and no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// There is none of this name.
    #[error("there is no such blob")]
    Missing,
    /// There is one, but no text that could be used.
    #[error("{0}")]
    Unusable(String),
    /// The container or the way to it is the matter: all its blobs are concerned.
    #[error("{0}")]
    Container(String),
}

impl Remote {
    /// Reads `container` of the account at `url`, as `who` as people call it. Nothing is asked yet.
    pub fn new(url: &Url, container: &str, key: &Key, who: &str) -> Result<Self, StorageError> {
        Ok(Self {
            client: service(url, key)?.blob_container_client(container),
            account: account(url),
            container: container.to_owned(),
            who: who.to_owned(),
        })
    }

    /// The text of a blob, unless it is still the version `etag`.
    pub async fn read(&self, name: &str, etag: Option<&str>) -> Result<Read, RemoteError> {
        self.within(async {
            let options = BlobClientDownloadOptions {
                if_none_match: etag.map(Into::into),
                // The whole blob in one request, or enough to see that it is too large.
                partition_size: NonZero::new(LIMIT + 1),
                parallel: NonZero::new(1),
                ..BlobClientDownloadOptions::default()
            };
            let answer = match self.client.blob_client(name).download(Some(options)).await {
                Ok(answer) => answer,
                Err(error) => match fault(&error) {
                    Fault::NotModified => return Ok(Read::Unchanged),
                    Fault::NoBlob => return Err(RemoteError::Missing),
                    fault => return Err(self.error(fault)),
                },
            };
            let etag = answer.properties.etag.map(|etag| etag.to_string()).unwrap_or_default();
            let mut body = answer.body;
            let mut bytes: Vec<u8> = Vec::new();
            while let Some(chunk) =
                body.try_next().await.map_err(|error| self.error(fault(&error)))?
            {
                bytes.extend_from_slice(&chunk);
                if bytes.len() > LIMIT {
                    return Err(RemoteError::Unusable("larger than 1 MiB".to_owned()));
                }
            }
            let text = String::from_utf8(bytes)
                .map_err(|_| RemoteError::Unusable("not UTF-8".to_owned()))?;
            Ok(Read::Text { text, etag })
        })
        .await
    }

    /// The names that begin with `prefix`, with their versions.
    pub async fn list(&self, prefix: &str) -> Result<BTreeMap<String, String>, RemoteError> {
        self.within(async {
            let options = BlobContainerClientListBlobsOptions {
                prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
                ..BlobContainerClientListBlobsOptions::default()
            };
            let mut blobs = self
                .client
                .list_blobs(Some(options))
                .map_err(|error| self.error(fault(&error)))?;
            let mut found = BTreeMap::new();
            while let Some(BlobItem { name, properties, .. }) =
                blobs.try_next().await.map_err(|error| self.error(fault(&error)))?
            {
                let etag = properties.and_then(|p| p.etag).map(|etag| etag.to_string());
                found.extend(name.map(|name| (name, etag.unwrap_or_default())));
                if found.len() > MOST {
                    return Err(RemoteError::Unusable(format!(
                        "more than {MOST} blobs begin with `{prefix}`: give the rules a folder of their own"
                    )));
                }
            }
            Ok(found)
        })
        .await
    }

    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, RemoteError>> + Send,
    ) -> Result<T, RemoteError> {
        let late = |_| {
            let why = format!("no answer within {} s", WAIT.as_secs());
            self.error(Fault::NoAnswer { why, wait: None })
        };
        tokio::time::timeout(WAIT, Box::pin(work)).await.map_err(late)?
    }

    fn error(&self, fault: Fault) -> RemoteError {
        let place = format!("container `{}` of account `{}`", self.container, self.account);
        RemoteError::Container(match fault {
            Fault::NoContainer => format!("there is no {place}"),
            Fault::Denied(said) => format!("{place}: {}: {said}", self.cure()),
            Fault::NoConnection(why) => format!("{place}: no connection: {why}"),
            Fault::NoAnswer { why, .. } | Fault::NoToken(why) | Fault::Refused(why) => {
                format!("{place}: {why}")
            }
            other => format!("{place}: an answer that no question was for: {other:?}"),
        })
    }

    /// Who is not allowed, and what would help.
    fn cure(&self) -> String {
        let who = &self.who;
        match who.as_str() {
            "the account key" | "Azurite's development key" => format!(
                "{who} is not accepted; check it, and that the account allows keys and this network"
            ),
            "the shared access signature" => format!(
                "{who} does not allow it; it must allow read and list on blobs and containers, and not have ended"
            ),
            _ => format!(
                "the {who} is not allowed to read it; give it the role `Storage Blob Data Reader` on the container \
                 (it takes some minutes to work), and check that the account allows this network"
            ),
        }
    }
}

/// Whether two versions are the same: listings name them without the quotes that answers have.
pub fn same_version(a: &str, b: &str) -> bool {
    !a.is_empty() && a.trim_matches('"') == b.trim_matches('"')
}
