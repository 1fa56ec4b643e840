//! Names that several files must agree on: azure.yaml, the scripts, the workflows, infra/ and what is packaged.

use super::sandbox::root;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

fn read(place: &str) -> String {
    fs::read_to_string(root().join(place)).unwrap_or_else(|e| panic!("{place}: {e}"))
}

/// Files below a folder of the repository, with this ending.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let pattern = root().join(folder).join("**").join(format!("*.{ending}"));
    let mut found: Vec<PathBuf> =
        glob::glob(pattern.to_str().unwrap()).unwrap().map(Result::unwrap).collect();
    found.sort();
    assert!(!found.is_empty(), "no *.{ending} in {folder}/");
    found
}

/// The scalars of a YAML file of plain block mappings, by their keys joined by dots. What is in lists is passed over.
fn scalars(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut path: Vec<(usize, String)> = Vec::new();
    for line in text.lines() {
        let line = line.split(" #").next().unwrap().trim_end();
        let content = line.trim_start();
        if content.is_empty() || content.starts_with(['#', '-']) {
            continue;
        }
        let Some((key, value)) = content.split_once(':') else { continue };
        let indent = line.len() - content.len();
        while path.last().is_some_and(|(other, _)| *other >= indent) {
            path.pop();
        }
        path.push((indent, key.to_owned()));
        let keys: Vec<&str> = path.iter().map(|(_, key)| key.as_str()).collect();
        found.insert(keys.join("."), value.trim().trim_matches('"').to_owned());
    }
    found
}

fn azure() -> BTreeMap<String, String> {
    scalars(&read("azure.yaml"))
}

#[track_caller]
fn is_executable(place: &str) {
    let mode = fs::metadata(root().join(place)).unwrap_or_else(|e| panic!("{place}: {e}"));
    assert_eq!(mode.permissions().mode() & 0o111, 0o111, "{place} is not executable");
}

#[test]
fn azd_deploys_what_is_packaged_to_the_site_that_has_the_tag() {
    let azure = azure();
    let services: Vec<&str> = azure
        .keys()
        .filter_map(|key| key.strip_prefix("services."))
        .filter(|key| !key.contains('.'))
        .collect();
    assert_eq!(services, ["watcher"]);
    let of = |key: &str| azure[&format!("services.watcher.{key}")].as_str();
    assert_eq!((of("project"), of("host"), of("language")), (".", "function", "custom"));

    // Where the package is: for azd, in the scripts, and where `cargo xtask package` writes it.
    let dist = of("dist");
    assert!(read("scripts/package.sh").contains(&format!("\nzip={dist}\n")));
    assert!(read("scripts/package.ps1").contains(&format!("\n$shownZip = '{dist}'\n")));
    assert!(
        read("scripts/package.ps1")
            .contains(&format!("\n$zip = Join-Path (Get-Location) '{dist}'\n"))
    );
    assert!(read(".github/workflows/deploy.yml").contains(&format!("package: {dist}\n")));
    let (folder, file) = dist.split_once('/').unwrap();
    let xtask = read("xtask/src/pack.rs");
    assert!(xtask.contains(&format!("unwrap_or_else(|| root().join(\"{folder}\"))")));
    assert!(xtask.contains(&format!("out.join(\"{file}\")")));

    let infra = Path::new(&azure["infra.path"]).join(format!("{}.bicep", azure["infra.module"]));
    assert!(root().join(&infra).is_file(), "{} is not there", infra.display());
    let tag = "'azd-service-name': 'watcher'";
    let tagged: Vec<PathBuf> = files("infra", "bicep")
        .into_iter()
        .filter(|file| {
            fs::read_to_string(file)
                .unwrap()
                .replace("azd-service-name:", "'azd-service-name':")
                .contains(tag)
        })
        .collect();
    assert_eq!(tagged.len(), 1, "{tag} is to be in one module: {tagged:?}");
}

