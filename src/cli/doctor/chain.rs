//! The walk along the chain: what depends on nothing is looked at at the same time, and what was seen is put in order.

use super::arm::{Arm, few};
use super::ask::Ask;
use super::diagnostics::{self, Seen, Watching};
use super::hsm::{self, Hsm};
use super::identity::{self, Who};
use super::kinds::{PACKAGE, QUERY, RECEIVER, STATE, TOKEN, WATCHES};
use super::records::{self, Look};
use super::show::Shown;
use super::subscription::{self, Subscriptions};
use super::workspace::{self, Place, Watched};
use super::{app, archive, clock, configuration, cures, package, receivers, state, watches};
use crate::azure::identity::{AzureIdentity, Choice, StaticToken, TokenSource, choose};
use crate::azure::is_loopback;
use crate::azure::management::{Management, ResourceId};
use crate::cli::report::{Stop, progress};
use crate::cli::setup::{self, Setup};
use crate::config::{Lookup as _, State, System};
use crate::hosts::checks::{Check, Report};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use std::collections::BTreeSet;
use std::sync::Arc;
use url::Url;

/// What a token for storage is good for, in every cloud.
const STORAGE_SCOPE: &str = "https://storage.azure.com/.default";

/// Looks at everything.
pub(super) async fn walk(
    mut ask: Ask,
    setup: Result<Option<Setup>, Stop>,
    now: DateTime<Utc>,
) -> Result<Shown, Stop> {
    progress("looking at the configuration …");
    let mut checks = configuration::checks(&setup);
    let refused = setup.is_err();
    let setup = setup.ok().flatten();
    let lookup = setup.as_ref().map_or_else(System::here, |setup| setup.lookup().clone());
    if let Some(setup) = &setup {
        ask.cloud = setup.config.cloud;
    }
    let mut watched = ask.watched(setup.as_ref(), refused, &lookup)?;

    progress("asking for tokens …");
    let known = Box::pin(tokens(&ask, setup.as_ref(), &watched, &lookup, now)).await;
    let Identity { checks: told, who, arm, may_query } = known;
    checks.extend(told);

    let (inside, who) = (ask.inside, who.as_ref());
    // A workspace that is named as a resource is asked by an id that only the resource says.
    for watched in &mut watched {
        if watched.source.is_none() && watched.resource_id.is_some() {
            let place = workspace::place(&arm, watched, &Subscriptions::default()).await;
            let source = place.customer_id.as_deref().map(|id| ask.source(id, &lookup));
            watched.source = source.and_then(Result::ok);
            watched.customer_id = place.customer_id;
        }
    }

    progress("looking at workspaces, state and receivers …");
    let (looks, (state, watching), reached) = tokio::join!(
        Box::pin(looks(&watched, may_query.is_ok(), now)),
        Box::pin(stateful(setup.as_ref(), who, now)),
        Box::pin(receivers_of(setup.as_ref())),
    );
    let mut skews: Vec<(&str, TimeDelta)> =
        looks.iter().flatten().filter_map(|look| Some(("the query API", look.skew?))).collect();

    let in_records: BTreeSet<ResourceId> = looks.iter().flatten().flat_map(Look::hsms).collect();
    let mut resources = Vec::new();
    let mut places = vec![Place::default(); watched.len()];
    let mut subscriptions = Subscriptions::default();
    if !inside {
        progress("looking at resources …");
        let named = ask.subscriptions(&watched, &in_records);
        let namespaces = namespaces(&ask);
        subscriptions = Box::pin(subscription::look(&arm, &named, &namespaces)).await;
        let hsms = Box::pin(hsm::look(&arm, &ask.hsms, &in_records, &subscriptions)).await;
        places = Box::pin(places_of(&arm, &watched, &subscriptions)).await;
        let leads = leads(&watched, &places);
        let used = hsms.all.iter().map(|hsm| hsm.id.subscription().to_ascii_lowercase());
        resources.extend(subscriptions.checks(&used.collect()));
        resources.extend(hsms.checks.iter().cloned());
        resources.extend(hsms.all.iter().map(|hsm| hsm.check.clone()));
        progress("looking at diagnostic settings …");
        let looks = hsms.all.iter().map(|hsm| -> BoxFuture<'_, Logging> {
            Box::pin(logging(&arm, hsm, &leads, in_records.contains(&hsm.id)))
        });
        let seen = few(looks.collect()).await;
        let (settings, archives): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
        resources.extend(settings.into_iter().flatten());
        resources.extend(archives.into_iter().flatten());
    }
    if let Ok(arm) = &arm {
        skews.extend(arm.skew().map(|skew| ("Resource Manager", skew)));
    }
    checks.push(clock::check(&skews));
    checks.extend(resources);
    for ((watched, look), place) in watched.iter().zip(&looks).zip(&places) {
        checks.extend(
            Box::pin(of_workspace(
                &arm,
                watched,
                look.as_ref(),
                place,
                who,
                &may_query,
                now,
                inside,
            ))
            .await,
        );
    }
    checks.push(state);
    checks.extend(reached);
    if let Ok(status) = &watching {
        checks.extend(receivers::off(status));
    }
    if package::is_app(&lookup) {
        checks.extend(package::checks(&package::variables(), &System::here(), who));
    } else if ask.app.is_none() {
        checks.push(PACKAGE.skipped("this is no function app; `--app NAME` asks a deployed one"));
    }
    match watching {
        Ok(status) => checks.extend(watches::checks(&status, now)),
        Err(why) => checks.push(WATCHES.skipped(why)),
    }
    let mut own = None;
    if let Some(name) = &ask.app {
        progress("looking at the function app, which looks at itself …");
        let asked = app::Asked {
            name,
            group: ask.group.as_deref(),
            cloud: setup::azure(ask.cloud),
            key: lookup
                .var("HSMWATCH_APP_KEY")
                .filter(|key| !key.trim().is_empty())
                .map(SecretString::from),
        };
        let app = Box::pin(app::look(&arm, &asked, &subscriptions)).await;
        checks.extend(app.checks);
        own = Some((name.clone(), app.own));
    }
    Ok(Shown { report: Report::new(now, checks), app: own })
}

