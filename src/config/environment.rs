//! A configuration without a file: the variables `HSMWATCH_*`, as a draft.

use super::draft::{Draft, DraftReceiver, DraftWorkspace};
use super::lookup::Lookup;
use super::model::{Auth, Source, TemplatePlaces};
use super::problem::{Fault, Report, Setting};
use super::text::{Text, checked};
use super::{address, desks, secret, state, value};
use crate::notify::{Kind, Settings, webhook};

const MINIMAL: &str = "the least that works:\n\
    HSMWATCH_WORKSPACE_ID=11111111-2222-3333-4444-555555555555\n\
    HSMWATCH_STATE_PATH=hsmwatch-state\n\
    HSMWATCH_TEAMS_URL=…\n\
    or write a file: `hsmwatch init`";

/// Reads the configuration from variables alone.
pub(super) fn read(lookup: &dyn Lookup, report: &mut Report) -> Draft {
    let mut draft = Draft::empty(Setting { label: String::new(), place: None });
    let variable = |name: &str| variable(lookup, name);

    let id = variable("HSMWATCH_WORKSPACE_ID");
    let teams = variable("HSMWATCH_TEAMS_URL");
    let slack = variable("HSMWATCH_SLACK_URL");
    let webhook = variable("HSMWATCH_WEBHOOK_URL");
    let pagerduty = variable("HSMWATCH_PAGERDUTY_ROUTING_KEY");
    if id.is_none() {
        let fault = Fault::new("no workspace: set `HSMWATCH_WORKSPACE_ID`").hint(MINIMAL);
        report.fail(&draft.at, fault);
    }
    draft.state = state::variables(variable, lookup, &draft.at, report);
    if [&teams, &slack, &webhook, &pagerduty].iter().all(|receiver| receiver.is_none()) {
        let fault = Fault::new(
            "no receiver: set `HSMWATCH_TEAMS_URL`, `HSMWATCH_SLACK_URL`, `HSMWATCH_WEBHOOK_URL` or `HSMWATCH_PAGERDUTY_ROUTING_KEY`",
        )
        .hint("ServiceNow, Jira and Jira Service Management need a file: `hsmwatch init`");
        report.fail(&draft.at, fault);
    }

    draft.workspaces.extend(id.map(|text| {
        let id = checked(&text, value::guid, report).map(|id| (id, text.setting.clone()));
        let source = id.as_ref().map(|(id, _)| Source::LogAnalytics {
            id: id.clone(),
            endpoint: None,
            resource_id: None,
        });
        DraftWorkspace { name: Some(("default".to_owned(), text.setting)), id, source }
    }));
    let signing = variable("HSMWATCH_WEBHOOK_SECRET");
    let secret = match (&webhook, &signing) {
        (Some(_), None) => {
            let setting = Setting { label: "`HSMWATCH_WEBHOOK_SECRET`".to_owned(), place: None };
            let fault = Fault::new("`HSMWATCH_WEBHOOK_URL` needs it").hint(secret::MAKE);
            report.fail(&setting, fault);
            None
        }
        (None, Some(text)) => {
            report.warn(&text.setting, Fault::new("is set, but `HSMWATCH_WEBHOOK_URL` is not"));
            None
        }
        (_, text) => text.as_ref().and_then(|text| checked(text, secret::signing, report)),
    };
    draft.receivers.extend(teams.map(|text| receiver("teams", Kind::Teams, text, report)));
    draft.receivers.extend(slack.map(|text| receiver("slack", Kind::Slack, text, report)));
    draft.receivers.extend(webhook.map(|text| DraftReceiver {
        secrets: secret.into_iter().collect(),
        ..receiver("webhook", Kind::Webhook, text, report)
    }));
    let events = variable("HSMWATCH_PAGERDUTY_URL");
    draft.receivers.extend(paged(pagerduty, events, report));
    draft.cloud = variable("HSMWATCH_CLOUD").and_then(|text| checked(&text, value::cloud, report));
    draft.presets = variable("HSMWATCH_PRESETS").map(|text| {
        let names = text.value.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(|name| Text::variable("HSMWATCH_PRESETS", name.to_owned())).collect()
    });
    draft
}

/// A variable that is set. Deployments leave the variables of what they do not use empty: empty is not set.
pub(super) fn variable(lookup: &dyn Lookup, name: &str) -> Option<Text> {
    let value = lookup.var(name).filter(|value| !value.trim().is_empty())?;
    Some(Text::variable(name, value))
}

fn receiver(name: &str, kind: Kind, text: Text, report: &mut Report) -> DraftReceiver {
    let settings = match kind {
        Kind::Teams => Some(Settings::Teams),
        Kind::Slack => Some(Settings::Slack),
        Kind::Webhook => Some(Settings::Webhook(webhook::Settings::default())),
        // These need more than an address.
        Kind::PagerDuty | Kind::JiraServiceManagement | Kind::ServiceNow | Kind::Jira => None,
    };
    DraftReceiver {
        url: checked(&text, |text| address::receiver(Some(kind), text), report),
        ..named(name, text.setting, settings)
    }
}

/// `PagerDuty`, which is known by its key.
fn paged(key: Option<Text>, url: Option<Text>, report: &mut Report) -> Option<DraftReceiver> {
    let kind = Kind::PagerDuty;
    let Some(key) = key else {
        if let Some(url) = url {
            let fault = Fault::new("is set, but `HSMWATCH_PAGERDUTY_ROUTING_KEY` is not");
            report.warn(&url.setting, fault);
        }
        return None;
    };
    let settings = checked(&key, secret::routing_key, report).map(desks::pagerduty);
    let url = match url {
        Some(url) => checked(&url, |text| address::receiver(Some(kind), text), report),
        None => address::standard(kind),
    };
    Some(DraftReceiver { url, ..named("pagerduty", key.setting, settings) })
}

fn named(name: &str, setting: Setting, settings: Option<Settings>) -> DraftReceiver {
    DraftReceiver {
        name: Some((name.to_owned(), setting)),
        settings,
        url: None,
        secrets: Vec::new(),
        min_severity: None,
        rules: None,
        allow_networks: Vec::new(),
        detail: None,
        auth: Some(Auth::None),
        ca: None,
        client_certificate: None,
        headers: Vec::new(),
        templates: TemplatePlaces::default(),
    }
}
