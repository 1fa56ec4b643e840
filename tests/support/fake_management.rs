//! Azure Resource Manager: subscriptions, an HSM and what is around it, as strict about versions, tokens, rights and
//! registrations as the real one. A function app of its own answers at the same address.

use super::server::Server;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::Response;
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{TimeDelta, Utc};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

/// The subscription that everything is in.
pub(crate) const SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000001";
/// What tokens must be for.
pub(crate) const AUDIENCE: &str = "https://management.azure.com";
/// The key of the function app's function `status`.
pub(crate) const APP_KEY: &str = "s3cret-key-of-the-function-status";
/// A value of a setting that must never be shown.
pub(crate) const APP_SECRET: &str = "s3cret-value-of-a-setting";

/// Which versions each type is asked by.
const VERSIONS: [(&str, &[&str]); 11] = [
    ("subscriptions", &["2022-12-01"]),
    ("providers", &["2021-04-01"]),
    ("microsoft.hardwaresecuritymodules/cloudhsmclusters", &["2025-03-31"]),
    ("microsoft.insights/diagnosticsettings", &["2021-05-01-preview"]),
    ("microsoft.operationalinsights/workspaces", &["2025-07-01"]),
    ("microsoft.operationalinsights/workspaces/tables", &["2025-07-01"]),
    ("microsoft.storage/storageaccounts", &["2025-06-01"]),
    ("microsoft.storage/storageaccounts/blobservices/containers", &["2025-06-01"]),
    ("microsoft.web/sites", &["2025-03-01"]),
    ("microsoft.web/sites/config", &["2025-03-01"]),
    ("microsoft.web/sites/functions", &["2025-03-01"]),
];

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// 429 with this `Retry-After`.
    Throttled(&'static str),
    /// This status, without a body.
    Status(u16),
    /// 200 with this body.
    Body(&'static str),
    /// 200 with a body of this size.
    Huge(usize),
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
}

#[derive(Default)]
struct Inner {
    /// Things by their path in lower case.
    things: BTreeMap<String, Json>,
    /// Registration by namespace in lower case.
    providers: BTreeMap<String, String>,
    /// Actions that are not allowed; `*`: none is.
    denied: BTreeSet<String>,
    script: VecDeque<Fault>,
    requests: Vec<Asked>,
    page: usize,
    /// Where further pages are said to be, if not here.
    next_host: Option<String>,
    own: String,
    skew: TimeDelta,
    subscriptions: Vec<(String, String)>,
    /// What the app answers for its checks: status and body.
    app: Option<(u16, String)>,
}

type Shared = Arc<Mutex<Inner>>;

/// A running service.
pub(crate) struct FakeManagement {
    inner: Shared,
    server: Server,
}

/// The id of a resource of the subscription.
pub(crate) fn id(group: &str, kind: &str, name: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{kind}/{name}")
}

/// The HSM from which the records come.
pub(crate) fn hsm() -> String {
    id("rg-hsm", "Microsoft.HardwareSecurityModules/cloudHsmClusters", "hsm-prod")
}

/// The workspace that is watched.
pub(crate) fn workspace() -> String {
    id("rg-logs", "Microsoft.OperationalInsights/workspaces", "law-hsm")
}

/// The archive's account.
pub(crate) fn account() -> String {
    id("rg-logs", "Microsoft.Storage/storageAccounts", "hsmevidence")
}

/// The function app.
pub(crate) fn site() -> String {
    id("rg-watch", "Microsoft.Web/sites", "hsmwatch-x1")
}

impl FakeManagement {
    /// A subscription in which all is as it should be, for a workspace of this customer id.
    pub(crate) fn start(customer_id: &str) -> Self {
        let inner = Shared::default();
        {
            let mut inner = inner.lock().unwrap();
            inner.page = usize::MAX;
            inner.subscriptions.push((SUBSCRIPTION.to_owned(), "hsm-subscription".to_owned()));
            for namespace in [
                "Microsoft.Insights",
                "Microsoft.HardwareSecurityModules",
                "Microsoft.OperationalInsights",
                "Microsoft.Storage",
                "Microsoft.Web",
                "Microsoft.App",
            ] {
                inner.providers.insert(namespace.to_lowercase(), "Registered".to_owned());
            }
        }
        let app = Router::new()
            .route("/api/status", any(function))
            .fallback(answer)
            .with_state(Arc::clone(&inner));
        let fake = Self { inner, server: Server::start(app) };
        fake.inner.lock().unwrap().own = fake.url();
        fake.put(
            &hsm(),
            json!({
                "location": "uksouth",
                "properties": {"provisioningState": "Succeeded", "activationState": "Active"},
            }),
        );
        fake.put(
            &workspace(),
            json!({
                "location": "uksouth",
                "properties": {"customerId": customer_id, "provisioningState": "Succeeded",
                    "publicNetworkAccessForQuery": "Enabled"},
            }),
        );
        fake.put(&format!("{}/tables/CloudHsmServiceOperationAuditLogs", workspace()), json!({
            "properties": {"plan": "Analytics", "retentionInDays": 365, "totalRetentionInDays": 2557},
        }));
        fake.put(&account(), json!({"location": "uksouth", "properties": {}}));
        fake.put(
            &format!(
                "{}/blobServices/default/containers/insights-logs-hsmserviceoperations",
                account()
            ),
            json!({"properties": {"hasImmutabilityPolicy": false,
                "immutableStorageWithVersioning": {"enabled": true}}}),
        );
        fake.setting(
            "hsm-to-law",
            "HsmServiceOperations",
            true,
            Some(&workspace()),
            Some(&account()),
        );
        fake
    }

    /// With a function app, which answers so when it is asked for its checks.
    pub(crate) fn with_app(self, status: u16, answer: &str) -> Self {
        let host = self.url().strip_prefix("http://").unwrap().to_owned();
        self.put(&site(), json!({
            "location": "uksouth",
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {
                id("rg-watch", "Microsoft.ManagedIdentity/userAssignedIdentities", "id-hsmwatch"):
                    {"clientId": "c-1", "principalId": "66666666-0000-0000-0000-000000000006"}}},
            "properties": {"state": "Running", "defaultHostName": host},
        }));
        self.put(
            &format!("{}/config/appsettings/list", site()),
            json!({"properties": {
            "HSMWATCH_SCHEDULE": "0 * * * * *", "AzureWebJobsStorage__accountName": "fn1",
            "AZURE_CLIENT_ID": "c-1", "HSMWATCH_SLACK_URL": APP_SECRET}}),
        );
        self.put(&format!("{}/config/configreferences/appsettings", site()), json!({"value": [
            {"name": "HSMWATCH_TEAMS_URL", "properties": {"status": "Resolved", "reference": "@Microsoft.KeyVault(SecretUri=https://kv-1.vault.azure.net/secrets/hsmwatch-teams-url)"}}]}));
        self.put(&format!("{}/functions/status/listkeys", site()), json!({"default": APP_KEY}));
        self.put(
            &format!("{}/host/default/listkeys", site()),
            json!({"functionKeys": {"default": APP_KEY}, "masterKey": "s3cret-master"}),
        );
        self.inner.lock().unwrap().app = Some((status, answer.to_owned()));
        self
    }

    /// For `--management-endpoint`.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// A thing is there, or is changed.
    pub(crate) fn put(&self, id: &str, mut thing: Json) {
        thing["id"] = id.into();
        thing["name"] = id.rsplit('/').next().unwrap().into();
        self.inner.lock().unwrap().things.insert(id.to_lowercase(), thing);
    }

    /// A thing is gone, with all that is in it.
    pub(crate) fn remove(&self, id: &str) {
        let id = id.to_lowercase();
        let within = format!("{id}/");
        self.inner
            .lock()
            .unwrap()
            .things
            .retain(|path, _| *path != id && !path.starts_with(&within));
    }

    /// A diagnostic setting of the HSM.
    pub(crate) fn setting(
        &self,
        name: &str,
        category: &str,
        enabled: bool,
        workspace: Option<&str>,
        account: Option<&str>,
    ) {
        let id = format!("{}/providers/Microsoft.Insights/diagnosticSettings/{name}", hsm());
        self.put(
            &id,
            json!({"properties": {
                "logs": [{"category": category, "enabled": enabled}],
                "workspaceId": workspace, "storageAccountId": account,
            }}),
        );
    }

    /// No diagnostic setting is left.
    pub(crate) fn no_settings(&self) {
        let prefix = format!("{}/providers/microsoft.insights/", hsm()).to_lowercase();
        self.inner.lock().unwrap().things.retain(|path, _| !path.starts_with(&prefix));
    }

    /// A subscription of this state of registration.
    pub(crate) fn register(&self, namespace: &str, state: &str) {
        self.inner.lock().unwrap().providers.insert(namespace.to_lowercase(), state.to_owned());
    }

    /// An action is not allowed from now on; `*`: none is.
    pub(crate) fn deny(&self, action: &str) {
        self.inner.lock().unwrap().denied.insert(action.to_lowercase());
    }

    /// The next requests get these.
    pub(crate) fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.inner.lock().unwrap().script.extend(faults);
    }

    /// Listings come in pages of this size; the next is at another host, if one is named.
    pub(crate) fn pages(&self, size: usize, next_host: Option<&str>) {
        let mut inner = self.inner.lock().unwrap();
        inner.page = size;
        inner.next_host = next_host.map(str::to_owned);
    }

    /// The service's clock is ahead by so much.
    pub(crate) fn skew(&self, by: TimeDelta) {
        self.inner.lock().unwrap().skew = by;
    }

    /// A further subscription.
    pub(crate) fn subscription(&self, id: &str, name: &str) {
        self.inner.lock().unwrap().subscriptions.push((id.to_owned(), name.to_owned()));
    }

    pub(crate) fn requests(&self) -> Vec<Asked> {
        self.inner.lock().unwrap().requests.clone()
    }
}

