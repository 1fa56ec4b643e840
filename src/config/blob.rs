//! Where a configuration is in Blob Storage, and the names of what is beside it.

use super::address::{https, is_loopback};
use super::problem::{Fault, Problem, Setting};
use super::text::Text;
use super::value;
use percent_encoding::percent_decode_str;
use std::fmt;
use std::path::{Path, PathBuf};
use url::Url;

const SHAPE: &str = "https://ACCOUNT.blob.core.windows.net/CONTAINER/hsmwatch.toml";
const CONTAINER_SHAPE: &str =
    "https://ACCOUNT.blob.core.windows.net/insights-logs-hsmserviceoperations";

/// The address of a configuration in Blob Storage, in its parts. `Display` is the address again; it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobPlace {
    /// The account's blob endpoint.
    pub account_url: Url,
    /// The container.
    pub container: String,
    /// The configuration's name in the container.
    pub name: String,
}

impl BlobPlace {
    /// Reads what `--config` or `HSMWATCH_CONFIG` says; `None` if that is a file's path.
    pub fn parse(text: &str) -> Option<Result<Self, Problem>> {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase())?;
        if !matches!(scheme.as_str(), "http" | "https") {
            return None;
        }
        let setting = Setting { label: "the configuration's address".to_owned(), place: None };
        Some(place(text).map_err(|fault| setting.problem(fault)))
    }

    /// How problems name the configuration: the container and the name in it.
    pub fn file(&self) -> String {
        format!("{}/{}", self.container, self.name)
    }

    /// What relative paths start from.
    pub(super) fn folder(&self) -> PathBuf {
        Path::new(&self.file()).parent().map(Path::to_path_buf).unwrap_or_default()
    }

    /// The name in the container that a relative path leads to, or why it leads nowhere.
    pub(super) fn within(&self, path: &str) -> Result<String, String> {
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                    if parts.is_empty() {
                        return Err("it leads out of the container".to_owned());
                    }
                }
                part => parts.push(part),
            }
        }
        match parts.split_first() {
            Some((container, rest)) if *container == self.container && !rest.is_empty() => {
                Ok(rest.join("/"))
            }
            _ => Err("it leads out of the container".to_owned()),
        }
    }
}

impl fmt::Display for BlobPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = self.account_url.as_str().trim_end_matches('/');
        write!(f, "{account}/{}/{}", self.container, self.name)
    }
}

/// The address of a container with archived logs, or of a folder in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPlace {
    /// The account's blob endpoint.
    pub account_url: Url,
    /// The container.
    pub container: String,
    /// What its blobs' names begin with; may be empty.
    pub prefix: String,
}

impl ContainerPlace {
    /// Reads what `--logs` says; `None` if that is a file's path.
    pub fn parse(text: &str) -> Option<Result<Self, Problem>> {
        let (scheme, _) = text.split_once("://")?;
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return None;
        }
        let setting = Setting { label: "the container's address".to_owned(), place: None };
        Some(container_place(text).map_err(|fault| setting.problem(fault)))
    }
}

fn container_place(text: &str) -> Result<ContainerPlace, Fault> {
    let (account_url, container, mut names) = taken_apart(text, CONTAINER_SHAPE)?;
    // A slash at the end says the same as none.
    if names.last().is_some_and(String::is_empty) {
        names.pop();
    }
    if names.iter().any(|part| matches!(part.as_str(), "" | "." | "..")) {
        return Err(Fault::new("the folder's name has a part that is empty, `.` or `..`"));
    }
    Ok(ContainerPlace { account_url, container, prefix: names.join("/") })
}

fn place(text: &str) -> Result<BlobPlace, Fault> {
    let (account_url, container, names) = taken_apart(text, SHAPE)?;
    if names.last().is_none_or(String::is_empty) {
        return Err(Fault::new("names no blob").hint(SHAPE));
    }
    if names.iter().any(|part| matches!(part.as_str(), "" | "." | "..")) {
        return Err(Fault::new("the blob's name has a part that is empty, `.` or `..`"));
    }
    Ok(BlobPlace { account_url, container, name: names.join("/") })
}

