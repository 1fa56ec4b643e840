//! What the host makes of an answer: how the invocation went, which messages go out, and everything in it that would hang,
//! be lost or be mangled.

use super::package::{Function, Output, Trigger};
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

/// The largest message, in the queue's own encoding.
const LARGEST: usize = 64 << 10;

/// An answer as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// How the invocation went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Succeeded,
    Failed(String),
    /// Neither: it is over when the function's time is, and then the handler is killed.
    Hangs(String),
}

/// What the host reads in an answer.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) verdict: Verdict,
    /// Lines for the invocation's own log.
    pub(crate) logs: Vec<String>,
    /// Queue and text, in order.
    pub(crate) messages: Vec<(String, String)>,
    pub(crate) http: Option<HttpAnswer>,
    /// What should not be so.
    pub(crate) problems: Vec<String>,
}

/// What a caller of an http function gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl HttpAnswer {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Reads an answer. `base64`: messages are kept so in their queue.
pub(crate) fn read(function: &Function, answer: &Answer, base64: bool) -> Reading {
    let mut reading = Reading {
        verdict: Verdict::Succeeded,
        logs: Vec::new(),
        messages: Vec::new(),
        http: None,
        problems: Vec::new(),
    };
    let result = reading.envelope(answer).and_then(|envelope| match envelope {
        Some(envelope) => reading.outputs(function, &envelope, base64),
        None => Ok(()),
    });
    if let Err(verdict) = result {
        reading.verdict = verdict;
    }
    reading
}

fn failed(why: impl Into<String>) -> Verdict {
    Verdict::Failed(why.into())
}

impl Reading {
    fn problem(&mut self, what: impl Into<String>) {
        self.problems.push(what.into());
    }

    /// Notes a problem that is also the reason why the invocation fails.
    fn refuse(&mut self, what: impl Into<String>) -> Verdict {
        let what = what.into();
        self.problem(what.clone());
        failed(what)
    }

    /// The answer's JSON object; `None` if it is not even looked at.
    fn envelope(&mut self, answer: &Answer) -> Result<Option<Map<String, Json>>, Verdict> {
        let kind = answer.header("content-type").to_owned();
        let media = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !(200..300).contains(&answer.status) {
            let status = answer.status;
            if (300..400).contains(&status) {
                return Err(self.refuse(format!("status {status}: the host follows redirects")));
            }
            // The host does not look; we hold the handler to its word all the same.
            if media != "application/json" || !answer.json().is_object() {
                self.problem(format!("status {status} without a JSON object"));
            }
            return Err(failed(format!(
                "Response status code does not indicate success: {status}"
            )));
        }
        let length = answer.header("content-length").parse::<usize>().ok();
        if length == Some(0) {
            self.problem("an empty answer: the invocation hangs");
            return Err(Verdict::Hangs("an empty answer".to_owned()));
        }
        match media.as_str() {
            "application/json" => {}
            "text/json" => self.problem("text/json in place of application/json"),
            _ => {
                let text = format!("UnsupportedMediaTypeException: content type `{kind}`");
                return Err(self.refuse(text));
            }
        }
        if answer.body.iter().all(u8::is_ascii_whitespace) {
            self.problem("an empty answer: the invocation hangs");
            return Err(Verdict::Hangs("an empty answer".to_owned()));
        }
        let json: Json = serde_json::from_slice(&answer.body)
            .map_err(|error| self.refuse(format!("the answer is no JSON: {error}")))?;
        match json {
            Json::Null => {
                self.problem("`null` for an answer: the invocation hangs");
                Err(Verdict::Hangs("`null` for an answer".to_owned()))
            }
            Json::Object(object) => {
                if let Some(number) = too_large_integer(&answer.body) {
                    let text = format!("the integer {number} is larger than the host reads");
                    return Err(self.refuse(text));
                }
                Ok(Some(object))
            }
            other => Err(self.refuse(format!("the answer is no JSON object: {other}"))),
        }
    }

