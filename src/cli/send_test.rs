//! `send-test`: a sample alert to the receivers, over the real way and in the real form, without touching state.

use super::catalogue;
use super::report::{Stop, out, talk};
use super::rows::escaped;
use super::setup;
use super::test_alert::sample;
use super::{Context, Done, Format, runtime};
use crate::config::nearest;
use crate::engine::request;
use crate::notify::desk::Memory;
use crate::notify::exchange::{Errand, Exchange, Step};
use crate::notify::verdict::Verdict;
use crate::notify::webhook::template::Fault;
use crate::notify::{self, Kind, Receiver, desk};
use crate::ports::{Transport, answered};
use crate::watch::alert::Alert;
use crate::watch::rule::Rule;
use crate::watch::severity::Severity;
use chrono::{DateTime, Utc};
use serde_json::{Map, json};
use std::process::ExitCode;

const AFTER: &str = "\
Examples:
  hsmwatch send-test                         to all receivers
  hsmwatch send-test oncall --severity low   to one, as if the rule were of that severity
  hsmwatch send-test --rule login-burst      what this rule would send
  hsmwatch send-test itsm --print            what would be sent, and signed; nothing is sent
  hsmwatch send-test pager --resolve         opens a case at a desk and closes it again

Exit codes: 0 all delivered; 1 one was not; 2 usage or configuration.";

/// Send a sample alert to receivers
///
/// The alert is marked as a test: its title begins with "Test" and its reason is `test`. It is rendered, signed and sent
/// as real ones are, once, and nothing is written down: no state is touched.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// Names of receivers; all if none is named
    #[arg(value_name = "RECEIVER")]
    receivers: Vec<String>,
    /// The rule that it seems to come from
    #[arg(long, value_name = "ID", default_value = "key-delete")]
    rule: String,
    /// Another severity than the rule's
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<Severity>,
    /// Close the test's case again, where the receiver keeps cases
    #[arg(long, conflicts_with = "print")]
    resolve: bool,
    /// Print headers and body instead of sending them
    #[arg(long)]
    print: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Done {
    let setup = setup::load(context)?;
    let all = setup.receivers()?;
    let receivers = chosen(&all, &args.receivers)?;
    let entries = catalogue::entries(Some(&setup));
    let rule = &catalogue::get(&entries, &args.rule)?.rule;
    let names = receivers.iter().map(|receiver| receiver.name.clone()).collect();
    #[expect(clippy::disallowed_methods, reason = "a verb reads the clock once")]
    let now = Utc::now();
    let alert = sample(&setup, rule, args.severity, names, now);
    if args.print {
        print(context, &receivers, &alert, now);
        return Ok(ExitCode::SUCCESS);
    }
    let transport = setup.transport()?;
    let delivered = runtime()?.block_on(send(
        context,
        transport.as_ref(),
        rule,
        &receivers,
        &alert,
        args.resolve,
    ));
    Ok(ExitCode::from(u8::from(!delivered)))
}

fn chosen<'r>(all: &'r [Receiver], names: &[String]) -> Result<Vec<&'r Receiver>, Stop> {
    if names.is_empty() {
        return Ok(all.iter().collect());
    }
    let known = || all.iter().map(|receiver| receiver.name.as_str());
    if let Some(name) = names.iter().find(|name| !known().any(|known| known == name.as_str())) {
        let hint = match nearest(name, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", known().collect::<Vec<_>>().join(", ")),
        };
        return Err(Stop::usage(format!("there is no receiver `{name}`")).hint(hint));
    }
    Ok(all.iter().filter(|receiver| names.contains(&receiver.name)).collect())
}

