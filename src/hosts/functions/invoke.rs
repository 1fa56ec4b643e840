//! What each function does with an invocation.

use super::lanes::{Lanes, Went};
use super::wire::{self, Answer, HttpRequest};
use super::{App, Current, Limits, Refused, Supply, nap};
use crate::engine::{Delivered, StateError, Ticket, Turn, Watch};
use crate::hosts::daemon::{self, clock};
use crate::hosts::page::{self, Page};
use crate::watch::own::{Condition, Observation};
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, Once, PoisonError};
use tokio::time::{Instant, timeout_at};

/// The functions that are answered: the folders of `function-defs/`.
pub(super) const FUNCTIONS: [&str; 5] = ["tick", "evaluate", "deliver", "dead-letter", "status"];

/// With more workspaces than this a tick delegates them.
const WORKSPACES: usize = 8;
/// Waits up to this are slept; longer ones are offered by the tick that finds them due.
const SLEPT: TimeDelta = TimeDelta::seconds(30);
/// A message to evaluate a workspace is good for at least this long, however short the intervals of its rules.
const SHORTEST: TimeDelta = TimeDelta::minutes(1);

/// Headers of an answer for programs.
const JSON: [(&str, &str); 3] = [
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
];
/// Headers of a text for browsers.
const PLAIN: [(&str, &str); 3] = [
    ("Content-Type", "text/plain; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
];

/// A workspace to be evaluated, as it travels through the queue `hsmwatch-evaluations`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Evaluation {
    /// The workspace's id.
    workspace: String,
    /// When the tick that asks for it began.
    at: DateTime<Utc>,
}

/// Everything that answers invocations.
pub(super) struct Invocations {
    supply: Arc<dyn Supply>,
    limits: Limits,
    lanes: Lanes,
    banner: Once,
    checking: tokio::sync::Mutex<()>,
}

impl Invocations {
    pub(super) fn new(supply: Arc<dyn Supply>, limits: Limits) -> Self {
        Self {
            supply,
            limits,
            lanes: Lanes::default(),
            banner: Once::new(),
            checking: tokio::sync::Mutex::default(),
        }
    }

    /// Answers the invocation of a function.
    pub(super) async fn invoke(&self, function: &str, body: &[u8]) -> Answer {
        let began = Instant::now();
        let result = match function {
            "tick" => self.tick(body, began).await,
            "evaluate" => self.evaluate(body, began).await,
            "deliver" => self.deliver(body, began).await,
            "dead-letter" => Ok(dead_letter(body)),
            "status" => Ok(self.status(body, began).await),
            _ => {
                let error =
                    format!("there is no such function; there are {}", FUNCTIONS.join(", "));
                tracing::error!("{error}");
                return Answer::failed(StatusCode::NOT_FOUND, &error);
            }
        };
        result.unwrap_or_else(|Failure { status, why }| {
            // The host reads nothing of an answer that is not a success: this line is what people find.
            tracing::error!("{function}: {why}");
            Answer::failed(status, &why)
        })
    }

    /// What there is to work with, or why there is nothing.
    async fn app(&self, fresh: bool) -> Result<(Arc<App>, Option<Refused>), Failure> {
        let Current { app, refused } = self.supply.current(fresh).await;
        let Some(app) = app else {
            let why = refused.map_or_else(|| "no configuration".to_owned(), |r| one_line(&r.why));
            return Err(Failure { status: StatusCode::INTERNAL_SERVER_ERROR, why });
        };
        // Lines from before the first invocation are easily lost.
        self.banner.call_once(|| {
            tracing::info!(
                "hsmwatch {} with {}: {} watches, {} receivers",
                env!("CARGO_PKG_VERSION"),
                app.source,
                app.watches.len(),
                app.engine.receivers.len()
            );
        });
        if let Some(Refused { why, since }) = &refused {
            tracing::error!(
                "the configuration is refused since {since}, the last good one goes on: {}",
                one_line(why)
            );
        }
        Ok((app, refused))
    }

