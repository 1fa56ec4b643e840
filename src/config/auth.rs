//! How calls to a receiver prove where they are from: which keys go together, and what they say.

use super::address;
use super::model::Auth;
use super::problem::{Fault, Setting};
use super::reader::{Reader, Section};
use super::secret;
use super::text::{Text, list};
use super::value::{self, word};
use crate::notify::Kind;
use secrecy::{ExposeSecret as _, SecretString};

/// A way to prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    None,
    Bearer,
    Basic,
    Header,
    OAuth2,
    ManagedIdentity,
}

/// The ways, by their words.
pub(super) const SCHEMES: [(&str, Scheme); 6] = [
    ("none", Scheme::None),
    ("bearer", Scheme::Bearer),
    ("basic", Scheme::Basic),
    ("header", Scheme::Header),
    ("oauth2", Scheme::OAuth2),
    ("managed-identity", Scheme::ManagedIdentity),
];

/// The keys of all of them.
const KEYS: [&str; 10] = [
    "auth_header",
    "username",
    "password",
    "email",
    "token_url",
    "client_secret",
    "token",
    "client_id",
    "scope",
    "audience",
];

impl Scheme {
    const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bearer => "bearer",
            Self::Basic => "basic",
            Self::Header => "header",
            Self::OAuth2 => "oauth2",
            Self::ManagedIdentity => "managed-identity",
        }
    }

    /// The keys it needs, and those it takes besides.
    const fn keys(self, kind: Option<Kind>) -> (&'static [&'static str], &'static [&'static str]) {
        match (self, kind) {
            (Self::None, _) => (&[], &[]),
            (Self::Bearer, _) => (&["token"], &[]),
            (Self::Basic, Some(Kind::Jira)) => (&["email", "token"], &[]),
            (Self::Basic, _) => (&["username", "password"], &[]),
            (Self::Header, _) => (&["auth_header", "token"], &[]),
            (Self::OAuth2, _) => {
                (&["token_url", "client_id", "client_secret"], &["scope", "audience"])
            }
            (Self::ManagedIdentity, _) => (&["audience"], &["client_id"]),
        }
    }

    /// What a key says where `auth` is not written.
    fn of_key(key: &str, kind: Option<Kind>) -> Option<Self> {
        match key {
            "auth_header" => Some(Self::Header),
            "username" | "password" | "email" => Some(Self::Basic),
            "token_url" | "client_secret" => Some(Self::OAuth2),
            // An API token of Jira goes with an e-mail address, which is easily forgotten.
            "token" if kind == Some(Kind::Jira) => Some(Self::Basic),
            "token" => Some(Self::Bearer),
            _ => None,
        }
    }
}

/// Reads the keys of `auth`; `None` only with a problem written down.
pub(super) fn read(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    kind: Option<Kind>,
) -> Option<Auth> {
    let written = reader.parsed(section, "auth", scheme);
    // With a word that is none, nobody can say which keys are right.
    let known = written.is_some() || !section.reads("auth");
    let found: Vec<&'static str> = KEYS.into_iter().filter(|key| section.reads(key)).collect();
    let evidence = found.iter().find_map(|key| Some((*key, Scheme::of_key(key, kind)?)));
    let scheme = match (&written, evidence) {
        (Some((scheme, _)), _) => *scheme,
        (None, Some((_, scheme))) => scheme,
        (None, None) => Scheme::None,
    };
    let keys = scheme.keys(kind);
    let mut complete = known;
    if known {
        let by = written.as_ref().map_or_else(
            || evidence.map(|(key, _)| format!("`{key}`")),
            |_| Some(format!("`auth = \"{}\"`", scheme.as_str())),
        );
        for key in &found {
            if !keys.0.contains(key) && !keys.1.contains(key) {
                complete = false;
                reader.fail_at(section, key, stray(key, by.as_deref(), kind));
            }
        }
        let at = match (&written, evidence) {
            (Some((_, setting)), _) => Some(setting.clone()),
            (None, Some((key, _))) => reader.setting_of(section, key),
            (None, None) => None,
        };
        for key in keys.0.iter().filter(|key| !section.reads(key)) {
            complete = false;
            let setting = at.clone().unwrap_or_else(|| section.setting.clone());
            reader
                .report
                .fail(&setting, Fault::new(format!("needs `{key}`")).hint(cure(key, kind)));
        }
        if found.is_empty() && written.is_none() {
            complete &= wanted(reader, section, kind);
        }
    }
    let values = values(reader, section);
    complete.then_some(())?;
    made(reader, scheme, kind, values)
}

