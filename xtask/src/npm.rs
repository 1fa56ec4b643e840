//! Tools that come through npm, each in a folder of its own, exactly as its lock file pins them.

use crate::{root, scratch};
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Puts what `source` (a folder of the repository) pins into the scratch folder `name`, unless it is there.
pub(crate) fn install(source: &str, name: &str, what: &str) -> Result<PathBuf> {
    for tool in ["node", "npm"] {
        let there = Command::new(tool).arg("--version").output().is_ok_and(|o| o.status.success());
        if !there {
            bail!("`{tool}` is not installed, so no {what}");
        }
    }
    let folder = scratch().join(name);
    let source = root().join(source);
    let stamp = folder.join("installed.json");
    let lock = fs::read(source.join("package-lock.json")).context("cannot read the lock file")?;
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(folder);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    for file in ["package.json", "package-lock.json"] {
        fs::copy(source.join(file), folder.join(file))
            .with_context(|| format!("cannot copy `{file}`"))?;
    }
    println!("      installing {what} with npm, once");
    let output = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(&folder)
        .output()
        .context("cannot start npm")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("npm cannot install it: {}", said.lines().next().unwrap_or("it said nothing"));
    }
    // Written last: a broken installation has no stamp and is done again.
    fs::write(&stamp, lock).context("cannot write the stamp")?;
    Ok(folder)
}
