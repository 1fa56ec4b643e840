//! What every HTTP adapter needs to say and hear: waits, dates, and error texts that give no secret away.

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use std::error::Error;
use std::time::Duration;

/// The longest text of a foreign error that we pass on, in characters.
pub const MAX_TEXT: usize = 500;

/// No receiver or service is believed when it asks for a longer wait.
const MAX_WAIT: Duration = Duration::from_hours(24);

/// The sender's clock, if it said.
pub fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    headers.get(DATE)?.to_str().ok().and_then(http_date)
}

/// How long the other side asks us to wait: `x-ms-retry-after-ms` or `retry-after-ms`, else `Retry-After` in seconds or
/// as a date. A date is measured against the answer's own `Date`, so that two clocks never meet; without one, against `now`.
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
    let millis = ["x-ms-retry-after-ms", "retry-after-ms"]
        .into_iter()
        .find_map(|name| text(name)?.parse().ok().map(Duration::from_millis));
    let wait = millis.or_else(|| {
        let value = text(RETRY_AFTER.as_str())?;
        if let Ok(seconds) = value.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let until = http_date(value)?;
        // A date that has passed means: now.
        Some((until - date(headers).unwrap_or(now)).to_std().unwrap_or(Duration::ZERO))
    });
    wait.map(|wait| wait.min(MAX_WAIT))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn http_date(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|t| t.to_utc())
}

/// The whole chain of an error's causes, without the URL.
pub fn cause(error: reqwest::Error) -> String {
    chain(&error.without_url())
}

/// The whole chain of an error's causes, cleaned. A cause that the one before it already quotes is not said twice.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = error.source();
    }
    clean(&text)
}

/// Foreign text made fit to pass on: one line, at most [`MAX_TEXT`] characters, without control characters, the queries of
/// URLs, or anything that looks like a token.
pub fn clean(text: &str) -> String {
    let text: String = text
        .chars()
        // Bidirectional and zero-width characters can make a text read as another.
        .filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'))
        .map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c })
        .take(8 * MAX_TEXT)
        .collect();
    let mut out = String::new();
    let mut after_bearer = false;
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        if after_bearer || looks_like_token(word) {
            out.push_str("[token]");
        } else if let Some((before, _)) = word.split_once('?').filter(|(b, _)| b.contains("://")) {
            out.push_str(before);
            out.push_str("?…");
        } else {
            out.push_str(word);
        }
        after_bearer = word.eq_ignore_ascii_case("bearer") && !after_bearer;
    }
    cap(&out)
}

fn looks_like_token(word: &str) -> bool {
    word.split_once("eyJ").is_some_and(|(_, rest)| {
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).count() >= 20
    })
}

/// At most [`MAX_TEXT`] characters.
fn cap(text: &str) -> String {
    if text.chars().count() <= MAX_TEXT {
        return text.to_owned();
    }
    text.chars().take(MAX_TEXT - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_static(v))).collect()
    }

    fn now() -> DateTime<Utc> {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn reads_every_form_of_retry_after() {
        let date = ("date", "Thu, 01 Jan 2026 10:00:00 GMT");
        for (pairs, expected) in [
            (&[][..], None),
            (&[("retry-after", "17")][..], Some(17_000)),
            (&[("retry-after", " 0 ")], Some(0)),
            (&[("retry-after", "Thu, 01 Jan 2026 00:01:30 GMT")], Some(90_000)),
            (&[date, ("retry-after", "Thu, 01 Jan 2026 10:00:05 GMT")], Some(5_000)),
            (&[date, ("retry-after", "Thu, 01 Jan 2026 09:00:00 GMT")], Some(0)),
            (&[("x-ms-retry-after-ms", "250"), ("retry-after", "9")], Some(250)),
            (&[("x-ms-retry-after-ms", "soon"), ("retry-after", "9")], Some(9_000)),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "-3")], None),
            (&[("retry-after", "18446744073709551615")], Some(24 * 3_600_000)),
        ] {
            let got = retry_after(&headers(pairs), now());
            assert_eq!(got, expected.map(Duration::from_millis), "{pairs:?}");
        }
    }

    #[test]
    fn cleans_what_a_service_says() {
        let jwt = "eyJhbGciOiJub25lIn0.eyJhdWQiOiJ4In0.c2lnbmF0dXJl";
        for (dirty, expected) in [
            ("two\r\n lines\u{7}", "two lines"),
            ("see https://a.example/x?sig=secret&b=1 now", "see https://a.example/x?… now"),
            ("why?because", "why?because"),
            ("Authorization: Bearer abc123 bad", "Authorization: Bearer [token] bad"),
            ("a\u{202e}b", "ab"),
        ] {
            assert_eq!(clean(dirty), expected);
        }
        assert_eq!(clean(&format!("token {jwt}")), "token [token]");
        assert_eq!(clean(&"é".repeat(900)).chars().count(), MAX_TEXT);
    }

    proptest! {
        #[test]
        fn clean_text_is_short_and_stays_clean(text in ".{0,700}") {
            let once = clean(&text);
            prop_assert!(once.chars().count() <= MAX_TEXT);
            prop_assert!(!once.chars().any(char::is_control));
        }
    }
}