/// A key that goes with another way than the one that is taken.
fn stray(key: &str, by: Option<&str>, kind: Option<Kind>) -> Fault {
    let schemes = SCHEMES.iter().filter(|(_, scheme)| {
        let (needs, takes) = scheme.keys(kind);
        needs.contains(&key) || takes.contains(&key)
    });
    let ways: Vec<String> = schemes.map(|(word, _)| format!("auth = \"{word}\"")).collect();
    match by {
        Some(by) => Fault::new(format!("not together with {by}"))
            .hint(format!("keep one of the two; `{key}` is for {}", list(&ways))),
        None => Fault::new("says nothing alone").hint(format!("it is for {}", list(&ways))),
    }
}

/// What a key that is missing looks like.
fn cure(key: &str, kind: Option<Kind>) -> &'static str {
    match key {
        "token" if kind == Some(Kind::Jira) => {
            "token = { env = \"NAME\" }: an API token of that account, from id.atlassian.com, \"Security\", \"API tokens\""
        }
        "token" => "token = { env = \"NAME\" }",
        "email" => {
            "the account that the token belongs to; a token that stands alone (OAuth): auth = \"bearer\""
        }
        "username" => "the user that calls are made by",
        "password" => "password = { env = \"NAME\" }",
        "auth_header" => "the header's name, such as \"X-Api-Key\"",
        "token_url" => {
            "where tokens are asked for; Entra: \"https://login.microsoftonline.com/TENANT/oauth2/v2.0/token\""
        }
        "client_id" => "the id of the client, or application, that asks for tokens",
        "client_secret" => "client_secret = { env = \"NAME\" }",
        _ => {
            "whom the token is for, a URI or a GUID; Teams workflows: \"https://service.flow.microsoft.com/\""
        }
    }
}

/// Systems that take nothing from strangers; whether nothing is wanted.
fn wanted(reader: &mut Reader<'_>, section: &Section<'_>, kind: Option<Kind>) -> bool {
    let (what, hint) = match kind {
        Some(Kind::ServiceNow) => (
            "kind \"servicenow\" needs `username` and `password`, or `token`",
            "username = \"svc-hsmwatch\" and password = { env = \"NAME\" }; or token_url, client_id and client_secret. Where it asks for nothing: auth = \"none\"",
        ),
        Some(Kind::Jira) => (
            "kind \"jira\" needs `email` and `token`",
            "email = \"hsmwatch@example.com\" and token = { env = \"NAME\" }: an API token of that account, from id.atlassian.com, \"Security\", \"API tokens\"",
        ),
        _ => return true,
    };
    reader.report.fail(&section.setting, Fault::new(what).hint(hint));
    false
}

/// The values that are written.
struct Values {
    token: Option<(SecretString, Setting)>,
    email: Option<String>,
    username: Option<String>,
    password: Option<SecretString>,
    header: Option<String>,
    token_url: Option<url::Url>,
    client_id: Option<(String, Setting)>,
    client_secret: Option<SecretString>,
    scope: Option<String>,
    audience: Option<(String, Setting)>,
}

fn values(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Values {
    Values {
        token: reader.parsed(section, "token", secret::credential),
        email: reader.parsed(section, "email", email).map(|(email, _)| email),
        username: reader.parsed(section, "username", username).map(|(name, _)| name),
        password: reader.parsed(section, "password", secret::password).map(|(word, _)| word),
        header: reader.parsed(section, "auth_header", header).map(|(name, _)| name),
        token_url: reader.parsed(section, "token_url", address::endpoint).map(|(url, _)| url),
        client_id: reader.parsed(section, "client_id", identifier),
        client_secret: reader
            .parsed(section, "client_secret", secret::password)
            .map(|(word, _)| word),
        scope: reader.parsed(section, "scope", value::line).map(|(scope, _)| scope),
        audience: reader.parsed(section, "audience", identifier),
    }
}

fn made(
    reader: &mut Reader<'_>,
    scheme: Scheme,
    kind: Option<Kind>,
    values: Values,
) -> Option<Auth> {
    Some(match scheme {
        Scheme::None => Auth::None,
        Scheme::Bearer => {
            let (token, setting) = values.token?;
            let token = reader.report.check(&setting, secret::alone(token))?;
            Auth::Bearer { token }
        }
        Scheme::Basic if kind == Some(Kind::Jira) => {
            let (token, setting) = values.token?;
            let password = reader.report.check(&setting, secret::alone(token))?;
            Auth::Basic { username: values.email?, password }
        }
        Scheme::Basic => Auth::Basic { username: values.username?, password: values.password? },
        Scheme::Header => Auth::Header { name: values.header?, value: values.token?.0 },
        Scheme::OAuth2 => Auth::OAuth2 {
            token_url: values.token_url?,
            client_id: values.client_id?.0,
            client_secret: values.client_secret?,
            scope: values.scope,
            audience: values.audience.map(|(audience, _)| audience),
        },
        Scheme::ManagedIdentity => {
            let (audience, setting) = values.audience?;
            let audience = reader.report.check(&setting, application(audience))?;
            let client_id = match values.client_id {
                None => None,
                Some((id, setting)) => Some(reader.report.check(&setting, client(&id))?),
            };
            Auth::ManagedIdentity { audience, client_id }
        }
    })
}

/// The header that an API integration of Jira Service Management wants.
pub(super) fn genie(key: &SecretString) -> Auth {
    let value = SecretString::from(format!("GenieKey {}", key.expose_secret()));
    Auth::Header { name: "Authorization".to_owned(), value }
}

/// A way to prove where a call is from.
pub(super) fn scheme(text: &Text) -> Result<Scheme, Fault> {
    word(text, "way to sign in", &SCHEMES)
}

/// The address of an account.
pub(super) fn email(text: &Text) -> Result<String, Fault> {
    let value = &text.value;
    let good = value.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && !host.is_empty()
            && !host.contains('@')
            // A colon ends the user in the header that this goes into.
            && value.chars().all(|c| c.is_ascii_graphic() && c != ':')
    });
    good.then(|| value.clone()).ok_or_else(|| {
        Fault::new(format!("{} is not an e-mail address", text.quoted()))
            .hint("the account that the token belongs to, such as \"hsmwatch@example.com\"")
    })
}

