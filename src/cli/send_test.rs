//! `send-test`: a sample alert to the receivers, over the real way and in the real form, without touching state.

use super::catalogue;
use super::report::{Stop, out, talk};
use super::rows::escaped;
use super::sample::{CALLER, CLIENT, HSM, Probe, Watches};
use super::setup::{self, Setup, instance};
use super::{Context, Done, Format, runtime};
use crate::config::{Source, nearest};
use crate::engine::verdict;
use crate::notify::verdict::Verdict;
use crate::notify::{self, Kind, Receiver, operations};
use crate::ports::{Post, Reply, Transport, TransportError};
use crate::watch::alert::{Alert, AlertRule, AlertWorkspace, CAVEAT, Hit, Interval, Links, Reason};
use crate::watch::fingerprint::{Hash, Scope, hex};
use crate::watch::head::Version;
use crate::watch::intake::{Group, Reading, incident_key};
use crate::watch::rule::Rule;
use crate::watch::severity::Severity;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, json};
use std::process::ExitCode;

const AFTER: &str = "\
Examples:
  hsmwatch send-test                         to all receivers
  hsmwatch send-test oncall --severity low   to one, as if the rule were of that severity
  hsmwatch send-test --rule login-burst      what this rule would send
  hsmwatch send-test itsm --print            what would be sent, and signed; nothing is sent

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
    let delivered =
        runtime()?.block_on(send(context, transport.as_ref(), rule, &receivers, &alert, now));
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

/// The alert that a rule would send of a made-up record, marked as a test.
fn sample(
    setup: &Setup,
    rule: &Rule,
    severity: Option<Severity>,
    receivers: Vec<String>,
    now: DateTime<Utc>,
) -> Alert {
    let version = Version::of(rule, now);
    let window = Interval { from: now - TimeDelta::hours(1), to: now };
    let here = |name: &String| rule.workspaces.as_ref().is_none_or(|names| names.contains(name));
    let workspace = setup.config.workspaces.iter().find(|workspace| here(&workspace.name));
    let name = workspace.map(|workspace| workspace.name.clone()).unwrap_or_default();
    let id = match workspace.map(|workspace| &workspace.source) {
        Some(Source::LogAnalytics { id, .. }) => id.clone(),
        _ => name.clone(),
    };
    // To the workspace if it is known where that is: the HSM is made up.
    let logs = workspace
        .and_then(|workspace| setup.workspace(workspace).ok())
        .and_then(|workspace| (workspace.logs_link)(&version.ask(window), window, None));
    let (hit, group) = hit(rule, &Scope::new(&id, &rule.id, &version.id), now);
    // Random, so that no receiver takes a second test for the first.
    let mut hash = Hash::new("test");
    hash.text(&instance()).text(&now.timestamp_micros().to_string());
    Alert {
        id: hex(&hash.finish()),
        rule: AlertRule {
            id: rule.id.clone(),
            title: format!("Test: {}", rule.title),
            severity: severity.unwrap_or(rule.severity),
            version: version.id,
            meaning: rule.meaning.clone(),
            why: rule.why.clone(),
            action: rule.action.clone(),
            false_positives: rule.false_positives.clone(),
        },
        incident_key: incident_key(&id, &rule.id, &group),
        workspace: AlertWorkspace { id, name },
        group,
        reason: Reason::Test,
        window,
        time: now,
        count: 1,
        suppressed: 0,
        first_seen: hit.time,
        last_seen: hit.time,
        hits: vec![hit],
        hits_truncated: 0,
        caveat: Some(CAVEAT.to_owned()),
        note: Some("This is a test, sent by hand with `hsmwatch send-test`. Nothing has happened: the record below is made up.".to_owned()),
        links: Links { logs, runbook: rule.runbook.clone() },
        receivers,
    }
}

/// What the rule returns for the first operation that it watches.
fn hit(rule: &Rule, scope: &Scope, now: DateTime<Utc>) -> (Hit, Group) {
    let probe = Probe::new(rule, now);
    let reading =
        Reading { scope: scope.clone(), key: &rule.key, group_by: rule.group_by.as_deref() };
    let known = || operations::all().iter().map(|operation| operation.name.as_str());
    let this = known().find(|name| probe.watches(name) == Watches::This);
    let operation = this.or_else(|| known().next()).unwrap_or_default();
    if let Some(row) = probe.latest(operation) {
        let fingerprint = scope.fingerprint(&row, &rule.key);
        let time = row.time().unwrap_or(now);
        return (reading.hit(&row, &fingerprint, 1, time), reading.group(&row));
    }
    // The embedded engine cannot run the rule, or it asks for what is not made up.
    let hit = Hit {
        fingerprint: hex(&Hash::new("test").finish()),
        time: now - TimeDelta::minutes(1),
        operation: Some(operation.to_owned()),
        instance: Some("hsmwatch-test-1".to_owned()),
        caller: Some(CALLER.to_owned()),
        client: Some(CLIENT.to_owned()),
        resource: Some(HSM.to_owned()),
        fields: Map::new(),
    };
    (hit, Group::from([("_ResourceId".to_owned(), HSM.to_owned())]))
}