/// Everything that would be sent, save the address and what proves who we are.
fn print(context: &Context, receivers: &[&Receiver], alert: &Alert, now: DateTime<Utc>) {
    let mut all = Vec::new();
    for (n, receiver) in receivers.iter().enumerate() {
        let mut path = String::new();
        let mut headers = Vec::new();
        let mut body = None;
        let mut fault = None;
        if let notify::Settings::Desk(settings) = &receiver.settings {
            if let Some(ask) = desk::opening(settings, receiver, alert, now) {
                (path, headers, body) = (ask.path, ask.headers, ask.body);
            }
        } else {
            let made = notify::message(receiver, alert);
            headers = notify::headers(receiver, &alert.id, now, &made.body);
            headers.extend(made.headers);
            (body, fault) = (Some(made.body), made.fault.as_ref().map(fallen_back));
        }
        if let Some(body) = &body {
            headers.insert(0, ("content-type".to_owned(), body.content_type.clone().into_owned()));
        }
        let bytes = body.map(|body| body.bytes).unwrap_or_default();
        let text = receiver.settings.redact(&String::from_utf8_lossy(&bytes));
        if context.format == Format::Json {
            // As text, for it is the bytes that are signed.
            let headers: Map<_, _> = headers.into_iter().map(|(k, v)| (k, v.into())).collect();
            all.push(json!({"receiver": receiver.name, "kind": receiver.kind().as_str(), "path": path, "headers": headers, "body": text, "fault": fault}));
            continue;
        }
        if n > 0 {
            out("");
        }
        let to = if path.is_empty() { String::new() } else { format!(", {path}") };
        talk(format!("POST to {} ({}){to}:", receiver.name, receiver.kind()));
        if let Some(fault) = fault {
            talk(format!("  note: {fault}"));
        }
        for (name, value) in &headers {
            out(format!("{name}: {value}"));
        }
        out("");
        out(text);
    }
    if context.format == Format::Json {
        out(escaped(&json!(all).to_string()));
    }
    talk("nothing was sent");
}

/// What came of telling a receiver.
struct Outcome {
    verdict: Verdict,
    /// The status of the last answer, if there was one.
    status: Option<u16>,
    memory: Memory,
    /// Why it was sent in the default format, if it was.
    fault: Option<String>,
}

/// Says that a template failed.
fn fallen_back(fault: &Fault) -> String {
    format!("rendered in the default format, because its own failed: {}", fault.problem)
}

/// Makes the calls of one exchange.
async fn exchange(transport: &dyn Transport, errand: Errand<'_>, memory: Memory) -> Outcome {
    let mut exchange = Exchange::begin(errand, memory);
    let fault = exchange.fault().map(fallen_back);
    let mut status = None;
    loop {
        match exchange.step() {
            Step::Ask(ask) => {
                let sent = transport.send(request(errand.receiver, ask)).await;
                status = sent.as_ref().ok().map(|reply| reply.status);
                exchange.take(&answered(sent));
            }
            Step::End(verdict) => {
                return Outcome { verdict, status, memory: exchange.memory(), fault };
            }
        }
    }
}

async fn send(
    context: &Context,
    transport: &dyn Transport,
    rule: &Rule,
    receivers: &[&Receiver],
    alert: &Alert,
    resolve: bool,
) -> bool {
    let mut all_well = true;
    let mut all = Vec::new();
    for receiver in receivers {
        let errand = Errand { receiver, alert, again: false, resolve: false, at: alert.time };
        let Outcome { verdict, status, memory, fault } =
            exchange(transport, errand, Memory::default()).await;
        let delivered = verdict == Verdict::Delivered;
        all_well &= delivered;
        let case = memory.case.as_ref().map(|case| case.name.clone());
        let closed = if resolve && delivered && receiver.kind().is_desk() {
            let errand = Errand { resolve: true, ..errand };
            Some(exchange(transport, errand, memory).await.verdict)
        } else {
            None
        };
        all_well &= closed.as_ref().is_none_or(|verdict| *verdict == Verdict::Delivered);
        let why = why(&verdict);
        let spared = spared(receiver, rule, alert.rule.severity);
        let next = next(receiver, &verdict, status, case.as_deref(), closed.as_ref());
        if context.format == Format::Json {
            all.push(json!({
                "receiver": receiver.name, "kind": receiver.kind().as_str(), "alert": alert.id,
                "delivered": delivered, "verdict": verdict.as_str(), "status": status, "why": why,
                "incident_key": alert.incident_key, "case": case,
                "resolved": closed.as_ref().map(|verdict| *verdict == Verdict::Delivered),
                "next": next, "spared": spared, "fault": fault,
            }));
            continue;
        }
        let answer = match (why, status) {
            (Some(why), _) => format!("not delivered: {why}"),
            (None, Some(status)) => format!("delivered: status {status}"),
            (None, None) => "delivered".to_owned(),
        };
        out(format!("{} ({}): {answer}", receiver.name, receiver.kind()));
        talk(format!("  {next}"));
        if let Some(fault) = fault {
            talk(format!("  note: {fault}"));
        }
        if let Some(why) = spared {
            talk(format!("  note: a real alert like this would not go there: {why}"));
        }
    }
    if context.format == Format::Json {
        out(escaped(&json!(all).to_string()));
    } else {
        talk(format!("alert {}: \"{}\"", alert.id, alert.rule.title));
    }
    all_well
}

/// Why it was not delivered.
fn why(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Delivered => None,
        Verdict::Retry { why, .. } | Verdict::Refused { why } | Verdict::ReceiverBroken { why } => {
            Some(why)
        }
    }
}