/// The account, the container, and the parts of the name in it.
fn taken_apart(text: &str, shape: &'static str) -> Result<(Url, String, Vec<String>), Fault> {
    let mut url = https(text)?;
    if url.query().is_some() {
        return Err(Fault::new("the URL has a query").hint(
            "give the app's identity the role `Storage Blob Data Reader` on the container, or put a shared access \
             signature into `HSMWATCH_STORAGE_SAS`",
        ));
    }
    let mut parts = Vec::new();
    for part in url.path().split('/').skip(1) {
        let part = percent_decode_str(part).decode_utf8();
        let part = part.map_err(|_| Fault::new("the blob's name is not UTF-8"))?;
        // A slash may come encoded, and is a slash all the same.
        parts.extend(part.split('/').map(str::to_owned));
    }
    if parts.iter().any(|part| part.chars().any(|c| c.is_control() || c == '\\')) {
        return Err(Fault::new("the blob's name has a control character or a backslash in it"));
    }
    // The emulator on loopback has the account in the path, before the container.
    let account = usize::from(is_loopback(&url));
    let mut parts = parts.into_iter();
    let path: Vec<String> = parts.by_ref().take(account).collect();
    url.set_path(&path.concat());
    let container = parts
        .next()
        .filter(|name| !name.is_empty())
        .ok_or_else(|| Fault::new("names no container").hint(shape))?;
    let container = value::container(&Text::variable("", container))?;
    let account_url = super::address::account_alone(url)?;
    Ok((account_url, container, parts.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match BlobPlace::parse(text) {
            None => "a file".to_owned(),
            Some(Ok(p)) => format!("{} | {} | {} | {p}", p.account_url, p.container, p.name),
            Some(Err(problem)) => problem.message,
        }
    }

    #[test]
    fn an_address_is_taken_apart() {
        let a = "https://acme.blob.core.windows.net";
        for (text, expected) in [
            ("hsmwatch.toml", "a file".to_owned()),
            ("/etc/https://x", "a file".to_owned()),
            ("c://x", "a file".to_owned()),
            (
                "https://acme.blob.core.windows.net/conf/hsmwatch.toml",
                format!("{a}/ | conf | hsmwatch.toml | {a}/conf/hsmwatch.toml"),
            ),
            (
                "HTTPS://acme.blob.core.windows.net/conf/a%20b/%C3%A9%2Fc.toml",
                format!("{a}/ | conf | a b/é/c.toml | {a}/conf/a b/é/c.toml"),
            ),
            (
                "http://127.0.0.1:10000/devstoreaccount1/conf/p/hsmwatch.toml",
                "http://127.0.0.1:10000/devstoreaccount1 | conf | p/hsmwatch.toml | \
                 http://127.0.0.1:10000/devstoreaccount1/conf/p/hsmwatch.toml"
                    .to_owned(),
            ),
        ] {
            assert_eq!(parsed(text), expected, "{text}");
        }
    }

    #[test]
    fn an_address_that_leads_nowhere_is_refused_without_being_shown() {
        let a = "https://acme.blob.core.windows.net";
        for (text, expected) in [
            (format!("{a}/conf/x.toml?sv=1&sig=s3cret"), "the URL has a query"),
            (format!("{a}/conf/"), "names no blob"),
            (format!("{a}/conf"), "names no blob"),
            (a.to_owned(), "names no container"),
            ("http://127.0.0.1:1/devstoreaccount1/conf".to_owned(), "names no blob"),
            (format!("{a}/conf//x.toml"), "the blob's name has a part that is empty, `.` or `..`"),
            (
                format!("{a}/conf/a%2f..%2f..%2fx"),
                "the blob's name has a part that is empty, `.` or `..`",
            ),
            (format!("{a}/conf/%ff"), "the blob's name is not UTF-8"),
            (
                format!("{a}/conf/a%0ab"),
                "the blob's name has a control character or a backslash in it",
            ),
            (
                format!("{a}/conf/a%5Cb"),
                "the blob's name has a control character or a backslash in it",
            ),
            (
                "http://acme.blob.core.windows.net/c/x".to_owned(),
                "http is accepted only for loopback hosts",
            ),
            (
                "https://me:pw@acme.blob.core.windows.net/c/x".to_owned(),
                "the URL has a user name or a password in it",
            ),
            (
                "https://acme.queue.core.windows.net/conf/x".to_owned(),
                "the account's queue endpoint",
            ),
        ] {
            assert_eq!(parsed(&text), format!("the configuration's address: {expected}"), "{text}");
        }
        assert!(parsed(&format!("{a}/No_Container/x")).contains("container"), "a container's name");
    }

    #[test]
    fn a_containers_address_is_taken_apart() {
        let parsed = |text: &str| match ContainerPlace::parse(text) {
            None => "a file".to_owned(),
            Some(Ok(p)) => format!("{} | {} | {}", p.account_url, p.container, p.prefix),
            Some(Err(problem)) => problem.message,
        };
        let a = "https://acme.blob.core.windows.net";
        for (text, expected) in [
            ("exports/*.json".to_owned(), "a file".to_owned()),
            (format!("{a}/logs"), format!("{a}/ | logs | ")),
            (format!("{a}/logs/"), format!("{a}/ | logs | ")),
            (
                format!("{a}/logs/resourceId=/A/y=2026/"),
                format!("{a}/ | logs | resourceId=/A/y=2026"),
            ),
            (
                "http://127.0.0.1:10000/devstoreaccount1/logs".to_owned(),
                "http://127.0.0.1:10000/devstoreaccount1 | logs | ".to_owned(),
            ),
            (a.to_owned(), "the container's address: names no container".to_owned()),
            (
                format!("{a}/logs?sig=s3cret"),
                "the container's address: the URL has a query".to_owned(),
            ),
            (
                "http://acme.blob.core.windows.net/logs".to_owned(),
                "the container's address: http is accepted only for loopback hosts".to_owned(),
            ),
        ] {
            assert_eq!(parsed(&text), expected, "{text}");
        }
    }

    #[test]
    fn relative_paths_stay_in_the_container() {
        let place = |name: &str| BlobPlace {
            account_url: "https://acme.blob.core.windows.net".parse().unwrap(),
            container: "conf".to_owned(),
            name: name.to_owned(),
        };
        let out = || Err("it leads out of the container".to_owned());
        for (name, path, expected) in [
            ("hsmwatch.toml", "rules/a.toml", Ok("rules/a.toml".to_owned())),
            ("p/hsmwatch.toml", "./rules//a.toml", Ok("p/rules/a.toml".to_owned())),
            ("p/hsmwatch.toml", "../a.toml", Ok("a.toml".to_owned())),
            ("p/hsmwatch.toml", "../../a.toml", out()),
            ("p/hsmwatch.toml", "../../conf/a.toml", out()),
            ("hsmwatch.toml", "..", out()),
            ("hsmwatch.toml", ".", out()),
        ] {
            let place = place(name);
            let joined = place.folder().join(path);
            assert_eq!(place.within(joined.to_str().unwrap()), expected, "{name} {path}");
        }
    }
}
