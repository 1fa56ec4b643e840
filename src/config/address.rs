//! Addresses: which URLs are taken for what. A fault never shows the URL: a webhook's path is its password.

use super::model::Address;
use super::problem::Fault;
use super::text::Text;
use super::value;
use crate::notify::Kind;
use crate::notify::desk::{jsm, pagerduty};
use secrecy::SecretString;
use url::{Host, Url};

/// Container when none is named.
pub(super) const CONTAINER: &str = "hsmwatch-state";

const TEAMS: [&str; 2] = [".environment.api.powerplatform.com", ".logic.azure.com"];
const SLACK: [&str; 2] = ["hooks.slack.com", "hooks.slack-gov.com"];
const TEAMS_HINT: &str = "in Teams: the channel's Workflows, \"Post to a channel when a webhook request is received\"; \
                          copy the URL it shows";

/// The address of a receiver of this kind.
pub(super) fn receiver(kind: Option<Kind>, text: &Text) -> Result<Address, Fault> {
    let url = https(&text.value)?;
    let loopback = is_loopback(&url);
    let host = url.host_str().unwrap_or_default();
    if host.ends_with(".webhook.office.com")
        || host == "webhook.office.com"
        || matches!(host, "outlook.office.com" | "outlook.office365.com")
            && url.path().starts_with("/webhook")
    {
        return Err(Fault::new("an Office 365 connector: these were retired in May 2026")
            .hint(format!("make a Workflows webhook: {TEAMS_HINT}")));
    }
    match kind {
        _ if loopback => {}
        Some(Kind::Teams) if !TEAMS.iter().any(|suffix| host.ends_with(suffix)) => {
            return Err(Fault::new(
                "not a Workflows webhook: its host ends in neither `.environment.api.powerplatform.com` nor `.logic.azure.com`",
            )
            .hint(TEAMS_HINT));
        }
        Some(Kind::Slack) if !SLACK.contains(&host) => {
            return Err(Fault::new(
                "not a Slack webhook: its host is neither `hooks.slack.com` nor `hooks.slack-gov.com`",
            )
            .hint("in Slack: your app's settings, \"Incoming Webhooks\", \"Add New Webhook\""));
        }
        Some(Kind::PagerDuty) => events(&url)?,
        Some(Kind::JiraServiceManagement) => alerts(&url)?,
        Some(Kind::ServiceNow) => site(&url, &SERVICENOW)?,
        Some(Kind::Jira) => site(&url, &JIRA)?,
        _ => {}
    }
    if matches!(kind, Some(Kind::ServiceNow | Kind::Jira)) && url.query().is_some() {
        return Err(Fault::new("the URL has a query").hint("the address of the site alone"));
    }
    Ok(Address { text: SecretString::from(text.value.clone()), loopback })
}

/// The address of a kind where none is written.
pub(super) fn standard(kind: Kind) -> Option<Address> {
    let url = match kind {
        Kind::PagerDuty => pagerduty::URL,
        Kind::JiraServiceManagement => jsm::URL,
        Kind::Teams | Kind::Slack | Kind::Webhook | Kind::ServiceNow | Kind::Jira => return None,
    };
    Some(Address { text: SecretString::from(url), loopback: false })
}

/// `PagerDuty` has many addresses, of which events go to one.
fn events(url: &Url) -> Result<(), Fault> {
    let host = url.host_str().unwrap_or_default();
    if (host == "pagerduty.com" || host.ends_with(".pagerduty.com"))
        && (!host.starts_with("events.") || url.path() != "/v2/enqueue" || url.query().is_some())
    {
        let region = if host.contains(".eu.") { "events.eu" } else { "events" };
        return Err(Fault::new("not where PagerDuty takes events")
            .hint(format!("\"https://{region}.pagerduty.com/v2/enqueue\"")));
    }
    Ok(())
}

/// Alerts go to Atlassian's gateway, not to the site.
fn alerts(url: &Url) -> Result<(), Fault> {
    let host = url.host_str().unwrap_or_default();
    let atlassian = host.ends_with(".atlassian.net") || host.ends_with(".atlassian.com");
    if atlassian && (url.path() != "/jsm/ops/integration/v2/alerts" || url.query().is_some()) {
        return Err(Fault::new("not where Jira Service Management takes alerts")
            .hint(format!("\"{}\", which holds without `url`", jsm::URL)));
    }
    Ok(())
}

/// A site of which the root is wanted.
struct Site {
    /// What its hosts end in.
    suffix: &'static str,
    /// What pages and services of it begin with, below the root, wherever that is.
    pages: &'static [&'static str],
    what: &'static str,
}

const SERVICENOW: Site = Site {
    suffix: ".service-now.com",
    pages: &["/api/now", "/now/nav", "/nav_to.do", "/navpage.do", "/login.do"],
    what: "a page of ServiceNow, not the instance",
};

