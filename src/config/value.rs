//! Parsers of single values: a string in, a value or a fault out.

use super::cloud::Cloud;
use super::problem::{Fault, nearest};
use super::text::{Text, list};
use crate::notify::{Detail, Kind};
use crate::watch::duration::{self, BadDuration};
use crate::watch::schedule::Schedule;
use crate::watch::severity::Severity;
use chrono::TimeDelta;
use ipnet::IpNet;

/// The most characters of a line of words.
pub(super) const LINE: usize = 200;
/// The most characters of sentences.
pub(super) const PROSE: usize = 4_000;
/// The most bytes of KQL.
pub(super) const KQL: usize = 16 * 1024;
const DURATION_HINT: &str = "an integer and s, m, h or d, such as \"5m\"";

/// An integer and s, m, h or d.
pub(super) fn duration(text: &Text) -> Result<TimeDelta, Fault> {
    let not = || Fault::new(format!("{} is not a duration", text.quoted()));
    duration::parse(&text.value).map_err(|bad| match bad {
        BadDuration::TooLong(_) => not().hint("at most \"3650d\""),
        BadDuration::Form(_) => {
            let here = compound(&text.value);
            not().hint(
                here.map_or(DURATION_HINT.to_owned(), |one| {
                    format!("{DURATION_HINT}; here \"{one}\"")
                }),
            )
        }
    })
}

/// A duration of at least `least`.
pub(super) fn at_least(text: &Text, least: TimeDelta) -> Result<TimeDelta, Fault> {
    let duration = duration(text)?;
    if duration < least {
        let fault = format!("{} is less than {}", text.quoted(), duration::text(least));
        return Err(Fault::new(fault));
    }
    Ok(duration)
}

/// "1h30m" and the like in one unit.
fn compound(text: &str) -> Option<String> {
    let mut total = 0_i64;
    if text.is_empty() {
        return None;
    }
    for part in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        total = total.checked_add(duration::parse(part).ok()?.num_seconds())?;
    }
    Some(duration::text(TimeDelta::seconds(total)))
}

/// A cron expression.
pub(super) fn cron(text: &Text) -> Result<Schedule, Fault> {
    const SUCH: &str = "such as \"0 */5 * * * *\" (second minute hour day month weekday, UTC)";
    Schedule::cron(&text.value).map_err(|bad| {
        let quoted = text.quoted();
        // The reason's last line says what is wrong, those before point into the value; all may quote it.
        let why = bad.why.lines().last().filter(|_| quoted.starts_with('"')).map(str::trim);
        let why = why.filter(|why| !why.is_empty());
        let hint =
            why.map_or(SUCH.to_owned(), |why| format!("{}; {SUCH}", why.trim_end_matches('.')));
        Fault::new(format!("{quoted} is not a cron expression")).hint(hint)
    })
}

/// One of a few words.
pub(super) fn word<T: Copy>(
    text: &Text,
    what: &str,
    words: &[(&'static str, T)],
) -> Result<T, Fault> {
    words.iter().find(|(word, _)| *word == text.value).map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = nearest(&text.value.to_lowercase(), names.iter().copied()).map_or_else(
            || format!("one of {}", list(&names)),
            |near| format!("did you mean `{near}`?"),
        );
        Fault::new(format!("{} is not a {what}", text.quoted())).hint(hint)
    })
}

/// A severity.
pub(super) fn severity(text: &Text) -> Result<Severity, Fault> {
    word(text, "severity", &Severity::ALL.map(|severity| (severity.as_str(), severity)))
}

/// A cloud.
pub(super) fn cloud(text: &Text) -> Result<Cloud, Fault> {
    word(text, "cloud", &Cloud::ALL.map(|cloud| (cloud.as_str(), cloud)))
}

/// How much of the log leaves, by its word.
pub(super) const DETAILS: [(&str, Detail); 2] =
    [("full", Detail::Full), ("counts", Detail::Counts)];

/// How much of the log leaves.
pub(super) fn detail(text: &Text) -> Result<Detail, Fault> {
    word(text, "detail", &DETAILS)
}

/// A kind of receiver.
pub(super) fn kind(text: &Text) -> Result<Kind, Fault> {
    let meant = match text.value.as_str() {
        "jsm" | "opsgenie" => "jira-service-management",
        "snow" | "service-now" => "servicenow",
        "pager-duty" => "pagerduty",
        "email" | "mail" => {
            return Err(Fault::new(format!("{} is not a kind", text.quoted()))
                .hint("kind = \"webhook\", to something that sends mail"));
        }
        _ => return word(text, "kind", &Kind::ALL.map(|kind| (kind.as_str(), kind))),
    };
    Err(Fault::new(format!("{} is not a kind", text.quoted())).hint(format!("kind = \"{meant}\"")))
}

/// A network in CIDR notation.
pub(super) fn network(text: &Text) -> Result<IpNet, Fault> {
    text.value.parse().map_err(|_: ipnet::AddrParseError| {
        let hint = match text.value.parse() {
            Ok(std::net::IpAddr::V4(_)) => "an address alone needs /32",
            Ok(std::net::IpAddr::V6(_)) => "an address alone needs /128",
            Err(_) => "a network in CIDR notation, such as \"10.20.0.0/16\"",
        };
        Fault::new(format!("{} is not a network", text.quoted())).hint(hint)
    })
}

/// A GUID, in lower case.
pub(super) fn guid(text: &Text) -> Result<String, Fault> {
    if is_guid(&text.value) {
        return Ok(text.value.to_ascii_lowercase());
    }
    Err(Fault::new(format!("{} is not a workspace id", text.quoted())).hint(
        "the workspace's customer id, a GUID: `az monitor log-analytics workspace show --resource-group GROUP \
         --workspace-name NAME --query customerId`",
    ))
}

