//! From configuration to engine: the only place that knows both.

use super::Context;
use super::credential::credential;
use super::identity::managed_identity;
use super::origin::Origin;
use super::report::{Stop, talk};
use crate::azure::blob::BlobStore;
use crate::azure::identity::for_endpoint;
use crate::azure::logs::{LogAnalytics, LogAnalyticsOptions, PAUSES, WAIT};
use crate::azure::remote::Remote;
use crate::azure::storage;
use crate::config::{
    self, Config, Input, Known, Lookup as _, Place, Problem, Problems, RulePlace, Source, State,
    StorageSecret, System,
};
use crate::engine::{Engine, LogsLink, Watch, Workspace};
use crate::http::{Auth, Endpoint, HttpTransport, OAuth2};
use crate::local::disk::DiskStore;
use crate::local::files::LogFiles;
use crate::local::logs::FileLogs;
use crate::notify::webhook::template::Part;
use crate::notify::{self, Receiver, links, sign::SigningKey};
use crate::ports::{LogSource, StateStore, Transport};
use crate::watch::build::{At, Built, RuleProblem, advice, build};
use crate::watch::plan::Timing;
use crate::watch::presets;
use crate::watch::row::Row;
use crate::watch::rule::Rule;
use secrecy::ExposeSecret as _;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::Arc;
use url::Url;

pub(crate) const FILE: &str = "hsmwatch.toml";

/// A rule, ready to be watched.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub(crate) rule: Arc<Rule>,
    /// What it returns when there is nothing.
    pub(crate) over_nothing: Vec<Row>,
    /// What the embedded engine cannot do of it.
    pub(crate) offline: Vec<Problem>,
    /// Whether it is a preset.
    pub(crate) preset: bool,
}

/// A configuration and its rules.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) rules: Vec<Ready>,
    pub(crate) warnings: Vec<Problem>,
    /// As the user would name it.
    pub(crate) source: String,
    lookup: System,
}

/// The presets as the configuration may name them.
pub(crate) fn known() -> Known {
    Known {
        preset_ids: presets::all().iter().map(|preset| preset.spec.id.clone()).collect(),
        parameters: presets::parameters(),
        sets: presets::sets(),
    }
}

/// Reads the configuration: the file or blob named, `hsmwatch.toml`, or the environment alone.
pub(crate) fn load(context: &Context) -> Result<Setup, Stop> {
    let mut origin = Origin::of(context)?;
    let (source, lookup) = (origin.source(), origin.lookup());
    let loaded = match &mut origin {
        Origin::Environment => {
            config::load(Input::Environment, &known(), &lookup).map_err(|problems| {
                Stop::from(problems).hint(format!(
                    "there is no {FILE} here and no --config; `hsmwatch demo` needs neither"
                ))
            })?
        }
        Origin::File(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| {
                Stop::usage(format!("cannot read the configuration `{source}`: {e}"))
                    .hint("name it with --config or HSMWATCH_CONFIG")
            })?;
            config::load(Input::File { name: &source, text: &text }, &known(), &lookup)?
        }
        Origin::Blob(_) => super::runtime()?.block_on(fetch(&mut origin))?,
    };
    finish(loaded, source, lookup)
}

/// The same for those who are asynchronous already.
pub(crate) async fn load_in(context: &Context) -> Result<Setup, Stop> {
    let mut origin = Origin::of(context)?;
    match origin {
        Origin::Environment | Origin::File(_) => load(context),
        Origin::Blob(_) => {
            let (source, lookup) = (origin.source(), origin.lookup());
            finish(Box::pin(fetch(&mut origin)).await?, source, lookup)
        }
    }
}

async fn fetch(origin: &mut Origin) -> Result<config::Loaded, Stop> {
    origin.refresh().await.map_err(Stop::usage)?;
    Ok(origin.read().await.map_err(Stop::usage)?.loaded?)
}

/// The configuration if there is one: for verbs that also work without.
pub(crate) fn find(context: &Context) -> Result<Option<Setup>, Stop> {
    let set = |name: &str| System::here().var(name).is_some_and(|value| !value.trim().is_empty());
    if context.config.is_none() && !Path::new(FILE).is_file() && !set("HSMWATCH_WORKSPACE_ID") {
        return Ok(None);
    }
    load(context).map(Some)
}

/// Where the configuration comes from, as the user would name it, whether or not it can be read.
pub(crate) fn source(context: &Context) -> String {
    // An address that leads nowhere may have a secret in it, and is not repeated.
    Origin::of(context).map_or_else(|_| "unknown".to_owned(), |origin| origin.source())
}

