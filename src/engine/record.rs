//! The delivery record: what is known of one alert at one receiver. Written only by deliver, always by compare-and-swap.

use crate::notify::limits;
use crate::ports::Meta;
use crate::watch::format::Formats;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How long a claim holds: longer than a POST can take.
pub const CLAIM: TimeDelta = TimeDelta::seconds(120);
/// What must be left of a claim before a POST is begun.
pub const POST_TAKES: TimeDelta = TimeDelta::seconds(60);
/// How long a record outlives its end: longer than any queue keeps a ticket.
pub const KEPT: TimeDelta = TimeDelta::days(8);
/// The formats of records.
pub const FORMATS: Formats = Formats::new(1, 1, 1);

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The receiver accepted it.
    Delivered,
    /// The receiver refused it for good, or is no longer configured.
    Refused,
    /// The schedule ended.
    GaveUp,
}

impl End {
    /// The word in the state.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::GaveUp => "gave-up",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Delivered, Self::Refused, Self::GaveUp].into_iter().find(|end| end.as_str() == word)
    }
}

/// A template that failed for an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faulted {
    /// When first.
    pub at: DateTime<Utc>,
    /// Where, and what is wrong there. Holds nothing of the log.
    pub why: String,
}

impl Faulted {
    /// The longest reason.
    const MAX: usize = 300;

    /// What an attempt came upon.
    pub fn new(at: DateTime<Utc>, why: &str) -> Self {
        Self { at, why: limits::clean(why, Self::MAX) }
    }

    /// As a listing says it: ASCII, and short.
    fn meta(&self) -> String {
        let at = self.at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let plain = |c: char| if c == ' ' || c.is_ascii_graphic() { c } else { '?' };
        format!("{at} {}", self.why.chars().map(plain).collect::<String>())
    }

    fn parse(meta: &str) -> Option<Self> {
        let (at, why) = meta.split_once(' ')?;
        let at = DateTime::parse_from_rfc3339(at).ok()?.with_timezone(&Utc);
        Some(Self { at, why: why.to_owned() })
    }
}

/// The document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Format number.
    pub format: u32,
    /// Alert id.
    pub alert: String,
    /// Receiver name.
    pub receiver: String,
    /// Whose claim it is; tells our own write from another's.
    pub claimed_by: String,
    /// Nobody else delivers before this.
    pub claim_until: DateTime<Utc>,
    /// POSTs begun.
    pub attempts: u32,
    /// Not tried again before this.
    pub next_due: DateTime<Utc>,
    /// When it was last tried.
    pub attempted_at: DateTime<Utc>,
    /// Whether the alert is one about hsmwatch: its failure makes no further alert.
    #[serde(default)]
    pub own: bool,
    /// What came of it. Carries no address and no secret.
    pub last: String,
    /// Set when the *receiver* is broken: its credential at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
    /// Set when the receiver's template failed for the alert, so that it was sent in the default format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Faulted>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

impl Record {
    /// The record of a delivery that nobody has begun.
    pub fn new(alert: &str, receiver: &str, now: DateTime<Utc>) -> Self {
        Self {
            format: FORMATS.writes,
            alert: alert.to_owned(),
            receiver: receiver.to_owned(),
            claimed_by: String::new(),
            claim_until: now,
            attempts: 0,
            next_due: now,
            attempted_at: now,
            own: false,
            last: String::new(),
            broken: None,
            fault: None,
            end: None,
            ended_at: None,
        }
    }

    /// The document's name.
    pub fn name(alert: &str, receiver: &str) -> String {
        format!("deliveries/{alert}.{receiver}")
    }

    /// The document's bytes.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a document.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        super::check_format(FORMATS, bytes)?;
        let mut record: Self = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        // Whatever it was, it is written again in this version's.
        record.format = FORMATS.writes;
        Ok(record)
    }

    /// Whether it may be claimed now.
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.end.is_none() && self.claim_until <= now && self.next_due <= now
    }

    /// Ends it.
    pub fn end(&mut self, end: End, now: DateTime<Utc>) {
        self.end = Some(end);
        self.ended_at = Some(now);
        self.claim_until = now;
        self.broken = None;
    }

    /// What a listing says of it.
    pub fn meta(&self) -> Meta {
        let time = |t: DateTime<Utc>| t.to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut meta = Meta::from([
            ("format".to_owned(), self.format.to_string()),
            ("due".to_owned(), time(self.next_due.max(self.claim_until))),
            ("attempted".to_owned(), time(self.attempted_at)),
        ]);
        if let (Some(end), Some(at)) = (self.end, self.ended_at) {
            meta.insert("end".to_owned(), end.as_str().to_owned());
            meta.insert("ended".to_owned(), time(at));
        }
        if self.own {
            meta.insert("own".to_owned(), "1".to_owned());
        }
        if let Some(credential) = &self.broken {
            meta.insert("broken".to_owned(), credential.clone());
        }
        if let Some(fault) = &self.fault {
            meta.insert("fault".to_owned(), fault.meta());
        }
        meta
    }
}

/// What a listing says of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Alert id.
    pub alert: String,
    /// Receiver name.
    pub receiver: String,
    /// Not before this.
    pub due: DateTime<Utc>,
    /// When it was last tried.
    pub attempted: DateTime<Utc>,
    /// How and when it ended.
    pub end: Option<(End, DateTime<Utc>)>,
    /// Whether the alert is one about hsmwatch.
    pub own: bool,
    /// The credential with which the receiver is broken.
    pub broken: Option<String>,
    /// The receiver's template that failed for the alert.
    pub fault: Option<Faulted>,
    /// The record's format.
    pub format: u32,
}

impl Line {
    /// Why the record cannot be read, if a version too far from this one wrote it.
    pub fn unreadable(&self) -> Option<String> {
        FORMATS.check(self.format).err().map(|other| other.to_string())
    }

    /// Reads a line of a listing. Facts that cannot be read mean "due now": deliver looks at the record itself.
    pub fn read(name: &str, meta: &Meta) -> Option<Self> {
        let (alert, receiver) = name.strip_prefix("deliveries/")?.split_once('.')?;
        let time = |key: &str| {
            meta.get(key)
                .and_then(|t| DateTime::parse_from_rfc3339(t).ok())
                .map(|t| t.with_timezone(&Utc))
        };
        Some(Self {
            alert: alert.to_owned(),
            receiver: receiver.to_owned(),
            due: time("due").unwrap_or(DateTime::UNIX_EPOCH),
            attempted: time("attempted").unwrap_or(DateTime::UNIX_EPOCH),
            end: meta.get("end").and_then(|w| End::parse(w)).zip(time("ended")),
            own: meta.contains_key("own"),
            broken: meta.get("broken").cloned(),
            fault: meta.get("fault").and_then(|text| Faulted::parse(text)),
            format: meta.get("format").and_then(|n| n.parse().ok()).unwrap_or(FORMATS.writes),
        })
    }
}
