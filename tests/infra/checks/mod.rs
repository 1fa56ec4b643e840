//! The checks: each a pure function from the texts to sentences with file, line and cure.

mod apart;
mod deadman;
mod documentation;
mod effects;
mod evaluation;
mod limits;
mod modules;
mod names;
mod network;
mod order;
mod parameters;
mod places;
mod privileged;
mod roles;
mod secrets;
mod settings;
mod shell;
mod source_scan;
mod syntax;
mod tables;

use crate::sources::Infra;

/// Each sentence once, with the first parameters that show it: what stands after ` (with `.
fn once_each(found: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut once: Vec<String> = Vec::new();
    for text in found {
        let start = text.split(" (with ").next().unwrap_or_default();
        if !once.iter().any(|known| known.split(" (with ").next() == Some(start)) {
            once.push(text);
        }
    }
    once
}

/// Each check by its name, and as a test over the repository.
macro_rules! checks {
    ($($name:ident),* $(,)?) => {
        /// All of them.
        pub(crate) const ALL: &[(&str, fn(&Infra) -> Vec<String>)] = &[$((stringify!($name), $name::check)),*];

        mod repository {
            $(#[test]
            fn $name() {
                let found = super::$name::check(&crate::repository());
                assert!(found.is_empty(), "\n{}\n", found.join("\n"));
            })*
        }
    };
}

checks!(
    syntax,
    evaluation,
    modules,
    roles,
    tables,
    apart,
    settings,
    source_scan,
    names,
    secrets,
    documentation,
    parameters,
    privileged,
    deadman,
    order,
    limits,
    places,
    network,
    effects,
);
