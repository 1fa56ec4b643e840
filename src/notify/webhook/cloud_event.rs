//! The default format: a CloudEvents 1.0 structured JSON object that is also a Standard Webhooks payload. This is the
//! contract that programs hold on to; it carries values as they were logged, unlike the cards for people.

use super::{MAX_BODY, fitting, rfc3339, shorten};
use crate::notify::limits::{self, Unit};
use crate::notify::{Body, Detail, percent};
use crate::watch::alert::{Alert, Hit};
use serde_json::{Map, Value as Json, json};

/// What `type` says.
pub const EVENT_TYPE: &str = "com.hsmwatch.alert.v1";

/// The content type, bare: some CloudEvents libraries refuse parameters.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// The largest hit, as JSON. What surrounds the hits stays below `MAX_BODY` less this, so at least one hit always fits.
const MAX_HIT: usize = 65_536;
/// The longest single value of a hit, as JSON; the later ones are tried if the hit is still too large.
const MAX_VALUE: [usize; 3] = [16_384, 1_024, 128];
/// Texts of ours; values of the group; names.
const MAX_TEXT: usize = 4_096;
const MAX_GROUP_VALUE: usize = 2_048;
const MAX_GROUP: usize = 32;
const MAX_NAME: usize = 256;
const MAX_LINK: usize = 8_192;

/// The body for an alert.
pub fn render(alert: &Alert, detail: Detail) -> Body {
    let bytes = object(alert, detail, MAX_BODY).to_string().into_bytes();
    Body { content_type: CONTENT_TYPE.into(), bytes }
}

/// The same as an object, of at most `max` bytes as JSON where hits can be left out for it.
pub(super) fn object(alert: &Alert, detail: Detail, max: usize) -> Json {
    let hits = match detail {
        Detail::Full => alert.hits.as_slice(),
        Detail::Counts => &[],
    };
    // With room for the numbers that are not known yet.
    let around = event(alert, detail, Vec::new(), u64::MAX, u64::MAX).to_string().len();
    let mut room = max.saturating_sub(around);
    let mut listed = Vec::with_capacity(hits.len());
    let mut cut = 0;
    for hit in hits {
        let (json, shortened) = hit_json(hit);
        // And the comma.
        let length = json.to_string().len() + 1;
        if length > room {
            break;
        }
        room -= length;
        cut += shortened;
        listed.push(json);
    }
    let left_out = alert.count.saturating_sub(listed.len() as u64);
    event(alert, detail, listed, left_out, cut)
}

