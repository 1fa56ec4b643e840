//! The README's table of what runs and what is refused, written from the tables that parser and binder use.

use crate::functions::{known, text_ops};
use crate::{aggregates, functions, parser};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Calls that are more than a function of their arguments.
const SPECIAL: &[&str] = &[
    "bag_pack_columns",
    "bin_auto",
    "column_ifexists",
    "columnifexists",
    "ingestion_time",
    "materialize",
    "next",
    "pack_all",
    "prev",
    "row_cumsum",
    "row_number",
    "row_rank_dense",
    "row_rank_min",
    "row_window_session",
    "toscalar",
];
const BEGIN: &str =
    "<!-- coverage: written by `KQL_WRITE=1 cargo test -p kql --lib coverage` -->\n";
const END: &str = "<!-- end of coverage -->\n";

fn cells(names: &BTreeSet<&str>) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(" ")
}

fn table() -> String {
    let mut text = String::from("| | runs | refused by name |\n|---|---|---|\n");
    let mut line = |what: &str, all: BTreeSet<&str>, runs: BTreeSet<&str>| {
        let lacks: BTreeSet<&str> = all.difference(&runs).copied().collect();
        writeln!(
            text,
            "| {what}: {} of {} | {} | {} |",
            runs.len(),
            runs.len() + lacks.len(),
            cells(&runs),
            cells(&lacks)
        )
        .unwrap();
    };
    let statements = ["let", "set", "declare", "alias", "restrict", "pattern"];
    line("statements", statements.into(), ["let", "set", "declare"].into());
    let sources = ["print", "range", "datatable", "union", "search"];
    let lacking = ["externaldata", "find", "evaluate", "graph", "macro", "entity_group"];
    line("sources", sources.into_iter().chain(lacking).collect(), sources.into());
    let operators: BTreeSet<&str> = parser::ops::names().chain(["render"]).collect();
    let lacking = parser::ops::UNSUPPORTED.iter().copied();
    line("operators", operators.iter().copied().chain(lacking).collect(), operators);
    line("predicates over text", BTreeSet::new(), text_ops::names().collect());
    let runs: BTreeSet<&str> = functions::names().chain(SPECIAL.iter().copied()).collect();
    // Names with two underscores are the service's own.
    let known = known::functions().filter(|name| !name.starts_with("__"));
    line("scalar functions", known.chain(runs.iter().copied()).collect(), runs);
    line("aggregate functions", known::aggregates().collect(), aggregates::names().collect());
    text
}

#[test]
fn the_readme_says_what_runs() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    if std::env::var_os("KQL_WRITE").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    assert!(
        found == table(),
        "README.md is behind the engine: KQL_WRITE=1 cargo test -p kql --lib coverage"
    );
}
