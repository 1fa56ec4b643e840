//! `cargo xtask package`: the function app, ready to be deployed.

use crate::{Usage, variable};
use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::package::{Contents, accept, assemble, inspect, rule_files, zip};
use xtask::root;

const HELP: &str = "\
Builds the function app: DIR/app, DIR/hsmwatch.zip and DIR/hsmwatch.zip.sha256.

Usage: cargo xtask package [--config FILE] [--out DIR] [--binary FILE]

  --config FILE  take this configuration into the package, with the rule files that it names; it is checked first
  --out DIR      where to write [default: dist]
  --binary FILE  a program that was built elsewhere, instead of building one

The program is for Linux on x86-64 and static, so that it starts on every image of the Functions host; one that needs
other libraries or a glibc newer than 2.31 is refused. The same input gives the same zip, byte for byte.
";

/// What packages are built for.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Whether packages can be built here.
pub(crate) const HERE: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    config: Option<PathBuf>,
    out: Option<PathBuf>,
    binary: Option<PathBuf>,
}

/// A package that was written.
pub(crate) struct Package {
    pub(crate) app: PathBuf,
    pub(crate) zip: PathBuf,
    /// Its parts and sizes, for people.
    pub(crate) summary: String,
}

pub(crate) fn run(args: &[String]) -> Result<()> {
    let Some(options) = parse(args)? else {
        print!("{HELP}");
        return Ok(());
    };
    let package = make(&options)?;
    println!("{}\n  {}\n  {}", package.summary, package.app.display(), package.zip.display());
    Ok(())
}

/// The package of this repository, without a configuration, in `dist/`.
pub(crate) fn plain() -> Result<Package> {
    make(&Options::default())
}

/// A package of this repository, without a configuration, around this program or one that is built.
pub(crate) fn of(binary: Option<PathBuf>, out: &Path) -> Result<Package> {
    make(&Options { binary, out: Some(out.to_path_buf()), config: None })
}

/// The options, or `None` where help was asked for.
fn parse(args: &[String]) -> Result<Option<Options>> {
    let mut options = Options::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let (flag, mut value) = match arg.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        let place = match flag {
            "--help" | "-h" => return Ok(None),
            "--config" => &mut options.config,
            "--out" => &mut options.out,
            "--binary" => &mut options.binary,
            _ => bail!(Usage(format!("`{arg}` is not understood; see cargo xtask package --help"))),
        };
        let value = value.take().or_else(|| rest.next().cloned()).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| Usage(format!("`{flag}` wants a path")))?;
        if place.replace(PathBuf::from(value)).is_some() {
            bail!(Usage(format!("`{flag}` is given twice")));
        }
    }
    Ok(Some(options))
}

fn make(options: &Options) -> Result<Package> {
    let out = options.out.clone().unwrap_or_else(|| root().join("dist"));
    let (app, file) = (out.join("app"), out.join("hsmwatch.zip"));
    let sum = out.join("hsmwatch.zip.sha256");
    let rules = options.config.as_deref().map(rule_files).transpose()?;
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => build()?,
    };
    let linkage = inspect(&binary)?;
    if HERE {
        is_hsmwatch(&binary)?;
    }
    let mut notes = Vec::new();
    if let Some(config) = &options.config {
        notes = checked(&binary, config)?;
    }
    // Whatever fails from here on, no zip is left that does not belong to the folder.
    for old in [&file, &sum] {
        if old.exists() {
            fs::remove_file(old).with_context(|| format!("cannot remove `{}`", old.display()))?;
        }
    }
    let contents =
        Contents { binary, config: options.config.clone(), rules: rules.unwrap_or_default() };
    assemble(&contents, &app)?;
    if options.config.is_some() {
        checked(&contents.binary, &app.join("hsmwatch.toml")).context(
            "the configuration is fine where it lies, but not in the package: what it names must come along",
        )?;
    }
    zip(&app, &file)?;
    let bytes = fs::read(&file)?;
    fs::write(&sum, format!("{}  hsmwatch.zip\n", hex(&bytes)))
        .with_context(|| format!("cannot write `{}`", sum.display()))?;
    let program = fs::metadata(&contents.binary)?.len();
    let mut summary = format!(
        "hsmwatch.zip: {:.2} MB; the program: {:.2} MB, {linkage}",
        mb(bytes.len() as u64),
        mb(program)
    );
    for note in notes {
        let _infallible = write!(summary, "\n{note}");
    }
    Ok(Package { app, zip: file, summary })
}

