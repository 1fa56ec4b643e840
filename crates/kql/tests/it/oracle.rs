//! The engine's binder held against Microsoft's own, over `tests/oracle/cases/*.kql`: what is refused and by which
//! code, and the columns of the result.
//!
//! A line of a case file is a query (`⏎` stands for a line end), a comment (`#`) or empty. A query that ends in
//! `//~ reason` is known to differ. What the engine lacks by name is counted, not held against it.
//!
//! Needs `npm`; without it, or where the package cannot be had, the tests say that they were skipped.

use crate::support::{now, schema};
use kql::MemoryTables;
use serde_json::{Value as Json, json};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The tables of all cases.
const TABLES: &[(&str, &str)] = &[
    (
        "T",
        "t:datetime,s:string,s2:string,i:int,l:long,r:real,b:bool,ts:timespan,d:dynamic,g:guid,dec:decimal",
    ),
    ("R", "s:string,l:long,x:string,t:datetime"),
    ("U", "s:long,i:int,v:string,b:bool"),
    ("A", "a:long,b:string,a1:string,c:real"),
    ("B", "a:long,a1:long,b:string,c:real,d:dynamic"),
    ("Two", "k:long,v:string"),
    ("Three", "k:long,v:string,w:int"),
    ("Odd", "a b:string,where:long,Order:datetime,x-y:long,_z:string"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle")
}

/// The folder with the package, installed by the first test that needs it; nothing where that cannot be done.
fn installed() -> Option<PathBuf> {
    let folder = folder();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kql-oracle");
    std::fs::create_dir_all(&target).unwrap();
    let lock = File::create(target.join("install.lock")).unwrap();
    lock.lock().unwrap();
    let pinned = std::fs::read(folder.join("package-lock.json")).unwrap();
    let stamp = target.join("installed.stamp");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == pinned) {
        return Some(target);
    }
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(folder.join(file), target.join(file)).unwrap();
    }
    let done = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        .current_dir(&target)
        .output();
    match done {
        Ok(output) if output.status.success() => {
            // Written last: a broken installation has no stamp and is done again.
            std::fs::write(&stamp, pinned).unwrap();
            Some(target)
        }
        Ok(output) => skipped(&String::from_utf8_lossy(&output.stderr)),
        Err(error) => skipped(&error.to_string()),
    }
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn skipped(why: &str) -> Option<PathBuf> {
    eprintln!("SKIPPED: Microsoft's binder cannot be installed by npm: {}", why.trim());
    None
}

/// What the oracle says of each query, in order.
fn asked(package: &Path, queries: &[String]) -> Vec<Json> {
    let mut node = Command::new("node")
        .arg(folder().join("bind.js"))
        .current_dir(package)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let tables: serde_json::Map<String, Json> = TABLES
        .iter()
        .map(|(name, columns)| {
            let columns: Vec<String> = columns
                .split(',')
                .map(|c| {
                    let (name, ty) = c.split_once(':').unwrap();
                    format!("['{name}']:{ty}")
                })
                .collect();
            ((*name).to_owned(), Json::from(format!("({})", columns.join(","))))
        })
        .collect();
    let mut input = format!("{}\n", json!({ "tables": tables }));
    for (id, query) in queries.iter().enumerate() {
        writeln!(input, "{}", json!({"id": id, "kql": query})).unwrap();
    }
    let mut stdin = node.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = node.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "the oracle ended early");
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Json> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(answers.len(), queries.len(), "the oracle answers each query");
    answers
}

/// How an answer compares.
#[derive(Debug, PartialEq)]
enum Verdict {
    SameColumns,
    SameRefusal,
    /// The engine says that it lacks something.
    Lacking(String),
    Differs(String),
}

