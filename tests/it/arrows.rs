//! Who may know whom: the arrows of `docs/architecture.md`, held over the text of `src/`.
//!
//! Every path in every file counts, in `use` trees and in expressions alike; comments, literals and code under
//! `#[cfg(test)]` do not. The scanner and its own tests are in `arrows/source.rs`.
#![expect(clippy::unwrap_used, reason = "tests")]

mod source;

use source::{File, Path};
use std::collections::BTreeSet;
use std::fs;

/// Each part of the crate with what it may name of the others: a whole part, or one item of it.
const MAY_KNOW: &[(&str, &[&str])] = &[
    // Bugs that tests plant: nothing at all outside tests.
    ("planted", &[]),
    ("watch", &["planted"]),
    ("notify", &["watch"]),
    ("ports", &["notify", "watch"]),
    ("engine", &["ports", "notify", "watch", "planted"]),
    ("hosts", &["engine", "ports", "notify", "watch"]),
    // What HTTP adapters have in common: dates, waits, error texts.
    ("wire", &[]),
    ("azure", &["wire", "ports", "notify", "watch"]),
    ("http", &["wire", "ports", "notify", "watch"]),
    ("local", &["ports", "notify", "watch"]),
    // Words of the contract that a configuration spells out, and nothing else of `notify`.
    (
        "config",
        &[
            "watch",
            "notify::Detail",
            "notify::Kind",
            "notify::Settings",
            "notify::desk",
            "notify::webhook",
        ],
    ),
    // Files that say what should be told, and what came of it.
    ("backtest", &["notify", "watch"]),
    ("ruletest", &["notify", "watch"]),
    (
        "cli",
        &[
            "backtest", "ruletest", "hosts", "engine", "config", "azure", "http", "local", "wire",
            "ports", "notify", "watch",
        ],
    ),
    ("main", &["cli"]),
];

/// The parts that must give the same answer to the same arguments, whenever and wherever they are asked.
const PURE: &[&str] = &["watch", "notify"];

/// What pure code may not name, as the beginning of a path.
const IMPURE_PREFIXES: &[&str] = &[
    "std::env",
    "std::fs",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::time::Instant",
    "std::time::SystemTime",
    "tokio",
    "futures_util",
    "async_trait",
    "reqwest",
    "axum",
    "azure_core",
    "azure_identity",
    "tempfile",
    "tracing",
];

/// What pure code may not name anywhere in a path, as `Utc::now` in `chrono::Utc::now`.
const IMPURE_TAILS: &[&str] = &["Utc::now", "Local::now", "Instant::now", "SystemTime::now"];

/// What is wrong with a file, a sentence each.
fn violations(file: &File) -> Vec<String> {
    let Some((_, may_know)) = MAY_KNOW.iter().find(|(part, _)| *part == file.part) else {
        return vec![format!(
            "{}: the part `{}` has no place in MAY_KNOW (tests/it/arrows.rs)",
            file.name, file.part
        )];
    };
    let mut found = BTreeSet::new();
    for path in &file.paths {
        if let Some(inside) = path.inside_this_crate() {
            let own = inside.first().is_some_and(|part| *part == file.part);
            let allowed = may_know.iter().any(|known| starts_with(inside, known));
            if !own && !allowed {
                found.insert(format!(
                    "{}:{}: `{}` may not know `{}`",
                    file.name,
                    path.line,
                    file.part,
                    inside.join("::")
                ));
            }
        }
        if PURE.contains(&file.part.as_str()) && is_impure(path) {
            found.insert(format!(
                "{}:{}: `{}` is pure and may not name `{}`",
                file.name,
                path.line,
                file.part,
                path.segments.join("::")
            ));
        }
    }
    if PURE.contains(&file.part.as_str()) {
        for line in &file.async_lines {
            found.insert(format!("{}:{line}: `{}` is pure: no async", file.name, file.part));
        }
    }
    found.into_iter().collect()
}

