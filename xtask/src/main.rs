//! Chores of this repository: `cargo xtask COMMAND`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a chore talks to whoever started it"
)]

use anyhow::{Result, bail};
use std::path::PathBuf;
use std::process::ExitCode;
use xtask::root;

mod browser;
mod demo_events;
mod figures;
mod npm;
mod pack;
mod steps;

/// One chore.
struct Command {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result<()>,
}

/// All chores. A new one is a module and an entry here.
const COMMANDS: &[Command] = &[
    Command { name: "figures", about: "measure what the README quotes", run: figures::run },
    Command {
        name: "package",
        about: "build the function app: a folder, and the zip to deploy",
        run: pack::run,
    },
    Command { name: "test", about: "check everything that CI checks", run: steps::run },
    Command {
        name: "demo-events",
        about: "write the bundled log of `hsmwatch demo` from its seed",
        run: demo_events::run,
    },
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            // 2: asked for something that is not there; 1: it ran, and the answer is no.
            if error.is::<Usage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// The command line cannot be understood.
#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

fn dispatch(args: &[String]) -> Result<()> {
    let Some((name, rest)) = args.split_first() else {
        print!("{}", help());
        return Ok(());
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", help());
        return Ok(());
    }
    match COMMANDS.iter().find(|command| command.name == name) {
        Some(command) => (command.run)(rest),
        None => bail!(Usage(format!("`{name}` is no chore; `cargo xtask --help` lists them"))),
    }
}

fn help() -> String {
    let mut text = String::from("Chores of this repository.\n\nUsage: cargo xtask COMMAND\n\n");
    for command in COMMANDS {
        text.extend(["  ", command.name, ": ", command.about, "\n"]);
    }
    text += "\n`cargo xtask COMMAND --help` says more.\n";
    text
}

/// Where chores keep what they make or download.
fn scratch() -> PathBuf {
    variable("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |dir| root().join(dir))
        .join("xtask")
}

/// An environment variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "a chore has no configuration but its environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
