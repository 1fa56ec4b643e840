//! Storage queues, as the host uses them: messages are taken, hidden, given back and put away.

use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// A message in a queue.
#[derive(Clone, Debug)]
struct Message {
    id: String,
    text: String,
    dequeues: u32,
    inserted: DateTime<Utc>,
    visible: DateTime<Utc>,
    /// Who has it: changes with every taking.
    receipt: u64,
}

/// A message that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) queue: String,
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) dequeues: u32,
    pub(crate) inserted: DateTime<Utc>,
    pub(super) receipt: u64,
}

impl Taken {
    pub(crate) fn first(text: &str, inserted: DateTime<Utc>) -> Self {
        Self {
            queue: String::new(),
            id: "message".to_owned(),
            text: text.to_owned(),
            dequeues: 1,
            inserted,
            receipt: 0,
        }
    }
}

/// While it is worked at, a message is hidden this long; whoever works at it renews that.
const HIDDEN: TimeDelta = TimeDelta::minutes(10);

/// All queues of a storage account.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    of: BTreeMap<String, VecDeque<Message>>,
    receipts: u64,
    ids: u64,
}

impl Queues {
    pub(crate) fn put(&mut self, queue: &str, text: &str, now: DateTime<Utc>) {
        self.ids += 1;
        let message = Message {
            id: format!("{:08x}-0000-4000-8000-000000000001", self.ids),
            text: text.to_owned(),
            dequeues: 0,
            inserted: now,
            visible: now,
            receipt: 0,
        };
        self.of.entry(queue.to_owned()).or_default().push_back(message);
    }

    /// The texts in a queue, hidden ones included.
    pub(crate) fn texts(&self, queue: &str) -> Vec<String> {
        self.of.get(queue).into_iter().flatten().map(|m| m.text.clone()).collect()
    }

    /// Takes up to `n` messages that can be seen.
    pub(crate) fn take(&mut self, queue: &str, n: usize, now: DateTime<Utc>) -> Vec<Taken> {
        let mut taken = Vec::new();
        let messages = self.of.entry(queue.to_owned()).or_default();
        for message in messages.iter_mut().filter(|m| m.visible <= now).take(n) {
            self.receipts += 1;
            message.dequeues += 1;
            message.visible = now + HIDDEN;
            message.receipt = self.receipts;
            taken.push(Taken {
                queue: queue.to_owned(),
                id: message.id.clone(),
                text: message.text.clone(),
                dequeues: message.dequeues,
                inserted: message.inserted,
                receipt: message.receipt,
            });
        }
        taken
    }

    /// Whether a message can be seen.
    pub(crate) fn visible(&self, queue: &str, now: DateTime<Utc>) -> bool {
        self.of.get(queue).into_iter().flatten().any(|m| m.visible <= now)
    }

    fn find(&mut self, taken: &Taken) -> Option<(&mut VecDeque<Message>, usize)> {
        let messages = self.of.get_mut(&taken.queue)?;
        let at = messages.iter().position(|m| m.id == taken.id && m.receipt == taken.receipt)?;
        Some((messages, at))
    }

    /// Deletes it, unless someone else has it by now.
    pub(crate) fn delete(&mut self, taken: &Taken) {
        if let Some((messages, at)) = self.find(taken) {
            messages.remove(at);
        }
    }

    /// Gives it back.
    pub(crate) fn release(&mut self, taken: &Taken, visible: DateTime<Utc>) {
        if let Some((messages, at)) = self.find(taken)
            && let Some(message) = messages.get_mut(at)
        {
            message.visible = visible;
        }
    }

    /// Whether nobody else has taken it since.
    pub(crate) fn is_held(&mut self, taken: &Taken) -> bool {
        self.find(taken).is_some()
    }

    /// A second copy can be taken while the first is still worked at: its time was not renewed.
    pub(crate) fn reappear(&mut self, taken: &Taken, now: DateTime<Utc>) {
        self.release(taken, now);
    }

    /// Puts it where nobody works at it again, unless it is there.
    pub(crate) fn poison(&mut self, taken: &Taken, now: DateTime<Utc>) {
        if self.find(taken).is_some() {
            self.delete(taken);
            self.put(&format!("{}-poison", taken.queue), &taken.text, now);
        }
    }

    /// A failure: given back, or put away at the last of `max` times. There is no poison queue of a poison queue.
    pub(crate) fn failed(&mut self, taken: &Taken, max: u32, wait: Duration, now: DateTime<Utc>) {
        if taken.dequeues >= max && !taken.queue.ends_with("-poison") {
            self.poison(taken, now);
        } else {
            self.release(taken, now + TimeDelta::from_std(wait).unwrap());
        }
    }

    /// Everything that was taken can be seen again: whoever had it is gone.
    pub(crate) fn release_all(&mut self, now: DateTime<Utc>) {
        for message in self.of.values_mut().flatten() {
            message.receipt = 0;
            message.visible = message.visible.min(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_again_until_they_are_put_away() {
        let (mut queues, now) = (Queues::default(), Utc::now());
        queues.put("q", "a", now);
        for n in 1..=3 {
            let [taken] = &queues.take("q", 16, now)[..] else { panic!("{n}") };
            assert_eq!(taken.dequeues, n);
            assert!(queues.take("q", 16, now).is_empty(), "hidden");
            queues.failed(taken, 3, Duration::ZERO, now);
        }
        assert!(queues.texts("q").is_empty());
        assert_eq!(queues.texts("q-poison"), ["a"]);
        let [taken] = &queues.take("q-poison", 1, now)[..] else { panic!() };
        queues.failed(taken, 1, Duration::from_secs(1), now);
        assert!(queues.take("q-poison", 1, now).is_empty(), "after its second");
        assert_eq!(queues.take("q-poison", 1, now + TimeDelta::seconds(1)).len(), 1);
    }

    #[test]
    fn who_lost_a_message_cannot_delete_it() {
        let (mut queues, now) = (Queues::default(), Utc::now());
        queues.put("q", "a", now);
        let first = queues.take("q", 1, now).remove(0);
        queues.reappear(&first, now);
        let second = queues.take("q", 1, now).remove(0);
        queues.delete(&first);
        assert_eq!(queues.texts("q"), ["a"]);
        queues.delete(&second);
        assert!(queues.texts("q").is_empty());
    }
}
