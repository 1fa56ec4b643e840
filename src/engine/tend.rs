//! Tending: every tick first looks at the outbox of every head there is, whether its rule is due, failing, edited or gone.

use super::record::{End, KEPT, Line, Record};
use super::{Engine, Loaded, Offer, StateError, Ticket, case};
use crate::notify::backoff;
use crate::ports::StoreError;
use crate::watch::head::Head;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};

/// What tending found.
#[derive(Debug, Default)]
pub struct Tended {
    /// Heads that can be read, by watch key.
    pub heads: BTreeMap<String, Loaded>,
    /// Heads that cannot: document and reason. They are left untouched.
    pub unreadable: BTreeMap<String, String>,
    /// Other documents that cannot be read, by name, with the reason. They are left untouched too.
    pub documents: BTreeMap<String, String>,
    /// Every delivery there is a record of.
    pub lines: Vec<Line>,
    /// Alerts that have ended at all their receivers.
    pub ended: BTreeSet<String>,
    /// Receivers that are off: since when. Their alerts wait.
    pub off: BTreeMap<String, DateTime<Utc>>,
    /// Deliveries that wait: not due yet, or their receiver is off.
    pub waiting: u64,
}

impl Engine {
    /// Reads all heads and one listing of the deliveries, and offers what is due.
    pub async fn tend(&self, now: DateTime<Utc>, offer: Offer<'_>) -> Result<Tended, StateError> {
        let listed = self.store.list("heads/").await?;
        let keys =
            listed.iter().map(|line| line.name.trim_start_matches("heads/").to_owned()).collect();
        let mut tended = self.look_at(keys).await?;
        Self::offer_due(&mut tended, now, offer);
        Ok(tended)
    }

    /// Reads these heads, hsmwatch's own, and one listing of the deliveries.
    pub(super) async fn look(&self, mut keys: Vec<String>) -> Result<Tended, StateError> {
        keys.push(crate::watch::own::watch_id().key());
        self.look_at(keys).await
    }