/// Builds the rules of a configuration that was read.
pub(crate) fn finish(
    loaded: config::Loaded,
    source: String,
    lookup: System,
) -> Result<Setup, Stop> {
    let config::Loaded { config, mut warnings, .. } = loaded;
    let (rules, more) = rules(&config)?;
    warnings.extend(more);
    Ok(Setup { config, rules, warnings, source, lookup })
}

/// Builds the rules that are on: presets with their overrides, then the user's own. All problems at once.
fn rules(config: &Config) -> Result<(Vec<Ready>, Vec<Problem>), Problems> {
    let files = config.workspaces.iter().any(|w| matches!(w.source, Source::Files { .. }));
    let mut ready = Vec::new();
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    let presets = config.presets.iter().filter_map(|id| presets::get(id)).map(|preset| {
        let over = config.overrides.iter().find(|(spec, _)| spec.id == preset.spec.id);
        let spec = match over {
            Some((over, _)) => preset.spec.clone().overridden_by(over.clone()),
            None => preset.spec.clone(),
        };
        (spec, over.map(|(_, place)| place), true)
    });
    let own = config.own_rules.iter().map(|(spec, place)| (spec.clone(), Some(place), false));
    for (spec, place, preset) in presets.chain(own) {
        if spec.enabled == Some(false) {
            continue;
        }
        let id = spec.id.clone();
        let Built { rule, over_nothing, problems } = build(spec, &config.schedule);
        let (offline, problems): (Vec<_>, Vec<_>) = problems.into_iter().partition(|p| p.offline);
        for problem in problems {
            let told = located(&id, place, &problem);
            if problem.warning { warnings.push(told) } else { errors.push(told) }
        }
        let offline: Vec<Problem> = offline.iter().map(|p| located(&id, place, p)).collect();
        if files {
            errors.extend(offline.clone());
        } else {
            warnings.extend(offline.clone());
        }
        if let Some(rule) = rule {
            ready.push(Ready { rule: Arc::new(rule), over_nothing, offline, preset });
        }
    }
    if errors.is_empty() { Ok((ready, warnings)) } else { Err(Problems(errors)) }
}

fn located(id: &str, place: Option<&RulePlace>, problem: &RuleProblem) -> Problem {
    let at = place.map(|place| match problem.at {
        At::Rule => place.rule.clone(),
        At::Query(offset) => {
            place.query.as_ref().map_or_else(|| place.rule.clone(), |q| q.at(offset))
        }
        At::Exclude(offset) => {
            place.exclude.as_ref().map_or_else(|| place.rule.clone(), |e| e.at(offset))
        }
    });
    let mut message = format!("rule `{id}`: {}", problem.message);
    if let Some(excerpt) = &problem.excerpt {
        for line in excerpt.lines() {
            message.push_str("\n    ");
            message.push_str(line);
        }
    }
    Problem { place: at, message, hint: problem.hint.clone() }
}

impl Setup {
    /// What is odd about the rules, beyond what keeps them from being evaluated as they are meant.
    pub(crate) fn advice(&self) -> Vec<Problem> {
        let places = || self.config.overrides.iter().chain(&self.config.own_rules);
        let of = |Ready { rule, .. }: &Ready| {
            let place = places().find(|(spec, _)| spec.id == rule.id).map(|(_, place)| place);
            advice(rule).iter().map(|problem| located(&rule.id, place, problem)).collect::<Vec<_>>()
        };
        self.rules.iter().flat_map(of).collect()
    }

    /// Says what is odd.
    pub(crate) fn warn(&self) {
        for warning in &self.warnings {
            talk(format!("warning: {warning}"));
        }
    }

    /// The receivers, without their addresses.
    pub(crate) fn receivers(&self) -> Result<Vec<Receiver>, Stop> {
        self.config.receivers.iter().map(receiver).collect()
    }

    /// The way to the receivers.
    pub(crate) fn transport(&self) -> Result<Arc<dyn Transport>, Stop> {
        Ok(Arc::new(self.http_transport()?))
    }

    /// The same, by its own name.
    pub(crate) fn http_transport(&self) -> Result<HttpTransport, Stop> {
        let endpoints: BTreeMap<String, Endpoint> = self
            .config
            .receivers
            .iter()
            .map(|receiver| Ok((receiver.name.clone(), self.endpoint(receiver)?)))
            .collect::<Result<_, Stop>>()?;
        HttpTransport::new(endpoints).map_err(|e| Stop::usage(e.to_string()))
    }

