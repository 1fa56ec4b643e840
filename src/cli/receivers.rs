//! `receivers`: who is told, who is off, and how to switch one on again.

use super::report::{Stop, out, talk};
use super::status::{Age, at, gather, said};
use super::{Context, Done, Format, runtime, setup};
use crate::engine::SwitchError;
use crate::engine::status::ReceiverStatus;
use crate::notify::{limits, terminal};
use chrono::{DateTime, Utc};
use serde_json::json;
use std::process::ExitCode;

/// List the receivers, or switch a broken one on
///
/// A receiver that refuses everything (401, 403, 404, 410, a redirect) is off: its alerts wait, and nothing is sent to it
/// until its address or secret changes, or until it is switched on here.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List them (this is also what no word at all does)
    List,
    /// Switch a broken receiver on: the next tick offers it what waits
    On {
        /// Its name in the configuration
        name: String,
    },
}

pub(crate) fn run(context: &Context, args: &Args) -> Done {
    match &args.what {
        None | Some(What::List) => list(context),
        Some(What::On { name }) => on(context, name),
    }
}

fn list(context: &Context) -> Done {
    let status = gather(context)?;
    if context.format == Format::Json {
        out(json!({ "receivers": status.receivers }));
    } else {
        lines(&status.receivers, status.at).into_iter().for_each(out);
    }
    let on = status.receivers.iter().all(|receiver| receiver.on);
    Ok(if on { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn on(context: &Context, name: &str) -> Done {
    let setup = setup::load(context)?;
    let known: Vec<String> = setup.config.receivers.iter().map(|r| r.name.clone()).collect();
    // Before the store is opened: a wrong name makes no folder.
    if !known.iter().any(|known| known == name) {
        return Err(Stop::usage(SwitchError::Unknown { name: name.to_owned(), known }.to_string()));
    }
    let engine = setup.engine()?;
    #[expect(clippy::disallowed_methods, reason = "a verb reads the clock once")]
    let now = Utc::now();
    runtime()?.block_on(engine.switch_on(name, now)).map_err(|error| match error {
        SwitchError::Unknown { .. } => Stop::usage(error.to_string()),
        SwitchError::State(error) => Stop::no(error.to_string()),
    })?;
    if context.format == Format::Json {
        out(json!({ "receiver": name, "switched_on": now }));
    } else {
        talk(format!("receiver `{name}` is on: the next tick offers it what waits"));
    }
    Ok(ExitCode::SUCCESS)
}

/// A table of receivers, and beneath it what is the matter with each.
pub(crate) fn lines(receivers: &[ReceiverStatus], now: DateTime<Utc>) -> Vec<String> {
    let width = receivers.iter().map(|r| r.name.chars().count()).max().unwrap_or(0).clamp(8, 32);
    let mut lines = vec![format!(
        "  {:<width$}  {:<7}  {:<3}  {:<8}  {:>8}  {:>4}  {:>8}",
        "RECEIVER", "KIND", "", "FROM", "ACCEPTED", "OPEN", "NEXT TRY"
    )];
    for receiver in receivers {
        let next = match receiver.next_due {
            Some(due) if due <= now => "due".to_owned(),
            Some(due) => format!("in {}", Age(due - now)),
            None => "-".to_owned(),
        };
        lines.push(format!(
            "{} {}  {:<7}  {:<3}  {:<8}  {:>8}  {:>4}  {:>8}",
            if receiver.on { ' ' } else { '!' },
            terminal::pad(&receiver.name, width),
            receiver.kind,
            if receiver.on { "on" } else { "off" },
            receiver.min_severity.as_str(),
            receiver.last_accepted.map_or_else(|| "never".to_owned(), |t| Age::since(t, now)),
            receiver.open,
            next,
        ));
    }
    for receiver in receivers {
        let answer = receiver.last_answer.as_deref().map(|last| limits::clean(last, 200));
        let answer = answer.filter(|last| !last.is_empty());
        let name = &receiver.name;
        match (receiver.off_since, answer) {
            (Some(since), answer) => {
                let why = answer.unwrap_or_else(|| "it refused everything".to_owned());
                said(&mut lines, "! ", &format!("{name} is off since {}: {why}", at(since)));
                let cure = format!("then: hsmwatch receivers on {name}");
                said(
                    &mut lines,
                    "    ",
                    &format!("mend its address or secret, or the receiver and {cure}"),
                );
            }
            (None, Some(why)) => said(&mut lines, "  ", &format!("{name} is tried again: {why}")),
            (None, None) => {}
        }
    }
    lines
}
