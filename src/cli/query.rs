//! `query`: any KQL, asked of a workspace or of exported log files.

use super::catalogue;
use super::report::{Stop, talk};
use super::rows::{Output, Printer};
use super::setup::{self, Setup, file_logs};
use super::span::{Span, Timing, with_window};
use super::{Context, Done, Format, runtime};
use crate::config::{Source, nearest};
use crate::local::files::{self, Report};
use crate::local::logs::FileLogs;
use crate::notify::limits::{clean, is_hidden};
use crate::notify::wording::{count_of, from_to};
use crate::ports::{LogSource, Query, QueryError};
use crate::watch::alert::Interval;
use crate::watch::head::Version;
use crate::watch::rule::Kind;
use crate::watch::step::TABLE;
use crate::watch::tables::{Empty, Variant, to_ticks};
use chrono::{DateTime, TimeDelta, Utc};
use kql::{Catalog, Diagnostics, Schema};
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// How far back a workspace is asked, if nothing else is said.
const DAY: TimeDelta = TimeDelta::days(1);

const AFTER: &str = "\
Examples:
  hsmwatch query 'CloudHsmServiceOperationAuditLogs | summarize count() by OperationName'
  hsmwatch query --workspace prod --last 7d --file hunt.kql --output csv > hunt.csv
  hsmwatch query --logs 'exports/**/*.json' 'CloudHsmServiceOperationAuditLogs | take 20'
  hsmwatch query --rule key-delete --from 2026-11-01 --to 2026-12-01
  echo 'CloudHsmServiceOperationAuditLogs | count' | hsmwatch query --logs export.json

A query that uses window_start and window_end gets them from --last, --from and --to, as rules do.
A workspace is asked for the last 24h unless told otherwise, files for all that is in them.
With --logs, further arguments that are files count as log files: the pattern may be left unquoted.
In CSV, text that a spreadsheet would take for a formula has an apostrophe before it.

Exit codes: 0 answered; 1 refused, or no full answer; 2 the query or the command line is wrong.";

/// Ask a workspace, or exported log files, any KQL
///
/// Needs no configuration with --logs: files in any format in which the audit log leaves Azure are read by the embedded
/// engine. Nothing is told to anybody, and no state is touched.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Args {
    /// The query; standard input if neither it, --file nor --rule is given
    #[arg(value_name = "KQL")]
    words: Vec<String>,
    /// Read the query from this file
    #[arg(long, value_name = "FILE", conflicts_with = "rule")]
    file: Option<PathBuf>,
    /// Ask what this rule asks
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// The workspace to ask [default: the only one]
    #[arg(long, value_name = "NAME", conflicts_with = "logs")]
    workspace: Option<String>,
    /// Ask exported log files instead: a path or a pattern, may be repeated
    #[arg(long, value_name = "GLOB")]
    logs: Vec<String>,
    #[command(flatten)]
    timing: Timing,
    /// How to print rows [default: table; json with --format json]
    #[arg(long, value_enum, value_name = "OUTPUT")]
    output: Option<Output>,
    /// In a table, cut no cell and leave no column out
    #[arg(long)]
    wide: bool,
}

/// Who is asked.
enum Asked {
    Files(Arc<FileLogs>),
    Service(Arc<dyn LogSource>),
}

/// A complete question.
struct Question {
    /// How errors name it.
    name: String,
    text: String,
    span: Span,
    /// Rows are only those of the window: an event rule's.
    within: Option<Interval>,
}

pub(crate) fn run(context: &Context, mut args: Args) -> Done {
    #[expect(clippy::disallowed_methods, reason = "a verb reads the clock once")]
    let now = Utc::now();
    if !args.logs.is_empty() {
        let (files, words): (Vec<_>, Vec<_>) =
            std::mem::take(&mut args.words).into_iter().partition(|w| Path::new(w).is_file());
        args.logs.extend(files);
        args.words = words;
    }
    let setup = if args.logs.is_empty() { Some(setup::load(context)?) } else { None };
    let (place, asked) = asked(&args, setup.as_ref())?;
    let question = question(context, &args, setup.as_ref(), &asked, now)?;
    let output = args.output.unwrap_or(match context.format {
        Format::Human => Output::Table,
        Format::Json => Output::Json,
    });
    if let Some(wrong) = checked(&question, &asked)? {
        return Ok(said(&wrong, &question, 2));
    }
    let mut printer = Printer::new(output, args.wide, question.within);
    let query = Query { text: question.text.clone(), timespan: question.span.asked, now };
    let source: &dyn LogSource = match &asked {
        Asked::Files(files) => files.as_ref(),
        Asked::Service(service) => service.as_ref(),
    };
    let answer = runtime()?.block_on(source.query(&query, &mut printer));
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            if printer.count > 0 {
                talk(format!("what was printed, {} rows, is not the answer", printer.count));
            }
            return failed(&error, &question, &asked);
        }
    };
    printer.finish();
    if let Asked::Files(files) = &asked {
        tell(files);
    }
    let rows = count_of(printer.count, "row", "rows");
    let time = question.span.asked.map(|_| {
        let Interval { from, to } = question.span.window;
        format!(", {}", from_to(from, to))
    });
    talk(format!("{rows} from {place}{}", time.unwrap_or_default()));
    if let Some(why) = answer.partial {
        talk(format!("warning: the answer is not complete: {}", clean(&why, 500)));
        talk("  hint: ask for less time, or let the query sum up");
        return Ok(ExitCode::from(1));
    }
    Ok(ExitCode::SUCCESS)
}