const JIRA: Site = Site {
    suffix: ".atlassian.net",
    pages: &["/browse", "/rest/api", "/projects", "/secure"],
    what: "a page of Jira, not the site",
};

/// Behind a gateway a site may lie under a path of its own; the sites that their makers host do not.
fn site(url: &Url, site: &Site) -> Result<(), Fault> {
    let host = url.host_str().unwrap_or_default();
    let path = format!("{}/", url.path().trim_end_matches('/'));
    let hosted = host.ends_with(site.suffix);
    let page = site.pages.iter().find_map(|page| path.find(&format!("{page}/")));
    let root = match (hosted, page) {
        (true, _) if path != "/" => "",
        (false, Some(at)) => path.get(..at).unwrap_or_default(),
        _ => return Ok(()),
    };
    let root = format!("{}{root}", &url[..url::Position::BeforePath]);
    // Of what is hosted everybody knows the form; what lies elsewhere is not repeated.
    let hint =
        if hosted { format!("the root alone: \"{root}\"") } else { "the root alone".to_owned() };
    Err(Fault::new(site.what).hint(hint))
}

/// Whether a webhook's address is one of Slack's or Teams', which take no CloudEvents.
pub(super) fn better_kind(address: &Text) -> Option<&'static str> {
    let url = Url::parse(&address.value).ok()?;
    let host = url.host_str()?;
    if SLACK.contains(&host) {
        return Some("slack");
    }
    host.ends_with(".environment.api.powerplatform.com").then_some("teams")
}

/// Stands in for a cloud's query host.
pub(super) fn endpoint(text: &Text) -> Result<Url, Fault> {
    let url = https(&text.value)?;
    if url.query().is_some() {
        return Err(Fault::new("the URL has a query"));
    }
    Ok(url)
}

/// A page for people.
pub(super) fn runbook(text: &Text) -> Result<String, Fault> {
    https(&text.value).map(|_| text.value.clone())
}

/// The blob endpoint of a storage account.
pub(super) fn account(text: &Text) -> Result<Url, Fault> {
    let url = https(&text.value)?;
    if !is_loopback(&url) && url.path() != "/" {
        return Err(Fault::new("the URL names more than the account")
            .hint(format!("`container` names the container (default `{CONTAINER}`)")));
    }
    account_alone(url)
}

/// `account/container` in one URL, as `HSMWATCH_STATE_URL` has it.
pub(super) fn account_and_container(text: &Text) -> Result<(Url, String), Fault> {
    let mut url = https(&text.value)?;
    let path = url.path().trim_end_matches('/').to_owned();
    // The emulator on loopback has the account in the path, before the container.
    let account = match path.rsplit_once('/') {
        Some((account, container)) if !is_loopback(&url) || !account.is_empty() => {
            let container = value::container(&Text::variable("", container.to_owned()))?;
            url.set_path(account);
            (account, Some(container))
        }
        _ => ("", None),
    };
    let (account, container) = account;
    if !is_loopback(&url) && !account.is_empty() {
        return Err(Fault::new("the URL names more than an account and a container"));
    }
    Ok((account_alone(url)?, container.unwrap_or_else(|| CONTAINER.to_owned())))
}

pub(super) fn account_alone(mut url: Url) -> Result<Url, Fault> {
    let loopback = is_loopback(&url);
    let host = url.host_str().unwrap_or_default().to_owned();
    if let Some(service) =
        ["queue", "table", "file", "dfs"].iter().find(|s| host.contains(&format!(".{s}.core.")))
    {
        return Err(Fault::new(format!("the account's {service} endpoint"))
            .hint("its blob endpoint: https://ACCOUNT.blob.core.windows.net"));
    }
    // A SAS for the emulator is no secret; for an account it is, and URLs are shown.
    if url.query().is_some() && !loopback {
        return Err(Fault::new("the URL has a query").hint(
            "a shared access signature goes into `sas` (without a file: `HSMWATCH_STORAGE_SAS`); better give the identity \
             the role `Storage Blob Data Contributor` on the container",
        ));
    }
    // The service refuses a path that begins with two slashes, which a slash here would lead to.
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// A URL over https, or over http to this machine.
pub(super) fn https(text: &str) -> Result<Url, Fault> {
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err(Fault::new("the URL has a space, a line break or a backslash in it"));
    }
    let url = Url::parse(text)
        .map_err(|_| Fault::new("not a URL").hint("the whole address, from https:// on"))?;
    let http = match url.scheme() {
        "https" => false,
        "http" => true,
        _ => return Err(Fault::new("not an https URL").hint("the whole address, from https:// on")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Fault::new("the URL has a user name or a password in it")
            .hint("take them out of the URL"));
    }
    if url.fragment().is_some() {
        return Err(Fault::new("the URL has a fragment (`#…`), which is never sent"));
    }
    if http && !is_loopback(&url) {
        return Err(Fault::new("http is accepted only for loopback hosts").hint("use https"));
    }
    Ok(url)
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
