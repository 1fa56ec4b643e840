//! `cargo xtask figures`: what the README quotes, measured over the program that packages hold.

use crate::{Usage, pack, scratch};
use anyhow::{Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

mod handler;
mod service;
mod storage;
mod watching;

const HELP: &str = "\
Measures hsmwatch on this machine, over the program of a package (profile dist, static).

Usage: cargo xtask figures [--only PART[,PART]] [--runs N] [--binary FILE]

  --only PART    watching, handler or storage; all without
  --runs N       runs of each case of `watching` [default: 5]
  --binary FILE  a program that was built before, instead of building one

Parts:
  watching: `run --once` with nothing new; 10,000 rows all new and none new; 500,000 rows (about 100 MB) all new, beside bare
            JSON parsing of the same bytes. Medians
  handler:  the function app: from its start until it answers and until its first alert arrives (20 starts), resident memory
            idle and after 1,000 ticks, the size of the package
  storage:  requests to Blob Storage in a tick, and in a delivery, counted in front of Azurite (needs node and npm)

The query service, the receiver and the Functions host are threads of this process.
";

/// What can be measured.
const PARTS: [&str; 3] = ["watching", "handler", "storage"];

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Options {
    only: Vec<String>,
    runs: usize,
    binary: Option<PathBuf>,
}

pub(crate) fn run(args: &[String]) -> Result<()> {
    let Some(options) = parse(args)? else {
        print!("{HELP}");
        return Ok(());
    };
    let out = scratch().join("figures");
    let package = pack::of(options.binary, &out)?;
    println!("{}", machine());
    println!("{}", package.summary);
    let program = package.app.join("hsmwatch");
    for part in PARTS {
        if !options.only.is_empty() && !options.only.iter().any(|name| name == part) {
            continue;
        }
        println!("\n{part}");
        match part {
            "watching" => watching::measure(&program, options.runs)?,
            "handler" => handler::measure(&package.app, &out)?,
            _ => storage::measure(&package.app, &out)?,
        }
    }
    Ok(())
}

/// The options, or `None` where help was asked for.
fn parse(args: &[String]) -> Result<Option<Options>> {
    let mut options = Options { only: Vec::new(), runs: 5, binary: None };
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let flag = arg.as_str();
        if matches!(flag, "--help" | "-h") {
            return Ok(None);
        }
        if !matches!(flag, "--only" | "--runs" | "--binary") {
            bail!(Usage(format!("`{flag}` is not understood; see cargo xtask figures --help")));
        }
        let value = rest.next().ok_or_else(|| Usage(format!("`{flag}` wants a value")))?;
        match flag {
            "--only" => {
                for name in value.split(',') {
                    if !PARTS.contains(&name) {
                        let parts = PARTS.join(", ");
                        bail!(Usage(format!("`{name}` is no part; the parts are {parts}")));
                    }
                    options.only.push(name.to_owned());
                }
            }
            "--runs" => {
                options.runs = value
                    .parse()
                    .ok()
                    .filter(|runs| *runs > 0)
                    .ok_or_else(|| Usage(format!("`{value}` is not a number of runs")))?;
            }
            _ => options.binary = Some(PathBuf::from(value)),
        }
    }
    Ok(Some(options))
}

fn machine() -> String {
    let cores = thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| {
            line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim())
        })
        .unwrap_or("unknown processor");
    format!("{cores} cores, {model}")
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// The highest resident memory so far, in KiB, from a process's `status`.
fn high_water(status: &Path) -> Option<u64> {
    memory(status, "VmHWM:")
}

/// One line of a process's `status`, in KiB.
fn memory(status: &Path, line: &str) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|text| text.strip_prefix(line))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Option<Options>> {
        parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_understood() {
        let all = Options { only: Vec::new(), runs: 5, binary: None };
        assert_eq!(parsed(&[]).unwrap(), Some(all));
        let some = Options {
            only: vec!["handler".to_owned(), "storage".to_owned()],
            runs: 2,
            binary: Some("hsmwatch".into()),
        };
        let args = ["--only", "handler,storage", "--runs", "2", "--binary", "hsmwatch"];
        assert_eq!(parsed(&args).unwrap(), Some(some));
        assert_eq!(parsed(&["--help"]).unwrap(), None);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (args, word) in [
            (&["--only", "nothing"][..], "`nothing`"),
            (&["--only"], "`--only`"),
            (&["--runs", "0"], "`0`"),
            (&["-x"], "`-x`"),
        ] {
            let error = parsed(args).unwrap_err();
            assert!(error.is::<Usage>() && error.to_string().contains(word), "{error}");
        }
    }
}
