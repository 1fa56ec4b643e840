//! One change each, and the check that must see it.

mod deployment;
mod rights;
mod words;

/// A change of one file of the repository.
pub(crate) struct Mutant {
    /// What is wrong, for the snapshot.
    pub(crate) name: &'static str,
    pub(crate) check: &'static str,
    pub(crate) path: &'static str,
    /// What is replaced, once; empty: nothing, `to` is put at the end.
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
}

const fn mutant(
    check: &'static str,
    name: &'static str,
    path: &'static str,
    from: &'static str,
    to: &'static str,
) -> Mutant {
    Mutant { name, check, path, from, to }
}

const MAIN: &str = "infra/main.bicep";
const LOGGING: &str = "infra/logging/main.bicep";
const APP: &str = "infra/modules/app.bicep";
const VAULT: &str = "infra/modules/vault.bicep";
const STORAGE: &str = "infra/modules/functionStorage.bicep";
const READ_LOGS: &str = "infra/modules/readLogs.bicep";
const DEADMAN: &str = "infra/modules/deadman.bicep";
const WATCHER_STEPS: &str = "infra/modules/watcherSteps.bicep";
const LOGGING_STEPS: &str = "infra/modules/loggingSteps.bicep";
const README: &str = "infra/README.md";
const WATCH_ONLY: &str = "infra/examples/watch-only.parameters.json";

/// All of them.
pub(crate) fn mutants() -> impl Iterator<Item = &'static Mutant> {
    [deployment::MUTANTS, rights::MUTANTS, words::MUTANTS].into_iter().flatten()
}