/// Why real alerts of this rule and severity do not go to a receiver, if they do not.
fn spared(receiver: &Receiver, rule: &Rule, severity: Severity) -> Option<String> {
    if severity < receiver.min_severity {
        return Some(format!("its `min_severity` is {}", receiver.min_severity));
    }
    if !notify::wants(receiver, &rule.id, severity) {
        return Some(format!("its `rules` do not name {}", rule.id));
    }
    let named = rule.receivers.as_ref().is_none_or(|names| names.contains(&receiver.name));
    (!named).then(|| "the rule's `receivers` do not name it".to_owned())
}

/// What a person should see now and where, or do.
fn next(
    receiver: &Receiver,
    verdict: &Verdict,
    status: Option<u16>,
    case: Option<&str>,
    closed: Option<&Verdict>,
) -> String {
    match verdict {
        Verdict::Delivered if receiver.kind().is_desk() => {
            let seen = seen_at_desk(receiver, case);
            match closed {
                None => format!("{seen}; `--resolve` would have closed it"),
                Some(Verdict::Delivered) => format!("{seen}, and closed again"),
                Some(other) => format!(
                    "{seen}; it could not be closed, so close it by hand: {}",
                    why(other).unwrap_or_default()
                ),
            }
        }
        Verdict::Delivered => seen_elsewhere(receiver).to_owned(),
        Verdict::Retry { .. } => {
            "a real alert would be tried again, for 75 hours; this one is not".to_owned()
        }
        Verdict::Refused { .. } => {
            "it does not take such an alert: a real one would be told over another receiver".to_owned()
        }
        Verdict::ReceiverBroken { .. } if status.is_none() => {
            "the address is one that alerts are not sent to: change it, or name its network in `allow_networks`".to_owned()
        }
        Verdict::ReceiverBroken { .. } => {
            format!("{}: real alerts would wait", mend(receiver.kind()))
        }
    }
}

/// Where the case stands that a test has opened.
fn seen_at_desk(receiver: &Receiver, case: Option<&str>) -> String {
    match (receiver.kind(), case) {
        (Kind::PagerDuty, _) => {
            "look at the service's incidents, or its activity: an incident whose title begins with \"Test\" has been triggered and notifies whoever is on call".to_owned()
        }
        (Kind::JiraServiceManagement, _) => {
            "look at the team's alerts, in a few seconds: an alert that begins with \"Test\" is there, or else the integration's log says why not".to_owned()
        }
        (Kind::ServiceNow, None) => {
            "look at All Events (em_event), then at All Alerts: an event that begins with \"Test\" is there, and becomes an alert by the instance's event rules".to_owned()
        }
        (Kind::ServiceNow, Some(case)) => {
            format!("look at incident {case}, whose short description begins with \"Test\"")
        }
        (_, Some(case)) => format!("look at issue {case}, whose summary begins with \"Test\""),
        (_, None) => "look at the project's newest issue".to_owned(),
    }
}

/// Where else a test is to be seen.
const fn seen_elsewhere(receiver: &Receiver) -> &'static str {
    match receiver.kind() {
        Kind::Teams => {
            "202 only means that the flow was triggered: look at the channel for the card, and at the flow's run history if nothing appears"
        }
        Kind::Slack => "look at the channel: the message is there",
        _ if receiver.keys.is_empty() => {
            "it was accepted; it is not signed, so its receiver cannot tell who sent it"
        }
        _ => {
            "it was accepted; look at the other side whether the signature was checked (`hsmwatch verify` does so)"
        }
    }
}

/// What to do about a receiver that takes nothing.
const fn mend(kind: Kind) -> &'static str {
    match kind {
        Kind::Teams => {
            "make a new webhook in the channel's Workflows, or turn the flow on, and set its URL"
        }
        Kind::Slack => "look at the app's incoming webhooks and set a URL that is in force",
        Kind::Webhook => "check its URL, and what it asks for to let a sender in",
        Kind::PagerDuty => {
            "look at the service's integrations: `routing_key` is the key of an Events API v2 integration, and `url` that of its region"
        }
        Kind::JiraServiceManagement => {
            "look at the team's integrations: `api_key` is the key of an API integration that may create alerts and is turned on"
        }
        Kind::ServiceNow => {
            "check the instance's address, the user's password or token, and that its roles let it read and write the table"
        }
        Kind::Jira => {
            "check the site's address, `project`, `issue_type`, and that `email` and `token` are those of an account that may create issues there"
        }
    }
}

#[cfg(test)]
mod tests;
