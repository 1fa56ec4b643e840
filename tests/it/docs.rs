//! The pages of the documentation, held to the code: links lead somewhere, verbs, flags and settings exist, every condition
//! and every error text is explained, and figures are recomputed.
#![expect(clippy::unwrap_used, reason = "tests")]

mod cost;
mod errors;
mod literals;
mod markdown;

use literals::Literal;
use markdown::Document;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders that are not ours, or not text.
const ELSEWHERE: [&str; 6] =
    [".git", "target", "dist", "node_modules", "proptest-regressions", "snapshots"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder`, as its path below the root, with `/`.
fn files(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !ELSEWHERE.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else {
                let below = path.strip_prefix(root()).unwrap();
                found.push(below.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// Whether a path ends in `.kind`.
fn is_a(kind: &str, path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == kind)
}

fn text(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

/// Every page, by its path.
fn pages() -> BTreeMap<String, Document> {
    let pages = files("").into_iter().filter(|file| is_a("md", file));
    pages.map(|file| (file.clone(), markdown::read(&text(&file)))).collect()
}

/// The literals of `src/`, without files that are tests.
fn literals() -> Vec<Literal> {
    const TESTS: [&str; 5] = ["tests", "tests.rs", "simulation", "samples.rs", "planted.rs"];
    let mut found = Vec::new();
    for file in files("src").into_iter().filter(|file| is_a("rs", file)) {
        if !file.split('/').any(|part| TESTS.contains(&part)) {
            found.extend(literals::of(file.trim_start_matches("src/"), &text(&file)));
        }
    }
    found
}

/// Everything that is not a page, as one text: where names must be that a page names.
fn everything_else() -> String {
    let texts = [
        "toml", "rs", "json", "bicep", "yaml", "yml", "sh", "ps1", "csv", "awk", "service", "timer",
    ];
    let is_text = |file: &String| {
        let name = file.rsplit('/').next().unwrap();
        name == "Dockerfile" || name.rsplit_once('.').is_some_and(|(_, kind)| texts.contains(&kind))
    };
    let this_test = |file: &String| file.starts_with("tests/it/docs");
    let files = files("").into_iter().filter(|file| is_text(file) && !this_test(file));
    files.filter_map(|file| fs::read_to_string(root().join(file)).ok()).collect()
}

#[track_caller]
fn nothing_wrong(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    let mut wrong = Vec::new();
    for (page, document) in &pages {
        for (line, link) in &document.links {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (target, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(t, a)| (t, Some(a)));
            let path = if target.is_empty() { page.clone() } else { beside(page, target) };
            if !root().join(&path).exists() {
                wrong.push(format!("{page}:{line}: `{link}` leads to {path}, which is not there"));
            } else if let Some(anchor) = anchor {
                let anchors =
                    pages.get(&path).map(|page| page.anchors.as_slice()).unwrap_or_default();
                if !anchors.iter().any(|known| known == anchor) {
                    wrong.push(format!(
                        "{page}:{line}: `{link}`: {path} has no heading `#{anchor}`"
                    ));
                }
            }
        }
    }
    nothing_wrong(&wrong);
}

/// A bar that is not escaped, in code too, begins a cell: what stands behind it would not be shown.
#[test]
fn rows_have_the_cells_of_their_tables() {
    let mut wrong = Vec::new();
    for (page, document) in pages() {
        let mut table: Option<(usize, usize)> = None;
        for (number, line) in document.prose {
            let cells = markdown::cells(&line).len();
            table = match table {
                _ if cells == 0 => None,
                Some((columns, before)) if before + 1 == number => {
                    if cells != columns {
                        wrong
                            .push(format!("{page}:{number}: {cells} cells, and {columns} columns"));
                    }
                    Some((columns, number))
                }
                _ => Some((cells, number)),
            };
        }
    }
    nothing_wrong(&wrong);
}