async fn answer(
    State(shared): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let mut inner = shared.lock().unwrap();
    let date = (Utc::now() + inner.skew).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let (status, body) = decide(&mut inner, &method, &uri, &headers);
    let retry = match status {
        429 => body.strip_prefix("retry:").map(str::to_owned),
        _ => None,
    };
    let mut response = Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .header(header::DATE, date)
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8");
    if let Some(wait) = retry {
        response = response.header(header::RETRY_AFTER, wait);
    }
    response.body(Body::from(body)).unwrap()
}

fn refuse(status: u16, code: &str, message: &str) -> (u16, String) {
    (status, json!({"error": {"code": code, "message": message}}).to_string())
}

fn decide(inner: &mut Inner, method: &Method, uri: &Uri, headers: &HeaderMap) -> (u16, String) {
    let path = uri.path().to_owned();
    let query = uri.query().unwrap_or_default().to_owned();
    inner.requests.push(Asked {
        method: method.to_string(),
        path: path.clone(),
        query: query.clone(),
    });
    if let Some(fault) = inner.script.pop_front() {
        return match fault {
            Fault::Throttled(wait) => (429, format!("retry:{wait}")),
            Fault::Status(status) => (status, String::new()),
            Fault::Body(text) => (200, text.to_owned()),
            Fault::Huge(size) => (200, format!("\"{}\"", "x".repeat(size))),
        };
    }
    let authorization =
        headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let Some(token) = authorization.strip_prefix("Bearer ") else {
        return refuse(
            401,
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        );
    };
    if audience(token).as_deref() != Some(AUDIENCE) {
        return refuse(
            401,
            "InvalidAuthenticationTokenAudience",
            &format!(
                "The access token has been obtained for the wrong audience or resource; it should be '{AUDIENCE}'."
            ),
        );
    }
    if *method == Method::POST && !headers.contains_key(header::CONTENT_LENGTH) {
        return (411, String::new());
    }
    let parameters: BTreeMap<String, String> =
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let Some(version) = parameters.get("api-version") else {
        return refuse(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        );
    };
    let path = percent_encoding::percent_decode_str(&path).decode_utf8_lossy().to_lowercase();
    let Some(kind) = kind(&path) else {
        return refuse(404, "InvalidResourceType", &format!("nothing of the kind: {path}"));
    };
    let known = VERSIONS.iter().find(|(of, _)| {
        kind == *of
            || kind.starts_with("microsoft.web/sites/") && of.starts_with("microsoft.web/sites")
    });
    if !known.is_some_and(|(_, versions)| versions.contains(&version.as_str())) {
        return refuse(
            400,
            "InvalidApiVersionParameter",
            &format!("The api-version '{version}' is invalid for `{kind}`."),
        );
    }
    let verb = if *method == Method::POST { "action" } else { "read" };
    let action = match kind.as_str() {
        "subscriptions" => "Microsoft.Resources/subscriptions/read".to_owned(),
        "providers" => "Microsoft.Resources/subscriptions/providers/read".to_owned(),
        kind => format!("{kind}/{verb}"),
    };
    let denied = inner.denied.contains("*") || inner.denied.contains(&action.to_lowercase());
    if denied && path != "/subscriptions" {
        return refuse(
            403,
            "AuthorizationFailed",
            &format!(
                "The client 'doctor' with object id 'o' does not have authorization to perform action '{action}' over scope '{path}' or the scope is invalid. If access was recently granted, please refresh your credentials."
            ),
        );
    }
    if path == "/subscriptions" {
        let all: Vec<Json> = if denied {
            Vec::new()
        } else {
            inner.subscriptions.iter().map(|(id, name)| json!({"subscriptionId": id, "displayName": name, "state": "Enabled"})).collect()
        };
        return page(inner, uri, &parameters, &all);
    }
    let subscription = path.split('/').nth(2).unwrap_or_default();
    let Some((_, name)) = inner.subscriptions.iter().find(|(id, _)| id == subscription) else {
        return refuse(
            404,
            "SubscriptionNotFound",
            &format!("The subscription '{subscription}' could not be found."),
        );
    };
    if kind == "subscriptions" {
        return (
            200,
            json!({"subscriptionId": subscription, "displayName": name, "state": "Enabled"})
                .to_string(),
        );
    }
    if kind == "providers" {
        let namespace = path.rsplit('/').next().unwrap();
        let state = inner.providers.get(namespace).map_or("NotRegistered", |state| state);
        return (200, json!({"namespace": namespace, "registrationState": state}).to_string());
    }
    let namespace = kind.split('/').next().unwrap();
    if inner.providers.get(namespace).is_none_or(|state| state != "Registered") {
        return refuse(
            409,
            "MissingSubscriptionRegistration",
            &format!(
                "The subscription is not registered to use namespace '{namespace}'. See https://aka.ms/rps-not-found for how to register subscriptions."
            ),
        );
    }
    if let Some(thing) = inner.things.get(&path) {
        return (200, thing.to_string());
    }
    // A collection: of a subscription, or of a resource.
    let last = path.rsplit('/').next().unwrap().to_owned();
    let collection = last == kind.rsplit('/').next().unwrap() && *method == Method::GET;
    if collection {
        let under = |id: &str| -> bool {
            if let Some(parent) =
                path.strip_suffix("/providers/microsoft.insights/diagnosticsettings")
            {
                return id.starts_with(&format!(
                    "{parent}/providers/microsoft.insights/diagnosticsettings/"
                ));
            }
            id.starts_with(&format!("/subscriptions/{subscription}/"))
                && id.contains(&format!("/providers/{kind}/"))
                && {
                    let rest = id.rsplit_once(&format!("/providers/{kind}/")).unwrap().1;
                    !rest.contains('/')
                }
        };
        let all: Vec<Json> = inner
            .things
            .iter()
            .filter(|(id, _)| under(id))
            .map(|(_, thing)| thing.clone())
            .collect();
        return page(inner, uri, &parameters, &all);
    }
    refuse(404, "ResourceNotFound", &format!("The Resource '{path}' was not found."))
}