    async fn look_at(&self, keys: Vec<String>) -> Result<Tended, StateError> {
        let mut tended = Tended::default();
        let mut heads = Vec::new();
        for key in keys {
            heads.push(async move {
                let read = self.load(&key).await;
                (key, read)
            });
        }
        let mut reads = stream::iter(heads).buffer_unordered(8);
        while let Some((key, read)) = reads.next().await {
            match read {
                Ok(Some(loaded)) => {
                    tended.heads.insert(key, loaded);
                }
                Ok(None) => {}
                // A store that fails altogether fails the listings: this is the one document.
                Err(
                    error @ (StateError::Head { .. }
                    | StateError::Document { .. }
                    | StateError::Store(StoreError::Failed(_))),
                ) => {
                    tended.unreadable.insert(key, error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
        drop(reads);
        tended.lines = self
            .store
            .list("deliveries/")
            .await?
            .into_iter()
            .filter_map(|line| Line::read(&line.name, &line.meta))
            .collect();
        let own = crate::watch::own::watch_id().key();
        let own = tended.heads.get(&own).and_then(|loaded| loaded.head.own.clone());
        tended.off = self.receivers_off(&tended.lines, own.as_ref());
        Ok(tended)
    }

    /// A receiver is off while a delivery that has not ended says that it is broken, with the address and secrets it has now.
    fn receivers_off(
        &self,
        lines: &[Line],
        own: Option<&crate::watch::own::Own>,
    ) -> BTreeMap<String, DateTime<Utc>> {
        let mut off: BTreeMap<String, DateTime<Utc>> = BTreeMap::new();
        for line in lines.iter().filter(|line| line.end.is_none()) {
            let Some(receiver) = self.receiver(&line.receiver) else { continue };
            let switched_on = own.and_then(|own| own.switched_on.get(&receiver.name));
            if line.broken.as_ref() == Some(&receiver.credential)
                && switched_on.is_none_or(|on| line.attempted > *on)
            {
                let since = off.entry(receiver.name.clone()).or_insert(line.attempted);
                *since = line.attempted.min(*since);
            }
        }
        off
    }

    fn offer_due(tended: &mut Tended, now: DateTime<Utc>, offer: Offer<'_>) {
        let lines: BTreeMap<(&str, &str), &Line> = tended
            .lines
            .iter()
            .map(|line| ((line.alert.as_str(), line.receiver.as_str()), line))
            .collect();
        for (key, Loaded { head, .. }) in &tended.heads {
            for batch in &head.outbox {
                for alert in &batch.alerts {
                    let mut all_ended = true;
                    for receiver in &batch.receivers {
                        let line = lines.get(&(alert.as_str(), receiver.as_str()));
                        if line.is_some_and(|line| line.end.is_some()) {
                            continue;
                        }
                        all_ended = false;
                        if let Some(why) = line.and_then(|line| line.unreadable()) {
                            let name = Record::name(alert, receiver);
                            let why = format!("state document `{name}` is left untouched: {why}");
                            tended.documents.insert(name, why);
                            tended.waiting += 1;
                            continue;
                        }
                        let over = now - batch.at >= backoff::total();
                        let off = tended.off.contains_key(receiver) && !over;
                        if off || line.is_some_and(|line| line.due > now) {
                            tended.waiting += 1;
                            continue;
                        }
                        offer(Ticket {
                            watch: key.clone(),
                            alert: alert.clone(),
                            receiver: receiver.clone(),
                        });
                    }
                    if all_ended {
                        tended.ended.insert(alert.clone());
                    }
                }
            }
        }
    }

    /// Deletes what no head names any more: documents after a day, ended delivery records after
    /// eight, cases after ninety.
    pub(super) async fn collect(
        &self,
        tended: &Tended,
        now: DateTime<Utc>,
    ) -> Result<u64, StateError> {
        let mut named: BTreeSet<&str> = BTreeSet::new();
        let mut open: BTreeSet<&str> = BTreeSet::new();
        // Heads are read again by the next tick; a document that a commit of this very tick wrote is younger than a day.
        for Loaded { head, .. } in tended.heads.values() {
            named.extend(head.seen.as_deref());
            named.extend(head.outbox.iter().map(|batch| batch.doc.as_str()));
            open.extend(head.outbox.iter().flat_map(|b| &b.alerts).map(String::as_str));
        }
        let mut collected = 0;
        for prefix in ["seen/", "alerts/"] {
            for line in self.store.list(prefix).await? {
                // What belongs to a head that cannot be read is not ours to judge.
                let key = line.name.split('/').nth(1).unwrap_or_default();
                let judged = !tended.unreadable.contains_key(key);
                if judged
                    && !named.contains(line.name.as_str())
                    && now - line.modified > TimeDelta::days(1)
                {
                    self.store.delete(&line.name, Some(&line.etag)).await.or_else(lost_is_fine)?;
                    collected += 1;
                }
            }
        }
        for line in self.store.list("cases/").await? {
            let touched = case::touched(&line.meta).unwrap_or(line.modified);
            if now - touched.max(line.modified) > case::REMEMBERED {
                self.store.delete(&line.name, Some(&line.etag)).await.or_else(lost_is_fine)?;
                collected += 1;
            }
        }
        for line in &tended.lines {
            let old = line.end.is_some_and(|(_, at)| now - at > KEPT);
            if old && !open.contains(line.alert.as_str()) && tended.unreadable.is_empty() {
                let name = Record::name(&line.alert, &line.receiver);
                self.store.delete(&name, None).await?;
                collected += 1;
            }
        }
        Ok(collected)
    }
}

fn lost_is_fine(error: StoreError) -> Result<(), StoreError> {
    match error {
        StoreError::Lost(_) => Ok(()),
        other => Err(other),
    }
}

impl Tended {
    /// Deliveries to this receiver that ended like this, with alert and time.
    pub fn ends(&self, end: End) -> impl Iterator<Item = (&Line, DateTime<Utc>)> {
        self.lines.iter().filter_map(move |line| match line.end {
            Some((e, at)) if e == end => Some((line, at)),
            _ => None,
        })
    }

    /// The head of a watch.
    pub fn head(&self, key: &str) -> Option<&Head> {
        self.heads.get(key).map(|loaded| &loaded.head)
    }
}
