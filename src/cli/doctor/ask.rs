//! What the command line asks for, checked: what is to be looked at.

use super::hsm::TYPE as HSM_TYPE;
use super::workspace::{TYPE as WORKSPACE_TYPE, Watched};
use crate::azure::is_loopback;
use crate::azure::management::{ResourceId, is_guid};
use crate::cli::report::Stop;
use crate::cli::setup::{self, Setup};
use crate::config::{Cloud, Source, System, nearest};
use crate::ports::LogSource;
use crate::watch::step::TABLE;
use std::collections::BTreeSet;
use std::sync::Arc;
use url::Url;

/// What to look at.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    /// Workspaces by name, customer id or resource id; empty: those of the configuration.
    pub(super) workspaces: Vec<String>,
    pub(super) hsms: Vec<ResourceId>,
    pub(super) subscription: Option<String>,
    pub(super) app: Option<String>,
    pub(super) group: Option<String>,
    /// Without a configuration.
    pub(super) cloud: Cloud,
    /// Stand-ins for the cloud's hosts.
    pub(super) management: Option<Url>,
    pub(super) query: Option<Url>,
    /// From inside a function app: what it can see of itself.
    pub(super) inside: bool,
}

impl Ask {
    /// Checks what was asked for.
    pub(super) fn of(args: &super::Args) -> Result<Self, Stop> {
        let mut hsms = Vec::new();
        for text in &args.hsm {
            let id = ResourceId::parse(text).filter(|id| id.is(HSM_TYPE)).ok_or_else(|| {
                Stop::usage("`--hsm` is not the resource id of a Cloud HSM").hint(format!(
                    "/subscriptions/GUID/resourceGroups/GROUP/providers/{HSM_TYPE}/NAME"
                ))
            })?;
            hsms.push(id);
        }
        let subscription = args.subscription.as_ref().map(|id| id.trim().to_ascii_lowercase());
        if subscription.as_deref().is_some_and(|id| !is_guid(id)) {
            return Err(Stop::usage("`--subscription` is not the id of a subscription, a GUID")
                .hint("az account list --output table"));
        }
        let named = |name: &str| {
            !name.is_empty()
                && name.len() <= 90
                && name.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c))
                && !name.chars().all(|c| c == '.')
        };
        if args.app.as_deref().is_some_and(|app| {
            app.is_empty()
                || app.len() > 60
                || !app.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        }) {
            return Err(Stop::usage("`--app` is not the name of a function app")
                .hint("its name alone, without `.azurewebsites.net`"));
        }
        if args.resource_group.as_deref().is_some_and(|group| !named(group)) {
            return Err(Stop::usage("`--resource-group` is not the name of a resource group"));
        }
        Ok(Self {
            workspaces: args.workspace.clone(),
            hsms,
            subscription,
            app: args.app.clone(),
            group: args.resource_group.clone(),
            cloud: args.cloud(),
            management: args.management_endpoint.as_deref().map(endpoint).transpose()?,
            query: args.query_endpoint.as_deref().map(endpoint).transpose()?,
            inside: false,
        })
    }

    /// Whether a resource of Azure is named.
    pub(super) fn names_resources(&self) -> bool {
        !(self.workspaces.is_empty()
            && self.hsms.is_empty()
            && self.subscription.is_none()
            && self.app.is_none())
    }

    /// The workspaces to look at. A configuration that cannot be used names none.
    pub(super) fn watched(
        &self,
        setup: Option<&Setup>,
        refused: bool,
        lookup: &System,
    ) -> Result<Vec<Watched>, Stop> {
        let configured = setup.map(configured).unwrap_or_default();
        if self.workspaces.is_empty() {
            return Ok(configured);
        }
        let here = self.query.as_ref().is_some_and(is_loopback);
        let mut watched = Vec::new();
        for text in &self.workspaces {
            let text = text.trim();
            let same = |w: &&Watched| {
                w.name == text
                    || w.customer_id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(text))
                    || w.resource_id.is_some() && w.resource_id == ResourceId::parse(text)
            };
            if let Some(known) = configured.iter().find(same) {
                watched.push(known.clone());
            } else if is_guid(text) {
                let id = text.to_ascii_lowercase();
                watched.push(Watched {
                    source: self.source(&id, lookup).ok(),
                    customer_id: Some(id),
                    ..bare(text, here)
                });
            } else if let Some(id) = ResourceId::parse(text).filter(|id| id.is(WORKSPACE_TYPE)) {
                watched.push(Watched { resource_id: Some(id.clone()), ..bare(id.name(), here) });
            } else if !refused {
                let near = nearest(text, configured.iter().map(|w| w.name.as_str()));
                let hint = near.map_or_else(
                    || "a workspace's name in the configuration, its customer id, or its resource id".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                let stop = Stop::usage("`--workspace` names no workspace of the configuration");
                return Err(stop.hint(hint));
            }
        }
        Ok(watched)
    }

    /// The way to a workspace that is not configured.
    pub(super) fn source(
        &self,
        customer_id: &str,
        lookup: &System,
    ) -> Result<Arc<dyn LogSource>, String> {
        let source = setup::log_analytics(self.cloud, customer_id, self.query.as_ref(), lookup)?;
        Ok(Arc::new(source))
    }

    /// The subscriptions that are named in any way.
    pub(super) fn subscriptions(
        &self,
        watched: &[Watched],
        seen: &BTreeSet<ResourceId>,
    ) -> BTreeSet<String> {
        let ids = self
            .hsms
            .iter()
            .chain(watched.iter().filter_map(|watched| watched.resource_id.as_ref()))
            .chain(seen.iter().filter(|_| self.hsms.is_empty()));
        ids.map(|id| id.subscription().to_ascii_lowercase())
            .chain(self.subscription.clone())
            .collect()
    }
}

