//! JSON: `headers` and `body` in their many spellings, a HAR file, and the list that `send-test --print` makes.

use super::{BadCapture, Captured, Kept, shown};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value as Json};

/// Reads one request or several.
pub(super) fn read(kept: &[u8]) -> Result<Vec<Captured>, BadCapture> {
    let json: Json =
        serde_json::from_slice(kept).map_err(|e| BadCapture::NotJson(shown(&e.to_string())))?;
    let requests = match &json {
        Json::Array(list) => list.iter().map(request).collect::<Result<Vec<_>, _>>()?,
        one => match one.pointer("/log/entries").and_then(Json::as_array) {
            Some(entries) => entries.iter().map(request).collect::<Result<Vec<_>, _>>()?,
            None => vec![request(one)?],
        },
    };
    if requests.is_empty() { Err(BadCapture::Empty) } else { Ok(requests) }
}

fn request(json: &Json) -> Result<Captured, BadCapture> {
    // An entry of a HAR file holds the request beside its answer.
    let one = json.get("request").filter(|request| request.get("headers").is_some());
    let one = one.unwrap_or(json).as_object().ok_or(BadCapture::NoHeaders)?;
    let headers = headers(one.get("headers").ok_or(BadCapture::NoHeaders)?)?;
    let name = one.get("receiver").or_else(|| one.get("url")).and_then(Json::as_str);
    // Of an address, which may hold a secret, only where it leads.
    let name = name.map(|name| match name.split_once("://") {
        Some((_, rest)) => rest.split(['/', '?', '#']).next().unwrap_or_default().to_owned(),
        None => name.to_owned(),
    });
    Ok(Captured { name, headers, body: body(one)? })
}

/// An object of texts or lists of texts, a list of objects with `name` and `value`, or a list of pairs.
fn headers(json: &Json) -> Result<Vec<(String, String)>, BadCapture> {
    let text = |value: &Json| match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let mut headers = Vec::new();
    match json {
        Json::Object(object) => {
            for (name, value) in object {
                let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                headers.extend(values.iter().filter_map(text).map(|value| (name.clone(), value)));
            }
        }
        Json::Array(list) => {
            for one in list {
                let name = one.get("name").or_else(|| one.get(0)).and_then(text);
                let value = one.get("value").or_else(|| one.get(1)).and_then(text);
                headers.push(name.zip(value).ok_or(BadCapture::BadHeaders)?);
            }
        }
        _ => return Err(BadCapture::BadHeaders),
    }
    Ok(headers)
}

fn body(one: &Map<String, Json>) -> Result<Kept, BadCapture> {
    let decode = |text: &str, name| match BASE64.decode(text.trim()) {
        Ok(bytes) => Ok(Kept::Bytes(bytes)),
        Err(_) => Err(BadCapture::NotBase64(name)),
    };
    if let Some(text) = one.get("body_base64").and_then(Json::as_str) {
        return decode(text, "body_base64");
    }
    let har = one.get("postData");
    let is_base64 = one.get("isBase64Encoded") == Some(&Json::Bool(true))
        || har.and_then(|data| data.get("encoding")).and_then(Json::as_str) == Some("base64");
    let found = one.get("body").or_else(|| one.get("rawBody")).or_else(|| har?.get("text"));
    match found {
        None | Some(Json::Null) => Ok(Kept::Nothing),
        Some(Json::String(text)) if is_base64 => decode(text, "body"),
        Some(Json::String(text)) => Ok(Kept::Bytes(text.clone().into_bytes())),
        // Logic Apps keep what is no JSON to them so, and say what it was.
        Some(parsed) => match parsed.get("$content").and_then(Json::as_str) {
            Some(text) => decode(text, "$content"),
            None => Ok(Kept::Parsed(parsed.to_string().into_bytes())),
        },
    }
}
