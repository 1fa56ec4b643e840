//! Asks a Log Analytics workspace.

use super::decode::{DecodeError, Decoder};
use super::errors::{Refusal, refusal, within};
use super::identity::{TokenError, TokenSource};
use super::is_loopback;
use crate::ports::{Answer, LogSource, Query, QueryError, RowSink};
use crate::watch::row::ticks_text;
use crate::wire::{cause, date, retry_after};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::Response;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use secrecy::ExposeSecret;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long the service may work on a query by default; it allows up to 10 minutes.
pub const WAIT: Duration = Duration::from_mins(3);
/// The service takes no longer wait.
const MAX_WAIT: Duration = Duration::from_mins(10);
/// The service answers 504 when `wait` is over; we hang up only after that.
const GRACE: Duration = Duration::from_secs(15);
/// The most of an error body that is read.
const MAX_ERROR: usize = 64 << 10;
/// From here on an answer that stops coming counts as too large, not as an outage.
const LARGE: usize = 1 << 20;

/// What it takes to ask a workspace.
#[derive(Clone, Debug)]
pub struct LogAnalyticsOptions {
    /// `https://api.loganalytics.azure.com`, or another cloud's; on this machine also http.
    pub endpoint: Url,
    /// The workspace's customer id.
    pub workspace_id: String,
    /// What tokens are asked for, `https://…/.default`.
    pub scope: String,
    /// Where tokens come from.
    pub credential: Arc<dyn TokenSource>,
    /// A client without redirects: see [`super::client`].
    pub http: reqwest::Client,
    /// How long the service may work on a query: see [`WAIT`].
    pub wait: Duration,
    /// Pauses before each further try when the service is down for a moment: see [`PAUSES`].
    pub pauses: &'static [Duration],
}

/// Two more tries, soon: the next tick comes anyway.
pub const PAUSES: &[Duration] = &[Duration::from_millis(300), Duration::from_millis(1200)];

/// An endpoint that cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`endpoint` must be an https URL without query (http only on this machine)")]
pub struct BadEndpoint;

/// A workspace of Log Analytics.
pub struct LogAnalytics {
    options: LogAnalyticsOptions,
    url: Url,
}

impl fmt::Debug for LogAnalytics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogAnalytics({})", self.options.workspace_id)
    }
}

impl LogAnalytics {
    /// Asks nothing yet.
    pub fn new(options: LogAnalyticsOptions) -> Result<Self, BadEndpoint> {
        let mut url = options.endpoint.clone();
        // A token must not travel in the clear.
        let safe = match url.scheme() {
            "https" => true,
            "http" => is_loopback(&url),
            _ => false,
        };
        if !safe || url.query().is_some() || url.fragment().is_some() || !url.username().is_empty()
        {
            return Err(BadEndpoint);
        }
        url.path_segments_mut().map_err(|()| BadEndpoint)?.pop_if_empty().extend([
            "v1",
            "workspaces",
            &options.workspace_id,
            "query",
        ]);
        Ok(Self { options, url })
    }

    /// One request, with the token in force.
    async fn ask(&self, body: &str) -> Result<Response, Refusal> {
        let final_or_again = |e: TokenError| match e {
            TokenError::Denied(text) => Refusal::Final(QueryError::Denied(text)),
            TokenError::Unavailable(text) => Refusal::Final(QueryError::Unavailable(text)),
        };
        let token =
            self.options.credential.token(&self.options.scope).await.map_err(final_or_again)?;
        let mut request = self
            .options
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .header("prefer", format!("wait={}", self.options.wait.min(MAX_WAIT).as_secs()))
            .timeout(self.options.wait + GRACE)
            .body(body.to_owned());
        if !token.secret.expose_secret().is_empty() {
            request = request.bearer_auth(token.secret.expose_secret());
        }
        request.send().await.map_err(|error| {
            // A time-out has taken minutes already: it is not tried again here.
            let again = !error.is_timeout() || error.is_connect();
            let error = QueryError::Unavailable(cause(error));
            if again { Refusal::Again(error) } else { Refusal::Final(error) }
        })
    }

    /// Asks until there is an answer with a body, a refusal, or no try left.
    async fn answer(&self, body: &str) -> Result<Response, QueryError> {
        let mut pauses = self.options.pauses.iter();
        let mut fresh_token = false;
        loop {
            let refused = match self.ask(body).await {
                Ok(response) if response.status().as_u16() == 200 => return Ok(response),
                Ok(response) => refused(response).await,
                Err(refusal) => refusal,
            };
            match refused {
                Refusal::Final(error) => return Err(error),
                Refusal::Token(error) if fresh_token => return Err(error),
                Refusal::Token(_) => {
                    self.options.credential.invalidate();
                    fresh_token = true;
                }
                Refusal::Again(error) => {
                    let Some(pause) = pauses.next() else { return Err(error) };
                    tracing::debug!(workspace.id = self.options.workspace_id, %error, "query is tried again");
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "a second at most, and nobody else can tell a hiccup from an outage"
                    )]
                    tokio::time::sleep(*pause).await;
                }
            }
        }
    }
}

