//! `handler`: the custom handler of an Azure Functions app.

use super::report::Stop;
use super::supply::Reloading;
use super::{Context, Done, runtime};
use crate::config::{Lookup as _, System};
use crate::hosts::functions::{self, Limits};
use crate::hosts::{daemon, functions::log};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tracing::Level;

/// Answer an Azure Functions host (it starts this itself)
///
/// Listens on 127.0.0.1 for the invocations of the functions tick, evaluate, deliver, dead-letter and status. With a
/// configuration that cannot be used it starts all the same, fails each invocation with one clear sentence, and `status`
/// shows it. To try it by hand: `hsmwatch handler --port 7071`, then
/// `curl -d '{"Data":{"timer":{}}}' http://127.0.0.1:7071/tick`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The port that the host gives
    #[arg(long, env = "FUNCTIONS_CUSTOMHANDLER_PORT", value_name = "PORT")]
    port: u16,

    /// What is logged: errors, warnings and information to the stream from which the host reads that level
    #[arg(long, env = "HSMWATCH_LOG", value_name = "LEVEL", default_value_t = Level::INFO)]
    log: Level,
}

pub(crate) fn run(context: &Context, args: &Args) -> Done {
    let runtime = runtime()?;
    let context = Context { config: context.config.clone(), format: context.format };
    log::start(args.log);
    runtime.block_on(async {
        let at = ("127.0.0.1", args.port);
        // Whatever else is wrong is said in answers, where people look for it.
        let listener = TcpListener::bind(at)
            .await
            .map_err(|e| Stop::no(format!("cannot listen on 127.0.0.1:{}: {e}", args.port)))?;
        let stop =
            daemon::signal().map_err(|e| Stop::no(format!("cannot listen for signals: {e}")))?;
        functions::serve(listener, Arc::new(Reloading::new(context)), limits(), stop)
            .await
            .map_err(|e| Stop::no(format!("cannot serve: {e}")))?;
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    })
}

/// The host kills the whole process when an invocation takes longer than it allows.
fn limits() -> Limits {
    let lookup = System::here();
    let setting = lookup.var("AzureFunctionsJobHost__functionTimeout");
    let host_json = lookup.read(Path::new("host.json")).ok();
    Limits::read(setting.as_deref(), host_json.as_deref())
}