fn is_impure(path: &Path) -> bool {
    let named = |path: &str| path.split("::").map(str::to_owned).collect::<Vec<_>>();
    IMPURE_PREFIXES.iter().any(|prefix| starts_with(&path.segments, prefix))
        || IMPURE_TAILS.iter().any(|tail| path.segments.windows(2).any(|pair| pair == named(tail)))
}

/// Whether `segments` are `prefix` or something in it.
fn starts_with(segments: &[String], prefix: &str) -> bool {
    let mut rest = segments.iter();
    prefix.split("::").all(|wanted| rest.next().is_some_and(|segment| segment == wanted))
}

/// Every file of `src/`, but for those that exist under `#[cfg(test)]` only.
fn sources() -> Vec<File> {
    let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![src.clone()];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
                texts.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    texts.sort();
    source::read(&texts)
}

#[test]
fn nobody_knows_whom_they_should_not() {
    let files = sources();
    for part in ["watch", "notify", "ports"] {
        assert!(files.iter().any(|file| file.part == part), "no file of `{part}` was read");
    }
    let found: Vec<String> =
        files.iter().filter(|file| file.part != "lib").flat_map(violations).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// The table itself: no circle, and everything that it names is in it.
#[test]
fn the_arrows_point_one_way() {
    let mut placed: BTreeSet<&str> = BTreeSet::new();
    let mut waiting: Vec<_> = MAY_KNOW.iter().collect();
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting.retain(|(part, knows)| {
            let ready =
                knows.iter().all(|known| placed.contains(known.split("::").next().unwrap()));
            if ready {
                placed.insert(part);
            }
            !ready
        });
        assert!(waiting.len() < before, "a circle, or a name without a row: {waiting:?}");
    }
}

fn planted(name: &str, text: &str) -> Vec<String> {
    let files = source::read(&[(name.to_owned(), text.to_owned())]);
    files.iter().flat_map(violations).collect()
}

#[test]
fn planted_violations_are_caught() {
    for (name, text) in [
        ("watch/head.rs", "use crate::notify::Body;"),
        ("watch/mod.rs", "use super::ports::Row;"),
        ("watch/head.rs", "use super::super::engine;"),
        ("watch/head/deep.rs", "mod m { use super::super::super::super::config; }"),
        ("notify/teams.rs", "use crate::{watch::row, config::Url};"),
        ("notify/teams.rs", "fn f() { crate::cli::print() }"),
        ("notify/teams.rs", "macro_rules! m { () => { $crate::engine::go() } }"),
        ("ports.rs", "use crate::engine::evaluate;"),
        ("engine.rs", "use crate::azure::logs::Logs;"),
        ("engine.rs", "use crate::local;"),
        ("engine.rs", "use crate::config::Checked;"),
        ("hosts/daemon.rs", "use crate::config::Checked;"),
        ("hosts/daemon.rs", "use crate::local::disk::Disk;"),
        ("azure/logs.rs", "use crate::http::Client;"),
        ("azure/logs.rs", "use crate::engine;"),
        ("http.rs", "use crate::hosts::functions;"),
        ("local/disk.rs", "use crate::azure::blob;"),
        ("local/disk.rs", "use crate::wire;"),
        ("config/mod.rs", "use crate::ports::StateStore;"),
        ("config/mod.rs", "use crate::notify::sign::SigningKey;"),
        ("config/mod.rs", "use crate::notify::{Kind, Body};"),
        ("config/mod.rs", "use crate::*;"),
        ("config/mod.rs", "use crate as all;"),
        ("main.rs", "use hsmwatch::engine;"),
        ("main.rs", "use ::hsmwatch::engine;"),
        ("surprise.rs", ""),
        ("watch/head.rs", "async fn step() {}"),
        ("watch/head.rs", "fn f() { x.await; }"),
        ("watch/head.rs", "use tokio::sync::mpsc;"),
        ("watch/head.rs", "use std::{collections::BTreeMap, fs};"),
        ("watch/head.rs", "use std::fs::{self};"),
        ("watch/head.rs", "fn f() { std::env::var(\"X\"); }"),
        ("watch/head.rs", "fn f() { let now = Utc::now(); }"),
        ("watch/head.rs", "fn f() { let now = chrono::Utc::now(); }"),
        ("notify/sign.rs", "use std::time::{Duration, SystemTime};"),
        ("notify/sign.rs", "#[cfg(not(test))] use crate::engine;"),
        ("notify/sign.rs", "/* /* */ */ use crate::engine;"),
        ("notify/sign.rs", "const Q: char = '\"'; use crate::engine; const R: char = '\"';"),
        ("notify/sign.rs", "fn f<'a>(x: &'a str) {} use crate::engine; fn g<'a>() {}"),
        ("notify/sign.rs", "#[cfg(test)] fn f() {} use crate::engine;"),
        ("notify/sign.rs", "#[cfg(test)] const N: [u8; 2] = [1, 2]; use crate::engine;"),
    ] {
        assert_eq!(planted(name, text).len(), 1, "in {name}: {text}\n{:?}", planted(name, text));
    }
}