fn page(
    inner: &Inner,
    uri: &Uri,
    parameters: &BTreeMap<String, String>,
    all: &[Json],
) -> (u16, String) {
    let from: usize = parameters.get("$skiptoken").and_then(|n| n.parse().ok()).unwrap_or(0);
    let to = from.saturating_add(inner.page).min(all.len());
    let mut answer = json!({"value": all[from..to]});
    if to < all.len() {
        let version = &parameters["api-version"];
        let host = inner.next_host.as_ref().unwrap_or(&inner.own);
        answer["nextLink"] =
            format!("{host}{}?api-version={version}&$skiptoken={to}", uri.path()).into();
    }
    (200, answer.to_string())
}

/// The type that a path is about, in lower case.
fn kind(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["subscriptions"] | ["subscriptions", _] => return Some("subscriptions".to_owned()),
        ["subscriptions", _, "providers", _] => return Some("providers".to_owned()),
        _ => {}
    }
    let at = parts.iter().rposition(|part| *part == "providers")?;
    let (namespace, rest) = (parts.get(at + 1)?, parts.get(at + 2..)?);
    let kinds: Vec<&str> =
        rest.iter().step_by(2).copied().filter(|kind| !kind.is_empty()).collect();
    let kinds: Vec<&str> = kinds.into_iter().filter(|kind| *kind != "default").collect();
    Some(format!("{namespace}/{}", kinds.join("/")))
}

fn audience(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Json = serde_json::from_slice(&claims).ok()?;
    Some(claims["aud"].as_str()?.trim_end_matches('/').to_owned())
}

/// The deployed function.
async fn function(
    State(shared): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let mut inner = shared.lock().unwrap();
    let query = uri.query().unwrap_or_default().to_owned();
    inner.requests.push(Asked {
        method: method.to_string(),
        path: uri.path().to_owned(),
        query: query.clone(),
    });
    let key = headers.get("x-functions-key").and_then(|v| v.to_str().ok());
    let (status, body) = match &inner.app {
        _ if key != Some(APP_KEY) => (401, String::new()),
        _ if query != "checks=run" => (400, String::new()),
        Some(answer) => answer.clone(),
        None => (404, String::new()),
    };
    Response::builder().status(status).body(Body::from(body)).unwrap()
}
