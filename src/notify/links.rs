//! Links that a person follows from an alert.

use super::percent::encode;
use crate::watch::alert::Interval;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::SecondsFormat;
use flate2::{Compression, GzBuilder};
use std::io::Write as _;

/// Longer links are made without the query: Slack takes 3,000 characters.
pub const MAX_LOGS_LINK: usize = 2_500;

/// The Logs blade of the portal with the query prefilled. It carries no data, and whoever follows it needs read rights on
/// the workspace. `kql` must name its window by absolute times; `tenant` spares people with several the wrong one.
/// `None` if there is nothing to link to.
pub fn logs_link(
    portal_host: &str,
    tenant: Option<&str>,
    resource_id: &str,
    kql: &str,
    window: Interval,
) -> Option<String> {
    let host_like = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    if portal_host.is_empty() || !portal_host.chars().all(host_like) || resource_id.is_empty() {
        return None;
    }
    let tenant = tenant.filter(|tenant| !tenant.is_empty());
    let tenant = tenant.map_or(String::new(), |tenant| format!("@{}/", encode(tenant)));
    let time = |t: chrono::DateTime<chrono::Utc>| t.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let blade = format!(
        "https://{portal_host}#{tenant}blade/Microsoft_OperationsManagementSuite_Workspace/Logs.ReactView/resourceId/{}\
         /source/LogsBlade.AnalyticsShareLinkToQuery",
        encode(resource_id),
    );
    let timespan =
        format!("timespan/{}", encode(&format!("{}/{}", time(window.from), time(window.to))));
    let query = encode(&STANDARD.encode(gzip(kql)?));
    let whole = format!("{blade}/q/{query}/{timespan}/limit/1000");
    if whole.len() <= MAX_LOGS_LINK {
        return Some(whole);
    }
    Some(format!("{blade}/{timespan}")).filter(|link| link.len() <= MAX_LOGS_LINK)
}

/// Without a time in its head, so that the same query makes the same link.
fn gzip(text: &str) -> Option<Vec<u8>> {
    let mut gzip =
        GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    gzip.write_all(text.as_bytes()).ok()?;
    gzip.finish().ok()
}

/// `link` if a card may carry it: https, plain visible ASCII, at most `max` characters.
pub(super) fn safe(link: Option<&str>, max: usize) -> Option<&str> {
    let link = link.filter(|link| link.len() <= max)?;
    let plain =
        |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'`' | b'|');
    let https = link.starts_with("https://") && link.bytes().all(plain);
    let url = url::Url::parse(link).ok().filter(|_| https)?;
    (url.host_str().is_some() && url.username().is_empty() && url.password().is_none())
        .then_some(link)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::samples::{self, t};
    use std::io::Read as _;

    const WORKSPACE: &str = "/subscriptions/0b1f/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/prod";
    const KQL: &str =
        "CloudHsmServiceOperationAuditLogs\n| where OperationName == \"CN_TOMBSTONE_OBJECT\"";

    fn window() -> Interval {
        Interval { from: t("2026-11-22T09:00:00Z"), to: t("2026-11-22T09:15:00Z") }
    }

    fn decode(text: &str) -> String {
        let mut bytes = text.bytes();
        let mut out = Vec::new();
        while let Some(byte) = bytes.next() {
            if byte == b'%' {
                let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
                out.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
            } else {
                out.push(byte);
            }
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_query_comes_back_out() {
        let link =
            logs_link("portal.azure.com", Some("contoso.com"), WORKSPACE, KQL, window()).unwrap();
        samples::snapshots(|| insta::assert_snapshot!("logs_link", link));
        assert_eq!(
            link,
            logs_link("portal.azure.com", Some("contoso.com"), WORKSPACE, KQL, window()).unwrap()
        );
        let (_, rest) = link.split_once("/q/").unwrap();
        let (query, rest) = rest.split_once('/').unwrap();
        let gzip = STANDARD.decode(decode(query)).unwrap();
        let mut kql = String::new();
        flate2::read::GzDecoder::new(&*gzip).read_to_string(&mut kql).unwrap();
        assert_eq!(kql, KQL);
        assert_eq!(decode(rest), "timespan/2026-11-22T09:00:00Z/2026-11-22T09:15:00Z/limit/1000");
        assert_eq!(safe(Some(&link), 2_500), Some(&*link));
    }

    #[test]
    fn a_long_query_is_left_out() {
        // Hashes do not compress.
        let kql: String = (0..500u64)
            .map(|n| crate::notify::backoff::seed("x", &n.to_string()).to_string())
            .collect();
        let link = logs_link("portal.azure.us", None, WORKSPACE, &kql, window()).unwrap();
        assert!(link.starts_with("https://portal.azure.us#blade/"));
        assert!(!link.contains("/q/") && link.contains("/timespan/"), "{link}");
        assert_eq!(logs_link("portal.azure.us", None, &"x".repeat(5_000), KQL, window()), None);
        assert_eq!(logs_link("", None, WORKSPACE, KQL, window()), None);
        assert_eq!(logs_link("a/b", None, WORKSPACE, KQL, window()), None);
        assert_eq!(logs_link("portal.azure.com", None, "", KQL, window()), None);
    }

    #[test]
    fn only_plain_https_links_are_safe() {
        for bad in [
            "http://x.example/",
            "javascript:alert(1)",
            "https://",
            "https://x.example/ y",
            "https://x.example/\"",
            "https://u:p@x.example/",
            "https://x.example/|y",
            "HTTPS://x.example",
            "https://é.example/",
            "",
        ] {
            assert_eq!(safe(Some(bad), 100), None, "{bad}");
        }
        assert_eq!(safe(None, 100), None);
        assert_eq!(safe(Some("https://x.example/a?b=c#d"), 100), Some("https://x.example/a?b=c#d"));
        assert_eq!(safe(Some("https://x.example/a"), 18), None);
    }
}