    fn outputs(
        &mut self,
        function: &Function,
        envelope: &Map<String, Json>,
        base64: bool,
    ) -> Result<(), Verdict> {
        let mut field = |name: &str| {
            let mut found = envelope.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
            let value = found.next().map_or(Json::Null, |(_, value)| value.clone());
            if found.next().is_some() {
                self.problems.push(format!("`{name}` is there twice"));
            }
            value
        };
        let (outputs, logs, returned) = (field("outputs"), field("logs"), field("returnvalue"));
        self.take_logs(&logs)?;
        if !returned.is_null() {
            self.problem("`ReturnValue` goes nowhere, or over the outputs");
        }
        let outputs = match outputs {
            Json::Null => Map::new(),
            Json::Object(outputs) => outputs,
            other => return Err(self.refuse(format!("`Outputs` is no object: {other}"))),
        };
        for (name, value) in &outputs {
            match function.outputs.get(name) {
                None => self
                    .problem(format!("`{name}` is no output of `{}`: it is lost", function.name)),
                Some(Output::Queue(queue)) => {
                    for text in self.messages(name, value)? {
                        let size = if base64 { text.len().div_ceil(3) * 4 } else { text.len() };
                        if size > LARGEST {
                            let text = format!(
                                "`{name}`: a message of {size} bytes is too large for a queue"
                            );
                            return Err(self.refuse(text));
                        }
                        self.messages.push((queue.clone(), text));
                    }
                }
                Some(Output::Http) => self.http = Some(self.http_answer(value)?),
            }
        }
        if matches!(function.trigger, Trigger::Http { .. }) && self.http.is_none() {
            self.problem("an http function without its answer");
        }
        Ok(())
    }

    fn take_logs(&mut self, logs: &Json) -> Result<(), Verdict> {
        let lines = match logs {
            Json::Null => return Ok(()),
            Json::Array(lines) => lines,
            other => return Err(self.refuse(format!("`Logs` is no array: {other}"))),
        };
        for line in lines {
            match line {
                Json::String(text) => self.logs.push(text.clone()),
                Json::Number(_) | Json::Bool(_) => {
                    self.problem(format!("`Logs` has {line}, which is no string"));
                    self.logs.push(line.to_string());
                }
                _ => return Err(self.refuse(format!("`Logs` has {line}, which is no string"))),
            }
        }
        Ok(())
    }

    /// The messages that a value becomes.
    fn messages(&mut self, name: &str, value: &Json) -> Result<Vec<String>, Verdict> {
        match value {
            Json::Null => Ok(Vec::new()),
            Json::Array(elements) => {
                let mut texts = Vec::new();
                for element in elements {
                    texts.push(self.element(name, element));
                }
                Ok(texts)
            }
            Json::String(text) => self.bare(name, text),
            other => Ok(vec![self.element(name, other)]),
        }
    }

    fn element(&mut self, name: &str, element: &Json) -> String {
        match element {
            Json::String(text) if looks_like_a_date(text) => {
                self.problem(format!("`{name}`: `{text}` is read as a date and written anew"));
                // The host writes it in its own culture.
                format!("mangled {text}")
            }
            Json::String(text) => text.clone(),
            Json::Object(_) | Json::Array(_) => {
                self.problem(format!(
                    "`{name}`: an object is printed anew: dates and layout change"
                ));
                serde_json::to_string_pretty(element).unwrap()
            }
            scalar => {
                self.problem(format!("`{name}`: {scalar} is no string"));
                scalar.to_string()
            }
        }
    }

    /// A string on its own: base64 or JSON, if it can be read so.
    fn bare(&mut self, name: &str, text: &str) -> Result<Vec<String>, Verdict> {
        let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        if packed.len().is_multiple_of(4)
            && let Ok(bytes) = STANDARD.decode(&packed)
        {
            self.problem(format!("`{name}`: the string `{text}` is read as base64"));
            return Ok(vec![String::from_utf8_lossy(&bytes).into_owned()]);
        }
        let trimmed = text.trim();
        let framed = |open, close| trimmed.starts_with(open) && trimmed.ends_with(close);
        if framed('{', '}') || framed('[', ']') {
            self.problem(format!(
                "`{name}`: a string that looks like JSON is read and printed anew"
            ));
            let json: Json = serde_json::from_str(trimmed).map_err(|error| {
                failed(format!("`{name}` is a string that looks like JSON and is none: {error}"))
            })?;
            return match json {
                Json::Array(_) => self.messages(name, &json),
                other => Ok(vec![serde_json::to_string_pretty(&other).unwrap()]),
            };
        }
        Ok(vec![self.element(name, &text.into())])
    }

