//! The checked configuration.

use super::cloud::Cloud;
use super::problem::Place;
use crate::notify::{Detail, Kind, Settings};
use crate::watch::rule::RuleSpec;
use crate::watch::schedule::Schedule;
use crate::watch::severity::Severity;
use chrono::TimeDelta;
use ipnet::IpNet;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::PathBuf;
use url::Url;

/// A configuration without contradictions. Its `Debug` shows no address of a receiver and no secret.
#[derive(Clone, Debug)]
pub struct Config {
    /// When rules without a schedule of their own are evaluated.
    pub schedule: Schedule,
    /// Ids of the presets that are on, sets expanded, each once, in the order written.
    pub presets: Vec<String>,
    /// Which Azure.
    pub cloud: Cloud,
    /// How far each event window reaches back before the watermark.
    pub overlap: TimeDelta,
    /// How late a row may come and still be told.
    pub sweep: TimeDelta,
    /// How often late rows are looked for.
    pub sweep_every: TimeDelta,
    /// How far back an outage is caught up on.
    pub catch_up: TimeDelta,
    /// A table without a row for this long is told of; `None`: off.
    pub silent_after: Option<TimeDelta>,
    /// Where state lives.
    pub state: State,
    /// Where audit logs are read; at least one.
    pub workspaces: Vec<Workspace>,
    /// Who is told; at least one.
    pub receivers: Vec<Receiver>,
    /// Rules of the user's own: id, title, severity and query are there.
    pub own_rules: Vec<(RuleSpec, RulePlace)>,
    /// Changes of presets, by the preset's id.
    pub overrides: Vec<(RuleSpec, RulePlace)>,
}

/// Where state lives.
#[derive(Clone, Debug)]
pub enum State {
    /// A folder on this machine.
    Folder(PathBuf),
    /// A container of a storage account.
    Blob {
        /// The account's blob endpoint, without a slash at its end (save for a bare host, where a URL always has one).
        account_url: Url,
        /// The container.
        container: String,
        /// What proves who we are, where no identity does.
        secret: Option<StorageSecret>,
    },
}

/// A secret of a storage account.
#[derive(Clone, Debug)]
pub enum StorageSecret {
    /// One of the account's keys, base64.
    AccountKey(SecretString),
    /// A shared access signature, without its `?`.
    Sas(SecretString),
}

/// Where audit logs are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Its name, unique.
    pub name: String,
    /// Where its rows come from.
    pub source: Source,
}

/// Where a workspace's rows come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A Log Analytics workspace.
    LogAnalytics {
        /// Customer id, in lower case.
        id: String,
        /// Stands in for the cloud's query host.
        endpoint: Option<Url>,
        /// ARM id of the workspace, for the link to the portal.
        resource_id: Option<String>,
    },
    /// Exported logs.
    Files {
        /// Patterns, relative ones already joined to the configuration's folder.
        globs: Vec<String>,
    },
}

/// One destination.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// Its name, unique.
    pub name: String,
    /// Its kind, with what that kind needs to know.
    pub settings: Settings,
    /// Its address.
    pub url: Address,
    /// Signing secrets (`whsec_…`), newest first; none: unsigned.
    pub secrets: Vec<SecretString>,
    /// Alerts below this are not for it.
    pub min_severity: Severity,
    /// Ids of the rules it is told about; `None`: all.
    pub rules: Option<Vec<String>>,
    /// Private networks that its host may resolve to.
    pub allow_networks: Vec<IpNet>,
    /// How much of the log it gets.
    pub detail: Detail,
    /// How we prove who we are.
    pub auth: Auth,
    /// Authorities that may vouch for it, PEM; `None`: those that the system trusts.
    pub ca: Option<String>,
    /// What we show where it asks for a client certificate: PEM with chain and key.
    pub client_certificate: Option<SecretString>,
    /// Texts of a template's headers: a receiver may know us by one of them.
    pub headers: Vec<SecretString>,
    /// Where its templates are written.
    pub templates: TemplatePlaces,
}

impl Receiver {
    /// Its kind.
    pub const fn kind(&self) -> Kind {
        self.settings.kind()
    }
}

/// How a call proves who we are.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Not at all, or by its address, its body or a client certificate.
    None,
    /// `Authorization: Bearer …`.
    Bearer {
        /// The token.
        token: SecretString,
    },
    /// `Authorization: Basic …`.
    Basic {
        /// The user; of Jira the account's e-mail address.
        username: String,
        /// The password; of Jira the API token.
        password: SecretString,
    },
    /// A header of any name.
    Header {
        /// Its name.
        name: String,
        /// All that it says.
        value: SecretString,
    },
    /// A token by OAuth 2 client credentials.
    OAuth2 {
        /// Where tokens are asked for.
        token_url: Url,
        /// The client.
        client_id: String,
        /// Its secret.
        client_secret: SecretString,
        /// What the token is asked for.
        scope: Option<String>,
        /// Whom it is for.
        audience: Option<String>,
    },
    /// A token of the identity that runs hsmwatch.
    ManagedIdentity {
        /// Whom it is for: a URI or a GUID.
        audience: String,
        /// Which identity, where there are several.
        client_id: Option<String>,
    },
}

impl Auth {
    /// The word in the configuration.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bearer { .. } => "bearer",
            Self::Basic { .. } => "basic",
            Self::Header { .. } => "header",
            Self::OAuth2 { .. } => "oauth2",
            Self::ManagedIdentity { .. } => "managed-identity",
        }
    }
}

/// The address of a receiver: checked, and kept byte for byte as written, for a signature in it covers its encoding.
#[derive(Clone, Debug)]
pub struct Address {
    /// The URL as written.
    pub text: SecretString,
    /// Whether its host is this machine.
    pub loopback: bool,
}

/// Where a rule is written, so that later checks can point into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulePlace {
    /// The rule's `[[rule]]`.
    pub rule: Place,
    /// The text of `query`.
    pub query: Option<TextPlace>,
    /// The text of `exclude`.
    pub exclude: Option<TextPlace>,
}

/// Where a receiver's templates are written, so that later checks can point into them. What came from a variable has no place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplatePlaces {
    /// The text of `template`.
    pub body: Option<TextPlace>,
    /// The texts of `headers`, by name.
    pub headers: BTreeMap<String, TextPlace>,
}

/// Where the text of a string stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextPlace {
    /// Where the text begins, after the quotes; for a string that was rewritten (escapes), where the string begins.
    pub start: Place,
    /// The text, if it stands in the file exactly as it is.
    pub(super) exact: Option<String>,
}

impl TextPlace {
    /// The place of a byte of the text. In a string with escapes, whose bytes stand elsewhere: the string's start.
    pub fn at(&self, offset: usize) -> Place {
        let before = self.exact.as_deref().and_then(|text| {
            (0..=offset.min(text.len())).rev().find_map(|offset| text.get(..offset))
        });
        before.map_or_else(|| self.start.clone(), |before| self.start.advanced(before))
    }
}

impl Place {
    /// The place after `text`, if `text` begins here.
    pub(super) fn advanced(&self, text: &str) -> Self {
        let (line, column) = match text.rsplit_once('\n') {
            None => (self.line, self.column + text.chars().count()),
            Some((lines, rest)) => {
                (self.line + 1 + lines.matches('\n').count(), 1 + rest.chars().count())
            }
        };
        Self { file: self.file.clone(), line, column }
    }
}
