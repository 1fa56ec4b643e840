//! What to do once the file is there.

use super::answers::{Answers, Source, State};
use super::receiver::Fate;
use std::path::Path;

/// The next steps, as commands. `path`: the file, where it must be named.
pub(super) fn steps(answers: &Answers, path: Option<&Path>) -> String {
    let mut steps: Vec<(String, &str)> = Vec::new();
    let mut step = |command: String, why: &'static str| steps.push((command, why));
    for (name, fate) in answers.variables() {
        let what = fate.source();
        if fate == Fate::Secret {
            step(format!("export {name}=\"whsec_$(openssl rand -base64 32)\""), what);
        } else {
            step(format!("read -rs {name} && export {name}"), what);
        }
    }
    let config = path.map(|path| format!(" --config {}", path.display())).unwrap_or_default();
    step(format!("hsmwatch check{config}"), "the file and every rule, without the network");
    let azure = answers.workspaces.iter().any(|(_, source)| matches!(source, Source::Id(_)));
    let blob = matches!(answers.state, State::Blob { .. });
    if azure || blob {
        step(format!("hsmwatch doctor{config}"), "sign-in, roles, table, state, receivers");
    }
    step(format!("hsmwatch send-test{config}"), "a sample alert to every receiver");
    step(format!("hsmwatch run --once{config}"), "the first tick; it tells nothing of the past");
    let width = steps.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    let mut lines = vec!["Next:".to_owned()];
    lines.extend(steps.iter().map(|(command, why)| format!("  {command:<width$}  # {why}")));
    lines.push("To run it in Azure instead of on this machine: docs/deploy.md".to_owned());
    lines.join("\n")
}