    fn http_answer(&mut self, value: &Json) -> Result<HttpAnswer, Verdict> {
        let Json::Object(object) = value else {
            return Err(self.refuse(format!("an http answer that is no object: {value}")));
        };
        let field = |name: &str| {
            let mut found = object.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
            found.next().map_or(&Json::Null, |(_, value)| value)
        };
        let status = match (field("statusCode"), field("status")) {
            (Json::Null, other) | (other, _) => other,
        };
        let status = match status {
            Json::Null => Some(200),
            Json::Number(number) => number.as_u64(),
            Json::String(text) => text.parse().ok(),
            _ => None,
        };
        let status = status.and_then(|s| u16::try_from(s).ok()).filter(|s| (200..600).contains(s));
        let Some(status) = status else {
            return Err(self.refuse("an http answer whose status is no number"));
        };
        let body = match field("body") {
            Json::Null => {
                self.problem("an http answer without `body`: status and headers are ignored");
                return Ok(HttpAnswer { status: 200, ..HttpAnswer::default() });
            }
            Json::String(text) => text.clone(),
            Json::Array(_) => {
                self.problem("an http answer whose body is a list: the name of a type is printed");
                "System.Collections.Generic.List`1[System.Object]".to_owned()
            }
            other => {
                self.problem("an http answer whose body is no string");
                other.to_string()
            }
        };
        let mut headers = Vec::new();
        if let Json::Object(given) = field("headers") {
            for (name, value) in given {
                match value {
                    Json::String(value) => headers.push((name.clone(), value.clone())),
                    other => self.problem(format!("the header `{name}` is no string: {other}")),
                }
            }
        }
        let answer = HttpAnswer { status, headers, body };
        if answer.header("content-type").is_empty() {
            self.problem("an http answer without a content type");
        }
        for name in ["content-length", "transfer-encoding"] {
            if !answer.header(name).is_empty() {
                self.problem(format!("`{name}` is the host's to say"));
            }
        }
        Ok(answer)
    }
}

/// What Newtonsoft reads as a date although it stands in quotes.
fn looks_like_a_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    if text.starts_with("/Date(") && text.ends_with(")/") {
        return true;
    }
    let like = |pattern: &str, bytes: &[u8]| {
        pattern.len() == bytes.len()
            && pattern
                .bytes()
                .zip(bytes)
                .all(|(p, b)| if p == b'0' { b.is_ascii_digit() } else { p == *b })
    };
    if !(19..=40).contains(&bytes.len()) || !like("0000-00-00T00:00:00", &bytes[..19]) {
        return false;
    }
    let mut rest = &bytes[19..];
    if let [b'.', tail @ ..] = rest {
        let digits = tail.iter().take_while(|b| b.is_ascii_digit()).count();
        rest = &tail[digits..];
    }
    rest.is_empty() || rest == b"Z" || like("+00:00", rest) || like("-00:00", rest)
}

/// An integer beyond 64 bits, anywhere outside strings.
fn too_large_integer(json: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(json);
    let (mut inside, mut escaped, mut token) = (false, false, String::new());
    for c in text.chars().chain([' ']) {
        if inside {
            inside = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c.is_ascii_digit() || (!token.is_empty() && ".eE+-".contains(c)) || c == '-' {
            token.push(c);
        } else {
            let number = std::mem::take(&mut token);
            let integer = !number.is_empty() && !number.contains(['.', 'e', 'E']);
            if integer && number.parse::<i64>().is_err() {
                return Some(number);
            }
            inside = c == '"';
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_in_quotes() {
        for date in [
            "2026-05-04T10:00:00",
            "2026-05-04T10:00:00Z",
            "2026-05-04T10:00:00.1234567+02:00",
            "/Date(1)/",
        ] {
            assert!(looks_like_a_date(date), "{date}");
        }
        for text in ["2026-05-04", "2026-05-04 10:00:00", "at 2026-05-04T10:00:00Z", "", "x"] {
            assert!(!looks_like_a_date(text), "{text}");
        }
    }

    #[test]
    fn integers_beyond_64_bits() {
        for json in
            ["{\"a\":9223372036854775808}", "[-9223372036854775809]", "[1,99999999999999999999]"]
        {
            assert!(too_large_integer(json.as_bytes()).is_some(), "{json}");
        }
        for json in [
            "{\"a\":9223372036854775807}",
            "{\"99999999999999999999\":1}",
            "[1e30,1.5]",
            r#"["\"",-1]"#,
        ] {
            assert_eq!(too_large_integer(json.as_bytes()), None, "{json}");
        }
    }
}