/// Reads what the service says about its refusal.
async fn refused(mut response: Response) -> Refusal {
    let status = response.status().as_u16();
    #[expect(clippy::disallowed_methods, reason = "only where the answer has no date of its own")]
    let wait = retry_after(response.headers(), Utc::now());
    let mut body = Vec::new();
    // A body that breaks off says less; the status says enough.
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ERROR {
            break;
        }
    }
    refusal(status, &body, wait)
}

fn request_body(query: &Query) -> String {
    let mut body = serde_json::Map::new();
    body.insert("query".to_owned(), query.text.as_str().into());
    if let Some(span) = query.timespan {
        let timespan = format!("{}/{}", ticks_text(span.from), ticks_text(round_up(span.to)));
        body.insert("timespan".to_owned(), timespan.into());
    }
    serde_json::Value::Object(body).to_string()
}

/// The service counts in 100 ns: the end is rounded up, so that nothing inside the span is left out.
fn round_up(t: DateTime<Utc>) -> DateTime<Utc> {
    let beyond = i64::from(t.timestamp_subsec_nanos() % 100);
    if beyond == 0 {
        return t;
    }
    t.checked_add_signed(chrono::TimeDelta::nanoseconds(100 - beyond)).unwrap_or(t)
}

#[async_trait]
impl LogSource for LogAnalytics {
    async fn query(&self, query: &Query, rows: &mut dyn RowSink) -> Result<Answer, QueryError> {
        let mut response = self.answer(&request_body(query)).await?;
        let date = date(response.headers());
        let mut decoder = Decoder::new();
        let mut size = 0;
        loop {
            match response.chunk().await {
                Ok(None) => break,
                Ok(Some(chunk)) => {
                    size += chunk.len();
                    decoder.feed(&chunk, rows).map_err(unreadable)?;
                }
                Err(error) if error.is_timeout() && size >= LARGE => {
                    return Err(QueryError::TooLarge(format!(
                        "it was still coming after {size} bytes and {} rows when the time was over",
                        decoder.rows()
                    )));
                }
                Err(error) => {
                    let text = cause(error);
                    return Err(QueryError::Unavailable(format!("the answer broke off: {text}")));
                }
            }
        }
        let decoded = decoder.finish().map_err(unreadable)?;
        let partial = match &decoded.error {
            Some(error) => Some(within(error, decoded.tables > 0)?),
            None if decoded.tables > 0 => None,
            None => return Err(QueryError::Unavailable("the answer holds no tables".to_owned())),
        };
        Ok(Answer { date, partial })
    }
}

fn unreadable(error: DecodeError) -> QueryError {
    QueryError::Unavailable(match error {
        // What the service does when a header or the body got lost on the way.
        DecodeError::Empty => {
            "the answer is empty; does a proxy drop the request's body or content type?".to_owned()
        }
        other => crate::wire::clean(&other.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::identity::StaticToken;
    use crate::watch::alert::Interval;

    fn url(endpoint: &str, workspace_id: &str) -> Result<String, BadEndpoint> {
        LogAnalytics::new(LogAnalyticsOptions {
            endpoint: endpoint.parse().unwrap(),
            workspace_id: workspace_id.to_owned(),
            scope: String::new(),
            credential: Arc::new(StaticToken("t".to_owned().into())),
            http: reqwest::Client::new(),
            wait: WAIT,
            pauses: PAUSES,
        })
        .map(|logs| logs.url.to_string())
    }

    #[test]
    fn the_url_is_built_of_segments() {
        let path = "v1/workspaces/w/query";
        for (endpoint, id, expected) in [
            (
                "https://api.loganalytics.azure.com",
                "w",
                Ok(format!("https://api.loganalytics.azure.com/{path}")),
            ),
            ("https://proxy.example/la/", "w", Ok(format!("https://proxy.example/la/{path}"))),
            ("http://127.0.0.1:81", "w", Ok(format!("http://127.0.0.1:81/{path}"))),
            (
                "https://a.example",
                "../x?y",
                Ok("https://a.example/v1/workspaces/..%2Fx%3Fy/query".into()),
            ),
            ("http://a.example", "w", Err(BadEndpoint)),
            ("https://a.example/?x=1", "w", Err(BadEndpoint)),
            ("https://me@a.example/", "w", Err(BadEndpoint)),
            ("file:///x", "w", Err(BadEndpoint)),
        ] {
            assert_eq!(url(endpoint, id), expected, "{endpoint}");
        }
    }

    #[test]
    fn the_timespan_has_seven_digits_and_leaves_nothing_out() {
        let from = "2026-01-01T00:00:00.123456789Z".parse().unwrap();
        let to = "2026-01-01T01:00:00.000000001Z".parse().unwrap();
        let query = |timespan| Query { text: "T | where a == \"b\"".into(), timespan, now: from };
        assert_eq!(
            request_body(&query(Some(Interval { from, to }))),
            r#"{"query":"T | where a == \"b\"","timespan":"2026-01-01T00:00:00.1234567Z/2026-01-01T01:00:00.0000001Z"}"#
        );
        assert_eq!(request_body(&query(None)), r#"{"query":"T | where a == \"b\""}"#);
    }
}
