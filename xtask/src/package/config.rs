//! The configuration that goes into a package: its rule files, and whether the program takes it.

use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use toml::Value;

/// The files that the patterns of `rules` match, sorted.
pub fn rule_files(config: &Path) -> Result<Vec<PathBuf>> {
    let shown = config.display();
    let text = fs::read_to_string(config).with_context(|| format!("cannot read `{shown}`"))?;
    let table: toml::Table = text.parse().with_context(|| format!("`{shown}` is no TOML"))?;
    let patterns = match table.get("rules") {
        None => return Ok(Vec::new()),
        Some(Value::Array(patterns)) => patterns.clone(),
        Some(one) => vec![one.clone()],
    };
    let folder = config.parent().unwrap_or(Path::new(""));
    let mut files = Vec::new();
    for pattern in &patterns {
        let Some(pattern) = pattern.as_str() else {
            bail!(
                "`{shown}`: `rules` must name its files itself, not through variables: the package takes them along"
            );
        };
        // The folder is meant as it is written, whatever its name contains.
        let folder = glob::Pattern::escape(&folder.to_string_lossy());
        let pattern = Path::new(&folder).join(pattern);
        for file in glob::glob(&pattern.to_string_lossy())? {
            let file = file?;
            if file.is_file() {
                files.push(file);
            }
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// Has the program check the configuration, and returns the variables that are not set here: secrets are not where
/// packages are built. Those get values of the right form, so that everything else is checked.
pub fn accept(binary: &Path, config: &Path) -> Result<Vec<String>> {
    let mut problems = ask(binary, config, &BTreeMap::new())?;
    let missing: BTreeMap<String, String> =
        problems.iter().filter_map(|problem| unset(problem)).collect();
    // Which of the values that we make up is tried for each.
    let mut tried: BTreeMap<&str, usize> = BTreeMap::new();
    while !problems.is_empty() {
        // What is wrong with a value that we made up says nothing but that the next is to be tried.
        let about = |problem: &str| {
            missing.keys().find(|name| problem.contains(&format!("(variable `{name}`)")))
        };
        refuse(config, problems.iter().filter(|problem| about(problem).is_none()))?;
        for problem in &problems {
            let Some(name) = about(problem) else { continue };
            tried.entry(name).and_modify(|index| *index += 1).or_insert(0);
        }
        let mut made_up = BTreeMap::new();
        for (name, index) in &tried {
            let key = missing.get(*name).map_or("", String::as_str);
            let value = stand_ins(key, name).into_iter().nth(*index).with_context(|| {
                format!(
                    "`{}` cannot be checked without the variable `{name}`: set it, to anything of the right form",
                    config.display()
                )
            })?;
            made_up.insert((*name).to_owned(), value);
        }
        problems = ask(binary, config, &made_up)?;
    }
    Ok(missing.into_keys().collect())
}

fn refuse<'a>(config: &Path, problems: impl Iterator<Item = &'a String>) -> Result<()> {
    let problems: Vec<&str> = problems.map(String::as_str).collect();
    ensure!(
        problems.is_empty(),
        "`hsmwatch check` refuses `{}`\n{}",
        config.display(),
        problems.join("\n")
    );
    Ok(())
}

/// The problems that `hsmwatch check` finds, each with its hint.
fn ask(
    binary: &Path,
    config: &Path,
    environment: &BTreeMap<String, String>,
) -> Result<Vec<String>> {
    let output = Command::new(binary)
        .args(["check", "--config"])
        .arg(config)
        .envs(environment)
        .output()
        .context("cannot start the program")?;
    if output.status.success() {
        return Ok(Vec::new());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let problems = problems(&said);
    ensure!(!problems.is_empty(), "`hsmwatch check` ended with {}: {said}", output.status);
    Ok(problems)
}

/// The problems in what `hsmwatch check` says: after the head line, one a paragraph whose later lines are indented.
fn problems(said: &str) -> Vec<String> {
    let mut problems: Vec<String> = Vec::new();
    let mut lines = said.lines().filter(|line| !line.starts_with("warning: "));
    let head = lines.next().unwrap_or_default();
    if !head.ends_with("in the configuration") {
        // Not a list: all of it is one problem.
        return if said.trim().is_empty() { Vec::new() } else { vec![said.trim().to_owned()] };
    }
    for line in lines {
        match problems.last_mut() {
            Some(last) if line.starts_with("  ") => {
                last.push('\n');
                last.push_str(line);
            }
            _ => problems.push(line.to_owned()),
        }
    }
    problems
}

/// The variable and the key of a problem that says only that the variable is not set.
fn unset(problem: &str) -> Option<(String, String)> {
    let (label, _) = problem.split_once("): the variable is not set")?;
    let (key, variable) = label.rsplit_once(" (variable ")?;
    let key = key.rsplit(' ').next()?;
    Some((variable.trim_matches('`').to_owned(), key.trim_matches('`').to_owned()))
}

/// Values of the right form, one of which the program takes.
fn stand_ins(key: &str, name: &str) -> Vec<String> {
    const BYTES: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    match key {
        "url" => vec![
            format!("https://receiver.example.com/{name}"),
            format!("https://example.environment.api.powerplatform.com/{name}?sig={name}"),
            format!("https://hooks.slack.com/services/{name}"),
        ],
        "secret" | "previous_secrets" => vec![format!("whsec_{BYTES}")],
        "id" => vec!["00000000-0000-0000-0000-000000000000".to_owned()],
        "account_url" => vec!["https://account.blob.core.windows.net".to_owned()],
        "container" => vec!["hsmwatch-state".to_owned()],
        "account_key" => vec![BYTES.to_owned()],
        "sas" => vec![format!("sv=2025-01-05&ss=b&srt=sco&sp=rwdlac&se=2100-01-01&sig={BYTES}")],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::Builder::new().prefix("a[b]").tempdir().unwrap();
        fs::create_dir(folder.path().join("rules")).unwrap();
        for name in ["rules/b.toml", "rules/a.toml", "rules/notes.md", "own.toml"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        folder
    }

    #[test]
    fn rule_files_are_those_that_the_product_would_read() {
        let folder = folder();
        let config = folder.path().join("hsmwatch.toml");
        for (text, expected) in [
            ("every = \"5m\"", &[][..]),
            ("rules = [\"rules/*.toml\"]", &["rules/a.toml", "rules/b.toml"]),
            (
                "rules = [\"rules/*.toml\", \"own.toml\", \"rules/a.toml\"]",
                &["own.toml", "rules/a.toml", "rules/b.toml"],
            ),
            ("rules = [\"none/*.toml\"]", &[]),
        ] {
            fs::write(&config, text).unwrap();
            let found = rule_files(&config).unwrap();
            let expected: Vec<_> = expected.iter().map(|name| folder.path().join(name)).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_configuration_that_hides_its_rule_files_is_refused() {
        let folder = folder();
        let config = folder.path().join("hsmwatch.toml");
        for (text, word) in [
            ("rules = [{ env = \"RULES\" }]", "not through variables"),
            ("rules = [", "is no TOML"),
        ] {
            fs::write(&config, text).unwrap();
            let error = format!("{:#}", rule_files(&config).unwrap_err());
            assert!(error.contains(word), "{error}");
        }
        fs::remove_file(&config).unwrap();
        assert!(rule_files(&config).unwrap_err().to_string().contains("cannot read"));
    }

    #[test]
    fn problems_are_told_apart() {
        let said = "warning: something\nerror: 2 problems in the configuration\nc.toml:12:7: `url` (variable `A`): the \
                    variable is not set\n  hint: set it, or leave the key out\nc.toml:18:1: unknown key `bogus`\n";
        let problems = problems(said);
        assert_eq!(problems.len(), 2);
        assert_eq!(unset(&problems[0]), Some(("A".to_owned(), "url".to_owned())));
        assert_eq!(unset(&problems[1]), None);
        assert_eq!(super::problems("error: no such file\n"), ["error: no such file"]);
        assert_eq!(super::problems(""), [""; 0]);
    }
}
