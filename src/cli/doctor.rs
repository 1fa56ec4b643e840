//! `doctor`: walks the whole chain from the HSM to the receivers, and says of each link what was seen and what cures it.
//!
//! ```text
//! configuration ─► tokens ─► subscriptions ─► HSMs ─► diagnostic settings ─► archive
//!                    └─► workspaces ─► tables ─► records         state ─► watches, receivers, app
//! ```
//! A check is made from what was seen by a pure function wherever there is something to decide. What cannot be seen, for want
//! of a right or of an earlier link, is said so, and the rest goes on.

mod app;
mod archive;
mod arm;
mod ask;
mod chain;
mod clock;
mod configuration;
mod cures;
mod diagnostics;
mod hsm;
mod identity;
mod kinds;
mod package;
mod receivers;
mod records;
mod show;
mod state;
mod subscription;
mod watches;
mod workspace;

use super::report::{Stop, colour, out, progress_done, talk};
use super::{Context, Done, Format, runtime, setup};
use crate::config::Cloud;
use crate::hosts::checks::Report;
use ask::Ask;
use chrono::Utc;
use futures_util::future::BoxFuture;
use show::Shown;
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Duration;

/// Whoever asks an app over its front end is cut off soon after.
const INSIDE: Duration = Duration::from_secs(140);

const AFTER: &str = "\
Examples:
  hsmwatch doctor                           everything that the configuration names
  hsmwatch doctor --hsm /subscriptions/…    without a configuration: is this HSM's log set up?
  hsmwatch doctor --subscription ID         the same for every HSM in a subscription
  hsmwatch doctor --app hsmwatch-x1         the deployed app, and what it says of itself
  hsmwatch doctor --format json | jq '.checks[] | select(.verdict == \"fail\")'

It reads, and changes nothing, save for one document in the state store, which it writes and
deletes at once (a container that is not there yet is made, as by the first run). Receivers get a
connection, and not a byte. What this identity may not see is a warning that says who may, and the
rest goes on.

As JSON: {version, at, checks: [{id, title, subject, verdict, seen, cure: {az, portal, text}}],
  summary: {ok, warn, fail, skipped}, app: {name, report} or null}
A verdict is ok, warn, fail or skipped; `subject` and `cure` may be null, and so may each field of
a cure. `az` holds commands, one a line. `app.report` has the same shape, without `app`; the
summary counts both.

";

/// The help's end: examples, the JSON, and every check.
static HELP: LazyLock<String> = LazyLock::new(|| {
    let width = kinds::ALL.iter().map(|kind| kind.id.len()).max().unwrap_or(0);
    let lines = kinds::ALL.iter().map(|kind| format!("  {:<width$}  {}\n", kind.id, kind.about));
    format!(
        "{AFTER}Checks, in the order of the chain, by their ids:\n{}\n\
         Exit codes: 0 all ok, or warnings; 1 a check failed; 2 usage.",
        lines.collect::<String>()
    )
});

/// Look at the whole chain, from the HSM to the receivers
///
/// Walks it as Microsoft's tutorial does under "Verify Cloud HSM logging is configured", and further: identity, providers,
/// HSMs, diagnostic settings, archive, workspace, table, records, state, receivers, watches. Each line says what was seen, and
/// the exact command or portal step that cures it.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP.as_str())]
pub(crate) struct Args {
    /// A workspace: its name in the configuration, its customer id, or its resource id; may be repeated [default: all
    /// configured]
    #[arg(long, value_name = "NAME")]
    workspace: Vec<String>,
    /// A Cloud HSM by its resource id; may be repeated [default: those in the log, else those in the subscriptions]
    #[arg(long, value_name = "RESOURCE_ID")]
    hsm: Vec<String>,
    /// The subscription to look in [default: those of the resources named, else all that can be read]
    #[arg(long, value_name = "ID")]
    subscription: Option<String>,
    /// A deployed function app: how it is set up, and the checks that it makes under its own identity
    ///
    /// Its function key is looked up; whoever may not list keys can set `HSMWATCH_APP_KEY`.
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// The resource group of the app [default: looked for]
    #[arg(long, value_name = "NAME", requires = "app")]
    resource_group: Option<String>,
    /// The cloud, where no configuration says it
    #[arg(long, value_name = "CLOUD", value_parser = ["public", "usgov", "china"])]
    cloud: Option<String>,
    /// Stands in for the cloud's Resource Manager
    #[arg(long, value_name = "URL", hide = true)]
    management_endpoint: Option<String>,
    /// Stands in for the cloud's query API, for workspaces that are not configured
    #[arg(long, value_name = "URL", hide = true)]
    query_endpoint: Option<String>,
}

impl Args {
    fn cloud(&self) -> Cloud {
        let word = self.cloud.as_deref().unwrap_or_default();
        Cloud::ALL.into_iter().find(|cloud| cloud.as_str() == word).unwrap_or_default()
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> Done {
    #[expect(clippy::disallowed_methods, reason = "a verb reads the clock once")]
    let now = Utc::now();
    let ask = Ask::of(args)?;
    let setup = setup::find(context);
    let runtime = runtime()?;
    let shown = runtime.block_on(Box::pin(chain::walk(ask, setup, now)));
    // Whoever still waits for a lock is not waited for.
    runtime.shutdown_background();
    progress_done();
    let shown = shown?;
    print(context, &shown)?;
    Ok(if shown.fails() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(context: &Context, shown: &Shown) -> Result<(), Stop> {
    if context.format == Format::Json {
        let text = serde_json::to_string_pretty(&shown.json());
        out(text.map_err(|error| Stop::no(error.to_string()))?);
    } else {
        out(shown.text(colour()));
        talk(shown.sentence());
    }
    Ok(())
}

/// What a deployed app can see of itself: settings, package, identity, workspaces, state and receivers.
pub(crate) async fn inside(context: &Context) -> Report {
    #[expect(clippy::disallowed_methods, reason = "an invocation reads the clock once")]
    let now = Utc::now();
    // An app without a configuration has all problems of one.
    let setup = Box::pin(setup::load_in(context)).await.map(Some);
    let ask = Ask { inside: true, ..Ask::default() };
    let walk: BoxFuture<'_, Result<Shown, Stop>> = Box::pin(chain::walk(ask, setup, now));
    match tokio::time::timeout(INSIDE, walk).await {
        Ok(Ok(shown)) => shown.report,
        Ok(Err(stop)) => Report::new(now, vec![kinds::CONFIGURATION.fail(stop.sentence())]),
        Err(_) => {
            let why = format!("not done within {} s: a service does not answer", INSIDE.as_secs());
            Report::new(now, vec![kinds::APP_CHECKS.fail(why)])
        }
    }
}
