//! The package of the function app: a folder as the Functions host wants it, and the zip that is deployed.
//!
//! The host looks for functions one folder deep beside `host.json`, which is not how they are kept in the repository,
//! and it forgives little: a folder that it cannot read is a function that never runs, with one line in a log. So what
//! was written is read again and checked before it takes its place.

mod assemble;
mod check;
mod config;
#[cfg(test)]
mod fixture;
mod inspect;
mod zip;

pub use assemble::{Contents, Source, assemble, assemble_from};
pub use check::check;
pub use config::{accept, rule_files};
pub use inspect::{Glibc, Linkage, inspect};
pub use zip::{unpack, zip};

/// Settings of this machine, secrets among them, as Core Tools have them: kept in the folder, and never packed.
const LOCAL: &str = "local.settings.json";

/// What the handler answers, each by the name of its function.
pub const FUNCTIONS: [&str; 5] = ["dead-letter", "deliver", "evaluate", "status", "tick"];
