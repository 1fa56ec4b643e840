//! What the command line says.

use super::super::report::Stop;
use super::Args;
use super::answers::{self, Draft, Open, Refused, Source, fits, refused};
use super::receiver::Receiver;
use crate::config::Known;
use crate::config::catalogue::{DOCUMENT, WORKSPACE};
use crate::notify::Kind;

/// The answers that are flags.
pub(super) fn read(args: &Args, known: &Known) -> Result<Draft, Stop> {
    let mut draft = Draft::default();
    let at = |flag: &'static str| move |refused: Refused| stop(flag, refused);
    for id in &args.workspace_id {
        let source = id_of(id, known).map_err(at("--workspace-id"))?;
        draft.add_workspace("prod".to_owned(), source).map_err(at("--workspace-id"))?;
    }
    for pair in &args.workspace {
        let (name, source) = workspace(pair, known).map_err(at("--workspace"))?;
        draft.add_workspace(name, source).map_err(at("--workspace"))?;
    }
    if !args.logs.is_empty() {
        args.logs
            .iter()
            .try_for_each(|pattern| fits(&WORKSPACE, "logs", pattern, known))
            .map_err(at("--logs"))?;
        let logs = Source::Logs(args.logs.clone());
        draft.add_workspace("exports".to_owned(), logs).map_err(at("--logs"))?;
    }
    if let Some(folder) = &args.state_path {
        if folder.contains("://") {
            return Err(stop(
                "--state-path",
                refused("expected a folder, found a URL", "--state-url"),
            ));
        }
        draft.state = Some(answers::state(folder, known).map_err(at("--state-path"))?);
    }
    if let Some(url) = &args.state_url {
        if !url.contains("://") {
            let hint = "https://ACCOUNT.blob.core.windows.net/CONTAINER";
            return Err(stop("--state-url", refused("not a URL", hint)));
        }
        draft.state = Some(answers::state(url, known).map_err(at("--state-url"))?);
    }
    let kinds = [
        ("--teams", Kind::Teams, &args.teams),
        ("--slack", Kind::Slack, &args.slack),
        ("--webhook", Kind::Webhook, &args.webhook),
        ("--pagerduty", Kind::PagerDuty, &args.pagerduty),
        ("--jira-service-management", Kind::JiraServiceManagement, &args.jira_service_management),
        ("--servicenow", Kind::ServiceNow, &args.servicenow),
        ("--jira", Kind::Jira, &args.jira),
    ];
    for (flag, kind, texts) in kinds {
        for text in texts {
            let receiver = Receiver::flag(&draft, kind, text, known).map_err(at(flag))?;
            draft.add_receiver(receiver).map_err(at(flag))?;
        }
    }
    if let Some(text) = &args.presets {
        draft.presets = Some(answers::presets(text, known).map_err(at("--presets"))?);
    }
    for (flag, key, value) in [("--cloud", "cloud", &args.cloud), ("--every", "every", &args.every)]
    {
        if let Some(value) = value {
            fits(&DOCUMENT, key, value, known).map_err(at(flag))?;
        }
    }
    draft.cloud.clone_from(&args.cloud);
    draft.every.clone_from(&args.every);
    Ok(draft)
}

fn id_of(text: &str, known: &Known) -> Result<Source, Refused> {
    fits(&WORKSPACE, "id", text, known)?;
    Ok(Source::Id(text.to_ascii_lowercase()))
}

fn workspace(pair: &str, known: &Known) -> Result<(String, Source), Refused> {
    let Some((name, id)) = pair.split_once('=') else {
        let hint = "--workspace prod=11111111-2222-3333-4444-555555555555";
        return Err(refused("expected a name, `=` and an id", hint));
    };
    fits(&WORKSPACE, "name", name, known)?;
    Ok((name.to_owned(), id_of(id, known)?))
}

fn stop(flag: &str, refused: Refused) -> Stop {
    let stop = Stop::usage(format!("`{flag}`: {}", refused.why));
    match refused.hint {
        Some(hint) => stop.hint(hint),
        None => stop,
    }
}

/// What to say where nobody can be asked and flags leave something open.
pub(super) fn incomplete(open: &[Open], yes: bool) -> Stop {
    let why = if yes { "--yes asks nothing" } else { "there is no terminal to ask on" };
    let missing: Vec<&str> = open
        .iter()
        .map(|open| match open {
            Open::Workspace => {
                "where audit logs are read (`--workspace-id`, `--workspace` or `--logs`)"
            }
            Open::Receiver => "who is told (`--teams`, `--slack`, `--webhook`, `--pagerduty`, `--jira-service-management`, `--servicenow` or `--jira`)",
        })
        .collect();
    Stop::usage(format!("{why}, and flags do not say {}", missing.join(", nor "))).hint(
        "a complete command:\n    hsmwatch init --workspace-id 11111111-2222-3333-4444-555555555555 --teams HSMWATCH_TEAMS_URL",
    )
}
