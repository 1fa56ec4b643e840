//! `cargo xtask test`: every check that CI runs, one after the other, cheapest first.

use crate::{Usage, browser, pack, root, variable};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How a step that did not fail ended.
pub(crate) enum Done {
    /// It ran; a few words on what it saw, or none.
    Passed(String),
    /// It built the package.
    Package(pack::Package),
    /// It did not run, and why.
    Skipped(String),
}

/// One check.
struct Step {
    name: &'static str,
    about: &'static str,
    what: What,
}

enum What {
    /// Cargo with these arguments and environment variables.
    Cargo(&'static [&'static str], &'static [(&'static str, &'static str)]),
    /// The tool must be there first; the text says how to get it.
    Tool { arguments: &'static [&'static str], install: &'static str },
    /// Code of ours.
    Own(fn() -> Result<Done>),
}

const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        about: "the layout is rustfmt's (mend with: cargo fmt --all)",
        what: What::Cargo(&["fmt", "--all", "--", "--check"], &[]),
    },
    Step {
        name: "deny",
        about: "bans, licences and sources of all dependencies (needs cargo-deny)",
        what: What::Tool {
            arguments: &["deny", "--locked", "check", "bans", "licenses", "sources"],
            install: "cargo install cargo-deny --locked",
        },
    },
    Step {
        name: "clippy",
        about: "no lint complains, in any target",
        what: What::Cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[]),
    },
    Step {
        name: "doc",
        about: "the documentation builds, and its links lead somewhere",
        what: What::Cargo(&["doc", "--workspace", "--no-deps"], &[("RUSTDOCFLAGS", "-D warnings")]),
    },
    Step {
        name: "package",
        about: "the function app is built, in dist/; the tests then drive that very package (Linux x86-64)",
        what: What::Own(package),
    },
    Step {
        name: "browser",
        about: "Chromium is there, for the tests of the status page (with CI=true and as root: installs it)",
        what: What::Own(browser::run),
    },
    Step {
        name: "test",
        about: "unit tests, properties, snapshots, black-box tests, examples in the docs",
        what: What::Cargo(&["test", "--workspace"], &[]),
    },
];

impl Step {
    /// The command as one would type it.
    fn shown(&self) -> String {
        match self.what {
            What::Cargo(arguments, environment) => {
                let mut words: Vec<String> =
                    environment.iter().map(|(name, value)| format!("{name}='{value}'")).collect();
                words.push("cargo".to_owned());
                words.extend(arguments.iter().map(|word| (*word).to_owned()));
                words.join(" ")
            }
            What::Tool { arguments, .. } => format!("cargo {}", arguments.join(" ")),
            What::Own(_) => format!("cargo xtask test --only {}", self.name),
        }
    }

    /// Runs it; `package` is what an earlier step of the same run has built.
    fn run(&self, package: Option<&Path>) -> Result<Done> {
        match self.what {
            What::Cargo(arguments, environment) => cargo(arguments, environment, package),
            What::Tool { arguments, install } => {
                let tool = arguments.first().copied().unwrap_or_default();
                if is_installed(tool) {
                    cargo(arguments, &[], None)
                } else {
                    Ok(Done::Skipped(format!("cargo-{tool} is not installed: {install}")))
                }
            }
            What::Own(run) => run(),
        }
    }
}

/// Runs the steps that `args` name, all without names.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let Some(only) = parse(args)? else {
        print!("{}", help());
        return Ok(());
    };
    let chosen: Vec<&Step> =
        STEPS.iter().filter(|step| only.is_empty() || only.contains(&step.name)).collect();
    let mut summary = Vec::new();
    let mut package: Option<PathBuf> = None;
    for (n, step) in chosen.iter().enumerate() {
        println!("[{}/{}] {}: {}", n + 1, chosen.len(), step.name, step.shown());
        let start = Instant::now();
        let result = step.run(package.as_deref());
        let took = seconds(start.elapsed());
        let line = match result {
            Ok(Done::Passed(seen)) if seen.is_empty() => {
                format!("{:7} passed   {took:>8}", step.name)
            }
            Ok(Done::Passed(seen)) => format!("{:7} passed   {took:>8}  {seen}", step.name),
            Ok(Done::Package(built)) => {
                package = Some(built.zip);
                format!("{:7} passed   {took:>8}  {}", step.name, built.summary)
            }
            Ok(Done::Skipped(why)) => format!("{:7} SKIPPED  {took:>8}  {why}", step.name),
            Err(error) => {
                for line in &summary {
                    println!("      {line}");
                }
                bail!(
                    "step `{name}` failed after {took}: {error:#}

  the same alone: {shown}",
                    name = step.name,
                    shown = step.shown(),
                );
            }
        };
        println!("      {line}\n");
        summary.push(line);
    }
    println!("cargo xtask test: nothing failed");
    for line in &summary {
        println!("      {line}");
    }
    Ok(())
}

