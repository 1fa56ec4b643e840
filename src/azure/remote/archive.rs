//! Archived logs: many blobs, of any size.

pub use azure_core::Bytes;

use super::{Fault, Remote, RemoteError, fault};
use azure_storage_blob::models::{
    BlobClientDownloadOptions, BlobContainerClientListBlobsOptions, BlobItem,
};
use futures_util::{Stream, TryStreamExt as _};
use std::num::NonZero;
use std::time::Duration;

/// Bytes asked for at once. Blobs of an hour are smaller as a rule, and the one that is still written must not change
/// between two requests.
const PART: usize = 64 << 20;
/// No page of a listing, and no first byte of a blob, is waited for longer.
const WAIT: Duration = Duration::from_mins(1);

/// A blob that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name in the container.
    pub name: String,
    /// Its size in bytes when it was listed.
    pub size: u64,
}

impl Remote {
    /// The blobs whose names begin with `prefix` and are `wanted`, in the order of their names.
    pub async fn list_logs(
        &self,
        prefix: &str,
        wanted: impl Fn(&str) -> bool + Send,
    ) -> Result<Vec<Stored>, RemoteError> {
        let options = BlobContainerClientListBlobsOptions {
            prefix: (!prefix.is_empty()).then(|| prefix.to_owned()),
            ..BlobContainerClientListBlobsOptions::default()
        };
        let mut blobs =
            self.client.list_blobs(Some(options)).map_err(|error| self.error(fault(&error)))?;
        let mut found = Vec::new();
        while let Some(BlobItem { name, properties, .. }) =
            self.timely(blobs.try_next()).await?.map_err(|error| self.error(fault(&error)))?
        {
            let size = properties.and_then(|p| p.content_length).unwrap_or_default();
            found.extend(name.filter(|name| wanted(name)).map(|name| Stored { name, size }));
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// The bytes of a blob as they come.
    pub async fn bytes(
        &self,
        name: &str,
    ) -> Result<impl Stream<Item = Result<Bytes, RemoteError>> + Send + '_, RemoteError> {
        let options = BlobClientDownloadOptions {
            partition_size: NonZero::new(PART),
            parallel: NonZero::new(1),
            ..BlobClientDownloadOptions::default()
        };
        let client = self.client.blob_client(name);
        let answer = self.timely(client.download(Some(options))).await?;
        let answer = answer.map_err(|error| match fault(&error) {
            Fault::NoBlob => RemoteError::Missing,
            fault => self.error(fault),
        })?;
        Ok(answer.body.map_err(|error| self.error(fault(&error))))
    }

    async fn timely<T>(&self, work: impl Future<Output = T> + Send) -> Result<T, RemoteError> {
        let late = |_| {
            let why = format!("no answer within {} s", WAIT.as_secs());
            self.error(Fault::NoAnswer { why, wait: None })
        };
        tokio::time::timeout(WAIT, work).await.map_err(late)
    }
}