#[test]
fn what_is_allowed_is_not_caught() {
    for (name, text) in [
        ("watch/head.rs", "use crate::watch::row::Row; use super::alert; use self::inner::X;"),
        ("watch/head.rs", "mod m { use super::super::alert; use super::Head; }"),
        ("watch/head.rs", "pub(crate) fn f() {} pub(in crate::watch) fn g() {}"),
        (
            "watch/head.rs",
            "// use crate::engine\n/* crate::cli */ /// [`crate::engine`]\nfn f() {}",
        ),
        ("watch/head.rs", "const S: &str = \"crate::engine \\\" tokio::spawn\";"),
        ("watch/head.rs", "const S: &str = r#\"use crate::engine; \" std::fs \"#;"),
        ("watch/head.rs", "const S: &[u8] = br##\"crate::cli\"# \"##; const B: u8 = b'\"';"),
        ("watch/head.rs", "#[cfg(test)] mod tests { use crate::local::Memory; use tokio::test; }"),
        ("watch/head.rs", "#[cfg(test)]\n#[test]\nfn f() { crate::engine::go(); }"),
        (
            "watch/head.rs",
            "fn f(x: X) { x.hsmwatch; let hsmwatch = 1; } struct H { hsmwatch: u32 }",
        ),
        ("watch/head.rs", "fn now() {} fn f(now: DateTime<Utc>) { my::env::var(); fs(); }"),
        ("notify/mod.rs", "use crate::watch::{alert::Alert, severity::Severity};"),
        ("engine.rs", "use crate::{notify::Body, ports::{LogSource, StateStore}, watch::rule};"),
        ("azure/blob.rs", "use crate::wire::date; use crate::ports::Etag; async fn f() {}"),
        (
            "config/mod.rs",
            "use crate::notify::{Detail, Kind}; fn f() { crate::notify::Kind::Teams; }",
        ),
        ("cli/run.rs", "use crate::{azure, config, engine, hosts::daemon, http, local};"),
        ("main.rs", "fn main() { hsmwatch::cli::run() }"),
    ] {
        assert_eq!(planted(name, text), Vec::<String>::new(), "in {name}: {text}");
    }
}

/// A file that only exists for tests may use what it likes; its namesake beside it may not.
#[test]
fn files_of_tests_are_known_by_their_declaration() {
    let files = [
        ("watch/head.rs", "#[cfg(test)]\nmod tests;"),
        ("watch/head/tests.rs", "use crate::local::Memory; mod more;"),
        ("watch/head/tests/more.rs", "use crate::local::Memory;"),
        ("watch/mod.rs", "mod head; #[cfg(test)] pub(crate) mod samples;"),
        ("watch/samples.rs", "use crate::local::Memory;"),
        ("notify/samples.rs", "use crate::local::Memory;"),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let found: Vec<String> = source::read(&files).iter().flat_map(violations).collect();
    assert_eq!(found, ["notify/samples.rs:1: `notify` may not know `local::Memory`"]);
}