    /// Where a receiver is, and how it is spoken to.
    fn endpoint(&self, receiver: &config::Receiver) -> Result<Endpoint, Stop> {
        let auth = match receiver.auth.clone() {
            config::Auth::None => Auth::None,
            config::Auth::Bearer { token } => Auth::Bearer(token),
            config::Auth::Basic { username, password } => Auth::Basic { user: username, password },
            config::Auth::Header { name, value } => Auth::Header { name, value },
            config::Auth::OAuth2 { token_url, client_id, client_secret, scope, audience } => {
                let token_url = token_url.as_str().into();
                Auth::OAuth2(OAuth2 { token_url, client_id, client_secret, scope, audience })
            }
            config::Auth::ManagedIdentity { audience, client_id } => {
                let bad = |why: &dyn fmt::Display| {
                    Stop::usage(format!("receiver `{}`: {why}", receiver.name))
                };
                let url = Url::parse(receiver.url.text.expose_secret()).map_err(|e| bad(&e))?;
                let cloud = self.config.cloud;
                let lookup = |name: &str| self.lookup.var(name);
                managed_identity(&url, &audience, client_id.as_deref(), cloud, lookup)
                    .map_err(|e| bad(&e))?
            }
        };
        Ok(Endpoint {
            url: receiver.url.text.clone(),
            allow_networks: receiver.allow_networks.clone(),
            auth,
            ca: receiver.ca.clone(),
            client_certificate: receiver.client_certificate.clone(),
        })
    }

    /// What variables mean.
    pub(crate) const fn lookup(&self) -> &System {
        &self.lookup
    }

    /// Where state lives.
    pub(crate) fn store(&self) -> Result<Arc<dyn StateStore>, Stop> {
        open(&self.config.state, self.config.cloud, &self.lookup)
    }

    /// The workspaces, with the way to each.
    pub(crate) fn workspaces(&self) -> Result<Vec<Arc<Workspace>>, Stop> {
        self.config.workspaces.iter().map(|workspace| self.workspace(workspace)).collect()
    }

    /// A workspace, with the way to it.
    pub(crate) fn workspace(&self, workspace: &config::Workspace) -> Result<Arc<Workspace>, Stop> {
        let name = workspace.name.clone();
        let bad = |why: String| Stop::usage(format!("workspace `{name}`: {why}"));
        let cloud = self.config.cloud;
        let (id, source, resource_id): (String, Arc<dyn LogSource>, Option<String>) =
            match &workspace.source {
                Source::LogAnalytics { id, endpoint, resource_id } => {
                    let source =
                        log_analytics(cloud, id, endpoint.as_ref(), &self.lookup).map_err(bad)?;
                    (id.clone(), Arc::new(source), resource_id.clone())
                }
                Source::Files { globs } => (name.clone(), file_logs(globs)?, None),
            };
        let portal = cloud.portal_host();
        let logs_link: Box<LogsLink> = Box::new(move |kql, window, about| {
            // Without the workspace's own ARM id, the HSM's: the blade opens with that scope.
            let resource = resource_id.as_deref().or(about)?;
            links::logs_link(portal, None, resource, kql, window)
        });
        Ok(Arc::new(Workspace { id, name: workspace.name.clone(), source, logs_link }))
    }

    /// Every rule on every workspace it runs on.
    pub(crate) fn watches(&self) -> Result<Vec<Watch>, Stop> {
        let receivers = self.receivers()?;
        let mut watches = Vec::new();
        for workspace in self.workspaces()? {
            for Ready { rule, over_nothing, .. } in &self.rules {
                let here =
                    rule.workspaces.as_ref().is_none_or(|names| names.contains(&workspace.name));
                if here {
                    watches.push(Watch {
                        workspace: Arc::clone(&workspace),
                        rule: Arc::clone(rule),
                        receivers: told(rule, &receivers),
                        over_nothing: over_nothing.clone(),
                    });
                }
            }
        }
        Ok(watches)
    }

    /// The engine.
    pub(crate) fn engine(&self) -> Result<Engine, Stop> {
        Ok(Engine::new(
            self.store()?,
            self.transport()?,
            self.receivers()?,
            self.timing(),
            self.config.silent_after,
            instance(),
        ))
    }

    /// Where a byte of a receiver's template stands.
    pub(crate) fn template_place(
        &self,
        receiver: &str,
        part: &Part,
        offset: usize,
    ) -> Option<Place> {
        let places = &self.config.receivers.iter().find(|r| r.name == receiver)?.templates;
        let text = match part {
            Part::Body => places.body.as_ref(),
            Part::Header(name) => places.headers.get(name),
            Part::ContentType => None,
        };
        Some(text?.at(offset))
    }

    /// The times that decide what is asked.
    pub(crate) fn timing(&self) -> Timing {
        let Config { overlap, sweep, sweep_every, catch_up, .. } = self.config;
        Timing { overlap, sweep, sweep_every, catch_up }
    }
}

