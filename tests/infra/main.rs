//! Checks of `infra/`: what the Bicep says, held against itself, against the code and against the documentation.
//!
//! The real compiler runs in CI; these tests need nothing but the repository. `bicep` reads the files, `eval` computes what a
//! template would deploy for given parameters, and each file of `checks` is one check: a pure function from the texts to
//! sentences, each with file, line and cure. A check is run over the repository, where it must say nothing, and over mutants of
//! it, where it must say exactly what is wrong.
#![expect(clippy::expect_used, clippy::indexing_slicing, clippy::string_slice, reason = "tests")]

mod bicep;
mod checks;
mod eval;
mod handler;
mod mutants;
mod posture;
mod sources;

use sources::Infra;
use std::sync::OnceLock;

/// What is in the repository, read once.
fn repository() -> Infra {
    static REPOSITORY: OnceLock<Infra> = OnceLock::new();
    let infra = REPOSITORY.get_or_init(Infra::of_repository);
    infra.scenarios();
    infra.clone()
}