/// Who is asked, with a name for people.
fn asked(args: &Args, setup: Option<&Setup>) -> Result<(String, Asked), Stop> {
    let Some(setup) = setup else {
        return Ok(("log files".to_owned(), Asked::Files(file_logs(&args.logs)?)));
    };
    let all = &setup.config.workspaces;
    let names = || all.iter().map(|workspace| workspace.name.as_str());
    let list = || format!("there are {}", names().collect::<Vec<_>>().join(", "));
    let workspace = match (&args.workspace, all.as_slice()) {
        (None, [only]) => only,
        (None, _) => return Err(Stop::usage("name a workspace with --workspace").hint(list())),
        (Some(name), _) => all.iter().find(|w| w.name == *name).ok_or_else(|| {
            let near = nearest(name, names());
            Stop::usage(format!("there is no workspace `{name}`"))
                .hint(near.map_or_else(list, |near| format!("did you mean `{near}`?")))
        })?,
    };
    let asked = match &workspace.source {
        Source::Files { globs } => Asked::Files(file_logs(globs)?),
        Source::LogAnalytics { .. } => {
            Asked::Service(Arc::clone(&setup.workspace(workspace)?.source))
        }
    };
    Ok((workspace.name.clone(), asked))
}

/// What is asked: a rule's query, or a text from one of three places.
fn question(
    context: &Context,
    args: &Args,
    setup: Option<&Setup>,
    asked: &Asked,
    now: DateTime<Utc>,
) -> Result<Question, Stop> {
    let default = matches!(asked, Asked::Service(_)).then_some(DAY);
    let more = || {
        Stop::usage("more than one query is given").hint(
            "put the query in quotes; it is an argument, --file FILE, --rule ID or standard input",
        )
    };
    if let Some(id) = &args.rule {
        if !args.words.is_empty() {
            return Err(more());
        }
        let rule = match setup {
            Some(setup) => {
                let entries = catalogue::entries(Some(setup));
                catalogue::get(&entries, id)?.rule.clone()
            }
            None => catalogue::find(context)?.get(id)?.rule.clone(),
        };
        let span = Span::of_rule(&args.timing, &rule, now, default)?;
        let text = Version::of(&rule, now).ask(span.window);
        let within = matches!(rule.kind, Kind::Event { .. }).then_some(span.window);
        return Ok(Question { name: format!("rule {id}"), text, span, within });
    }
    let (name, text) = match (args.words.as_slice(), &args.file) {
        ([text], None) if text != "-" => ("query".to_owned(), text.clone()),
        ([], Some(path)) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|e| Stop::usage(format!("cannot read the query from `{name}`: {e}")))?;
            (name, text)
        }
        ([] | [_], None) => ("standard input".to_owned(), from_stdin()?),
        _ => return Err(more()),
    };
    // Lines of other systems, and what editors put before the first.
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    if text.trim().is_empty() {
        return Err(Stop::usage("the query is empty")
            .hint("such as 'CloudHsmServiceOperationAuditLogs | count'"));
    }
    let span = Span::new(&args.timing, now, default)?;
    let text = with_window(text, span.window);
    Ok(Question { name, text, span, within: None })
}

fn from_stdin() -> Result<String, Stop> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Stop::usage("no query is given").hint(
            "such as `hsmwatch query 'CloudHsmServiceOperationAuditLogs | count'`; more with --help",
        ));
    }
    let mut text = String::new();
    let read = stdin.read_to_string(&mut text);
    read.map_err(|e| Stop::usage(format!("cannot read the query from standard input: {e}")))?;
    Ok(text)
}

/// No tables at all.
struct NoTables;

impl Catalog for NoTables {
    fn schema(&self, _: &str) -> Option<Schema> {
        None
    }
}