pub(super) fn is_guid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// The ARM id of a workspace.
pub(super) fn resource_id(text: &Text) -> Result<String, Fault> {
    let parts: Vec<&str> = text.value.split('/').collect();
    let same = |part: &str, word: &str| part.eq_ignore_ascii_case(word);
    let named = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c))
    };
    let good = match parts.as_slice() {
        ["", subscriptions, subscription, groups, group, providers, provider, workspaces, name] => {
            same(subscriptions, "subscriptions")
                && is_guid(subscription)
                && same(groups, "resourceGroups")
                && named(group)
                && same(providers, "providers")
                && same(provider, "Microsoft.OperationalInsights")
                && same(workspaces, "workspaces")
                && named(name)
        }
        _ => false,
    };
    good.then(|| text.value.clone()).ok_or_else(|| {
        Fault::new(format!("{} is not the resource id of a workspace", text.quoted())).hint(
            "/subscriptions/GUID/resourceGroups/GROUP/providers/Microsoft.OperationalInsights/workspaces/NAME",
        )
    })
}

/// The name of a workspace or a receiver.
pub(super) fn name(text: &Text) -> Result<String, Fault> {
    let good = text.value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        && text.value.len() <= 64;
    if !good {
        return Err(Fault::new(format!("{} is not a name", text.quoted()))
            .hint("letters, digits, `_` and `-`, beginning with a letter or a digit, at most 64"));
    }
    not_reserved(text)
}

/// The id of a rule.
pub(super) fn rule_id(text: &Text) -> Result<String, Fault> {
    let good = text.value.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && text.value.len() <= 64;
    if !good {
        return Err(Fault::new(format!("{} is not a rule id", text.quoted())).hint(
            "lower-case letters, digits and `-`, beginning with a letter or a digit, at most 64",
        ));
    }
    not_reserved(text)
}

fn not_reserved(text: &Text) -> Result<String, Fault> {
    if text.value.eq_ignore_ascii_case("hsmwatch") {
        return Err(Fault::new("`hsmwatch` is reserved for hsmwatch's own alerts"));
    }
    Ok(text.value.clone())
}

/// The name of a container.
pub(super) fn container(text: &Text) -> Result<String, Fault> {
    let value = &text.value;
    let good = (3..=63).contains(&value.len())
        && value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !value.starts_with('-')
        && !value.ends_with('-')
        && !value.contains("--");
    good.then(|| value.clone()).ok_or_else(|| {
        Fault::new(format!("{} is not a container's name", text.quoted()))
            .hint("3 to 63 lower-case letters, digits and `-`, each `-` between two of the others")
    })
}

/// A column of the log.
pub(super) fn column(text: &Text) -> Result<String, Fault> {
    let value = &text.value;
    let good = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && value.len() <= 128;
    good.then(|| value.clone()).ok_or_else(|| {
        Fault::new(format!("{} is not a column", text.quoted()))
            .hint("the name of a column that the query returns, such as \"CallerIpAddress\"")
    })
}

/// An ATT&CK technique.
pub(super) fn technique(text: &Text) -> Result<String, Fault> {
    let digits = |part: &str, n| part.len() == n && part.bytes().all(|b| b.is_ascii_digit());
    let good = text.value.strip_prefix('T').is_some_and(|rest| match rest.split_once('.') {
        None => digits(rest, 4),
        Some((technique, sub)) => digits(technique, 4) && digits(sub, 3),
    });
    good.then(|| text.value.clone()).ok_or_else(|| {
        Fault::new(format!("{} is not an ATT&CK technique", text.quoted()))
            .hint("such as \"T1485\" or \"T1552.004\"")
    })
}

/// One line of words, such as a title.
pub(super) fn line(text: &Text) -> Result<String, Fault> {
    if text.value.chars().any(char::is_control) {
        return Err(Fault::new("more than one line, or control characters"));
    }
    words(text, LINE)
}

/// Sentences.
pub(super) fn prose(text: &Text) -> Result<String, Fault> {
    words(text, PROSE)
}

fn words(text: &Text, most: usize) -> Result<String, Fault> {
    if text.value.trim().is_empty() {
        return Err(Fault::new("is empty"));
    }
    let length = text.value.chars().count();
    if length > most {
        return Err(Fault::new(format!("{length} characters long, at most {most}")));
    }
    Ok(text.value.clone())
}

/// KQL, unread.
pub(super) fn kql(text: &Text) -> Result<String, Fault> {
    if text.value.trim().is_empty() {
        return Err(Fault::new("is empty"));
    }
    if text.value.len() > KQL {
        return Err(Fault::new(format!("{} bytes long, at most {KQL}", text.value.len())));
    }
    Ok(text.value.clone())
}

/// A path or a pattern of paths.
pub(super) fn path(text: &Text) -> Result<String, Fault> {
    if text.value.trim().is_empty() || text.value.contains('\0') {
        return Err(Fault::new(format!("{} is not a path", text.quoted())));
    }
    if text.value.contains("://") {
        return Err(Fault::new("expected a path, found a URL"));
    }
    Ok(text.value.clone())
}

/// A pattern of paths.
pub(super) fn pattern(text: &Text) -> Result<String, Fault> {
    let value = path(text)?;
    glob::Pattern::new(&value)
        .map_err(|e| Fault::new(format!("{} is not a pattern: {}", text.quoted(), e.msg)))?;
    Ok(value)
}