/// The user of a password.
pub(super) fn username(text: &Text) -> Result<String, Fault> {
    if text.value.contains(':') {
        return Err(Fault::new("a user name cannot have a colon in it")
            .hint("the password has a key of its own: `password`"));
    }
    if text.value.trim() != text.value
        || text.value.is_empty()
        || text.value.contains(char::is_control)
    {
        return Err(Fault::new("a user name without spaces around it is needed"));
    }
    Ok(text.value.clone())
}

/// The name of a header that carries a secret.
pub(super) fn header(text: &Text) -> Result<String, Fault> {
    let name = header_name(text)?;
    Ok(name)
}

/// The name of a header that is not one of those that every call has anyway.
pub(super) fn header_name(text: &Text) -> Result<String, Fault> {
    const OURS: [&str; 8] = [
        "host",
        "content-type",
        "content-length",
        "content-encoding",
        "transfer-encoding",
        "connection",
        "user-agent",
        "x-hub-signature-256",
    ];
    let name = &text.value;
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        return Err(Fault::new(format!("{} is not the name of a header", text.quoted())).hint(
            "letters, digits and `-`, such as \"X-Api-Key\"; what it says has a key of its own",
        ));
    }
    let lower = name.to_ascii_lowercase();
    if OURS.contains(&lower.as_str()) || lower.starts_with("webhook-") {
        return Err(Fault::new(format!("`{lower}` is a header that hsmwatch sets itself"))
            .hint("another header; the receiver's documentation says which it takes"));
    }
    Ok(name.clone())
}

/// The id of a client, or whom a token is for.
pub(super) fn identifier(text: &Text) -> Result<String, Fault> {
    if text.value.is_empty() || !text.value.chars().all(|c| c.is_ascii_graphic()) {
        return Err(Fault::new("has a space, a line break or a letter that is not ASCII in it")
            .hint("a GUID, a URI or a name, as the service shows it"));
    }
    Ok(text.value.clone())
}

/// Whom a token of a managed identity is for.
fn application(audience: String) -> Result<String, Fault> {
    if let Some(resource) = audience.strip_suffix("/.default") {
        // What people put here by mistake is never a secret, but may be long.
        let shown = super::problem::shown(resource).map(|resource| format!(": \"{resource}\""));
        return Err(Fault::new("a scope: an audience does not end in `/.default`")
            .hint(format!("leave `/.default` out{}", shown.unwrap_or_default())));
    }
    let uri = audience.split_once("://").is_some_and(|(scheme, rest)| {
        !rest.is_empty() && !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric())
    });
    if !uri && !value::is_guid(&audience) {
        return Err(Fault::new("is neither a URI nor a GUID").hint(
            "whom the token is for: \"https://…\", \"api://…\" or the GUID of an application; Teams workflows: \"https://service.flow.microsoft.com/\"",
        ));
    }
    Ok(audience)
}

/// The client id of a managed identity.
fn client(id: &str) -> Result<String, Fault> {
    if value::is_guid(id) {
        return Ok(id.to_ascii_lowercase());
    }
    Err(Fault::new("is not the client id of a managed identity, a GUID").hint(
        "`az identity show --resource-group GROUP --name NAME --query clientId`; leave it out for the identity of the app itself",
    ))
}
