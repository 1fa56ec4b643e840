//! The step `kql`: Microsoft's own parser reads every preset, on every schema that the table has had.

use crate::steps::Done;
use crate::{npm, root, variable};
use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value as Json, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The line that the product puts before every query; the instants do not matter to a parser.
const WINDOW: &str = "let window_start = datetime(2026-01-01T00:00:00.0000000Z); \
                      let window_end = datetime(2026-01-01T00:05:00.0000000Z);\n";

/// A rule of a preset file, as far as this step cares.
#[derive(Debug, PartialEq)]
struct Preset {
    /// `file#id`
    name: String,
    /// What is sent to the service.
    text: String,
    /// Whether the answer must have `TimeGenerated`: all rules but window rules.
    event: bool,
}

/// Lints every preset; skipped where the parser cannot be had.
pub(crate) fn lint_presets() -> Result<Done> {
    let presets = read_presets(&root().join("presets"))?;
    let folder = match npm::install("xtask/js", "npm", "Microsoft's KQL parser") {
        Ok(folder) => folder,
        Err(why) if must_run() => return Err(why.context("the KQL parser is a must where CI=true")),
        Err(why) => return Ok(Done::Skipped(format!("{why:#}"))),
    };
    let answers = ask(&folder, &presets)?;
    let complaints = judge(&presets, &answers)?;
    for complaint in &complaints {
        println!("{complaint}");
    }
    if !complaints.is_empty() {
        bail!("{} complaints about the presets", complaints.len());
    }
    Ok(Done::Passed(format!("{} queries, {} answers", presets.len(), answers.len())))
}

fn must_run() -> bool {
    variable("CI").as_deref() == Some("true")
        && variable("HSMWATCH_OFFLINE").as_deref() != Some("1")
}

/// Reads the rules of all files of `folder`, by file name.
fn read_presets(folder: &Path) -> Result<Vec<Preset>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .with_context(|| format!("cannot list `{}`", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    let mut presets = Vec::new();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text =
            std::fs::read_to_string(&file).with_context(|| format!("cannot read `{name}`"))?;
        presets.extend(rules(&name, &text)?);
    }
    if presets.is_empty() {
        bail!("no [[rule]] in `{}`: nothing was linted", folder.display());
    }
    Ok(presets)
}

/// The rules of one file.
fn rules(file: &str, text: &str) -> Result<Vec<Preset>> {
    let table: toml::Table =
        toml::from_str(text).with_context(|| format!("`{file}` is not TOML"))?;
    let Some(rules) = table.get("rule") else { return Ok(Vec::new()) };
    let rules = rules.as_array().ok_or_else(|| anyhow!("`rule` in `{file}` is not an array"))?;
    rules
        .iter()
        .map(|rule| {
            let field = |name: &str| rule.get(name).and_then(toml::Value::as_str);
            let id = field("id").ok_or_else(|| anyhow!("a [[rule]] in `{file}` has no `id`"))?;
            let query =
                field("query").ok_or_else(|| anyhow!("`{id}` in `{file}` has no `query`"))?;
            let exclude =
                field("exclude").map_or_else(String::new, |e| format!("\n| where not({e})"));
            Ok(Preset {
                name: format!("{file}#{id}"),
                text: format!("{WINDOW}{query}{exclude}"),
                event: rule.get("window").is_none(),
            })
        })
        .collect()
}

/// What the parser says of each query on each schema.
fn ask(folder: &Path, presets: &[Preset]) -> Result<Vec<Json>> {
    let questions: Vec<Json> =
        presets.iter().map(|preset| json!({"name": preset.name, "text": preset.text})).collect();
    let mut node = Command::new("node")
        .arg(root().join("xtask/js/kqllint.js"))
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start node")?;
    // Node reads all its input before it writes, so this cannot block; dropping it ends the input.
    if let Some(mut input) = node.stdin.take() {
        input.write_all(&serde_json::to_vec(&questions)?).context("node does not listen")?;
    }
    let output = node.wait_with_output().context("node is gone")?;
    if !output.status.success() {
        bail!("`kqllint.js` ended with {}", output.status);
    }
    serde_json::from_slice(&output.stdout).context("`kqllint.js` did not answer in JSON")
}