fn compare(tables: &MemoryTables, query: &str, oracle: &Json) -> Verdict {
    let errors = oracle["errors"].as_array().unwrap();
    let theirs: Vec<String> = errors
        .iter()
        .map(|e| {
            let (start, len) = (e["start"].as_u64().unwrap(), e["length"].as_u64().unwrap());
            format!("{}@{start}+{len} {}", e["code"].as_str().unwrap(), e["message"])
        })
        .collect();
    let code = |text: &str| text.split('@').next().unwrap_or("").to_owned();
    match kql::bind(query, tables, now()) {
        Ok(plan) => {
            if !theirs.is_empty() {
                return Verdict::Differs(format!("accepted, refused there: {}", theirs.join("; ")));
            }
            let columns: Vec<String> =
                plan.schema().columns.iter().map(|c| format!("{}:{}", c.name, c.ty)).collect();
            let wanted = match oracle["columns"].as_array() {
                Some(columns) => columns
                    .iter()
                    .map(|c| format!("{}:{}", c[0].as_str().unwrap(), c[1].as_str().unwrap()))
                    .collect::<Vec<_>>(),
                None => vec![format!("a scalar: {}", oracle["scalar"])],
            };
            if columns == wanted {
                Verdict::SameColumns
            } else {
                Verdict::Differs(format!(
                    "columns\n      here:  {}\n      there: {}",
                    columns.join(" "),
                    wanted.join(" ")
                ))
            }
        }
        Err(found) => {
            let ours: Vec<String> = found
                .iter()
                .filter(|d| !d.unsupported)
                .map(|d| format!("{}@{}+{} {}", d.code, d.span.start, d.span.len, d.message))
                .collect();
            let Some(first) = ours.first() else {
                let lacks = found.iter().next().map(|d| d.message.clone()).unwrap_or_default();
                return Verdict::Lacking(lacks);
            };
            if theirs.is_empty() {
                Verdict::Differs(format!("refused, accepted there: {}", ours.join("; ")))
            } else if theirs.iter().any(|t| code(t) == code(first)) {
                Verdict::SameRefusal
            } else {
                Verdict::Differs(format!(
                    "codes\n      here:  {}\n      there: {}",
                    ours.join("; "),
                    theirs.join("; ")
                ))
            }
        }
    }
}

/// Compares all; the lines to show of those that differ, and the counts.
#[expect(clippy::print_stdout, reason = "figures for people, shown with --nocapture")]
fn differences(name: &str, cases: &[String]) -> Option<Vec<String>> {
    let package = installed()?;
    let tables = TABLES.iter().fold(MemoryTables::new(), |tables, (name, columns)| {
        tables.with(name, schema(columns), vec![])
    });
    let queries: Vec<String> = cases
        .iter()
        .map(|case| case.split("//~").next().unwrap_or("").trim_end().replace('⏎', "\n"))
        .collect();
    let answers = asked(&package, &queries);
    let (mut columns, mut refused, mut lacking, mut known) = (0, 0, 0, 0);
    let mut wrong = Vec::new();
    for ((case, query), answer) in cases.iter().zip(&queries).zip(&answers) {
        let marked = case.contains("//~");
        match compare(&tables, query, answer) {
            Verdict::Differs(_) if marked => known += 1,
            Verdict::Differs(how) => wrong.push(format!("  {query}\n    {how}")),
            _ if marked => wrong.push(format!("  {case}\n    is marked, but agrees")),
            Verdict::SameColumns => columns += 1,
            Verdict::SameRefusal => refused += 1,
            Verdict::Lacking(what) => {
                if std::env::var_os("KQL_ORACLE_LACKING").is_some() {
                    println!("lacking: {query}\n    {what}");
                }
                lacking += 1;
            }
        }
    }
    println!(
        "{name}: {} queries: {columns} with the same columns, {refused} refused alike, {lacking} that the engine lacks, \
         {known} known to differ, {} that differ",
        cases.len(),
        wrong.len()
    );
    Some(wrong)
}

fn cases_of(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn cases_agree_with_microsofts_binder() {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder().join("cases")).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let mut wrong = String::new();
    for file in files {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let Some(found) = differences(&name, &cases_of(&file)) else { return };
        if !found.is_empty() {
            writeln!(wrong, "{name}:\n{}", found.join("\n")).unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
