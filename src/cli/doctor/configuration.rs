//! The configuration and its rules: all that `check` refuses, and that there may be none.

use super::kinds::{CONFIGURATION, RULES};
use crate::cli::report::{Stop, count};
use crate::cli::setup::{FILE, Setup};
use crate::hosts::checks::{Check, Cure};

/// What there is to say of a configuration that was read, or not. `None`: there is none.
pub(super) fn checks(setup: &Result<Option<Setup>, Stop>) -> Vec<Check> {
    match setup {
        Err(stop) => {
            let why = stop.sentence();
            vec![
                CONFIGURATION.fail(why).cure(
                    Cure::az("hsmwatch check")
                        .and_text("mend what is named; the other checks go on without it"),
                ),
                RULES.skipped("the configuration cannot be used"),
            ]
        }
        Ok(None) => {
            let why =
                format!("there is none: no {FILE} here, no --config, no HSMWATCH_WORKSPACE_ID");
            let cure = Cure::az("hsmwatch init")
                .and_text("without one, resources alone are looked at: name them with --hsm, --workspace, --subscription");
            vec![CONFIGURATION.skipped(why).cure(cure), RULES.skipped("there is no configuration")]
        }
        Ok(Some(setup)) => vec![whole(setup), rules(setup)],
    }
}

fn whole(setup: &Setup) -> Check {
    // Made, and thrown away: what they refuse is told here too.
    let made = setup
        .transport()
        .map(drop)
        .and_then(|()| setup.receivers().map(drop))
        .and_then(|()| setup.watches().map(drop));
    if let Err(stop) = made {
        return CONFIGURATION.fail(stop.sentence()).cure(Cure::az("hsmwatch check"));
    }
    CONFIGURATION.ok(format!(
        "{}: {}, {}",
        setup.source,
        count(setup.config.workspaces.len(), "workspace"),
        count(setup.config.receivers.len(), "receiver")
    ))
}

fn rules(setup: &Setup) -> Check {
    let rules = count(setup.rules.len(), "rule");
    if setup.rules.is_empty() {
        return RULES.warn("no rule is on: nothing is watched").cure(Cure::az("hsmwatch rules"));
    }
    if setup.warnings.is_empty() {
        return RULES.ok(format!("{rules} on"));
    }
    let warnings: Vec<String> = setup.warnings.iter().map(ToString::to_string).collect();
    RULES
        .warn(format!(
            "{rules} on, with {}\n{}",
            count(warnings.len(), "warning"),
            warnings.join("\n")
        ))
        .cure(Cure::az("hsmwatch check"))
}
