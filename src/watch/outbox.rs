//! How an outbox stands in a head: a line a batch, so that 500 alerts of 500 commits still fit into a small document.

use super::head::Batch;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

#[derive(Default, Serialize, Deserialize)]
struct Written {
    /// What all documents' names begin with.
    #[serde(default)]
    prefix: String,
    /// The sets of receivers there are.
    #[serde(default)]
    receivers: Vec<Vec<String>>,
    /// `document time-in-hex-milliseconds set-of-receivers alert,alert,…`; the time is `-` where the document begins with it
    #[serde(default)]
    batches: Vec<String>,
}

pub(super) fn serialize<S: Serializer>(batches: &[Batch], to: S) -> Result<S::Ok, S::Error> {
    let mut written = Written::default();
    if let Some(first) = batches.first() {
        let folder = first.doc.rfind('/').map_or("", |n| first.doc.get(..=n).unwrap_or_default());
        // One folder a watch; a document of another one is written out in full.
        folder.clone_into(&mut written.prefix);
    }
    for batch in batches {
        let known = written.receivers.iter().position(|set| *set == batch.receivers);
        let set = known.unwrap_or_else(|| {
            written.receivers.push(batch.receivers.clone());
            written.receivers.len() - 1
        });
        let doc = batch
            .doc
            .strip_prefix(written.prefix.as_str())
            .map_or_else(|| format!("/{}", batch.doc), str::to_owned);
        let millis = format!("{:x}", batch.at.timestamp_millis());
        // A commit's name begins with its time: nearly always the same.
        let at = if doc.split('-').next() == Some(&millis) { "-" } else { &millis };
        written.batches.push(format!("{doc} {at} {set} {}", batch.alerts.join(",")));
    }
    written.serialize(to)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Batch>, D::Error> {
    let Written { prefix, receivers, batches } = Written::deserialize(from)?;
    let read = |line: &String| -> Option<Batch> {
        let mut words = line.splitn(4, ' ');
        let doc = words.next()?;
        let at = match words.next()? {
            "-" => doc.split('-').next()?,
            at => at,
        };
        let at: DateTime<Utc> = DateTime::from_timestamp_millis(i64::from_str_radix(at, 16).ok()?)?;
        let set: usize = words.next()?.parse().ok()?;
        Some(Batch {
            doc: doc.strip_prefix('/').map_or_else(|| format!("{prefix}{doc}"), str::to_owned),
            at,
            receivers: receivers.get(set)?.clone(),
            alerts: words.next()?.split(',').map(str::to_owned).collect(),
        })
    };
    batches
        .iter()
        .map(|line| read(line).ok_or_else(|| D::Error::custom(format!("bad batch `{line}`"))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(PartialEq, Debug, Serialize, Deserialize)]
    struct Doc(#[serde(with = "super")] Vec<Batch>);

    fn batch(doc: &str, receivers: &[&str], alerts: &[&str]) -> Batch {
        Batch {
            doc: doc.to_owned(),
            at: DateTime::from_timestamp_millis(1_772_000_000_123).unwrap(),
            receivers: receivers.iter().map(|r| (*r).to_owned()).collect(),
            alerts: alerts.iter().map(|a| (*a).to_owned()).collect(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for batches in [
            vec![],
            vec![batch("alerts/k/1", &["a", "b"], &["x"])],
            vec![
                batch("alerts/k/1", &["a", "b"], &["x", "y"]),
                batch("alerts/k/2", &["a"], &["z"]),
                batch("elsewhere/3", &["a", "b"], &["w"]),
            ],
        ] {
            let text = serde_json::to_string(&Doc(batches)).unwrap();
            let again =
                serde_json::to_string(&serde_json::from_str::<Doc>(&text).unwrap()).unwrap();
            assert_eq!(text, again);
        }
        let one = Doc(vec![batch("alerts/k/1", &["a"], &["x"]), batch("other", &["a"], &["y"])]);
        assert_eq!(
            serde_json::from_str::<Doc>(&serde_json::to_string(&one).unwrap()).unwrap(),
            one
        );
    }

    #[test]
    fn a_line_that_cannot_be_read_is_an_error() {
        for line in ["", "doc", "doc zz 0 a", "zz-doc - 0 a", "doc 1 7 a", "doc 1 0"] {
            let text = format!(r#"{{"prefix":"p/","receivers":[["a"]],"batches":["{line}"]}}"#);
            assert!(serde_json::from_str::<Doc>(&text).is_err(), "{line}");
        }
    }

    /// P9: a head stays a small document at all of its limits at once.
    #[test]
    fn five_hundred_alerts_of_five_hundred_commits_fit_into_a_head() {
        let at = batch("", &[], &[]).at.timestamp_millis();
        let doc = format!("alerts/{}/{at:x}-01234567-", "0".repeat(20));
        let receivers = ["teams-oncall", "slack-security", "itsm", "siem"];
        let batches: Vec<Batch> = (0..super::super::head::OUTBOX_ALERTS)
            .map(|n| {
                batch(&format!("{doc}{n:x}"), &receivers, &["0123456789abcdef0123456789abcdef"])
            })
            .collect();
        let outbox = serde_json::to_vec(&Doc(batches)).unwrap().len();
        let texts = 16 * 1024 + super::super::head::OLD_TEXT;
        assert!(outbox + texts + 8 * 1024 < 64 * 1024, "{outbox} + {texts}");
    }
}
