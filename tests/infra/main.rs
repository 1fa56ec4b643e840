//! Checks of `infra/`: what the Bicep says, held against itself, against the code and against the documentation.
//!
//! The real compiler runs in CI; these tests need nothing but the repository. `bicep` reads the files, `eval` computes what a
//! template would deploy for given parameters, and each file of `checks` is one check: a pure function from the texts to
//! sentences, each with file, line and cure. A check is run over the repository, where it must say nothing, and over mutants of
//! it, where it must say exactly what is wrong.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests"
)]

mod bicep;
mod eval;
mod sources;

use sources::Infra;
use std::collections::BTreeMap;

#[test]
fn look() {
    let infra = Infra::of_repository();
    let began = std::time::Instant::now();
    for scenario in infra.scenarios().iter() {
        println!("{} {} {}", scenario.root, scenario.label, scenario.deployment.resources.len());
        for f in &scenario.deployment.faults { println!("   {f}"); }
    }
    println!("{:?}", began.elapsed());
    for f in eval::faults_of_pairs(&infra) { println!("{f}"); }
    println!("{:?}", began.elapsed());
}