/// Everything that would be sent, save the address.
fn print(context: &Context, receivers: &[&Receiver], alert: &Alert, now: DateTime<Utc>) {
    let mut all = Vec::new();
    for (n, receiver) in receivers.iter().enumerate() {
        let body = notify::render(receiver, alert);
        let mut headers = vec![("content-type".to_owned(), body.content_type.to_owned())];
        headers.extend(notify::headers(receiver, &alert.id, now, &body));
        let text = String::from_utf8_lossy(&body.bytes);
        if context.format == Format::Json {
            // As text, for it is the bytes that are signed.
            let headers: Map<_, _> = headers.into_iter().map(|(k, v)| (k, v.into())).collect();
            all.push(json!({"receiver": receiver.name, "kind": receiver.kind.as_str(), "headers": headers, "body": text}));
            continue;
        }
        if n > 0 {
            out("");
        }
        talk(format!("POST to {} ({}):", receiver.name, receiver.kind));
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

async fn send(
    context: &Context,
    transport: &dyn Transport,
    rule: &Rule,
    receivers: &[&Receiver],
    alert: &Alert,
    now: DateTime<Utc>,
) -> bool {
    let mut all_delivered = true;
    let mut all = Vec::new();
    for receiver in receivers {
        let body = notify::render(receiver, alert);
        let headers = notify::headers(receiver, &alert.id, now, &body);
        let sent = transport.send(Post { receiver: receiver.name.clone(), body, headers }).await;
        let verdict = verdict(receiver.kind, &sent);
        all_delivered &= verdict == Verdict::Delivered;
        let status = sent.as_ref().ok().map(|reply| reply.status);
        let why = match &verdict {
            Verdict::Delivered => None,
            Verdict::Retry { why, .. }
            | Verdict::Refused { why }
            | Verdict::ReceiverBroken { why } => Some(why.clone()),
        };
        let spared = spared(receiver, rule, alert.rule.severity);
        if context.format == Format::Json {
            all.push(json!({
                "receiver": receiver.name, "kind": receiver.kind.as_str(), "alert": alert.id,
                "delivered": verdict == Verdict::Delivered, "verdict": verdict.as_str(),
                "status": status, "why": why, "next": next(receiver, &verdict, &sent), "spared": spared,
            }));
            continue;
        }
        let answer = match (&why, status) {
            (Some(why), _) => format!("not delivered: {why}"),
            (None, Some(status)) => format!("delivered: status {status}"),
            (None, None) => "delivered".to_owned(),
        };
        out(format!("{} ({}): {answer}", receiver.name, receiver.kind));
        talk(format!("  {}", next(receiver, &verdict, &sent)));
        if let Some(why) = spared {
            talk(format!("  note: a real alert like this would not go there: {why}"));
        }
    }
    if context.format == Format::Json {
        out(escaped(&json!(all).to_string()));
    } else {
        talk(format!("alert {}: \"{}\"", alert.id, alert.rule.title));
    }
    all_delivered
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
    sent: &Result<Reply, TransportError>,
) -> &'static str {
    match (verdict, receiver.kind, sent) {
        (Verdict::Delivered, Kind::Teams, _) => {
            "202 only means that the flow was triggered: look at the channel for the card, and at the flow's run history if nothing appears"
        }
        (Verdict::Delivered, Kind::Slack, _) => "look at the channel: the message is there",
        (Verdict::Delivered, Kind::Webhook, _) if receiver.keys.is_empty() => {
            "it was accepted; it is not signed, so its receiver cannot tell who sent it"
        }
        (Verdict::Delivered, Kind::Webhook, _) => {
            "it was accepted; look at the other side whether the signature was checked (`hsmwatch verify` does so)"
        }
        (Verdict::Retry { .. }, ..) => {
            "a real alert would be tried again, for 75 hours; this one is not"
        }
        (Verdict::Refused { .. }, ..) => {
            "it does not take such an alert: a real one would be told over another receiver"
        }
        (Verdict::ReceiverBroken { .. }, _, Err(_)) => {
            "the address is one that alerts are not sent to: change it, or name its network in `allow_networks`"
        }
        (Verdict::ReceiverBroken { .. }, Kind::Teams, _) => {
            "make a new webhook in the channel's Workflows, or turn the flow on, and set its URL: real alerts would wait"
        }
        (Verdict::ReceiverBroken { .. }, Kind::Slack, _) => {
            "look at the app's incoming webhooks and set a URL that is in force: real alerts would wait"
        }
        (Verdict::ReceiverBroken { .. }, Kind::Webhook, _) => {
            "check its URL, and what it asks for to let a sender in: real alerts would wait"
        }
    }
}

#[cfg(test)]
mod tests;
