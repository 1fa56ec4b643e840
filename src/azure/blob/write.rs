//! Writing: the only thing that may be done and yet seem not to be.

use super::facts::{WRITE_ID, bare, quoted, to_metadata};
use super::{BlobStore, ONE_REQUEST};
use crate::azure::storage::{Fault, fault};
use crate::ports::{Etag, Meta, StoreError, When};
use azure_core::Bytes;
use azure_storage_blob::models::{
    BlobClientGetPropertiesResultHeaders as _, BlobClientUploadOptions,
};
use std::num::NonZero;
use std::time::Duration;

/// Waits before the repetitions of a write.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(800), Duration::from_secs(2)];
/// No pause is longer, whatever the service asks for: the next tick comes anyway.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// A small write and its repetitions end within this.
const LIMIT: Duration = Duration::from_secs(15);
/// What is written at the least in a second more.
const BYTES_A_SECOND: usize = 1024 * 1024;
/// How long we look whether a write arrived.
const LOOK: Duration = Duration::from_secs(5);

/// One write: what to do, and how far it came.
struct Write<'a> {
    name: &'a str,
    body: Bytes,
    options: BlobClientUploadOptions<'static>,
    id: String,
}

/// How the tries of a write ended.
enum Ended {
    Written(Etag),
    /// The condition does not hold. `sent`: unless by an earlier try of ours.
    Condition {
        sent: bool,
    },
    /// Out of tries.
    Unanswered {
        sent: bool,
        fault: Fault,
    },
    Refused(Fault),
}

impl BlobStore {
    /// Writes, and knows its own repetitions.
    pub(super) async fn put(
        &self,
        name: &str,
        body: Vec<u8>,
        meta: Meta,
        when: When,
    ) -> Result<Etag, StoreError> {
        let id = azure_core::Uuid::new_v4().simple().to_string();
        let limit = LIMIT + Duration::from_secs((body.len() / BYTES_A_SECOND) as u64);
        let (if_match, if_none_match) = match &when {
            When::Absent => (None, Some("*".into())),
            When::Matches(etag) => (Some(quoted(etag)), None),
        };
        let options = BlobClientUploadOptions {
            if_match,
            if_none_match,
            metadata: Some(to_metadata(meta, &id)),
            partition_size: NonZero::new(ONE_REQUEST as u64),
            ..BlobClientUploadOptions::default()
        };
        let write = Write { name, body: body.into(), options, id };
        let tries = Box::pin(self.tries(&write, when == When::Absent));
        let ended = tokio::time::timeout(limit, tries).await.unwrap_or_else(|_| {
            let why = format!("no answer within {} s", limit.as_secs());
            Ended::Unanswered { sent: true, fault: Fault::NoAnswer { why, wait: None } }
        });
        let (sent, fault) = match ended {
            Ended::Written(etag) => return Ok(etag),
            Ended::Condition { sent: false } => return Err(StoreError::Lost(name.to_owned())),
            Ended::Condition { sent: true } => {
                // Never there, or there until someone who had read it wrote.
                let why = "it is changed, perhaps by this write and then by another".to_owned();
                (true, Fault::NoAnswer { why, wait: None })
            }
            Ended::Unanswered { sent, fault } => (sent, fault),
            Ended::Refused(fault) => (false, fault),
        };
        let ours = if sent { self.ours(&write).await } else { None };
        ours.ok_or_else(|| self.error(&format!("writing `{name}`"), fault))
    }

    async fn tries(&self, write: &Write<'_>, creates: bool) -> Ended {
        let mut pauses = PAUSES.iter();
        let (mut sent, mut made) = (false, false);
        loop {
            let (fault, wait) = match self.upload(write).await {
                Ok(Some(etag)) => return Ended::Written(etag),
                Ok(None) => {
                    let why = "an answer without an ETag".to_owned();
                    return Ended::Unanswered {
                        sent: true,
                        fault: Fault::NoAnswer { why, wait: None },
                    };
                }
                Err(Fault::NoContainer) if creates && !made => {
                    made = true;
                    match self.make_container().await {
                        Ok(()) => continue,
                        Err(fault) => (fault, None),
                    }
                }
                // Nothing is at the version asked for where nothing is.
                Err(Fault::Condition | Fault::NoBlob | Fault::NoContainer) => {
                    return Ended::Condition { sent };
                }
                Err(fault @ Fault::NoAnswer { wait, .. }) => {
                    sent = true;
                    (fault, wait)
                }
                Err(fault) => (fault, None),
            };
            let again = matches!(fault, Fault::NoAnswer { .. } | Fault::NoConnection(_));
            match pauses.next() {
                _ if !again => return Ended::Refused(fault),
                None => return Ended::Unanswered { sent, fault },
                Some(pause) => {
                    let pause = wait.unwrap_or_default().max(*pause).min(LONGEST_PAUSE);
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "seconds at most, and nobody else can tell a hiccup from an outage"
                    )]
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    async fn upload(&self, write: &Write<'_>) -> Result<Option<Etag>, Fault> {
        let body = write.body.clone().into();
        let options = Some(write.options.clone());
        let result = self.once.blob_client(write.name).upload(body, options).await;
        result.map(|result| result.etag.as_ref().map(bare)).map_err(|e| fault(&e))
    }

    /// The version of the blob, if it is this very write.
    async fn ours(&self, write: &Write<'_>) -> Option<Etag> {
        let blob = self.patient.blob_client(write.name);
        let look = async {
            let found = blob.get_properties(None).await.ok()?;
            let id = found.metadata().ok()?.remove(WRITE_ID)?;
            let etag = found.etag().ok()??;
            (id == write.id).then(|| bare(&etag))
        };
        tokio::time::timeout(LOOK, Box::pin(look)).await.ok()?
    }

    async fn make_container(&self) -> Result<(), Fault> {
        match self.patient.create(None).await.map_err(|e| fault(&e)) {
            Ok(_) | Err(Fault::ContainerThere) => Ok(()),
            Err(fault) => Err(fault),
        }
    }
}
