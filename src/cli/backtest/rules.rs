//! The rules of a back-test: checked as a configuration's are, for they are read as one.

use super::super::setup::{self, Ready, Setup};
use super::super::{Context, report::Stop};
use crate::config::{self, Input, Problems, System};
use crate::watch::presets;
use std::path::Path;

/// The rules that are named, or those of the configuration that are on.
pub(super) fn ready(context: &Context, named: &[String]) -> Result<Vec<Ready>, Stop> {
    if named.is_empty() {
        if let Some(setup) = setup::find(context)? {
            return usable(setup);
        }
        return usable(read(&["recommended".to_owned()], &[])?);
    }
    let (mut names, mut files) = (Vec::new(), Vec::new());
    let known: Vec<String> = presets::sets().into_keys().collect();
    for name in named {
        let path = Path::new(name);
        if known.contains(name) || presets::get(name).is_some() {
            names.push(name.clone());
        } else if path.is_dir() {
            files.extend(rule_files(path)?);
        } else if path.is_file() || name.contains(['/', '\\', '*', '.']) {
            files.push(name.clone());
        } else {
            let ids = presets::all().iter().map(|preset| preset.spec.id.as_str());
            let near = config::nearest(name, ids.chain(known.iter().map(String::as_str)));
            return Err(Stop::usage(format!("`{name}` is no preset, no set and no file of rules"))
                .hint(near.map_or_else(
                    || "`hsmwatch rules` lists the presets and their sets".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                )));
        }
    }
    usable(read(&names, &files)?)
}

/// The files of a folder that hold rules: its tests lie beside them.
fn rule_files(folder: &Path) -> Result<Vec<String>, Stop> {
    let bad = |e: std::io::Error| {
        Stop::usage(format!("cannot read the folder of rules `{}`: {e}", folder.display()))
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(bad)? {
        let path = entry.map_err(bad)?.path();
        let toml = path.extension().is_some_and(|extension| extension == "toml");
        let stem = path.file_stem().map(Path::new);
        let test = stem.and_then(Path::extension).is_some_and(|extension| extension == "test");
        if path.is_file() && toml && !test {
            files.push(glob::Pattern::escape(&path.to_string_lossy()));
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Stop::usage(format!("the folder `{}` has no file of rules", folder.display()))
            .hint("a file of rules ends in .toml and has [[rule]] sections"));
    }
    Ok(files)
}

/// The rules of presets, sets and files, none of which the engine lacks.
pub(crate) fn named(presets: &[String], files: &[String]) -> Result<Vec<Ready>, Stop> {
    usable(read(presets, files)?)
}

/// A configuration of these rules, and of nothing else that matters.
fn read(presets: &[String], files: &[String]) -> Result<Setup, Stop> {
    let list = |names: &[String]| {
        let names: Vec<toml::Value> = names.iter().cloned().map(toml::Value::String).collect();
        toml::Value::Array(names).to_string()
    };
    let text = format!(
        "presets = {}\nrules = {}\n[state]\npath = \"none\"\n\
         [[workspace]]\nname = \"logs\"\nlogs = [\"*\"]\n\
         [[receiver]]\nname = \"nobody\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\nunsigned = true\n",
        list(presets),
        list(files)
    );
    let lookup = System::here();
    let name = "--rules";
    let loaded = config::load(Input::File { name, text: &text }, &setup::known(), &lookup);
    setup::finish(loaded.map_err(problems)?, name.to_owned(), lookup)
        .map_err(|stop| stop.renamed("in the configuration", "in the rules"))
}

fn problems(all: Problems) -> Stop {
    Stop::from(all).renamed("in the configuration", "in the rules")
}

fn usable(setup: Setup) -> Result<Vec<Ready>, Stop> {
    setup.warn();
    let lacking: Vec<&config::Problem> =
        setup.rules.iter().flat_map(|ready| &ready.offline).collect();
    if let Some(first) = lacking.first() {
        return Err(Stop::usage(format!("{first}"))
            .hint("the embedded engine lacks it: leave the rule out with --rules"));
    }
    if setup.rules.is_empty() {
        return Err(Stop::usage("there is no rule").hint("name rules with --rules"));
    }
    Ok(setup.rules)
}