/// The steps to run (none: all), or `None` where help was asked for.
fn parse(args: &[String]) -> Result<Option<Vec<&'static str>>> {
    let mut only = Vec::new();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let names = match arg.as_str() {
            "--help" | "-h" => return Ok(None),
            "--only" => rest
                .next()
                .ok_or_else(|| Usage(format!("`--only` wants the name of a step: {}", names())))?,
            other => match other.strip_prefix("--only=") {
                Some(names) => names,
                None => bail!(Usage(format!(
                    "`{other}` is not understood; see cargo xtask test --help"
                ))),
            },
        };
        for name in names.split(',') {
            match STEPS.iter().find(|step| step.name == name) {
                Some(step) => only.push(step.name),
                None => {
                    bail!(Usage(format!("`{name}` is no step; the steps are {}", self::names())))
                }
            }
        }
    }
    Ok(Some(only))
}

fn names() -> String {
    STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join(", ")
}

fn help() -> String {
    let mut text = String::from(
        "Checks everything that CI checks, cheapest first, and stops at the first failure.\n\n\
         Usage: cargo xtask test [--only STEP[,STEP]]\n\nSteps, in this order:\n",
    );
    for step in STEPS {
        text.extend(["  ", step.name, ": ", step.about, "\n      $ ", &step.shown(), "\n"]);
    }
    text += "\nA step whose tool is missing is skipped, and the summary says so. With CI=true a\n\
             missing Chromium is a failure, unless HSMWATCH_OFFLINE=1 says that there is no network; it is\n\
             installed if that is allowed.\n\n\
             One test alone:           cargo test -p hsmwatch NAME\n\
             Accept changed snapshots: INSTA_UPDATE=always cargo test, then read the diff\n";
    text
}

/// Builds the package that the tests drive.
fn package() -> Result<Done> {
    if !pack::HERE {
        return Ok(Done::Skipped("packages are built on Linux x86-64".to_owned()));
    }
    Ok(Done::Package(pack::plain()?))
}

/// Runs cargo at the root, its output going where ours goes.
fn cargo(arguments: &[&str], environment: &[(&str, &str)], package: Option<&Path>) -> Result<Done> {
    let status = cargo_command()
        .args(arguments)
        .envs(environment.iter().copied())
        .envs(package.map(|zip| ("HSMWATCH_PACKAGE", zip)))
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("the command ended with {status}");
    }
    Ok(Done::Passed(String::new()))
}

fn is_installed(subcommand: &str) -> bool {
    cargo_command()
        .args([subcommand, "--version"])
        .output()
        .is_ok_and(|output| output.status.success())
}

/// The cargo that started us.
fn cargo_command() -> Command {
    let mut command = Command::new(variable("CARGO").unwrap_or_else(|| "cargo".to_owned()));
    command.current_dir(root());
    command
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Option<Vec<&'static str>>> {
        parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn no_names_mean_all_steps() {
        assert_eq!(parsed(&[]).unwrap(), Some(vec![]));
    }

    #[test]
    fn steps_are_named_in_every_usual_way() {
        for args in [
            &["--only", "fmt,doc"][..],
            &["--only=fmt", "--only=doc"],
            &["--only", "fmt", "--only", "doc"],
        ] {
            assert_eq!(parsed(args).unwrap(), Some(vec!["fmt", "doc"]));
        }
    }

    #[test]
    fn help_wins() {
        assert_eq!(parsed(&["--only", "fmt", "--help"]).unwrap(), None);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (args, word) in [
            (&["--only", "nothing"][..], "`nothing`"),
            (&["--only"], "`--only`"),
            (&["-x"], "`-x`"),
        ] {
            let error = parsed(args).unwrap_err();
            assert!(error.is::<Usage>() && error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn commands_are_shown_as_one_types_them() {
        let doc = STEPS.iter().find(|step| step.name == "doc").unwrap();
        assert_eq!(doc.shown(), "RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps");
    }
}