/// The identity of this process, as far as it is known.
struct Identity {
    checks: Vec<Check>,
    who: Option<Who>,
    arm: Arm,
    may_query: Result<(), String>,
}

/// Asks for a token for each audience that is needed.
async fn tokens(
    ask: &Ask,
    setup: Option<&Setup>,
    watched: &[Watched],
    lookup: &System,
    now: DateTime<Utc>,
) -> Identity {
    let azure = setup::azure(ask.cloud);
    let choice = match choose(|name| lookup.var(name)) {
        Ok(choice) => choice,
        Err(error) => {
            let why = "there is no identity (see the check `token`)";
            let checks = vec![TOKEN.fail(error.to_string())];
            return Identity {
                checks,
                who: None,
                arm: Err(why.to_owned()),
                may_query: Err(why.to_owned()),
            };
        }
    };
    let source: Arc<dyn TokenSource> = Arc::new(AzureIdentity::new(choice.clone(), azure));
    let nobody = matches!(choice, Choice::DeveloperTools);
    let here = |url: &Url| nobody && is_loopback(url);

    let queries = watched.iter().any(|watched| !watched.files);
    let query_here = nobody && watched.iter().all(|watched| watched.files || watched.here);
    let management =
        ask.management.clone().or_else(|| Url::parse(azure.management_endpoint()).ok());
    let management_here = management.as_ref().is_some_and(here);
    // Whoever watches exported files alone need not have Azure at all.
    let azure_matters = setup.is_none() || queries || ask.names_resources();
    let storage = setup.is_some_and(|setup| match &setup.config.state {
        State::Blob { account_url, secret: None, .. } => {
            account_url.query().is_none() && !is_loopback(account_url)
        }
        _ => false,
    });

    let token = |wanted: bool, audience: &'static str, scope: &'static str| {
        let (source, choice) = (Arc::clone(&source), &choice);
        async move {
            if !wanted {
                return None;
            }
            Some(identity::ask(audience, scope, choice, source.as_ref(), now).await)
        }
    };
    let (query, arm, storage) = tokio::join!(
        token(queries && !query_here, "query API", azure.query_scope()),
        token(
            azure_matters && !ask.inside && !management_here,
            "Resource Manager",
            azure.management_scope()
        ),
        token(storage, "storage", STORAGE_SCOPE),
    );
    let mut checks = Vec::new();
    let may_query = match &query {
        Some(asked) if !asked.got => Err("there is no token for the query API".to_owned()),
        _ => Ok(()),
    };
    if queries && query_here {
        checks.push(
            TOKEN.skipped("the query API is on this machine: no token is needed").of("query API"),
        );
    }
    let reachable = match (&arm, management) {
        _ if !azure_matters => Err("only exported files are watched".to_owned()),
        (Some(asked), _) if !asked.got => Err("there is no token for Resource Manager".to_owned()),
        (_, None) => Err("there is no Resource Manager".to_owned()),
        (_, Some(url)) => {
            let source: Arc<dyn TokenSource> = if management_here {
                Arc::new(StaticToken("loopback".to_owned().into()))
            } else {
                Arc::clone(&source)
            };
            Management::new(url, azure.management_scope(), source).map(Arc::new)
        }
    };
    let mut who = None;
    for asked in [query, arm, storage].into_iter().flatten() {
        let whose = asked.who.clone();
        checks.push(asked.check(who.as_ref()));
        who = who.or(whose);
    }
    Identity { checks, who, arm: reachable, may_query }
}