#[test]
fn every_hook_is_there_for_both_kinds_of_system() {
    let azure = azure();
    let hooks: BTreeSet<&str> = azure
        .keys()
        .filter_map(|key| key.strip_suffix(".posix.run").or(key.strip_suffix(".windows.run")))
        .collect();
    let expected = [
        "hooks.postdeploy",
        "hooks.postprovision",
        "hooks.predown",
        "services.watcher.hooks.prepackage",
    ];
    assert_eq!(hooks.iter().copied().collect::<Vec<_>>(), expected);
    let mut stems = BTreeSet::new();
    for hook in hooks {
        let of = |key: &str| azure[&format!("{hook}.{key}")].as_str();
        assert_eq!((of("posix.shell"), of("windows.shell")), ("sh", "pwsh"), "{hook}");
        // Otherwise azd shows eight lines, and wipes them.
        assert_eq!(
            (of("posix.interactive"), of("windows.interactive")),
            ("true", "true"),
            "{hook}"
        );
        let stem = of("posix.run").strip_suffix(".sh").unwrap();
        assert_eq!(of("windows.run"), format!("{stem}.ps1"), "{hook}");
        is_executable(of("posix.run"));
        assert!(root().join(of("windows.run")).is_file(), "{hook}");
        assert!(read(of("posix.run")).starts_with("#!/bin/sh\n"), "{hook}");
        assert!(stems.insert(stem.to_owned()), "{stem} is named twice");
    }
    // No script for Windows that nothing runs.
    assert_eq!(files("scripts", "ps1").len(), stems.len());
}

#[test]
fn both_kinds_of_hooks_say_and_read_the_same() {
    for (script, shared) in [
        (
            "package",
            &[
                "HSMWATCH_RELEASES",
                "HSMWATCH_REQUIRE_PROVENANCE",
                "no version is found in Cargo.toml",
                "which is there already",
                "is no zip: remove it, and run again",
                "this checkout has no remote `origin`",
                "the remote `origin` is no repository on github.com",
                "is neither an https address nor one of this machine",
                "/releases/download",
                "the checksum of the download is wrong: nothing was taken",
                "/.github/workflows/release.yml",
                "the provenance is not verified: nothing was taken",
                "the GitHub CLI is not signed in",
                "its checksum is right",
            ][..],
        ),
        ("after-provision", &["privilegedSteps", "nextSteps", "azd hooks run postprovision"]),
        ("after-deploy", &["hsmwatch doctor --app $app", "/api/status", "x-functions-key"]),
        (
            "before-down",
            &[
                "HSMWATCH_DOWN",
                "what must outlive the watcher:",
                "-telemetry",
                "docs/operations.md",
            ],
        ),
    ] {
        for ending in ["sh", "ps1"] {
            let text = read(&format!("scripts/{script}.{ending}"));
            for word in shared {
                assert!(text.contains(word), "{script}.{ending} does not have `{word}`");
            }
            assert!(
                ending == "sh" || text.is_ascii(),
                "{script}.ps1: Windows PowerShell reads ASCII"
            );
        }
    }
}

#[test]
fn a_release_has_the_files_that_others_ask_for() {
    let release = read(".github/workflows/release.yml");
    let scalars = scalars(&release);
    assert_eq!(scalars["name"], "release");
    for name in ["hsmwatch.zip", "hsmwatch.cdx.json", "SHA256SUMS"] {
        assert!(
            release.contains(&format!("built/build-x86_64-unknown-linux-gnu/{name}"))
                || release.contains(&format!("built/sbom/{name}"))
                || release.contains(&format!("> ../{name}")),
            "{name} is not released"
        );
    }
    for script in ["scripts/package.sh", "scripts/package.ps1"] {
        for name in ["hsmwatch.zip", "SHA256SUMS"] {
            assert!(read(script).contains(name), "{script} does not ask for {name}");
        }
    }
    // A program for each target that is built, and no other.
    let mut built: Vec<&str> = release
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- target: "))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    let shipped =
        release.lines().find_map(|line| line.trim().strip_prefix("for target in ")).unwrap();
    let mut shipped: Vec<&str> = shipped.trim_end_matches("; do").split(' ').collect();
    built.sort_unstable();
    shipped.sort_unstable();
    assert_eq!(built, shipped);
    assert!(
        release.contains("folder=hsmwatch-$target\n") && release.contains("release/$folder.tar.gz")
    );
    for target in &shipped {
        assert!(read("deny.toml").contains(target), "deny.toml does not look at {target}");
    }
    let told = "hsmwatch-x86_64-unknown-linux-gnu.tar.gz";
    assert!(read("scripts/after-deploy.sh").contains(told));
    assert!(read("scripts/after-deploy.ps1").contains(told));
}

