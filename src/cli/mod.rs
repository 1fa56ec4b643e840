//! The command line: one verb a file. The only place that prints, and the only one that turns configuration into an engine.

mod backtest;
mod catalogue;
mod check;
mod columns;
mod credential;
mod demo;
mod doctor;
mod explain;
mod handler;
mod identity;
mod inbox;
mod init;
mod keeper;
mod listen;
mod origin;
mod query;
mod receivers;
mod report;
mod rows;
mod rules;
mod run;
mod sample;
mod send_test;
mod setup;
mod span;
mod status;
mod supply;
mod templates;
mod test;
mod test_alert;
mod verify;

use clap::{Parser, Subcommand, ValueEnum};
use report::Stop;
use std::path::PathBuf;
use std::process::ExitCode;

const AFTER: &str = "\
First steps:
  hsmwatch demo                          see it at work: no account, no configuration
  hsmwatch init                          write a configuration
  hsmwatch check                         look at the configuration and the rules
  hsmwatch doctor                        look at everything from the HSM to the receivers
  hsmwatch run --once                    one tick on this machine, for cron
  hsmwatch run                           keep watching until told to stop

Exit codes: 0 fine; 1 it ran and the answer is no; 2 usage or configuration.
Data goes to standard output, talk to standard error.";

/// Watches the audit log of an Azure Cloud HSM and tells people what happened to their keys and users: signed, once, and
/// without a miss.
#[derive(Debug, Parser)]
#[command(name = "hsmwatch", version, about, long_about, after_help = AFTER)]
pub(crate) struct Cli {
    /// The configuration, a file or the https address of a blob [default: hsmwatch.toml if it is there, else HSMWATCH_*
    /// variables alone]
    #[arg(long, global = true, env = "HSMWATCH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,

    /// How to print
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,

    #[command(subcommand)]
    verb: Verb,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Human,
    /// For programs
    Json,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Demo(demo::Args),
    Run(run::Args),
    Init(Box<init::Args>),
    Check(check::Args),
    Doctor(doctor::Args),
    Status(status::Args),
    Receivers(receivers::Args),
    Test(test::Args),
    Backtest(backtest::Args),
    Query(query::Args),
    Rules(rules::Args),
    Explain(explain::Args),
    SendTest(send_test::Args),
    Verify(verify::Args),
    Listen(listen::Args),
    Handler(handler::Args),
}

/// Runs the verb that the command line names.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers; anything else is usage.
            let code = if error.use_stderr() { 2 } else { 0 };
            report::clap(&error);
            return ExitCode::from(code);
        }
    };
    let context = Context { config: cli.config, format: cli.format };
    let done = match cli.verb {
        Verb::Demo(args) => demo::run(&context, &args),
        Verb::Run(args) => run::run(&context, &args),
        Verb::Init(args) => init::run(&context, &args),
        Verb::Check(args) => check::run(&context, &args),
        Verb::Doctor(args) => doctor::run(&context, &args),
        Verb::Status(args) => status::run(&context, &args),
        Verb::Receivers(args) => receivers::run(&context, &args),
        Verb::Test(args) => test::run(&context, &args),
        Verb::Backtest(args) => backtest::run(&context, &args),
        Verb::Query(args) => query::run(&context, args),
        Verb::Rules(args) => rules::run(&context, &args),
        Verb::Explain(args) => explain::run(&context, &args),
        Verb::SendTest(args) => send_test::run(&context, &args),
        Verb::Verify(args) => verify::run(&context, &args),
        Verb::Listen(args) => listen::run(&context, &args),
        Verb::Handler(args) => handler::run(&context, &args),
    };
    match done {
        Ok(code) => code,
        Err(stop) => stop.report(),
    }
}

/// What every verb knows.
#[derive(Debug)]
pub(crate) struct Context {
    config: Option<PathBuf>,
    format: Format,
}

/// A verb's end: an exit code, or why it stopped.
pub(crate) type Done = Result<ExitCode, Stop>;

/// An asynchronous runtime for a verb.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Stop> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Stop::no(format!("cannot start: {e}")))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