fn event(alert: &Alert, detail: Detail, hits: Vec<Json>, left_out: u64, cut: u64) -> Json {
    let time = rfc3339(alert.time);
    let text = |text: &str, max| Json::String(fitting(text, max));

    let mut rule = Map::new();
    rule.insert("id".to_owned(), text(&alert.rule.id, MAX_NAME));
    rule.insert("title".to_owned(), text(&alert.rule.title, MAX_TEXT));
    rule.insert("severity".to_owned(), json!(alert.rule.severity));
    rule.insert("version".to_owned(), text(&alert.rule.version, MAX_NAME));
    let wording = [
        ("meaning", &alert.rule.meaning),
        ("why", &alert.rule.why),
        ("action", &alert.rule.action),
        ("false_positives", &alert.rule.false_positives),
    ];
    for (name, words) in wording.into_iter().filter(|(_, words)| !words.is_empty()) {
        rule.insert(name.to_owned(), text(words, MAX_TEXT));
    }

    let full = detail == Detail::Full;
    let group: Map<String, Json> = alert
        .group
        .iter()
        .take(if full { MAX_GROUP } else { 0 })
        .map(|(name, value)| (fitting(name, MAX_NAME), text(value, MAX_GROUP_VALUE)))
        .collect();
    // The query in the link may name values of the log.
    let logs = alert.links.logs.as_deref().filter(|link| full && link.len() <= MAX_LINK);
    let runbook = alert.links.runbook.as_deref().filter(|link| link.len() <= MAX_LINK);

    let mut data = Map::new();
    let mut put = |name: &str, value: Json| {
        data.insert(name.to_owned(), value);
    };
    put("rule", Json::Object(rule));
    put(
        "workspace",
        json!({
            "id": text(&alert.workspace.id, MAX_NAME),
            "name": text(&alert.workspace.name, MAX_NAME),
        }),
    );
    put("group", Json::Object(group));
    put("incident_key", text(&alert.incident_key, MAX_NAME));
    put("reason", json!(alert.reason.as_str()));
    put("window", json!({ "from": rfc3339(alert.window.from), "to": rfc3339(alert.window.to) }));
    put("count", json!(alert.count));
    put("suppressed", json!(alert.suppressed));
    if full {
        // Instants of single records are fields of the log.
        put("first_seen", json!(rfc3339(alert.first_seen)));
        put("last_seen", json!(rfc3339(alert.last_seen)));
    } else {
        put("detail", json!("counts"));
    }
    put("hits", Json::Array(hits));
    put("hits_truncated", json!(left_out));
    if cut > 0 {
        put("values_cut", json!(cut));
    }
    if let Some(caveat) = &alert.caveat {
        put("caveat", text(caveat, MAX_TEXT));
    }
    if let Some(note) = &alert.note {
        put("note", text(note, MAX_TEXT));
    }
    let links = [("logs", logs), ("runbook", runbook)];
    let links = links.into_iter().filter_map(|(name, link)| Some((name.to_owned(), json!(link?))));
    put("links", Json::Object(links.collect()));

    json!({
        "specversion": "1.0",
        "id": text(&alert.id, MAX_NAME),
        "source": format!("/hsmwatch/{}", percent::encode(&limits::cap(&alert.workspace.id, MAX_NAME, Unit::Bytes))),
        "type": EVENT_TYPE,
        "time": time,
        "timestamp": time,
        "subject": text(&alert.incident_key, MAX_NAME),
        "datacontenttype": "application/json",
        "data": data,
    })
}

/// A hit with its values as they are, unless it is too large; and how many values are not whole.
fn hit_json(hit: &Hit) -> (Json, u64) {
    for max in MAX_VALUE {
        let mut cut = 0;
        let json = hit_with(hit, max, &mut cut);
        if json.to_string().len() <= MAX_HIT {
            return (json, cut);
        }
    }
    // Thousands of columns: name none.
    let mut cut = hit.fields.len() as u64;
    let bare = Hit { fields: Map::new(), ..hit.clone() };
    let mark = json!({ "…": format!("[cut: {cut} fields in all]") });
    let mut json = hit_with(&bare, 1_024, &mut cut);
    if let Some(fields) = json.get_mut("fields") {
        *fields = mark;
    }
    (json, cut)
}

fn hit_with(hit: &Hit, max: usize, cut: &mut u64) -> Json {
    let mut out = Map::new();
    let mut whole = |text: &str, max: usize| match shorten(text, max) {
        None => text.to_owned(),
        Some(short) => {
            *cut += 1;
            short
        }
    };
    out.insert("fingerprint".to_owned(), Json::String(whole(&hit.fingerprint, MAX_NAME)));
    out.insert("time".to_owned(), Json::String(rfc3339(hit.time)));
    let columns = [
        ("operation", &hit.operation),
        ("instance", &hit.instance),
        ("caller", &hit.caller),
        ("client", &hit.client),
        ("resource", &hit.resource),
    ];
    for (name, value) in columns {
        if let Some(value) = value {
            out.insert(name.to_owned(), Json::String(whole(value, max)));
        }
    }
    let fields: Map<String, Json> = hit
        .fields
        .iter()
        .map(|(name, value)| {
            let value = match value {
                Json::String(text) => Json::String(whole(text, max)),
                Json::Array(_) | Json::Object(_) => {
                    let text = value.to_string();
                    if text.len() > max { Json::String(whole(&text, max)) } else { value.clone() }
                }
                scalar => scalar.clone(),
            };
            (whole(name, MAX_NAME), value)
        })
        .collect();
    out.insert("fields".to_owned(), Json::Object(fields));
    Json::Object(out)
}

#[cfg(test)]
mod tests;