    async fn tick(&self, body: &[u8], began: Instant) -> Result<Answer, Failure> {
        // What the timer says is of no use: windows come from the state. But garbage is not a timer.
        wire::data(body).map_err(|error| bad_body(&error))?;
        let (app, refused) = self.app(true).await?;
        self.lanes.forget_broken();
        let notices: Vec<Observation> =
            refused.iter().map(|refused| notice(&app.source, refused)).collect();
        let offered = Offered::default();
        let now = clock();
        let turn = Turn {
            now,
            offer: &|ticket| offered.take(ticket),
            until: Some(began + self.limits.evaluations),
            workspaces: WORKSPACES,
            notices: &notices,
        };
        let ticked = timeout_at(began + self.limits.whole, app.engine.tick_as(&app.watches, &turn));
        let (mut logs, mut evaluations) = (Vec::new(), Vec::new());
        match ticked.await {
            Ok(Ok(report)) => {
                daemon::log_tick(&report);
                logs.push(format!(
                    "watches evaluated here: {}, failed: {}; workspaces delegated: {}",
                    report.watches.len(),
                    report.failed(),
                    report.delegated.len()
                ));
                evaluations.extend(
                    report
                        .delegated
                        .into_iter()
                        .map(|workspace| json!(Evaluation { workspace, at: now })),
                );
            }
            Ok(Err(error)) => return Err(failed(&error)),
            Err(_) => tracing::error!("{}", over("tick")),
        }
        let tickets = offered.tickets();
        logs.push(format!("deliveries offered: {}", tickets.len()));
        let outputs = Map::from_iter([
            ("evaluations".to_owned(), wire::messages(evaluations.iter())),
            ("deliveries".to_owned(), wire::messages(tickets.iter())),
        ]);
        Ok(Answer::done(outputs, logs))
    }

    async fn evaluate(&self, body: &[u8], began: Instant) -> Result<Answer, Failure> {
        let text = wire::message(body, "message").map_err(|error| bad_body(&error))?;
        let Ok(Evaluation { workspace, at }) = serde_json::from_str(&text) else {
            tracing::error!("a message of hsmwatch-evaluations is none of ours and is dropped");
            return Ok(Answer::nothing("dropped: not a message of ours"));
        };
        let (app, _) = self.app(false).await?;
        let watches: Vec<Watch> =
            app.watches.iter().filter(|watch| watch.workspace.id == workspace).cloned().collect();
        let now = clock();
        let good_for = watches
            .iter()
            .map(|watch| watch.rule.schedule.interval(now))
            .min()
            .map_or(SHORTEST, |shortest| shortest.max(SHORTEST));
        if watches.is_empty() || now - at > good_for {
            tracing::info!("a message to evaluate is dropped: it is old, or its workspace is gone");
            return Ok(Answer::nothing("dropped: old, or of a workspace that is gone"));
        }
        let offered = Offered::default();
        let offer = |ticket| offered.take(ticket);
        let turn = Turn { until: Some(began + self.limits.evaluations), ..Turn::new(now, &offer) };
        let evaluated = app.engine.evaluate_delegated(&watches, &turn);
        match timeout_at(began + self.limits.whole, evaluated).await {
            Ok(Ok(report)) => daemon::log_tick(&report),
            Ok(Err(error)) => return Err(failed(&error)),
            Err(_) => tracing::error!("{}", over("evaluation")),
        }
        let tickets = offered.tickets();
        let logs = vec![format!("deliveries offered: {}", tickets.len())];
        let outputs = Map::from_iter([("deliveries".to_owned(), wire::messages(tickets.iter()))]);
        Ok(Answer::done(outputs, logs))
    }

    async fn deliver(&self, body: &[u8], began: Instant) -> Result<Answer, Failure> {
        let Some(ticket) = ticket(body)? else {
            tracing::error!("a message of hsmwatch-deliveries is no ticket and is dropped");
            return Ok(Answer::nothing("dropped: not a ticket"));
        };
        let (app, _) = self.app(false).await?;
        let credential =
            app.engine.receiver(&ticket.receiver).map_or("", |receiver| &receiver.credential);
        let Some(_place) = self.lanes.enter(&ticket.receiver, credential).await else {
            tracing::info!(receiver.name = %ticket.receiver, "left to the next tick: the receiver is busy or does not answer");
            return Ok(Answer::nothing("left to the next tick"));
        };
        let end = began + self.limits.whole;
        let delivered = loop {
            let Ok(delivered) = timeout_at(end, app.engine.deliver(&ticket, clock())).await else {
                tracing::error!("{}", over("delivery"));
                return Ok(Answer::nothing("left to the next tick"));
            };
            let delivered = delivered.map_err(|error| failed(&error))?;
            let went = match &delivered {
                Delivered::Ok => Some(Went::Well),
                Delivered::Later { .. } => Some(Went::Failed),
                Delivered::Broken { .. } => Some(Went::Broken(credential.to_owned())),
                Delivered::Dropped | Delivered::Ended { .. } => None,
            };
            if let Some(went) = went {
                self.lanes.note(&ticket.receiver, went);
            }
            let Delivered::Later { due, .. } = &delivered else { break delivered };
            let wait = *due - clock();
            // Another attempt needs as long as the longest one.
            let in_time = wait.to_std().is_ok_and(|wait| Instant::now() + wait * 2 < end);
            if wait > SLEPT || !in_time {
                break delivered;
            }
            nap(wait.to_std().unwrap_or_default()).await;
        };
        let log = match &delivered {
            Delivered::Ok => "delivered",
            Delivered::Dropped => "nothing to do",
            Delivered::Later { .. } => "to be tried again",
            Delivered::Broken { .. } => "the receiver is broken",
            Delivered::Ended { .. } => "refused for good",
        };
        daemon::log_delivery(&ticket, &Ok(delivered));
        Ok(Answer::nothing(log))
    }

