//! The forms that strings of the configuration have: what they are called, how they are parsed, and what an editor can know of
//! them.

use super::super::cloud::Cloud;
use super::super::problem::Fault;
use super::super::text::Text;
use super::super::{address, auth, desks, pem, secret, value, webhook};
use crate::notify::Kind;
use crate::notify::webhook::FormatWord;
use crate::notify::webhook::template::MAX_TEMPLATE;
use crate::watch::duration;
use crate::watch::severity::Severity;
use chrono::TimeDelta;

/// The form of a string.
#[derive(Debug)]
pub(crate) enum Format {
    /// An integer and s, m, h or d.
    Duration {
        least: TimeDelta,
        /// Whether it may be `off`.
        off: bool,
    },
    /// A cron expression.
    Cron,
    /// Which Azure.
    Cloud,
    /// A severity.
    Severity,
    /// A kind of receiver.
    Kind,
    /// How much of the log leaves.
    Detail,
    /// The name of a workspace or a receiver.
    Name,
    /// The id of a rule.
    RuleId,
    /// The id of a preset, or the name of a set.
    Preset,
    /// A workspace's customer id.
    Guid,
    /// The ARM id of a workspace.
    ResourceId,
    /// A service's address.
    Url,
    /// A page for people.
    Page,
    /// The blob endpoint of a storage account.
    Account,
    /// The address of a receiver.
    ReceiverUrl,
    /// What signs alerts.
    Signing,
    /// A storage account's key.
    AccountKey,
    /// A shared access signature.
    Sas,
    /// The name of a blob container.
    Container,
    /// A file or folder.
    Path,
    /// A pattern of paths.
    Pattern,
    /// A network in CIDR notation.
    Network,
    /// A column of the log.
    Column,
    /// An ATT&CK technique.
    Technique,
    /// One line of words.
    Line,
    /// Sentences.
    Prose,
    /// KQL.
    Kql,
    /// `PagerDuty`'s integration key.
    RoutingKey,
    /// A token or a key: what goes into a header.
    Credential,
    /// A table of `ServiceNow`.
    Table,
    /// The key of a project of Jira.
    Project,
    /// How a call proves where it is from.
    Auth,
    /// The shape of a webhook's body.
    Body,
    /// A template.
    Template,
    /// A media type.
    ContentType,
    /// The address of an account.
    Email,
    /// The user of a password.
    Username,
    /// A password, or the secret of a client.
    Password,
    /// The name of a header.
    Header,
    /// The id of a client, or whom a token is for.
    Identifier,
    /// Certificates of authorities, PEM.
    Certificates,
    /// A certificate with its private key, PEM.
    ClientCertificate,
}

/// What an editor can know of a string.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    pub(crate) pattern: Option<&'static str>,
    /// In characters.
    pub(crate) least: Option<usize>,
    pub(crate) most: Option<usize>,
}

