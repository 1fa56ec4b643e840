//! `init`: writes a commented configuration, from questions on a terminal and from flags elsewhere. Secrets are never asked for:
//! only the names of the variables that hold them.

mod answers;
mod ask;
mod flags;
mod next;
mod receiver;
#[cfg(test)]
mod tests;
mod write;

use super::report::{Stop, out, out_whole, talk};
use super::{Context, Done, Format, setup};
use crate::config::catalogue::{schema, template};
use crate::config::{self, Input, Lookup};
use answers::Answers;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const AFTER: &str = "\
Examples:
  hsmwatch init                                       asks, on a terminal
  hsmwatch init --workspace-id 11111111-2222-3333-4444-555555555555 --teams HSMWATCH_TEAMS_URL
  hsmwatch init --logs 'exports/**/*.json' --webhook HSMWATCH_WEBHOOK_URL --stdout
  hsmwatch init --schema > hsmwatch.schema.json       completion and checks in an editor

Secrets are never asked for and never written: only the names of the variables that hold them.

Exit codes: 0 written; 1 not written, and why; 2 usage.";

/// Write a configuration, with a comment on every line that needs one
///
/// Asks a few questions on a terminal; what flags say is not asked. Elsewhere flags say everything. A file that is there
/// is never written over without --force.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// Where to write; `-`: to standard output [default: what --config names, else hsmwatch.toml]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Customer id of the Log Analytics workspace, a GUID; it is then called `prod`
    #[arg(long, value_name = "ID")]
    workspace_id: Vec<String>,
    /// A workspace by a name of your choice; may be repeated
    #[arg(long, value_name = "NAME=ID")]
    workspace: Vec<String>,
    /// Exported logs instead of a workspace: a path or a pattern; may be repeated
    #[arg(long, value_name = "GLOB")]
    logs: Vec<String>,
    /// State in this folder of this machine
    #[arg(long, value_name = "FOLDER")]
    state_path: Option<String>,
    /// State in a storage account: `https://ACCOUNT.blob.core.windows.net/CONTAINER`
    #[arg(long, value_name = "URL", conflicts_with = "state_path")]
    state_url: Option<String>,
    /// A channel of Teams: the name of the variable that holds its address; may be repeated
    #[arg(long, value_name = "[NAME=]VARIABLE")]
    teams: Vec<String>,
    /// A channel of Slack: the name of the variable that holds its address; may be repeated
    #[arg(long, value_name = "[NAME=]VARIABLE")]
    slack: Vec<String>,
    /// A system that takes webhooks: the names of the variables that hold its address and what alerts are signed with
    #[arg(long, value_name = "[NAME=]VARIABLE[,VARIABLE]")]
    webhook: Vec<String>,
    /// A service of PagerDuty: the name of the variable that holds its integration key
    #[arg(long, value_name = "[NAME=]VARIABLE")]
    pagerduty: Vec<String>,
    /// A team of Jira Service Management: the name of the variable that holds the key of its API integration
    #[arg(long, value_name = "[NAME=]VARIABLE")]
    jira_service_management: Vec<String>,
    /// ServiceNow: its address, the user, and the name of the variable that holds the password
    #[arg(long, value_name = "[NAME=]URL,USER[,VARIABLE]")]
    servicenow: Vec<String>,
    /// A project of Jira: the site, the project's key, the account, and the name of the variable that holds its API token
    #[arg(long, value_name = "[NAME=]URL,PROJECT,EMAIL[,VARIABLE]")]
    jira: Vec<String>,
    /// Presets or sets of them, separated by commas: tutorial, recommended, all, …
    #[arg(long, value_name = "LIST")]
    presets: Option<String>,
    /// Which Azure: public, usgov or china
    #[arg(long, value_name = "CLOUD")]
    cloud: Option<String>,
    /// How often rules are evaluated, such as 5m
    #[arg(long, value_name = "DURATION")]
    every: Option<String>,
    /// With all other options as comments
    #[arg(long)]
    full: bool,
    /// Print instead of writing a file
    #[arg(long, conflicts_with = "file")]
    stdout: bool,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
    /// Ask nothing: take the defaults of what flags leave open
    #[arg(short, long)]
    yes: bool,
    /// Print the JSON schema of the configuration, and nothing else
    #[arg(long, conflicts_with = "example")]
    schema: bool,
    /// Print an example with every option, and nothing else
    #[arg(long)]
    example: bool,
}

