//! What the host sends: one JSON object with `Data` and `Metadata`, in the host's own encoding of values.

use super::package::{Function, Trigger};
use super::queue::Taken;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// An object stays one; everything else becomes a string that holds its JSON text.
fn value(value: &Json) -> Json {
    if value.is_object() { value.clone() } else { Json::String(value.to_string()) }
}

/// Whole seconds.
fn date(time: DateTime<Utc>) -> Json {
    time.to_rfc3339_opts(SecondsFormat::Secs, false).into()
}

fn sys(function: &Function, now: DateTime<Utc>, id: &str) -> Json {
    json!({
        "MethodName": function.name,
        "UtcNow": format!("{}Z", now.format("%Y-%m-%dT%H:%M:%S%.6f")),
        "RandGuid": id,
    })
}

fn body(function: &Function, data: &Json, metadata: &Json) -> Vec<u8> {
    let name = &function.binding;
    json!({"Data": {name: data}, "Metadata": metadata}).to_string().into_bytes()
}

/// What a timer knows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Status {
    /// The host keeps none.
    #[default]
    Null,
    /// It has never run: year 1, without an offset.
    Never,
    /// The same, with an offset.
    NeverWithOffset,
    /// It has, this many digits after the second.
    Digits(usize),
    /// It has, with `Z` in place of an offset.
    Zulu,
}

/// How a timer fires.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Timer {
    pub(crate) status: Status,
    pub(crate) past_due: bool,
    /// This many retries went before, each with an exception.
    pub(crate) retries: Option<u32>,
}

impl Timer {
    /// Every shape there is.
    pub(crate) fn shapes() -> Vec<Self> {
        let plain = Self::default;
        let statuses = [Status::Null, Status::Never, Status::NeverWithOffset, Status::Zulu];
        let mut shapes: Vec<Self> = statuses
            .into_iter()
            .chain((0..=7).map(Status::Digits))
            .map(|status| Self { status, ..plain() })
            .collect();
        shapes.push(Self { past_due: true, status: Status::Digits(4), ..plain() });
        shapes.push(Self { past_due: true, ..plain() });
        shapes.extend([0, 1, 3].map(|n| Self { retries: Some(n), ..plain() }));
        shapes
    }
}

pub(crate) fn timer(function: &Function, timer: &Timer, now: DateTime<Utc>, id: &str) -> Vec<u8> {
    let never = "0001-01-01T00:00:00";
    let given = |last: String, next: String, updated: &str| json!({"Last": last, "Next": next, "LastUpdated": updated});
    let next = now - TimeDelta::nanoseconds(i64::from(now.timestamp_subsec_nanos()));
    let last = next - TimeDelta::minutes(5) + TimeDelta::nanoseconds(3_141_500);
    let seconds = |t: DateTime<Utc>| t.format("%Y-%m-%dT%H:%M:%S").to_string();
    let status = match timer.status {
        Status::Null => Json::Null,
        Status::Never => given(never.to_owned(), format!("{}+00:00", seconds(next)), never),
        Status::NeverWithOffset => {
            let never = format!("{never}+00:00");
            given(never.clone(), format!("{}+00:00", seconds(next)), &never)
        }
        Status::Digits(n) => {
            let digits = format!(".{:07}", last.timestamp_subsec_nanos() / 100);
            let fraction: String = digits.chars().take(if n == 0 { 0 } else { n + 1 }).collect();
            let last = format!("{}{fraction}+00:00", seconds(last));
            given(last.clone(), format!("{}+00:00", seconds(next)), &last)
        }
        Status::Zulu => {
            let last = format!("{}Z", seconds(last));
            given(last.clone(), format!("{}Z", seconds(next)), &last)
        }
    };
    let data = json!({
        "Schedule": {"AdjustForDST": true},
        "ScheduleStatus": status,
        "IsPastDue": timer.past_due,
    });
    let mut metadata = json!({"sys": sys(function, now, id)});
    if function.retries || timer.retries.is_some() {
        let count = timer.retries.unwrap_or(0);
        let exception = (count > 0).then(|| {
            json!({
                "ClassName": "Microsoft.Azure.WebJobs.Host.FunctionInvocationException",
                "Message": format!("Exception while executing function: Functions.{}", function.name),
                "InnerException": {"ClassName": "System.Net.Http.HttpRequestException", "Message": "Response status code does not indicate success: 500 (Internal Server Error).", "HResult": -2_146_233_088},
                "StackTraceString": "   at Microsoft.Azure.WebJobs.Script.Description.WorkerFunctionInvoker.InvokeCore(Object[] parameters)\n".repeat(20),
            })
        });
        metadata["RetryContext"] = json!({
            "RetryCount": count, "MaxRetryCount": 3, "Exception": exception, "Instance": null, "State": {},
        });
    }
    body(function, &data, &metadata)
}

