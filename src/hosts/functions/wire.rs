//! What the Functions host sends and takes: the JSON of a custom handler, with the host's own habits.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value as Json, json};

/// A body that is not what the host sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadBody {
    /// No JSON.
    #[error("the body of the invocation is not JSON: {0}")]
    NotJson(String),
    /// JSON, and no `Data` object.
    #[error("the body of the invocation has no object `Data`")]
    NoData,
    /// The binding is not there.
    #[error("the body of the invocation has no `Data.{0}`")]
    NoBinding(&'static str),
}

/// The `Data` of an invocation.
pub(super) fn data(body: &[u8]) -> Result<Map<String, Json>, BadBody> {
    let body: Json =
        serde_json::from_slice(body).map_err(|error| BadBody::NotJson(error.to_string()))?;
    let Json::Object(mut body) = body else { return Err(BadBody::NoData) };
    match body.remove("Data") {
        Some(Json::Object(data)) => Ok(data),
        _ => Err(BadBody::NoData),
    }
}

/// The text of a queue message.
///
/// The host sends whatever is no JSON object as a string that holds its JSON text: a message `{"a":1}` comes as a JSON
/// string within a JSON string. Bodies written by hand often have the text or the object itself: both are taken.
pub(super) fn message(body: &[u8], binding: &'static str) -> Result<String, BadBody> {
    let value = data(body)?.remove(binding).ok_or(BadBody::NoBinding(binding))?;
    let Json::String(text) = value else { return Ok(value.to_string()) };
    Ok(match serde_json::from_str(&text) {
        Ok(Json::String(inner)) => inner,
        _ => text,
    })
}

/// An HTTP request, as an invocation describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HttpRequest {
    /// `Accept`, if it was sent.
    pub(super) accept: Option<String>,
    /// `?format=`, if it was sent.
    pub(super) format: Option<String>,
    /// `?checks=`, if it was sent.
    pub(super) checks: Option<String>,
}

/// The request of an HTTP trigger. The URL carries the function's key and is not even looked at.
pub(super) fn http_request(body: &[u8], binding: &'static str) -> Result<HttpRequest, BadBody> {
    let value = data(body)?.remove(binding).ok_or(BadBody::NoBinding(binding))?;
    let first = |value: &Json| match value {
        Json::Array(values) => values.first().and_then(Json::as_str).map(str::to_owned),
        value => value.as_str().map(str::to_owned),
    };
    let named = |object: &str, name: &str| {
        let fields = value.get(object)?.as_object()?;
        fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).and_then(|(_, v)| first(v))
    };
    Ok(HttpRequest {
        accept: named("Headers", "accept"),
        format: named("Query", "format"),
        checks: named("Query", "checks"),
    })
}

/// What an invocation answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    status: StatusCode,
    body: Json,
}

impl Answer {
    /// It succeeded: outputs by binding, and lines for the invocation's log.
    pub(super) fn done(outputs: Map<String, Json>, logs: Vec<String>) -> Self {
        let body = object([("Outputs", Json::Object(outputs)), ("Logs", logs.into())]);
        Self { status: StatusCode::OK, body }
    }

    /// It succeeded, and has nothing to write.
    pub(super) fn nothing(log: impl Into<String>) -> Self {
        Self::done(Map::new(), vec![log.into()])
    }

    /// It failed. The host reads nothing but the status: whatever is worth knowing has been logged before.
    pub(super) fn failed(status: StatusCode, error: &str) -> Self {
        Self { status, body: json!({ "error": error }) }
    }

    /// An HTTP trigger's response, through the output binding `res`.
    pub(super) fn http(status: StatusCode, headers: &[(&str, &str)], body: String) -> Self {
        let headers: Map<String, Json> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let res = object([
            ("statusCode", status.as_u16().into()),
            ("headers", Json::Object(headers)),
            ("body", body.into()),
        ]);
        let outputs = Map::from_iter([("res".to_owned(), res)]);
        Self::done(outputs, Vec::new())
    }

    /// Any other JSON object.
    pub(super) fn plain(status: StatusCode, body: Json) -> Self {
        Self { status, body }
    }

    /// As an HTTP response: a JSON object with its content type and length, whatever the status.
    pub(super) fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body.to_string()));
        *response.status_mut() = self.status;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Queue messages as an output: an array of strings, the only form that the host passes on byte for byte.
pub(super) fn messages<'a>(messages: impl Iterator<Item = &'a Json>) -> Json {
    messages.map(|message| Json::String(message.to_string())).collect()
}

/// Which invocation this is, as far as the host says. Both go into logs only, and only in the shape that they should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ids {
    /// `X-Azure-Functions-InvocationId`
    pub(super) invocation: String,
    /// `traceparent`
    pub(super) traceparent: String,
}

impl Ids {
    /// From the headers of a request.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let get = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            value
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
                .take(80)
                .collect::<String>()
        };
        Self { invocation: get("x-azure-functions-invocationid"), traceparent: get("traceparent") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queue_texts_come_out_as_they_were_put_in() {
        let ticket = r#"{"watch":"w","alert":"a","receiver":"r"}"#;
        let by_host = json!({"Data": {"ticket": json!(ticket).to_string()}, "Metadata": {}});
        let bare = json!({"Data": {"ticket": ticket}});
        let object = json!({"Data": {"ticket": {"watch": "w", "alert": "a", "receiver": "r"}}});
        for body in [by_host, bare, object] {
            assert_eq!(message(body.to_string().as_bytes(), "ticket").unwrap(), ticket);
        }
        // A message that is itself a JSON string keeps its quotes.
        let quoted = json!({"Data": {"ticket": json!("\"hello\"").to_string()}});
        assert_eq!(message(quoted.to_string().as_bytes(), "ticket").unwrap(), "\"hello\"");
        let plain = json!({"Data": {"ticket": "\"hello!!\""}});
        assert_eq!(message(plain.to_string().as_bytes(), "ticket").unwrap(), "hello!!");
    }

    #[test]
    fn what_is_no_invocation_is_named() {
        let error = |body: &str| message(body.as_bytes(), "ticket").unwrap_err();
        assert!(matches!(error("no"), BadBody::NotJson(_)));
        assert!(matches!(error(""), BadBody::NotJson(_)));
        assert_eq!(error("[]"), BadBody::NoData);
        assert_eq!(error("{}"), BadBody::NoData);
        assert_eq!(error(r#"{"Data":"x"}"#), BadBody::NoData);
        assert_eq!(error(r#"{"Data":{}}"#), BadBody::NoBinding("ticket"));
    }

    #[test]
    fn http_requests_are_read_by_header_and_query_whatever_their_case() {
        let body = json!({"Data": {"req": {
            "Url": "https://app/api/status?code=secret", "Method": "GET",
            "Query": {"format": "json"}, "Headers": {"Accept": ["text/html", "x"]}, "Params": {}
        }}});
        let request = http_request(body.to_string().as_bytes(), "req").unwrap();
        assert_eq!(request.accept.as_deref(), Some("text/html"));
        assert_eq!(request.format.as_deref(), Some("json"));
        let bare = json!({"Data": {"req": {}}});
        let request = http_request(bare.to_string().as_bytes(), "req").unwrap();
        assert_eq!(request, HttpRequest::default());
    }

    #[test]
    fn ids_lose_what_could_forge_a_log_line() {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_static("00-ab\t\"}-01"));
        assert_eq!(Ids::of(&headers).traceparent, "00-ab-01");
    }
}