impl Format {
    /// Whether it is for variables and files, and not to be written out.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(
            self,
            Self::ReceiverUrl
                | Self::Signing
                | Self::AccountKey
                | Self::Sas
                | Self::RoutingKey
                | Self::Credential
                | Self::Password
                | Self::ClientCertificate
        )
    }

    /// The words that it is one of, if it is.
    pub(crate) fn words(&self) -> Option<Vec<&'static str>> {
        match self {
            Self::Cloud => Some(Cloud::ALL.map(Cloud::as_str).to_vec()),
            Self::Severity => Some(Severity::ALL.map(Severity::as_str).to_vec()),
            Self::Kind => Some(Kind::ALL.map(Kind::as_str).to_vec()),
            Self::Detail => Some(value::DETAILS.map(|(word, _)| word).to_vec()),
            Self::Table => Some(desks::TABLES.map(|(word, _)| word).to_vec()),
            Self::Body => Some(FormatWord::ALL.map(FormatWord::as_str).to_vec()),
            Self::Auth => Some(auth::SCHEMES.map(|(word, _)| word).to_vec()),
            _ => None,
        }
    }

    /// What it is called.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Duration { least, off } => {
                let or = if *off { " or `\"off\"`" } else { "" };
                if least.is_zero() {
                    format!("duration{or}")
                } else {
                    format!("duration{or}, from `\"{}\"`", duration::text(*least))
                }
            }
            Self::Cloud
            | Self::Severity
            | Self::Kind
            | Self::Detail
            | Self::Table
            | Self::Body
            | Self::Auth => {
                let words = self.words().unwrap_or_default();
                let words: Vec<String> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
                format!("one of {}", words.join(", "))
            }
            Self::Cron => "cron expression".to_owned(),
            Self::Name => "name".to_owned(),
            Self::RuleId => "rule id".to_owned(),
            Self::Preset => "preset or set".to_owned(),
            Self::Guid => "GUID".to_owned(),
            Self::ResourceId => "resource id".to_owned(),
            Self::Url | Self::Page | Self::Account => "https URL".to_owned(),
            Self::ReceiverUrl => "https URL, secret".to_owned(),
            Self::Signing => "`whsec_…`, secret".to_owned(),
            Self::AccountKey => "base64, secret".to_owned(),
            Self::Sas => "signature, secret".to_owned(),
            Self::Container => "container name".to_owned(),
            Self::Path => "path".to_owned(),
            Self::Pattern => "path or pattern".to_owned(),
            Self::Network => "network, CIDR".to_owned(),
            Self::Column => "column".to_owned(),
            Self::Technique => "technique".to_owned(),
            Self::Line => "one line".to_owned(),
            Self::Prose => "text".to_owned(),
            Self::Kql => "KQL".to_owned(),
            Self::RoutingKey => "32 letters and digits, secret".to_owned(),
            Self::Credential | Self::Password => "text, secret".to_owned(),
            Self::Project => "project key".to_owned(),
            Self::Template => "template".to_owned(),
            Self::ContentType => "media type".to_owned(),
            Self::Email => "e-mail address".to_owned(),
            Self::Username | Self::Identifier => "one word".to_owned(),
            Self::Header => "header name".to_owned(),
            Self::Certificates => "PEM".to_owned(),
            Self::ClientCertificate => "PEM, secret".to_owned(),
        }
    }

    /// What an editor can know of it. Whatever the configuration takes fits: an editor must not complain of what works.
    pub(crate) fn outline(&self) -> Outline {
        let pattern = |pattern| Outline { pattern: Some(pattern), ..Outline::default() };
        let length = |most| Outline { pattern: None, least: Some(1), most: Some(most) };
        match self {
            Self::Duration { off: false, .. } => pattern("^[0-9]+[smhd]$"),
            Self::Duration { off: true, .. } => pattern("^(off|[0-9]+[smhd])$"),
            Self::Name => pattern("^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"),
            Self::RuleId => pattern("^[a-z0-9][a-z0-9-]{0,63}$"),
            Self::Guid => pattern("^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"),
            Self::ResourceId => pattern("^(/[^/]+){8}$"),
            // A scheme may be written in capitals, and slashes be left out.
            Self::Url | Self::Page | Self::Account | Self::ReceiverUrl => {
                pattern("^[Hh][Tt][Tt][Pp][Ss]?:")
            }
            Self::Signing => pattern("^whsec_[A-Za-z0-9+/]+={0,2}$"),
            Self::Sas => pattern("sig="),
            Self::Container => {
                Outline { least: Some(3), most: Some(63), ..pattern("^[a-z0-9](-?[a-z0-9])*$") }
            }
            Self::Network => pattern("^[0-9A-Fa-f:.]+/[0-9]{1,3}$"),
            Self::Column => pattern("^[A-Za-z_][A-Za-z0-9_]{0,127}$"),
            Self::Technique => pattern("^T[0-9]{4}(\\.[0-9]{3})?$"),
            Self::Line => length(value::LINE),
            Self::Prose => length(value::PROSE),
            // Bytes count, of which no text has fewer than characters.
            Self::Kql => length(value::KQL),
            Self::Cron
            | Self::AccountKey
            | Self::Path
            | Self::Pattern
            | Self::ContentType
            | Self::Password => Outline { least: Some(1), ..Outline::default() },
            Self::RoutingKey => pattern("^[A-Za-z0-9]{32}$"),
            Self::Credential => pattern("^[!-~]([ -~]*[!-~])?$"),
            Self::Project => pattern("^[A-Z][A-Z0-9_]{1,99}$"),
            Self::Email => pattern("^[^@ ]+@[^@ ]+$"),
            Self::Username => pattern("^[^: ]"),
            Self::Template => Outline { most: Some(MAX_TEMPLATE), ..Outline::default() },
            Self::Header => pattern("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"),
            Self::Identifier => pattern("^[!-~]+$"),
            Self::Certificates | Self::ClientCertificate => pattern("-----BEGIN "),
            Self::Cloud
            | Self::Severity
            | Self::Kind
            | Self::Detail
            | Self::Preset
            | Self::Table
            | Self::Body
            | Self::Auth => Outline::default(),
        }
    }

    /// Whether a text has this form, as the configuration sees it.
    pub(in crate::config) fn check(&self, text: &Text) -> Result<(), Fault> {
        match self {
            Self::Duration { off: true, .. } if text.value == "off" => Ok(()),
            Self::Duration { least, .. } => value::at_least(text, *least).map(drop),
            Self::Cron => value::cron(text).map(drop),
            Self::Cloud => value::cloud(text).map(drop),
            Self::Severity => value::severity(text).map(drop),
            Self::Kind => value::kind(text).map(drop),
            Self::Detail => value::detail(text).map(drop),
            Self::Name => value::name(text).map(drop),
            Self::RuleId => value::rule_id(text).map(drop),
            // What there is, is not known here.
            Self::Preset => Ok(()),
            Self::Guid => value::guid(text).map(drop),
            Self::ResourceId => value::resource_id(text).map(drop),
            Self::Url => address::endpoint(text).map(drop),
            Self::Page => address::runbook(text).map(drop),
            Self::Account => address::account(text).map(drop),
            Self::ReceiverUrl => address::receiver(None, text).map(drop),
            Self::Signing => secret::signing(text).map(drop),
            Self::AccountKey => secret::account_key(text).map(drop),
            Self::Sas => secret::sas(text).map(drop),
            Self::Container => value::container(text).map(drop),
            Self::Path => value::path(text).map(drop),
            Self::Pattern => value::pattern(text).map(drop),
            Self::Network => value::network(text).map(drop),
            Self::Column => value::column(text).map(drop),
            Self::Technique => value::technique(text).map(drop),
            Self::Line => value::line(text).map(drop),
            Self::Prose => value::prose(text).map(drop),
            Self::Kql => value::kql(text).map(drop),
            Self::RoutingKey => secret::routing_key(text).map(drop),
            Self::Credential => secret::credential(text).map(drop),
            Self::Table => desks::table(text).map(drop),
            Self::Project => desks::project(text).map(drop),
            Self::Auth => auth::scheme(text).map(drop),
            Self::Body => webhook::format(text).map(drop),
            Self::Template => webhook::template(text),
            Self::ContentType => webhook::content_type(text).map(drop),
            Self::Email => auth::email(text).map(drop),
            Self::Username => auth::username(text).map(drop),
            Self::Password => secret::password(text).map(drop),
            Self::Header => auth::header(text).map(drop),
            Self::Identifier => auth::identifier(text).map(drop),
            Self::Certificates => pem::authorities(text).map(drop),
            Self::ClientCertificate => pem::identity(text).map(drop),
        }
    }
}
