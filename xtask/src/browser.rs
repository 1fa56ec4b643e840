//! The browser that shows the status page in tests: Debian's Chromium and a font to write with.

use crate::steps::Done;
use crate::variable;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// What is installed. Without the font there would be boxes in place of letters.
const PACKAGES: [&str; 2] = ["chromium", "fonts-dejavu-core"];
/// Names under which it may be there already; the tests look for the same.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Installs the browser where it is missing and where we may, and says how otherwise.
pub(crate) fn run() -> Result<Done> {
    if let Some(found) = installed() {
        return Ok(Done::Passed(found.display().to_string()));
    }
    let advice = format!("apt-get install --no-install-recommends {}", PACKAGES.join(" "));
    if variable("CI").is_none() {
        return Ok(Done::Skipped(format!(
            "there is no Chromium, its tests will be passed over: {advice}"
        )));
    }
    if !is_root() {
        bail!("there is no Chromium, and only root can install it: {advice}");
    }
    apt(&["update", "-qq"])?;
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(PACKAGES);
    apt(&install)?;
    match installed() {
        Some(found) => Ok(Done::Passed(format!("installed {}", found.display()))),
        None => bail!("Chromium is not on the PATH though its package is installed: {advice}"),
    }
}

/// The browser, if it is on the `PATH`.
fn installed() -> Option<PathBuf> {
    let path = variable("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|dir| NAMES.map(|name| dir.join(name)))
        .find(|program| program.is_file())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn apt(arguments: &[&str]) -> Result<()> {
    let status = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()
        .context("cannot start apt-get: install Chromium by hand")?;
    if !status.success() {
        bail!("apt-get {} ended with {status}", arguments.join(" "));
    }
    Ok(())
}