/// What is wrong, a paragraph each.
fn judge(presets: &[Preset], answers: &[Json]) -> Result<Vec<String>> {
    let text =
        |json: &Json, key: &str| json.get(key).and_then(Json::as_str).unwrap_or("?").to_owned();
    let mut complaints = Vec::new();
    for preset in presets {
        let mine: Vec<&Json> = answers
            .iter()
            .filter(|answer| answer.get("name").and_then(Json::as_str) == Some(&preset.name))
            .collect();
        if mine.is_empty() {
            bail!("no answer about `{}`", preset.name);
        }
        for answer in mine {
            let place = format!("presets/{} (schema {})", preset.name, text(answer, "schema"));
            for problem in answer.get("problems").and_then(Json::as_array).into_iter().flatten() {
                // Suggestions and information are matters of taste.
                if !matches!(text(problem, "severity").as_str(), "Error" | "Warning") {
                    continue;
                }
                let number = |key: &str| problem.get(key).and_then(Json::as_u64).unwrap_or(0);
                // The line of constants is ours, so the rule's own text begins at line 2.
                complaints.push(format!(
                    "{place}, query {}:{}: {} {}: {}",
                    number("line").saturating_sub(1),
                    number("column"),
                    text(problem, "severity").to_lowercase(),
                    text(problem, "code"),
                    text(problem, "message"),
                ));
            }
            let time = answer.pointer("/columns/TimeGenerated").and_then(Json::as_str);
            if preset.event && time != Some("datetime") {
                complaints.push(format!(
                    "{place}: an event rule must return `TimeGenerated`; with `window = \"…\"` it would be a window rule"
                ));
            }
        }
    }
    Ok(complaints)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
[[rule]]
id = 'event'
query = '''T
| where A'''
exclude = 'B'

[[rule]]
id = 'sum'
window = '1h'
query = 'T | count'
";

    #[test]
    fn rules_are_read_as_the_product_would_send_them() {
        let rules = rules("f.toml", FILE).unwrap();
        assert_eq!(rules.len(), 2);
        assert_eq!(rules[0].name, "f.toml#event");
        assert_eq!(rules[0].text, format!("{WINDOW}T\n| where A\n| where not(B)"));
        assert!(rules[0].event && !rules[1].event);
    }

    #[test]
    fn a_rule_without_its_text_is_an_error_not_a_gap() {
        let error = rules("f.toml", "[[rule]]\nid = 'empty'").unwrap_err();
        assert_eq!(error.to_string(), "`empty` in `f.toml` has no `query`");
    }

    fn answer(problems: &Json, columns: &Json) -> Json {
        json!({"name": "f.toml#event", "schema": "legacy", "problems": problems, "columns": columns})
    }

    fn complaints(problems: &Json, columns: &Json) -> Vec<String> {
        let presets = rules("f.toml", FILE).unwrap().into_iter().take(1).collect::<Vec<_>>();
        judge(&presets, &[answer(problems, columns)]).unwrap()
    }

    #[test]
    fn a_good_answer_has_no_complaint() {
        assert!(complaints(&json!([]), &json!({"TimeGenerated": "datetime"})).is_empty());
    }

    #[test]
    fn a_problem_is_placed_in_the_rules_own_text() {
        let problem = json!([{"line": 3, "column": 9, "code": "KS142", "severity": "Error", "message": "no A"}]);
        assert_eq!(
            complaints(&problem, &json!({"TimeGenerated": "datetime"})),
            ["presets/f.toml#event (schema legacy), query 2:9: error KS142: no A"]
        );
    }

    #[test]
    fn an_event_rule_must_return_its_time() {
        for columns in [json!({}), json!({"TimeGenerated": "string"})] {
            assert_eq!(complaints(&json!([]), &columns).len(), 1);
        }
    }

    #[test]
    fn silence_about_a_preset_is_an_error() {
        let presets = rules("f.toml", FILE).unwrap();
        assert!(judge(&presets, &[]).is_err());
    }
}