pub(crate) fn message(function: &Function, taken: &Taken, now: DateTime<Utc>, id: &str) -> Vec<u8> {
    let mut binding: Vec<(String, Json)> = vec![
        ("DequeueCount".to_owned(), value(&taken.dequeues.into())),
        ("ExpirationTime".to_owned(), date(taken.inserted + TimeDelta::days(7))),
        ("Id".to_owned(), value(&taken.id.clone().into())),
        ("InsertionTime".to_owned(), date(taken.inserted)),
        ("NextVisibleTime".to_owned(), date(now + TimeDelta::minutes(10))),
        ("PopReceipt".to_owned(), value(&format!("MTg{:x}==", now.timestamp_micros()).into())),
        ("sys".to_owned(), sys(function, now, id)),
    ];
    // The message's own properties come in beside these, and over those of the same name.
    if let Ok(Json::Object(properties)) = serde_json::from_str(&taken.text) {
        for (name, property) in properties {
            if property.is_array() || property.is_null() || name.to_lowercase().ends_with("trigger")
            {
                continue;
            }
            let property = value(&property);
            match binding.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                Some((_, known)) => *known = property,
                None => binding.push((name, property)),
            }
        }
    }
    let metadata: Map<String, Json> = binding.into_iter().collect();
    body(function, &value(&taken.text.clone().into()), &metadata.into())
}

/// A request to a function with an http trigger.
#[derive(Clone, Debug)]
pub(crate) struct HttpRequest {
    pub(crate) method: &'static str,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Option<Vec<u8>>,
}

impl HttpRequest {
    pub(crate) fn get(accept: &str) -> Self {
        Self {
            method: "GET",
            query: BTreeMap::new(),
            headers: BTreeMap::from([("Accept".to_owned(), accept.to_owned())]),
            body: None,
        }
    }
}

pub(crate) fn http(
    function: &Function,
    url: &str,
    request: &HttpRequest,
    now: DateTime<Utc>,
    id: &str,
) -> Vec<u8> {
    let headers: BTreeMap<&String, Json> =
        request.headers.iter().map(|(name, value)| (name, json!([value]))).collect();
    let mut data = json!({
        "Url": url,
        "Method": request.method,
        "Query": request.query,
        "Headers": headers,
        "Params": {},
        "Identities": [{"AuthenticationType": "WebJobsAuthLevel", "IsAuthenticated": true, "Actor": null, "BootstrapContext": null, "Claims": [], "Label": null, "Name": null, "NameClaimType": "name", "RoleClaimType": "role"}],
    });
    if let Some(body) = request.body.as_ref().filter(|body| !body.is_empty()) {
        let binary = request.headers.get("Content-Type").is_some_and(|kind| {
            kind.starts_with("application/octet-stream") || kind.starts_with("multipart/")
        });
        data["Body"] = if binary {
            STANDARD.encode(body).into()
        } else {
            String::from_utf8_lossy(body).into_owned().into()
        };
    }
    let metadata = json!({
        "Query": request.query,
        "Headers": request.headers,
        "sys": sys(function, now, id),
    });
    body(function, &data, &metadata)
}

