//! Questions on a terminal: few, each with what Enter answers. An answer that is not taken is asked for again, with the reason.

use super::super::report::Stop;
use super::answers::{self, Draft, FOLDER, Refused, Source, fits, refused};
use super::receiver::{Receiver, Value, variables, wants};
use crate::config::Known;
use crate::config::catalogue::DOCUMENT;
use crate::notify::Kind;
use crate::watch::presets::SETS;
use std::io::{self, BufRead, Write};

/// A longer line is no answer.
const LONGEST: u64 = 4096;

/// Asks through `out`, and hears through `heard`.
pub(super) struct Dialogue<R, W> {
    heard: R,
    out: W,
}

impl<R: BufRead, W: Write> Dialogue<R, W> {
    pub(super) fn new(heard: R, out: W) -> Self {
        Self { heard, out }
    }

    /// Asks for what the draft leaves open.
    pub(super) fn complete(&mut self, draft: &mut Draft, known: &Known) -> Result<(), Stop> {
        self.say("Enter takes what is in brackets; Ctrl-C leaves everything as it is.\n")?;
        if draft.workspaces.is_empty() {
            self.say(
                "Audit logs are read from a Log Analytics workspace, known by its customer id (a GUID), or from exported files.",
            )?;
            let source = self.ask("Workspace id, or a pattern of files", None, |text| {
                answers::source(text, known)
            })?;
            let name = match source {
                Source::Id(_) => "prod",
                Source::Logs(_) => "exports",
            };
            draft.workspaces.push((name.to_owned(), source));
        }
        let azure = draft.workspaces.iter().any(|(_, source)| matches!(source, Source::Id(_)));
        if draft.cloud.is_none() && azure {
            let cloud =
                self.ask("Which Azure: public, usgov or china", Some("public"), |text| {
                    fits(&DOCUMENT, "cloud", text, known).map(|()| text.to_owned())
                })?;
            draft.cloud = Some(cloud).filter(|cloud| cloud != "public");
        }
        if draft.state.is_none() {
            self.say(
                "\nhsmwatch remembers what it has told in a folder of this machine, or in a storage account \
                 (https://ACCOUNT.blob.core.windows.net/CONTAINER).",
            )?;
            draft.state =
                Some(self.ask("Folder, or address of the account", Some(FOLDER), |text| {
                    answers::state(text, known)
                })?);
        }
        if draft.receivers.is_empty() {
            self.receivers(draft, known)?;
        }
        if draft.presets.is_none() {
            let sets: Vec<String> = SETS
                .into_iter()
                .filter_map(|set| Some(format!("{set} ({})", known.sets.get(set)?.len())))
                .collect();
            let sets = sets.join(", ");
            self.say(&format!(
                "\nThe shipped rules come in sets: {sets}. `hsmwatch rules` lists them."
            ))?;
            draft.presets =
                Some(self.ask("Which", Some("tutorial"), |text| answers::presets(text, known))?);
        }
        if draft.every.is_none() {
            draft.every = Some(self.ask("Evaluate them every", Some("5m"), |text| {
                fits(&DOCUMENT, "every", text, known).map(|()| text.to_owned())
            })?);
        }
        self.say("")
    }

    fn receivers(&mut self, draft: &mut Draft, known: &Known) -> Result<(), Stop> {
        self.say(
            "\nAlerts go to teams, slack, pagerduty, jira-service-management, servicenow, jira, or a webhook (signed; for anything \
             else), or several of them.",
        )?;
        let kinds = self.ask("Who is told", Some("teams"), kinds)?;
        self.say(
            "Addresses of channels, keys and passwords are secrets: each stays in a variable of the environment, and the file \
             names the variable.",
        )?;
        for kind in kinds {
            let mut values: Vec<(&'static str, Value)> = Vec::new();
            for want in wants(kind) {
                let question = match want.fate {
                    Some(_) => format!("Name of the variable for {}", want.what),
                    None => format!("{}, such as {}", want.what, want.such),
                };
                let usual = want.usual(&values);
                let value = self.ask(&question, usual.as_deref(), |text| {
                    let value = want.value(kind, text, known)?;
                    if let Value::Variable(name, _) = &value {
                        free(draft, &values, name)?;
                    }
                    Ok(value)
                })?;
                values.push((want.key, value));
            }
            draft.receivers.push(Receiver { name: kind.as_str().to_owned(), kind, values });
        }
        Ok(())
    }

    /// Asks until an answer is taken.
    fn ask<T>(
        &mut self,
        question: &str,
        default: Option<&str>,
        mut take: impl FnMut(&str) -> Result<T, Refused>,
    ) -> Result<T, Stop> {
        loop {
            let hint = default.map(|default| format!(" [{default}]")).unwrap_or_default();
            self.put(&format!("{question}{hint}: "))?;
            let taken = match self.hear()? {
                Ok(line) => match (line.trim(), default) {
                    ("", Some(default)) => take(default),
                    ("", None) => Err(refused("an answer is needed here", "")),
                    (answer, _) => take(answer),
                },
                Err(refused) => Err(refused),
            };
            match taken {
                Ok(value) => return Ok(value),
                Err(Refused { why, hint }) => {
                    self.say(&format!("  {why}"))?;
                    if let Some(hint) = hint {
                        self.say(&format!("  hint: {hint}"))?;
                    }
                }
            }
        }
    }

    /// A line, or why it is no answer.
    fn hear(&mut self) -> Result<Result<String, Refused>, Stop> {
        let mut line = Vec::new();
        let read = io::Read::take(&mut self.heard, LONGEST).read_until(b'\n', &mut line);
        let read = read.map_err(|e| Stop::no(format!("the terminal cannot be read: {e}")))?;
        if read == 0 {
            let _gone = writeln!(self.out);
            return Err(Stop::no("no answer: nothing is written"));
        }
        let Ok(line) = String::from_utf8(line) else {
            return Ok(Err(refused("this is not UTF-8", "")));
        };
        if line.trim_end().chars().any(char::is_control) {
            let hint = "the line is read as it is typed: arrow keys are part of it";
            return Ok(Err(refused("there are control characters in this", hint)));
        }
        Ok(Ok(line))
    }

    fn say(&mut self, text: &str) -> Result<(), Stop> {
        self.put(&format!("{text}\n"))
    }

    fn put(&mut self, text: &str) -> Result<(), Stop> {
        write!(self.out, "{text}")
            .and_then(|()| self.out.flush())
            .map_err(|e| Stop::no(format!("the terminal cannot be written to: {e}")))
    }
}

/// Whether a variable is for nothing else yet.
fn free(draft: &Draft, mine: &[(&'static str, Value)], name: &str) -> Result<(), Refused> {
    let before = variables(mine).find(|(other, _)| *other == name);
    if let Some((_, fate)) = before {
        return Err(refused(format!("this variable is for {}", fate.what()), ""));
    }
    if !draft.is_free(name) {
        let hint = "one variable for each address and each secret";
        return Err(refused("this variable is another's already", hint));
    }
    Ok(())
}

fn kinds(text: &str) -> Result<Vec<Kind>, Refused> {
    let mut found = Vec::new();
    for answer in answers::words(text) {
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == answer.to_lowercase())
            .ok_or_else(|| {
                let all = Kind::ALL.map(Kind::as_str).join(", ");
                refused(format!("expected one of {all}"), "several with commas: teams, webhook")
            })?;
        if !found.contains(&kind) {
            found.push(kind);
        }
    }
    if found.is_empty() {
        return Err(refused("somebody must be told", "such as teams, or teams, pagerduty"));
    }
    Ok(found)
}
