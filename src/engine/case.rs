//! Cases: what is remembered of an incident at a desk, and who talks to the desk about it. One document an incident and desk,
//! changed by compare-and-swap: two alerts of one incident must not both open a case.

use super::record::{CLAIM, Record};
use super::{Engine, StateError, check_format};
use crate::notify::desk::Memory;
use crate::planted::{self, Bug};
use crate::ports::{Etag, Meta, StoreError, When};
use crate::watch::format::Formats;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How long a case is remembered after its last alert. Later alerts search for it as if it were new.
pub const REMEMBERED: TimeDelta = TimeDelta::days(90);
/// How long an alert waits while another one of its incident is being told.
pub const BUSY: TimeDelta = TimeDelta::seconds(5);
/// The formats of these documents.
pub const FORMATS: Formats = Formats::new(1, 1, 1);
/// How often a write whose fate is not known is tried again.
const WRITES: usize = 3;

/// The document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseDoc {
    /// Format number.
    pub format: u32,
    /// Incident key.
    pub incident: String,
    /// Receiver name.
    pub receiver: String,
    /// Whose turn it is; tells our own write from another's.
    pub claimed_by: String,
    /// Nobody else talks to the desk about this incident before this.
    pub claim_until: DateTime<Utc>,
    /// When it was last talked about.
    pub touched: DateTime<Utc>,
    /// What is remembered.
    pub memory: Memory,
}

impl CaseDoc {
    /// The document's name.
    pub fn name(incident: &str, receiver: &str) -> String {
        format!("cases/{incident}.{receiver}")
    }

    /// Reads a document.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        check_format(FORMATS, bytes)?;
        let mut case: Self = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        case.format = FORMATS.writes;
        Ok(case)
    }

    /// The document's bytes.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What a listing says of it.
    pub fn meta(&self) -> Meta {
        let touched = self.touched.to_rfc3339_opts(SecondsFormat::Millis, true);
        Meta::from([
            ("format".to_owned(), self.format.to_string()),
            ("touched".to_owned(), touched),
        ])
    }
}

/// A case that is ours to talk about.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) doc: CaseDoc,
    etag: Etag,
}

impl Engine {
    /// Takes the turn to talk about an incident, or answers `None`: someone else has it.
    pub(super) async fn claim_case(
        &self,
        incident: &str,
        record: &Record,
        now: DateTime<Utc>,
    ) -> Result<Option<Claimed>, StateError> {
        let name = CaseDoc::name(incident, &record.receiver);
        let bad = |why| StateError::Document { name: name.clone(), why };
        let read = self.store.read(&name).await.map_err(|error| match error {
            StoreError::Failed(why) => bad(why),
            error => error.into(),
        })?;
        let (mut doc, when) = match read {
            None => (
                CaseDoc {
                    format: FORMATS.writes,
                    incident: incident.to_owned(),
                    receiver: record.receiver.clone(),
                    claimed_by: String::new(),
                    claim_until: now,
                    touched: now,
                    memory: Memory::default(),
                },
                When::Absent,
            ),
            Some(document) => {
                (CaseDoc::decode(&document.body).map_err(bad)?, When::Matches(document.etag))
            }
        };
        if doc.claim_until > now && !planted::is(Bug::NoTurn) {
            return Ok(None);
        }
        doc.claimed_by = self.commit_id(now);
        doc.claim_until = now + CLAIM;
        doc.touched = now;
        match self.store.write(&name, doc.encode(), doc.meta(), when).await {
            Ok(etag) => Ok(Some(Claimed { doc, etag })),
            Err(StoreError::Lost(_) | StoreError::Unknown(_)) => {
                // Ours after all, if the answer was what got lost.
                let read = self.store.read(&name).await?;
                let ours = read.filter(|document| document.body == doc.encode());
                Ok(ours.map(|document| Claimed { doc, etag: document.etag }))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Writes down what is remembered now. `false`: the turn is lost, and someone else's.
    pub(super) async fn remember(
        &self,
        claimed: &mut Claimed,
        memory: Memory,
    ) -> Result<bool, StateError> {
        claimed.doc.memory = memory;
        let name = CaseDoc::name(&claimed.doc.incident, &claimed.doc.receiver);
        let (body, meta) = (claimed.doc.encode(), claimed.doc.meta());
        let mut last = StoreError::Unknown(name.clone());
        for _ in 0..WRITES {
            let when = When::Matches(claimed.etag.clone());
            match self.store.write(&name, body.clone(), meta.clone(), when).await {
                Ok(etag) => {
                    claimed.etag = etag;
                    return Ok(true);
                }
                Err(error @ (StoreError::Lost(_) | StoreError::Unknown(_))) => {
                    match self.store.read(&name).await {
                        Ok(Some(document)) if document.body == body => {
                            claimed.etag = document.etag;
                            return Ok(true);
                        }
                        // It did not arrive: once more.
                        Ok(Some(document)) if document.etag == claimed.etag => last = error,
                        Ok(_) => return Ok(false),
                        Err(error) => last = error,
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.into())
    }

    /// Gives the turn back.
    pub(super) async fn give_back(
        &self,
        mut claimed: Claimed,
        memory: Memory,
        now: DateTime<Utc>,
    ) -> Result<(), StateError> {
        claimed.doc.claim_until = now;
        self.remember(&mut claimed, memory).await.map(|_| ())
    }
}

/// When a document was last talked about, as a listing says.
pub(super) fn touched(meta: &Meta) -> Option<DateTime<Utc>> {
    let touched = DateTime::parse_from_rfc3339(meta.get("touched")?).ok()?;
    Some(touched.with_timezone(&Utc))
}
