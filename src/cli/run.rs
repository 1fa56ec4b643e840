//! `run`: watches on this machine, once or until told to stop.

use super::report::{self, Stop, count, out, talk};
use super::setup::{self, Setup};
use super::{Context, Done, Format, runtime};
use crate::engine::{Delivered, Engine, Outcome, Ticket, Watch};
use crate::hosts::daemon::{self, Event};
use crate::notify::limits;
use crate::watch::alert::Alert;
use serde_json::json;
use std::process::ExitCode;
use std::sync::Arc;

/// Watch on this machine
///
/// Evaluates every rule on every workspace when it is due and delivers the alerts, until it is told to stop. An unknown rule
/// begins now: what happened before is never told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One tick and the deliveries that are due, then exit: for cron
    ///
    /// Exit code 0 if every due rule was evaluated, also with deliveries that wait for their retry; 1 if one failed, or if a
    /// receiver refused an alert for good.
    #[arg(long)]
    once: bool,
}

pub(crate) fn run(context: &Context, args: &Args) -> Done {
    let setup = setup::load(context)?;
    setup.warn();
    let engine = Arc::new(setup.engine()?);
    let watches = setup.watches()?;
    let runtime = runtime()?;
    if args.once {
        runtime.block_on(once(context, &engine, &watches))
    } else {
        report::start_logging(context.format == Format::Json);
        runtime.block_on(forever(&setup, engine, watches))
    }
}