/// The program, static, with no path of this machine in it.
fn build() -> Result<PathBuf> {
    ensure!(
        HERE,
        "packages are built on Linux x86-64, and this is {} {}: take the program out of a package on the repository's \
         releases page, and name it: `cargo xtask package --binary FILE`",
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    let status = Command::new(variable("CARGO").unwrap_or_else(|| "cargo".to_owned()))
        .args(["build", "--locked", "--profile", "dist", "--bin", "hsmwatch", "--target", TARGET])
        .env("CARGO_ENCODED_RUSTFLAGS", flags())
        .current_dir(root())
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "`cargo build --profile dist` ended with {status}");
    let target =
        variable("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir));
    Ok(target.join(TARGET).join("dist/hsmwatch"))
}

/// What the compiler is told besides, in cargo's own encoding.
fn flags() -> String {
    let given = variable("CARGO_ENCODED_RUSTFLAGS").unwrap_or_else(|| {
        variable("RUSTFLAGS")
            .unwrap_or_default()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(SEPARATOR)
    });
    let mut flags: Vec<String> = given.split(SEPARATOR).map(str::to_owned).collect();
    flags.retain(|flag| !flag.is_empty());
    flags.push("-Ctarget-feature=+crt-static".to_owned());
    flags.push(format!("--remap-path-prefix={}=.", root().display()));
    let home =
        variable("CARGO_HOME").or_else(|| variable("HOME").map(|home| format!("{home}/.cargo")));
    flags.extend(home.map(|home| format!("--remap-path-prefix={home}=cargo")));
    flags.join(SEPARATOR)
}

const SEPARATOR: &str = "\u{1f}";

/// Stops unless the program says that it is ours.
fn is_hsmwatch(binary: &Path) -> Result<()> {
    let shown = binary.display();
    // Without a slash, a name would be looked up on PATH.
    let output = Command::new(std::path::absolute(binary)?)
        .arg("--version")
        .output()
        .with_context(|| format!("`{shown}` does not start"))?;
    ensure!(
        output.status.success() && output.stdout.starts_with(b"hsmwatch "),
        "`{shown} --version` does not say `hsmwatch …`: it is another program"
    );
    Ok(())
}

/// Has the program check a configuration; what people should know besides.
fn checked(binary: &Path, config: &Path) -> Result<Vec<String>> {
    if !HERE {
        return Ok(vec![
            "the configuration is not checked: the program does not run here".to_owned(),
        ]);
    }
    let left = accept(&std::path::absolute(binary)?, config)?;
    Ok(if left.is_empty() {
        Vec::new()
    } else {
        vec![format!(
            "the configuration is fine; not set here, to be set in the app's settings: {}",
            left.join(", ")
        )]
    })
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Option<Options>> {
        parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_given_in_every_usual_way() {
        let expected = Options {
            config: Some("a.toml".into()),
            out: Some("b".into()),
            binary: Some("c=d".into()),
        };
        assert_eq!(
            parsed(&["--config", "a.toml", "--out=b", "--binary", "c=d"]).unwrap(),
            Some(expected)
        );
        assert_eq!(parsed(&[]).unwrap(), Some(Options::default()));
        assert_eq!(parsed(&["--out", "x", "-h"]).unwrap(), None);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (args, word) in [
            (&["--config"][..], "`--config` wants"),
            (&["--out="], "`--out` wants"),
            (&["--out", "a", "--out", "b"], "twice"),
            (&["dist"], "`dist`"),
        ] {
            let error = parsed(args).unwrap_err();
            assert!(error.is::<Usage>() && error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn sums_are_those_of_sha256sum() {
        assert_eq!(hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn programs_that_would_not_start_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("hsmwatch");
        fs::write(&script, "#!/bin/sh\necho hsmwatch 1.0\n").unwrap();
        let options = Options {
            out: Some(folder.path().join("dist")),
            binary: Some(script),
            ..Options::default()
        };
        let Err(error) = make(&options) else { panic!("it was packaged") };
        assert!(format!("{error:#}").contains("no 64-bit ELF"), "{error:#}");
        assert!(!folder.path().join("dist").exists());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn other_programs_are_refused() {
        let error = is_hsmwatch(Path::new("/bin/true")).unwrap_err().to_string();
        assert!(error.contains("another program"), "{error}");
    }
}