/// What is wrong with the query, as far as that can be known before it is asked. Which tables and columns a workspace has
/// is for the service to say.
fn checked(question: &Question, asked: &Asked) -> Result<Option<Diagnostics>, Stop> {
    let now = to_ticks(question.span.now);
    match asked {
        Asked::Files(files) => {
            let snapshot = files.files().snapshot().map_err(|error| match error {
                files::FilesError::NoMatch(_) => {
                    let text = error.to_string();
                    // There may be no configuration to be relative to.
                    Stop::usage(text.split(": ").next().unwrap_or_default())
                        .hint("put exported logs there, or mend the path")
                }
                error => Stop::no(error.to_string()),
            })?;
            let columns = snapshot.schema(TABLE).unwrap_or_default();
            let has = |name: &str| columns.iter().any(|column| column.name == name);
            let variant = match (has("MemberId") || has("PoolType"), has("HsmInstance")) {
                (true, true) => Variant::Both,
                (true, false) => Variant::Legacy,
                (false, _) => Variant::Current,
            };
            Ok(kql::bind(&question.text, &Empty(variant), now).err())
        }
        Asked::Service(_) => {
            let wrong = kql::bind(&question.text, &NoTables, now).err();
            Ok(wrong.filter(certain))
        }
    }
}

/// Whether the query is wrong wherever it is asked: not for want of a name, nor for what the embedded engine lacks.
fn certain(all: &Diagnostics) -> bool {
    // A name may be a table or a saved function of the workspace.
    likely(all) && all.iter().all(|d| d.code != "KS142")
}

/// Whether this may be what a service means that refuses the query.
fn likely(all: &Diagnostics) -> bool {
    all.iter().all(|d| d.code != "KS204" && !d.unsupported)
}

/// Says what is wrong with the query.
fn said(wrong: &Diagnostics, question: &Question, code: u8) -> ExitCode {
    talk(visible(wrong.render(&question.name, &question.text).trim_end()));
    if wrong.only_unsupported() {
        talk(
            "hint: this is valid KQL that the embedded engine lacks; a Log Analytics workspace runs it",
        );
    }
    ExitCode::from(code)
}

/// Says why there is no answer.
fn failed(error: &QueryError, question: &Question, asked: &Asked) -> Done {
    match (error, asked) {
        (QueryError::Refused(_), Asked::Files(_)) => Err(Stop::usage(visible(&error.to_string()))),
        (QueryError::Refused(why), Asked::Service(_)) => {
            talk(format!("error: the workspace refuses the query: {}", clean(why, 2_000)));
            // What the embedded engine thinks of it may show the place.
            let now = to_ticks(question.span.now);
            let wrong = kql::bind(&question.text, &Empty(Variant::Both), now).err();
            Ok(wrong.filter(likely).map_or(ExitCode::from(1), |wrong| said(&wrong, question, 1)))
        }
        (QueryError::Denied(_), _) => Err(Stop::no(error.to_string())
            .hint("whoever runs this needs the role Log Analytics Reader on the workspace")),
        (QueryError::NoData(_), Asked::Service(_)) => Err(Stop::no(error.to_string()).hint(
            "a table appears with its first record: does a diagnostic setting send HsmServiceOperations to this workspace?",
        )),
        (QueryError::TooLarge(_), _) => {
            Err(Stop::no(error.to_string()).hint("ask for less time, or let the query sum up"))
        }
        _ => Err(Stop::no(visible(&error.to_string()))),
    }
}

/// Says what was found in log files beside rows.
fn tell(files: &FileLogs) {
    let Ok(snapshot) = files.files().snapshot() else { return };
    let Report { bad, bad_count, other, unfinished, unmatched, .. } = snapshot.report();
    for pattern in unmatched {
        talk(format!("warning: no file matches `{pattern}`"));
    }
    for bad in bad.iter().take(5) {
        talk(format!("warning: skipped a record: {}", clean(&bad.to_string(), 300)));
    }
    if *bad_count > 5 {
        talk(format!("warning: skipped {bad_count} records in all"));
    }
    for file in unfinished {
        talk(format!("warning: the last record of `{}` is not yet complete", clean(file, 200)));
    }
    let others: u64 = other.values().sum();
    if others > 0 {
        let names: Vec<String> = other.keys().take(5).map(|name| clean(name, 60)).collect();
        let records = count_of(others, "record", "records");
        talk(format!("passed over {records} of other logs ({})", names.join(", ")));
    }
}

/// A text as it is, but for characters that a terminal would obey.
pub(crate) fn visible(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\n' | '\t') || !is_hidden(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wrong_everywhere_is_certain() {
        let certainly_wrong =
            |text: &str| kql::bind(text, &NoTables, 0).err().is_some_and(|all| certain(&all));
        assert!(certainly_wrong("T | where ("));
        assert!(certainly_wrong("print 'open"));
        assert!(!certainly_wrong("T"));
        assert!(!certainly_wrong("T | where Column == 1"));
        assert!(!certainly_wrong("print 1"));
        assert!(!certainly_wrong("T | evaluate bag_unpack(x)"));
    }
}