/// The way to a workspace of Log Analytics.
pub(crate) fn log_analytics(
    cloud: config::Cloud,
    workspace_id: &str,
    endpoint: Option<&Url>,
    lookup: &System,
) -> Result<LogAnalytics, String> {
    let azure = azure(cloud);
    let endpoint = match endpoint {
        Some(url) => url.clone(),
        None => Url::parse(azure.query_endpoint()).map_err(|e| e.to_string())?,
    };
    let credential =
        for_endpoint(&endpoint, azure, |name| lookup.var(name)).map_err(|e| e.to_string())?;
    let loopback = crate::azure::is_loopback(&endpoint);
    let options = LogAnalyticsOptions {
        endpoint,
        workspace_id: workspace_id.to_owned(),
        scope: azure.query_scope().to_owned(),
        credential,
        http: crate::azure::client(loopback).map_err(|e| e.to_string())?,
        wait: WAIT,
        pauses: PAUSES,
    };
    LogAnalytics::new(options).map_err(|e| e.to_string())
}

/// The same cloud, as the adapters have it.
pub(crate) const fn azure(cloud: config::Cloud) -> crate::azure::Cloud {
    match cloud {
        config::Cloud::Public => crate::azure::Cloud::Public,
        config::Cloud::UsGov => crate::azure::Cloud::UsGov,
        config::Cloud::China => crate::azure::Cloud::China,
    }
}

/// The same secret, as the adapters have it.
pub(crate) fn storage_secret(secret: StorageSecret) -> storage::Secret {
    match secret {
        StorageSecret::AccountKey(key) => storage::Secret::AccountKey(key),
        StorageSecret::Sas(sas) => storage::Secret::Sas(sas),
    }
}

/// A container that is read before, or without, a configuration that could say how: by what the environment has.
pub(crate) fn container(
    url: &Url,
    container: &str,
) -> Result<Result<Remote, storage::StorageError>, Stop> {
    let lookup = System::here();
    let secret = config::storage_secret(&lookup)?.map(storage_secret);
    let cloud = azure(config::Cloud::of_account(url));
    let key = storage::key(url, secret.as_ref(), cloud, |name| lookup.var(name));
    Ok(key.and_then(|(key, who)| Remote::new(url, container, &key, who)))
}

/// The store at a place.
pub(crate) fn open(
    state: &State,
    cloud: config::Cloud,
    lookup: &System,
) -> Result<Arc<dyn StateStore>, Stop> {
    match state {
        State::Folder(path) => {
            let store = DiskStore::open(path).map_err(|e| Stop::no(e.to_string()))?;
            Ok(Arc::new(store))
        }
        State::Blob { account_url, container, secret } => {
            let bad = |e: storage::StorageError| Stop::usage(format!("state: {e}"));
            let secret = secret.clone().map(storage_secret);
            let lookup = |name: &str| lookup.var(name);
            let (key, who) =
                storage::key(account_url, secret.as_ref(), azure(cloud), lookup).map_err(bad)?;
            Ok(Arc::new(BlobStore::new(account_url, container, &key, who).map_err(bad)?))
        }
    }
}

/// Exported logs, evaluated by the embedded engine.
pub(crate) fn file_logs(globs: &[String]) -> Result<Arc<FileLogs>, Stop> {
    let files =
        LogFiles::open(globs, Path::new("")).map_err(|error| Stop::usage(error.to_string()))?;
    Ok(Arc::new(FileLogs::new(files)))
}

/// Names of the receivers that alerts of a rule are for.
pub(crate) fn told(rule: &Rule, receivers: &[Receiver]) -> Vec<String> {
    receivers
        .iter()
        .filter(|receiver| notify::wants(receiver, &rule.id, rule.severity))
        .filter(|r| rule.receivers.as_ref().is_none_or(|names| names.contains(&r.name)))
        .map(|receiver| receiver.name.clone())
        .collect()
}

fn receiver(configured: &config::Receiver) -> Result<Receiver, Stop> {
    let mut keys = Vec::new();
    for secret in &configured.secrets {
        keys.push(
            SigningKey::parse(secret.expose_secret())
                .map_err(|e| Stop::usage(format!("receiver `{}`: {e}", configured.name)))?,
        );
    }
    Ok(Receiver {
        name: configured.name.clone(),
        settings: configured.settings.clone(),
        min_severity: configured.min_severity,
        rules: configured.rules.clone(),
        detail: configured.detail,
        keys,
        credential: credential(configured),
    })
}

/// Tells this process from all others that may write in the same millisecond: eight random hex digits.
pub(crate) fn instance() -> String {
    let random = RandomState::new().hash_one(std::process::id());
    format!("{:08x}", random >> 32)
}