fn bare(name: &str, here: bool) -> Watched {
    Watched {
        name: name.to_owned(),
        customer_id: None,
        resource_id: None,
        source: None,
        files: false,
        here,
        tables: vec![TABLE.to_owned()],
    }
}

fn configured(setup: &Setup) -> Vec<Watched> {
    let workspaces = setup.config.workspaces.iter();
    workspaces
        .map(|workspace| {
            let mut tables: BTreeSet<String> = BTreeSet::from([TABLE.to_owned()]);
            for ready in &setup.rules {
                let here = ready
                    .rule
                    .workspaces
                    .as_ref()
                    .is_none_or(|names| names.contains(&workspace.name));
                if let (true, Ok(outline)) = (here, kql::outline(&ready.rule.query)) {
                    tables.extend(outline.tables);
                }
            }
            let source = setup.workspace(workspace).ok().map(|made| Arc::clone(&made.source));
            let (mut customer_id, mut resource_id, mut here) = (None, None, false);
            let files = match &workspace.source {
                Source::LogAnalytics { id, endpoint, resource_id: resource } => {
                    customer_id = Some(id.clone());
                    resource_id = resource.as_deref().and_then(ResourceId::parse);
                    here = endpoint.as_ref().is_some_and(is_loopback);
                    false
                }
                Source::Files { .. } => true,
            };
            Watched {
                name: workspace.name.clone(),
                customer_id,
                resource_id,
                source,
                files,
                here,
                tables: tables.into_iter().collect(),
            }
        })
        .collect()
}

/// A stand-in for a cloud's host: https, or on this machine.
fn endpoint(text: &str) -> Result<Url, Stop> {
    let bad = || Stop::usage("an endpoint must be an https URL (http only on this machine)");
    let url = Url::parse(text).map_err(|_| bad())?;
    let good = url.scheme() == "https" || url.scheme() == "http" && is_loopback(&url);
    if good && url.query().is_none() && url.username().is_empty() { Ok(url) } else { Err(bad()) }
}
