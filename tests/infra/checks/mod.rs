//! The checks: each a pure function from the texts to sentences with file, line and cure.

mod apart;
mod evaluation;
mod modules;
mod roles;
mod syntax;
mod tables;

use crate::sources::Infra;

/// A check.
pub type Check = fn(&Infra) -> Vec<String>;

/// Each check by its name, and as a test over the repository.
macro_rules! checks {
    ($($name:ident),* $(,)?) => {
        /// All of them.
        pub const ALL: &[(&str, Check)] = &[$((stringify!($name), $name::check)),*];

        mod repository {
            $(#[test]
            fn $name() {
                let found = super::$name::check(&crate::repository());
                assert!(found.is_empty(), "\n{}\n", found.join("\n"));
            })*
        }
    };
}

checks!(syntax, evaluation, modules, roles, tables, apart);