/// Where the text goes.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Stdout,
    File(PathBuf),
}

pub(crate) fn run(context: &Context, args: &Args) -> Done {
    let known = setup::known();
    if args.schema {
        return print(&schema::text(&known));
    }
    if args.example {
        return print(&template::example());
    }
    let target = target(context, args)?;
    if let Target::File(path) = &target {
        write::may(path, args.force)?;
    }
    let mut answers = flags::read(args, &known)?;
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if terminal && !args.yes {
        let (stdin, stderr) = (std::io::stdin().lock(), std::io::stderr());
        ask::Dialogue::new(stdin, stderr).complete(&mut answers, &known)?;
    }
    let answers = answers.complete().map_err(|open| flags::incomplete(&open, args.yes))?;
    let beside = match &target {
        Target::File(path) => path.with_file_name(SCHEMA).is_file(),
        Target::Stdout => false,
    };
    let text = template::render(&head(beside, args.full), &answers.tables(args.full), args.full);
    prove(&text, &answers)?;
    let variables: Vec<&str> = answers.variables().map(|(name, _)| name).collect();
    match &target {
        Target::Stdout => {
            print(&text)?;
        }
        Target::File(path) => {
            write::write(path, &text, args.force)?;
            if context.format == Format::Json {
                out(json!({ "written": path.display().to_string(), "variables": variables }));
                return Ok(ExitCode::SUCCESS);
            }
            talk(format!("{} is written: {}", path.display(), answers.summary()));
        }
    }
    let path = match &target {
        Target::File(path) => Some(path.as_path()).filter(|path| *path != Path::new(setup::FILE)),
        Target::Stdout => None,
    };
    talk(next::steps(&answers, path));
    Ok(ExitCode::SUCCESS)
}

const SCHEMA: &str = "hsmwatch.schema.json";

/// Data that is of no use if it is cut.
fn print(text: &str) -> Done {
    out_whole(text).map_err(|e| Stop::no(format!("standard output takes no more: {e}")))?;
    Ok(ExitCode::SUCCESS)
}

fn target(context: &Context, args: &Args) -> Result<Target, Stop> {
    if args.stdout || args.file.as_deref() == Some(Path::new("-")) {
        return Ok(Target::Stdout);
    }
    let path = args.file.clone().or_else(|| context.config.clone());
    let path = path.unwrap_or_else(|| PathBuf::from(setup::FILE));
    // The address may have a secret in it, and is not repeated.
    if path.to_string_lossy().contains("://") {
        return Err(Stop::usage("`init` writes files, and what was named is a URL").hint(
            "name a file, check it, and upload it; or set no HSMWATCH_CONFIG while you do so",
        ));
    }
    Ok(Target::File(path))
}

/// What stands above the first table.
fn head(schema_beside: bool, full: bool) -> String {
    let schema = if schema_beside { format!("#:schema ./{SCHEMA}\n") } else { String::new() };
    let more = "\
# What hsmwatch watches, and who is told. All options, with their defaults: `hsmwatch init --example`.
#
";
    format!("{schema}{more}{}", template::legend(full))
}

/// Reads the text as `check` would, with the variables set: what this verb writes must be good.
fn prove(text: &str, answers: &Answers) -> Result<(), Stop> {
    let lookup = Imagined {
        variables: answers.variables().map(|(name, fate)| (name, fate.stand_in())).collect(),
    };
    let input = Input::File { name: "the new configuration", text };
    let loaded = config::load(input, &setup::known(), &lookup)?;
    setup::finish(loaded, String::new(), config::System::here()).map(drop)
}

/// A world in which the variables that a new configuration names are set, and nothing else is.
struct Imagined<'a> {
    variables: BTreeMap<&'a str, &'static str>,
}

impl Lookup for Imagined<'_> {
    fn var(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|value| (*value).to_owned())
    }

    fn base(&self) -> &Path {
        Path::new("")
    }

    fn read(&self, _: &Path) -> Result<String, String> {
        Err("no files here".to_owned())
    }

    fn glob(&self, _: &str) -> Result<Vec<PathBuf>, String> {
        Ok(Vec::new())
    }
}