fn namespaces(ask: &Ask) -> Vec<&'static str> {
    let mut namespaces = vec!["Microsoft.Insights", "Microsoft.HardwareSecurityModules"];
    if ask.app.is_some() {
        namespaces.extend(["Microsoft.Web", "Microsoft.App"]);
    }
    namespaces
}

/// Asks every workspace that can be asked.
async fn looks(watched: &[Watched], may: bool, now: DateTime<Utc>) -> Vec<Option<Look>> {
    let looks = watched.iter().map(|watched| -> BoxFuture<'_, Option<Look>> {
        Box::pin(async move {
            let source = watched.source.as_ref().filter(|_| may && !watched.files)?;
            Some(records::look(source.as_ref(), &watched.tables, now).await)
        })
    });
    few(looks.collect()).await
}

async fn places_of(arm: &Arm, watched: &[Watched], subscriptions: &Subscriptions) -> Vec<Place> {
    let looks = watched.iter().map(|watched| -> BoxFuture<'_, Place> {
        Box::pin(workspace::place(arm, watched, subscriptions))
    });
    few(looks.collect()).await
}

/// Where diagnostic settings should lead.
fn leads(watched: &[Watched], places: &[Place]) -> Watching {
    let remote: Vec<(&Watched, &Place)> =
        watched.iter().zip(places).filter(|(watched, _)| !watched.files).collect();
    let ids: Vec<Option<ResourceId>> = remote.iter().map(|(_, place)| place.id.clone()).collect();
    let lead = |(watched, place): &(&Watched, &Place)| match &place.id {
        Some(id) => Some(cures::word(id.as_str())),
        None => watched.customer_id.as_deref().map(cures::workspace_id),
    };
    Watching {
        nothing: ids.is_empty(),
        unknown: ids.iter().any(Option::is_none),
        places: ids.into_iter().flatten().collect(),
        lead: remote.first().and_then(lead),
    }
}

/// What there is to say of an HSM's settings, and of its archives.
type Logging = (Vec<Check>, Vec<Check>);

/// The diagnostic settings of an HSM, and its archives.
async fn logging(arm: &Arm, hsm: &Hsm, leads: &Watching, has_records: bool) -> Logging {
    let seen: Seen = diagnostics::look(arm, hsm, leads, has_records).await;
    let archives = archive::look(arm, hsm, &seen).await;
    (seen.checks, archives)
}

#[expect(clippy::too_many_arguments, reason = "each is one thing that was seen")]
async fn of_workspace(
    arm: &Arm,
    watched: &Watched,
    look: Option<&Look>,
    place: &Place,
    who: Option<&Who>,
    may_query: &Result<(), String>,
    now: DateTime<Utc>,
    inside: bool,
) -> Vec<Check> {
    let mut checks = Vec::new();
    if watched.files {
        return vec![
            QUERY
                .ok("it reads exported log files: there is nothing of Azure to look at")
                .of(&watched.name),
        ];
    }
    checks.extend(place.check.clone());
    if let Some(look) = look {
        let role = || workspace::cure(watched, place, who);
        checks.extend(records::checks(watched, look, &role, now));
    } else {
        let unknown = || "its customer id is not known".to_owned();
        let why = may_query.clone().err().unwrap_or_else(unknown);
        checks.push(QUERY.skipped(why).of(&watched.name));
    }
    if !inside {
        checks.extend(workspace::table(arm, watched, place, look).await);
    }
    checks
}

/// The state, and what it says of the watches.
async fn stateful(
    setup: Option<&Setup>,
    who: Option<&Who>,
    now: DateTime<Utc>,
) -> (Check, Result<crate::engine::status::Status, String>) {
    let Some(setup) = setup else {
        let why = "there is no configuration that could be used";
        return (STATE.skipped(why), Err(why.to_owned()));
    };
    let seen = Box::pin(state::look(setup, who, now)).await;
    let status = match seen.store {
        Some(store) => watches::read(setup, store, now).await,
        None if seen.check.verdict == crate::hosts::checks::Verdict::Ok => {
            Err("there is no state yet: hsmwatch has not run".to_owned())
        }
        None => Err("the state cannot be read".to_owned()),
    };
    (seen.check, status)
}

async fn receivers_of(setup: Option<&Setup>) -> Vec<Check> {
    match setup {
        Some(setup) => receivers::look(setup).await,
        None => vec![RECEIVER.skipped("there is no configuration that could be used")],
    }
}