async fn once(context: &Context, engine: &Arc<Engine>, watches: &[Watch]) -> Done {
    let done = daemon::once(engine, watches, daemon::clock())
        .await
        .map_err(|e| Stop::no(e.to_string()))?;
    let failed = done.tick.failed() + done.tick.errors.len();
    let ended =
        done.deliveries.iter().filter(|(_, d)| matches!(d, Ok(Delivered::Ended { .. }))).count();
    if context.format == Format::Json {
        out(json_report(&done));
    } else {
        human_report(engine, &done);
    }
    Ok(if failed + ended == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn human_report(engine: &Engine, done: &daemon::Once) {
    daemon::evaluated(&done.tick).into_iter().for_each(talk);
    for (label, outcome) in &done.tick.watches {
        match outcome {
            Outcome::Done { alerts, .. } | Outcome::Failed { alerts, .. } => {
                for alert in alerts {
                    out(line(label, alert));
                }
            }
            _ => {}
        }
        match outcome {
            Outcome::Started => {
                talk(format!("{label}: begins now; what happened before is not told"));
            }
            Outcome::Failed { error, .. } => talk(format!("error: {label}: {error}")),
            Outcome::Waiting(why) => {
                talk(format!("{label}: waiting for data: {}", limits::clean(why, 200)));
            }
            Outcome::PutOff(until) => talk(format!("{label}: throttled, put off until {until}")),
            Outcome::NotDue | Outcome::Done { .. } => {}
        }
    }
    for alert in &done.tick.own {
        out(line("hsmwatch", alert));
        if alert.receivers.is_empty() {
            talk(format!("error: {}", alert.rule.meaning));
        }
    }
    for error in &done.tick.errors {
        talk(format!("error: {error}"));
    }
    for name in &done.tick.off {
        talk(format!("error: receiver `{name}` is off: it refused everything; its alerts wait"));
    }
    match done.tick.waiting + done.left {
        0 => {}
        1 => talk("1 delivery waits: it is not due yet, or its receiver is off"),
        n => talk(format!("{n} deliveries wait: they are not due yet, or their receivers are off")),
    }
    for (Ticket { receiver, alert, .. }, delivered) in &done.deliveries {
        let name = engine.receiver(receiver).map_or(receiver.as_str(), |r| r.name.as_str());
        match delivered {
            Ok(Delivered::Ok) => out(format!("delivered {alert} to {name}")),
            Ok(Delivered::Dropped) => {}
            Ok(Delivered::Later { due, why }) => {
                talk(format!("{alert} waits for {name} until {}: {why}", due.format("%FT%TZ")));
            }
            Ok(Delivered::Broken { why }) => {
                talk(format!("error: receiver `{name}` is broken: {why}; its alerts wait"));
            }
            Ok(Delivered::Ended { why, .. }) => {
                talk(format!("error: {alert} will not be delivered to {name}: {why}"));
            }
            Err(error) => talk(format!("error: {alert} to {name}: {error}")),
        }
    }
}

fn line(label: &str, alert: &Alert) -> String {
    format!(
        "{} {}: {} ({}, {}, {})",
        alert.rule.severity,
        label,
        limits::clean(&alert.rule.title, 200),
        alert.reason.as_str(),
        count(usize::try_from(alert.count).unwrap_or(usize::MAX), "hit"),
        alert.id
    )
}

fn json_report(done: &daemon::Once) -> serde_json::Value {
    let alerts = |alerts: &[Alert]| -> Vec<serde_json::Value> {
        alerts.iter().map(|a| json!({"id": a.id, "rule": a.rule.id, "severity": a.rule.severity, "reason": a.reason, "count": a.count, "receivers": a.receivers})).collect()
    };
    let watches: Vec<_> = done
        .tick
        .watches
        .iter()
        .map(|(label, outcome)| match outcome {
            Outcome::Started => json!({"watch": label, "outcome": "started"}),
            Outcome::NotDue => json!({"watch": label, "outcome": "not-due"}),
            Outcome::PutOff(until) => json!({"watch": label, "outcome": "put-off", "until": until}),
            Outcome::Waiting(why) => json!({"watch": label, "outcome": "waiting", "why": why}),
            Outcome::Done { rows, alerts: told } => {
                json!({"watch": label, "outcome": "done", "rows": rows, "alerts": alerts(told)})
            }
            Outcome::Failed { kind, error, alerts: told } => {
                json!({"watch": label, "outcome": "failed", "kind": kind, "error": error, "alerts": alerts(told)})
            }
        })
        .collect();
    let deliveries: Vec<_> = done
        .deliveries
        .iter()
        .map(|(ticket, delivered)| {
            let (outcome, why) = match delivered {
                Ok(Delivered::Ok) => ("delivered", None),
                Ok(Delivered::Dropped) => ("dropped", None),
                Ok(Delivered::Later { why, .. }) => ("later", Some(why.clone())),
                Ok(Delivered::Broken { why }) => ("receiver-broken", Some(why.clone())),
                Ok(Delivered::Ended { why, .. }) => ("ended", Some(why.clone())),
                Err(error) => ("error", Some(error.to_string())),
            };
            json!({"alert": ticket.alert, "receiver": ticket.receiver, "outcome": outcome, "why": why})
        })
        .collect();
    json!({
        "watches": watches, "own": alerts(&done.tick.own), "deliveries": deliveries,
        "waiting": done.tick.waiting + done.left, "receivers_off": done.tick.off, "errors": done.tick.errors,
    })
}

async fn forever(setup: &Setup, engine: Arc<Engine>, watches: Vec<Watch>) -> Done {
    talk(format!(
        "watching {} on {} for {}; stop with ctrl-c",
        count(setup.rules.len(), "rule"),
        count(setup.config.workspaces.len(), "workspace"),
        count(setup.config.receivers.len(), "receiver")
    ));
    let stop = daemon::signal().map_err(|e| Stop::no(format!("cannot listen for signals: {e}")))?;
    daemon::run(engine, watches, stop, &log).await;
    talk("stopped");
    Ok(ExitCode::SUCCESS)
}

/// What the daemon tells, as log lines: readable alone, and with fields.
fn log(event: &Event<'_>) {
    match event {
        Event::Tick(report) => daemon::log_tick(report),
        Event::Delivery(ticket, delivered) => daemon::log_delivery(ticket, delivered),
        Event::Error(error) => tracing::error!(error, "a tick failed: {error}"),
    }
}
