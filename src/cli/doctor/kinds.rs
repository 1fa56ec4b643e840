//! Every check there is: its id, which programs hold on to, its words, and where it stands in the chain.

use crate::hosts::checks::{Check, Verdict};

/// A check by its name.
#[derive(Debug)]
pub(super) struct Kind {
    /// Stable, for programs.
    pub(super) id: &'static str,
    /// For people.
    pub(super) title: &'static str,
    /// The heading that it stands under.
    pub(super) group: &'static str,
    /// What it is about, for `--help`.
    pub(super) about: &'static str,
}

impl Kind {
    pub(super) fn ok(&self, seen: impl AsRef<str>) -> Check {
        self.ended(Verdict::Ok, seen)
    }

    pub(super) fn warn(&self, seen: impl AsRef<str>) -> Check {
        self.ended(Verdict::Warn, seen)
    }

    pub(super) fn fail(&self, seen: impl AsRef<str>) -> Check {
        self.ended(Verdict::Fail, seen)
    }

    pub(super) fn skipped(&self, why: impl AsRef<str>) -> Check {
        self.ended(Verdict::Skipped, why)
    }

    fn ended(&self, verdict: Verdict, seen: impl AsRef<str>) -> Check {
        Check::new(self.id, self.title, verdict, seen)
    }
}

macro_rules! kinds {
    ($($name:ident $id:literal $title:literal $group:literal $about:literal;)*) => {
        $(pub(super) const $name: Kind =
            Kind { id: $id, title: $title, group: $group, about: $about };)*
        /// All of them, in the order of the chain.
        pub(super) const ALL: &[&Kind] = &[$(&$name),*];
    };
}

kinds! {
    CONFIGURATION "configuration" "configuration" "Configuration" "whether it can be used; all its problems";
    RULES "rules" "rules" "Configuration" "the rules that are on, and what is odd about them";
    TOKEN "token" "token" "Identity" "a token for each audience, and under which identity";
    CLOCK "clock" "clock" "Identity" "this machine's clock against the services'";
    SUBSCRIPTION "subscription" "subscription" "Subscription" "whether it can be read";
    PROVIDER "provider" "provider" "Subscription" "resource providers registered, Microsoft.Insights first";
    HSM "hsm" "HSM" "HSM" "the Cloud HSMs, and whether they are provisioned";
    DIAGNOSTIC_SETTING "diagnostic-setting" "diagnostic setting" "Diagnostic settings" "a setting, whoever made it, with the category HsmServiceOperations enabled";
    DIAGNOSTIC_DESTINATION "diagnostic-destination" "destination" "Diagnostic settings" "whether it leads to a workspace that is watched";
    ARCHIVE "archive" "archive" "Diagnostic settings" "the archive's container, its region and its immutability";
    WORKSPACE "workspace" "workspace" "Workspace" "the workspace as a resource";
    QUERY "query" "query right" "Workspace" "whether this identity may ask it";
    TABLE "table" "table" "Workspace" "whether every table that the rules read is there";
    TABLE_PLAN "table-plan" "table plan" "Workspace" "plan Analytics, and how long records are kept";
    COLUMNS "columns" "columns" "Workspace" "which schema of the table it has";
    LAST_RECORD "last-record" "last record" "Workspace" "the last record, its age, and how late records come";
    STATE "state" "state" "State" "whether state can be read, written and deleted";
    RECEIVER "receiver" "receiver" "Receivers" "name, address guard, connection and TLS; nothing is sent";
    PACKAGE "package" "package" "Function app" "host.json, function folders and version, in a function app";
    SETTINGS "settings" "app settings" "Function app" "the settings that the host and hsmwatch need, in a function app";
    KEY_VAULT "key-vault" "key vault reference" "Function app" "references to Key Vault that are resolved, or not";
    WATCHES "watches" "watches" "Watches" "when every watch last succeeded";
    APP "app" "function app" "Function app" "with --app: whether it runs";
    APP_IDENTITY "app-identity" "identity" "Function app" "with --app: the identity assigned to it";
    APP_CHECKS "app-checks" "own checks" "Function app" "with --app: what the deployed function says of itself";
}

/// The heading for the id of a check.
pub(super) fn group(id: &str) -> &'static str {
    ALL.iter().find(|kind| kind.id == id).map_or("Further checks", |kind| kind.group)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_id_is_there_once() {
        let ids: BTreeSet<&str> = ALL.iter().map(|kind| kind.id).collect();
        assert_eq!(ids.len(), ALL.len());
        assert_eq!(group("table-plan"), "Workspace");
        assert_eq!(group("\u{1b}"), "Further checks");
    }
}