    /// The deployment as it sees itself. It is always an answer: what is wrong is in it.
    async fn checks(&self, request: &HttpRequest, began: Instant) -> Answer {
        let _one_at_a_time = self.checking.lock().await;
        let Ok(report) = timeout_at(began + self.limits.whole, self.supply.checks()).await else {
            let error = over("look at the deployment");
            tracing::error!("{error}");
            return Answer::http(StatusCode::GATEWAY_TIMEOUT, &PLAIN, error);
        };
        let Some(report) = report else {
            let error = "this program has no checks to run".to_owned();
            return Answer::http(StatusCode::NOT_IMPLEMENTED, &PLAIN, error);
        };
        tracing::info!("looked at the deployment: {:?}", report.summary);
        if wants_html(request) {
            return Answer::http(StatusCode::OK, &PLAIN, report.text());
        }
        Answer::http(StatusCode::OK, &JSON, json!(report).to_string())
    }

    async fn status(&self, body: &[u8], began: Instant) -> Answer {
        let request = wire::http_request(body, "req").unwrap_or_default();
        if request.checks.as_deref() == Some("run") {
            return self.checks(&request, began).await;
        }
        let Current { app, refused } = self.supply.current(true).await;
        let now = clock();
        let source = app.as_ref().map_or("none", |app| app.source.as_str());
        let mut trouble = None;
        let status = match &app {
            None => None,
            Some(app) => match app.engine.status(&app.watches, now).await {
                Ok(status) => Some(status),
                Err(error) => {
                    tracing::error!("status: {error}");
                    trouble = Some(error.to_string());
                    None
                }
            },
        };
        let code = if status.is_some() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let shown = refused.or_else(|| trouble.map(|why| Refused { why, since: now }));
        if wants_html(&request) {
            let page = Page {
                status: status.as_ref(),
                refused: shown.as_ref().map(|refused| (refused.why.as_str(), refused.since)),
                source,
                version: env!("CARGO_PKG_VERSION"),
                at: now,
            };
            let headers = [
                ("Content-Type", "text/html; charset=utf-8"),
                ("Cache-Control", "no-store"),
                ("Content-Security-Policy", &page::POLICY),
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "no-referrer"),
            ];
            return Answer::http(code, &headers, page::html(&page));
        }
        let mut json = json!(status);
        if !json.is_object() {
            json = json!({"at": now, "well": false});
        }
        if let Some(object) = json.as_object_mut() {
            object.insert("version".to_owned(), env!("CARGO_PKG_VERSION").into());
            object.insert("source".to_owned(), source.into());
            object.insert(
                "refused".to_owned(),
                shown.as_ref().map_or(Json::Null, |r| json!({"why": r.why, "since": r.since})),
            );
            if shown.is_some() {
                object.insert("well".to_owned(), false.into());
            }
        }
        Answer::http(code, &JSON, json.to_string())
    }
}

/// What is wrong as one sentence: the page has it in lines, as it is written for a terminal.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("; ").replace("configuration; ", "configuration: ")
}

/// An invocation that fails.
struct Failure {
    status: StatusCode,
    why: String,
}

fn bad_body(error: &wire::BadBody) -> Failure {
    Failure { status: StatusCode::BAD_REQUEST, why: error.to_string() }
}

fn failed(error: &StateError) -> Failure {
    Failure { status: StatusCode::INTERNAL_SERVER_ERROR, why: error.to_string() }
}

fn over(what: &str) -> String {
    format!(
        "the {what} is not over, and its time is (`functionTimeout` in host.json); what it has done counts, and the next \
         tick goes on"
    )
}

/// Tickets as they are offered, each once.
#[derive(Default)]
struct Offered(Mutex<(BTreeSet<Ticket>, Vec<Json>)>);