/// A body for a function of any kind, with this text in place of what its trigger would bring.
pub(crate) fn of_trigger(function: &Function, now: DateTime<Utc>, id: &str) -> Vec<u8> {
    match &function.trigger {
        Trigger::Timer { .. } => timer(function, &Timer::default(), now, id),
        Trigger::Queue { .. } => message(function, &Taken::first("hello!!", now), now, id),
        Trigger::Http { .. } => {
            http(function, "http://localhost/api/status", &HttpRequest::get("*/*"), now, id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(binding: &str, trigger: Trigger) -> Function {
        Function {
            name: "queue".to_owned(),
            binding: binding.to_owned(),
            trigger,
            outputs: BTreeMap::new(),
            retries: false,
        }
    }

    fn at() -> DateTime<Utc> {
        "2025-02-18T03:06:20.756269Z".parse().unwrap()
    }

    fn queued(text: &str) -> Json {
        let function = function("queue", Trigger::Queue { queue: "q".to_owned() });
        let inserted = "2025-02-18T03:06:19.4Z".parse().unwrap();
        let taken = Taken { id: "52d53c5f".to_owned(), ..Taken::first(text, inserted) };
        serde_json::from_slice(&message(&function, &taken, at(), "guid")).unwrap()
    }

    #[test]
    fn a_message_is_what_the_host_was_seen_to_send() {
        let sent = queued("hello!!");
        assert_eq!(sent["Data"], json!({"queue": "\"hello!!\""}));
        let metadata = &sent["Metadata"];
        assert_eq!(metadata["DequeueCount"], "1");
        assert_eq!(metadata["ExpirationTime"], "2025-02-25T03:06:19+00:00");
        assert_eq!(metadata["Id"], "\"52d53c5f\"");
        assert_eq!(metadata["InsertionTime"], "2025-02-18T03:06:19+00:00");
        assert_eq!(metadata["NextVisibleTime"], "2025-02-18T03:16:20+00:00");
        assert!(metadata["PopReceipt"].as_str().unwrap().starts_with('"'));
        assert_eq!(metadata["sys"]["MethodName"], "queue");
    }

    #[test]
    fn an_object_in_a_message_is_packed_three_times_and_spoils_the_metadata() {
        let sent =
            queued(r#"{"id":7,"a":"x","sys":null,"DEQUEUECOUNT":{"b":[1]},"c":[1],"xTrigger":1}"#);
        let data = sent["Data"]["queue"].as_str().unwrap();
        let text: String = serde_json::from_str(data).unwrap();
        assert!(text.starts_with(r#"{"id":7,"#));
        let metadata = &sent["Metadata"];
        assert_eq!(metadata["Id"], "7");
        assert_eq!(metadata["a"], "\"x\"");
        assert_eq!(metadata["DequeueCount"], json!({"b": [1]}));
        assert_eq!(metadata["sys"]["MethodName"], "queue");
        assert!(metadata.get("c").is_none() && metadata.get("xTrigger").is_none());
    }

    #[test]
    fn a_timer_in_all_its_shapes() {
        let trigger = Trigger::Timer { schedule: String::new(), unmonitored: true };
        let function = function("timer", trigger);
        let sent = |of: &Timer| -> Json {
            serde_json::from_slice(&timer(&function, of, at(), "guid")).unwrap()
        };
        let plain = sent(&Timer::default());
        assert_eq!(plain["Data"]["timer"]["ScheduleStatus"], Json::Null);
        assert_eq!(plain["Metadata"]["sys"]["UtcNow"], "2025-02-18T03:06:20.756269Z");
        assert!(plain["Metadata"].get("RetryContext").is_none());
        let last = |status| {
            let sent = sent(&Timer { status, ..Timer::default() });
            sent["Data"]["timer"]["ScheduleStatus"]["Last"].as_str().unwrap().to_owned()
        };
        assert_eq!(last(Status::Never), "0001-01-01T00:00:00");
        assert_eq!(last(Status::NeverWithOffset), "0001-01-01T00:00:00+00:00");
        assert_eq!(last(Status::Digits(0)), "2025-02-18T03:01:20+00:00");
        assert_eq!(last(Status::Digits(7)), "2025-02-18T03:01:20.0031415+00:00");
        assert_eq!(last(Status::Zulu), "2025-02-18T03:01:20Z");
        let retried = sent(&Timer { retries: Some(2), ..Timer::default() });
        let context = &retried["Metadata"]["RetryContext"];
        assert_eq!((&context["RetryCount"], context["Exception"].is_object()), (&2.into(), true));
        assert!(Timer::shapes().len() > 12);
    }

    #[test]
    fn values_are_packed_by_the_hosts_rule() {
        for (given, packed) in [
            (json!("hello"), json!("\"hello\"")),
            (json!(1), json!("1")),
            (json!(null), json!("null")),
            (json!([1, 2]), json!("[1,2]")),
            (json!({"a": 1}), json!({"a": 1})),
        ] {
            assert_eq!(value(&given), packed);
        }
    }
}
