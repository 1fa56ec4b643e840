//! Events for event management, which opens one alert for all events of a `message_key`, and closes it on the closing one.

use super::super::About;
use super::super::details::{details, place};
use super::{MAX_TEXT, Settings};
use crate::notify::exchange::{Act, Ask, Method};
use crate::notify::limits::{self, Unit};
use crate::notify::plain::{self, Place};
use crate::notify::wording;
use crate::watch::own;
use serde_json::{Value as Json, json};

/// Fields that are ours alone: `fields` does not change them, save `additional_info`, to which it adds.
pub const OWN_FIELDS: [&str; 6] = [
    "message_key",
    "severity",
    "description",
    "time_of_event",
    "resolution_state",
    "additional_info",
];

const PATH: &str = "/api/global/em/jsonv2";
/// Of names, in characters.
const MAX_NAME: usize = 100;
/// Of `additional_info`, in bytes.
const MAX_INFO: usize = 3_900;
/// The severity of an event that clears.
const CLEAR: &str = "0";

/// The call that tells an event, or the one that closes.
pub(super) fn ask(settings: &Settings, about: &About<'_>, closes: bool) -> Ask {
    let body = json!({ "records": [record(settings, about, closes)] });
    let act = if closes { Act::Resolve } else { Act::Tell };
    Ask::json(act, Method::Post, PATH.to_owned(), &body)
}

/// What sort of event it is: it must have a name.
fn type_of<'n>(title: &'n str, rule: &'n str) -> &'n str {
    [title, rule].into_iter().find(|name| !name.is_empty()).unwrap_or("alert")
}

fn record(settings: &Settings, about: &About<'_>, closes: bool) -> Json {
    let alert = about.alert;
    let name = |text: &str| limits::clean(text, MAX_NAME);
    let (severity, state) = if closes {
        (CLEAR, "Closing")
    } else {
        (settings.severity.of(alert.rule.severity), "New")
    };
    let mut info = details(about, MAX_INFO);
    if let Some(Json::Object(more)) = settings.fields.get("additional_info") {
        info.extend(more.clone());
    }
    let title = plain::title(alert, about.detail, 250);
    // The first line stands in lists.
    let room = MAX_TEXT.saturating_sub(Unit::Utf16.len(&title) + 2);
    let text = plain::text(&about.telling(None), Place::Case, room, Unit::Utf16);
    let mut record = json!({
        "source": "hsmwatch",
        "event_class": name(&alert.workspace.name),
        "node": place(about, MAX_NAME),
        "resource": if own::is_own(alert) { "hsmwatch" } else { "Azure Cloud HSM" },
        "metric_name": name(&alert.rule.id),
        "type": type_of(&name(wording::title(alert)), &name(&alert.rule.id)),
        "message_key": about.key(),
        "severity": severity,
        "description": format!("{title}\n\n{text}"),
        "additional_info": json!(info).to_string(),
        "time_of_event": alert.time.format("%Y-%m-%d %H:%M:%S").to_string(),
        "resolution_state": state,
    });
    if let Some(record) = record.as_object_mut() {
        for (name, value) in &settings.fields {
            if !OWN_FIELDS.contains(&name.as_str()) {
                record.insert(name.clone(), value.clone());
            }
        }
    }
    record
}