/// A path that a page names, below the root.
fn beside(page: &str, target: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn help(words: &[&str]) -> String {
    let ran =
        Command::new(env!("CARGO_BIN_EXE_hsmwatch")).args(words).arg("--help").output().unwrap();
    if ran.status.success() { String::from_utf8(ran.stdout).unwrap() } else { String::new() }
}

/// The verbs that `--help` lists.
fn verbs() -> BTreeSet<String> {
    let help = help(&[]);
    let list = help.split("Commands:").nth(1).unwrap().split("\n\n").next().unwrap();
    list.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn verbs_and_flags_are_those_of_the_program() {
    let verbs = verbs();
    let mut helps: BTreeMap<String, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (page, document) in pages() {
        for code in document.code {
            // Error texts are no commands.
            let shell = match code.fence.as_deref() {
                None => !(page == "docs/operations.md" && code.first_cell),
                Some(language) => ["console", "sh", "powershell"].contains(&language),
            };
            let line = code.text.trim_start_matches("$ ").trim_start_matches("PS> ");
            let Some(said) = line.strip_prefix("hsmwatch ").filter(|_| shell) else { continue };
            let said = said.split(" # ").next().unwrap();
            let words: Vec<&str> = said.split_whitespace().collect();
            // `hsmwatch VERB --help`, `hsmwatch --version`, and sentences that begin with the name.
            let Some(verb) = words.iter().find(|word| !word.starts_with('-')) else { continue };
            if words[0].starts_with('-')
                || !verb.chars().all(|c| c.is_ascii_lowercase() || c == '-')
            {
                continue;
            }
            if !verbs.contains(*verb) {
                let verbs: Vec<&str> = verbs.iter().map(String::as_str).collect();
                wrong.push(format!(
                    "{page}:{}: `hsmwatch {said}`: there is no verb `{verb}`; there are {}",
                    code.line,
                    verbs.join(", ")
                ));
                continue;
            }
            // Deeper ones, such as `rules show`, have helps of their own.
            let deeper = words.get(1).filter(|word| word.chars().all(|c| c.is_ascii_lowercase()));
            for path in [vec![*verb], deeper.map_or(vec![*verb], |word| vec![*verb, *word])] {
                helps.entry(path.join(" ")).or_insert_with(|| help(&path));
            }
            for flag in words.iter().filter(|word| word.starts_with("--")) {
                let flag = flag.split(['=', '`', ',', ']']).next().unwrap();
                let paths = [
                    (*verb).to_owned(),
                    words.iter().take(2).copied().collect::<Vec<_>>().join(" "),
                ];
                if !paths.iter().any(|path| helps.get(path).is_some_and(|help| help.contains(flag)))
                {
                    wrong.push(format!("{page}:{}: `hsmwatch {said}` has no {flag}", code.line));
                }
            }
        }
    }
    nothing_wrong(&wrong);
}

#[test]
fn every_verb_is_in_the_readme() {
    let readme = text("README.md");
    let missing: Vec<String> = verbs()
        .into_iter()
        .filter(|verb| verb != "help" && !readme.contains(&format!("| `{verb}")))
        .map(|verb| format!("README.md: the table \"Verbs\" has no row for `{verb}`"))
        .collect();
    nothing_wrong(&missing);
}

/// The words of a text that begin with `HSMWATCH_`, which the program reads, or `INFRA_`, which azd does.
fn variables(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    text.split(|c| !is_part(c))
        .filter(|word| word.starts_with("HSMWATCH_") || word.starts_with("INFRA_"))
        .filter(|word| !word.ends_with('_'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn variables_exist_and_are_documented() {
    let code = variables(&everything_else());
    let mut wrong = Vec::new();
    let mut documented = BTreeSet::new();
    for page in pages().keys() {
        for name in variables(&text(page)) {
            if !code.contains(&name) {
                wrong.push(format!("{page}: nothing reads `{name}`"));
            }
            documented.insert(name);
        }
    }
    for Literal { text, file, line, .. } in literals() {
        for name in variables(&text) {
            // The name of an operation that does not exist.
            if !documented.contains(&name) && name != "HSMWATCH_NO_SUCH_OPERATION" {
                wrong.push(format!("no page names `{name}` (src/{file}:{line})"));
            }
        }
    }
    nothing_wrong(&wrong);
}

/// Words of settings that pages name in code: keys of the configuration (`min_severity`), parameters of infra/
/// (`deadmanWindow`), names in `host.json`.
#[test]
fn settings_exist() {
    let everything = everything_else();
    let words: BTreeSet<&str> =
        everything.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    let mut wrong = Vec::new();
    for (page, document) in pages() {
        if !["README.md", "docs/", "SECURITY.md", "infra/"]
            .iter()
            .any(|ours| page.starts_with(ours))
        {
            continue;
        }
        for code in document.code.iter().filter(|code| code.fence.is_none()) {
            let name = code.text.split([' ', '=']).next().unwrap();
            let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
            let word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let telling = name.contains('_') || name.contains(|c: char| c.is_ascii_uppercase());
            if begins && word && telling && !words.contains(name) {
                wrong.push(format!("{page}:{}: there is no `{name}`", code.line));
            }
        }
    }
    nothing_wrong(&wrong);
}

/// The words of hsmwatch's conditions, as they are in its source.
fn conditions() -> Vec<hsmwatch::watch::own::Condition> {
    let source = text("src/watch/own.rs");
    let body = source.split("pub enum Condition {").nth(1).unwrap().split("\n}").next().unwrap();
    let names =
        body.lines().map(str::trim).filter(|line| !line.starts_with("//") && !line.is_empty());
    let words = names.map(|name| {
        let mut word = String::new();
        for c in name.trim_end_matches(',').chars() {
            if c.is_ascii_uppercase() && !word.is_empty() {
                word.push('-');
            }
            word.push(c.to_ascii_lowercase());
        }
        word
    });
    words.map(|word| serde_json::from_value(word.into()).unwrap()).collect()
}

#[test]
fn every_alert_about_hsmwatch_itself_is_explained() {
    let page = text("docs/operations.md");
    let rows: Vec<Vec<&str>> =
        page.lines().map(markdown::cells).filter(|row| row.len() == 5).collect();
    let conditions = conditions();
    assert!(conditions.len() >= 14, "{conditions:?}");
    let mut wrong = Vec::new();
    for condition in &conditions {
        let word = format!("`{}`, {}", condition.as_str(), condition.severity());
        let row =
            rows.iter().find(|row| row[0].trim() == condition.title() && row[1].trim() == word);
        let Some(row) = row else {
            wrong.push(format!(
                "docs/operations.md, \"Alerts that hsmwatch raises about itself\": there is no row\n\
                 | {} | {word} | means | do | {} |",
                condition.title(),
                if condition.stands() { "when it ends" } else { "once, no end" }
            ));
            continue;
        };
        if row[4].trim_start().starts_with("once") == condition.stands() {
            wrong.push(format!("docs/operations.md: when does `{}` end?", condition.as_str()));
        }
    }
    let words: Vec<&str> = conditions.iter().map(|condition| condition.as_str()).collect();
    for row in rows.iter().filter(|row| row[1].trim().starts_with('`')) {
        let word = row[1].trim().trim_start_matches('`').split('`').next().unwrap();
        if !words.contains(&word) {
            wrong.push(format!("docs/operations.md: there is no condition `{word}`"));
        }
    }
    nothing_wrong(&wrong);
}

/// `keyVaultSecretsUser` as Azure writes it.
fn role(key: &str) -> String {
    let mut name = String::new();
    for c in key.chars() {
        if c.is_ascii_uppercase() {
            name.push(' ');
        }
        name.push(if name.is_empty() { c.to_ascii_uppercase() } else { c });
    }
    name
}

#[test]
fn roles_and_alerts_of_the_infrastructure_are_explained() {
    let mut wrong = Vec::new();
    let roles: BTreeMap<String, String> = serde_json::from_str(&text("infra/roles.json")).unwrap();
    assert!(!roles.is_empty());
    let security = text("docs/security.md");
    for name in roles.keys().map(|key| role(key)).filter(|name| !security.contains(name)) {
        wrong.push(format!("docs/security.md, \"Roles\": there is no row for {name}"));
    }
    let operations = text("docs/operations.md");
    let mut alerts = 0;
    for module in ["infra/modules/deadman.bicep", "infra/modules/settingAlert.bicep"] {
        let module = text(module);
        for name in module.split("name: '${namePrefix}").skip(1) {
            let name = name.split('\'').next().unwrap().replace("${name}", "NAME");
            alerts += 1;
            if !operations.contains(&format!("`…{name}`")) {
                wrong.push(format!(
                    "docs/operations.md, \"The dead-man's alert\": there is no row for `…{name}`"
                ));
            }
        }
    }
    assert!(alerts >= 4, "{alerts}");
    nothing_wrong(&wrong);
}

#[test]
fn every_error_text_is_explained() {
    let said = errors::complaints(&text("docs/operations.md"), &literals());
    assert!(said.is_empty(), "{said}");
}

#[test]
fn what_it_costs_is_recomputed() {
    let page = text("docs/cost.md");
    let (_, rest) = page.split_once("<!-- cost: recomputed by tests/it/docs.rs -->\n").unwrap();
    let (found, _) = rest.split_once("\n<!-- end of cost -->").unwrap();
    let expected = cost::table();
    assert!(found == expected, "docs/cost.md should have this table:\n\n{expected}\n");
    let missing: Vec<String> = cost::sentences()
        .into_iter()
        .filter(|sentence| !page.contains(sentence.as_str()))
        .map(|sentence| format!("docs/cost.md does not say: {sentence}"))
        .collect();
    nothing_wrong(&missing);
}

#[test]
fn names_are_told_apart() {
    let found = variables("`HSMWATCH_CONFIG` or HSMWATCH_*; XHSMWATCH_A, HSMWATCH_LOG=debug");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["HSMWATCH_CONFIG", "HSMWATCH_LOG"]);
    assert_eq!(role("keyVaultSecretsUser"), "Key Vault Secrets User");
    assert_eq!(beside("docs/adr/x.md", "../../README.md"), "README.md");
    assert_eq!(beside("README.md", "docs/a.md"), "docs/a.md");
}