impl Offered {
    fn take(&self, ticket: Ticket) {
        let mut offered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, tickets) = &mut *offered;
        let message = json!(ticket);
        if seen.insert(ticket) {
            tickets.push(message);
        }
    }

    fn tickets(self) -> Vec<Json> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).1
    }
}

/// The ticket of an invocation, or `None` if the message is none.
fn ticket(body: &[u8]) -> Result<Option<Ticket>, Failure> {
    let text = wire::message(body, "ticket").map_err(|error| bad_body(&error))?;
    Ok(serde_json::from_str(&text).ok().filter(is_ours))
}

/// Whether we could have written it. The names of state documents are made of it.
fn is_ours(ticket: &Ticket) -> bool {
    let hash =
        |text: &str| (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit());
    let name = |text: &str| {
        let of = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        (1..=64).contains(&text.len()) && text.chars().all(of)
    };
    hash(&ticket.watch) && hash(&ticket.alert) && name(&ticket.receiver)
}

/// A ticket whose deliveries failed as invocations, time and again. It decides nothing: the alert is still in its outbox, and
/// ticks offer it until it ends.
fn dead_letter(body: &[u8]) -> Answer {
    if let Ok(Some(Ticket { alert, receiver, .. })) = ticket(body) {
        tracing::error!(
            alert.id = %alert, receiver.name = %receiver,
            "delivering {alert} to {receiver} failed time and again; ticks go on offering it: see the errors of deliver"
        );
    } else {
        tracing::error!("a message of hsmwatch-deliveries-poison is no ticket");
    }
    Answer::nothing("noted")
}

/// What is told of a version that is refused.
fn notice(source: &str, refused: &Refused) -> Observation {
    Observation {
        condition: Condition::ConfigurationRefused,
        about: source.to_owned(),
        subject: source.to_owned(),
        since: refused.since,
        detail: format!(
            "The configuration `{source}` is refused since {}, and the last good one goes on: {}",
            refused.since.format("%F %T UTC"),
            refused.why
        ),
        not_over: None,
        only_over: None,
    }
}

/// Browsers ask for HTML by name; everything else gets JSON.
fn wants_html(request: &HttpRequest) -> bool {
    match request.format.as_deref() {
        Some("html") => return true,
        Some("json") => return false,
        _ => {}
    }
    let quality = |kind: &str| {
        let accept = request.accept.as_deref().unwrap_or_default().to_ascii_lowercase();
        let of = accept.split(',').find_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            (parts.next()? == kind).then(|| {
                let q = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
                q.unwrap_or(1.0)
            })
        });
        of.unwrap_or(0.0)
    };
    quality("text/html") > quality("application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_that_nobody_wrote_is_none() {
        let of = |watch: &str, alert: &str, receiver: &str| {
            let [watch, alert, receiver] = [watch, alert, receiver].map(str::to_owned);
            is_ours(&Ticket { watch, alert, receiver })
        };
        assert!(of("306eb8ccabd5d1fc73b1", "dce05dd76458815eb924840c3ba49b52", "on-call_1"));
        for (watch, alert, receiver) in [
            ("", "a", "r"),
            ("a", "", "r"),
            ("a", "a", ""),
            ("../a", "a", "r"),
            ("a", "a.b", "r"),
            ("a", "a", "r/x"),
            ("a", "a", "\u{202e}r"),
        ] {
            assert!(!of(watch, alert, receiver), "{watch} {alert} {receiver}");
        }
        let long = "a".repeat(65);
        assert!(!of(&long, "a", "r") && !of("a", &long, "r") && !of("a", "a", &long));
    }

    #[test]
    fn what_is_wrong_is_one_sentence() {
        let text = "1 problem in the configuration\nno state: set `X`\n  hint: X=FOLDER\n";
        let said = "1 problem in the configuration: no state: set `X`; hint: X=FOLDER";
        assert_eq!(one_line(text), said);
    }

    #[test]
    fn browsers_get_html_and_programs_json() {
        let wants = |accept: &str| {
            wants_html(&HttpRequest { accept: Some(accept.to_owned()), ..HttpRequest::default() })
        };
        assert!(wants("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(wants("application/json;q=0.5, text/html"));
        assert!(!wants("application/json"));
        assert!(!wants("*/*"));
        assert!(!wants("text/html;q=0.1, application/json"));
        assert!(!wants_html(&HttpRequest::default()));
        let asked = HttpRequest {
            accept: Some("text/html".into()),
            format: Some("json".into()),
            ..HttpRequest::default()
        };
        assert!(!wants_html(&asked));
    }
}