/// The texts that workflows give to shells.
fn shell_texts(workflow: &str) -> String {
    let mut texts = String::new();
    let mut within: Option<usize> = None;
    for line in workflow.lines() {
        let indent = line.len() - line.trim_start().len();
        if within.is_some_and(|run| indent > run || line.is_empty()) {
            texts += line;
            texts.push('\n');
            continue;
        }
        within = None;
        let content = line.trim_start();
        if let Some((before, text)) = content.split_once("run: ")
            && matches!(before, "" | "- ")
        {
            if text == "|" {
                within = Some(indent + before.len());
            } else {
                texts += text;
                texts.push('\n');
            }
        }
    }
    texts
}

#[test]
fn workflows_may_do_little_and_run_what_was_looked_at() {
    let mut pins: BTreeMap<String, String> = BTreeMap::new();
    let mut ran = 0;
    for file in files(".github/workflows", "yml") {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        // Nothing is allowed that a job does not ask for.
        assert!(text.contains("\npermissions: {}\n"), "{name}");
        let scalars = scalars(&text);
        // Otherwise a command that fails before a pipe is no failure.
        assert_eq!(scalars["defaults.run.shell"], "bash", "{name}");
        for job in scalars
            .keys()
            .filter_map(|key| key.strip_prefix("jobs."))
            .filter(|key| !key.contains('.'))
        {
            assert!(scalars.contains_key(&format!("jobs.{job}.permissions")), "{name}: {job}");
        }
        assert!(!text.contains("pull_request_target") && !text.contains("secrets."), "{name}");
        assert!(!text.contains("publish-profile"), "{name}");
        // By commit, and every use of an action by the same one.
        for line in text
            .lines()
            .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("uses: "))
        {
            if line.starts_with("./") {
                continue;
            }
            let (action, rest) = line.split_once('@').unwrap();
            let (commit, tag) = rest.split_once(" # v").unwrap_or_else(|| panic!("{name}: {line}"));
            assert!(
                commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()),
                "{name}: {line}"
            );
            assert!(tag.split('.').count() == 3, "{name}: {line}");
            let other = pins.insert(action.to_lowercase(), rest.to_owned());
            assert!(other.is_none_or(|other| other == rest), "{name}: {action}");
        }
        // Whoever names a branch or a tag shall not write commands.
        let shell = shell_texts(&text);
        assert!(!shell.contains("${{"), "{name}: an expression in a command");
        for word in shell.split(|c: char| c.is_whitespace() || "\"'();".contains(c)) {
            if word.starts_with("scripts/")
                && let Some(stem) = word.strip_suffix(".sh")
                && !stem.contains('*')
            {
                is_executable(word);
                ran += 1;
            }
        }
    }
    assert!(ran >= 4, "only {ran} scripts were found in workflows");
    assert!(pins.contains_key("actions/checkout") && pins.contains_key("azure/functions-action"));
}

#[test]
fn ci_runs_what_contributors_run() {
    let ci = shell_texts(&read(".github/workflows/ci.yml"));
    for command in [
        ".ci/run",
        "scripts/check-infra.sh",
        "cargo deny --locked check advisories bans licenses sources",
    ] {
        assert!(ci.lines().any(|line| line == command), "ci.yml does not run `{command}`");
    }
    is_executable(".ci/run");
    // Every script of ours is for somebody.
    let mut users = read("azure.yaml");
    for file in files(".github/workflows", "yml") {
        users += &fs::read_to_string(file).unwrap();
    }
    for file in files("scripts", "sh") {
        let name = format!("scripts/{}", file.file_name().unwrap().to_str().unwrap());
        assert!(users.contains(&name), "nothing runs {name}");
        is_executable(&name);
    }
}
