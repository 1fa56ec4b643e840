//! Each check says exactly what is wrong: over the repository with one thing changed, and over small broken files.
//!
//! What is said is in the snapshots. Lines of the repository's files move, so there they are `_`.

mod fixtures;
mod list;

use crate::checks;
use crate::sources::Infra;
use list::{Mutant, mutants};
use std::fmt::Write as _;

/// The parameters that a check's mutants are tried with. The whole repository is tried with all.
fn tried(check: &str) -> &'static [&'static str] {
    match check {
        "evaluation" => &["networkMode", "assignRoles"],
        "roles" => &["principalId"],
        "settings" => &["receivers", "existingKeyVaultResourceId", "logLevel", "configInBlob"],
        "names" => &["configInBlob"],
        "privileged" => &["principalId", "hsmLogCategories"],
        "deadman" => &["alertEmails", "deadmanWorkspaceNames"],
        "order" => &["networkMode", "existingKeyVaultResourceId", "alertEmails"],
        "places" => &["tags", "networkMode"],
        "network" => &["networkMode", "existingKeyVaultResourceId"],
        "limits" => &["namePrefix", "alertEmails"],
        _ => &[],
    }
}

/// The repository with a mutant's change; `None` if what it replaces is not there.
fn mutated(infra: &Infra, mutant: &Mutant) -> Option<Infra> {
    let text = infra.text(mutant.path);
    let changed = match mutant.from {
        "" => format!("{text}{}", mutant.to),
        from if !text.contains(from) => return None,
        from => text.replacen(from, mutant.to, 1),
    };
    Some(infra.with(mutant.path, changed))
}

/// Sentences with `_` in place of numbers of lines and columns.
fn without_lines(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(':') {
        let (before, after) = rest.split_at(at + 1);
        out.push_str(before);
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        rest = if digits > 0 && after[digits..].starts_with(':') {
            out.push('_');
            &after[digits..]
        } else {
            after
        };
    }
    out + rest
}

/// What a check says of each of its mutants, and which it does not see.
fn said(name: &str) -> (String, Vec<String>) {
    let infra = crate::repository().trying(tried(name));
    infra.scenarios();
    let (_, check) = checks::ALL.iter().find(|(known, _)| *known == name).expect("a check's name");
    let (mut said, mut unseen) = (String::new(), Vec::new());
    for mutant in mutants().filter(|mutant| mutant.check == name) {
        let Some(mutated) = mutated(&infra, mutant) else {
            unseen.push(format!(
                "{}: what it replaces is not in {}: look at it again",
                mutant.name, mutant.path
            ));
            continue;
        };
        let found = check(&mutated);
        if found.is_empty() {
            unseen.push(format!("{}: is not seen", mutant.name));
        }
        let _infallible = writeln!(said, "{}", mutant.name);
        for sentence in found {
            let _infallible = writeln!(said, "  {}", without_lines(&sentence));
        }
    }
    (said, unseen)
}

macro_rules! says {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            let (said, unseen) = said(stringify!($name));
            assert!(unseen.is_empty(), "{unseen:#?}");
            insta::assert_snapshot!(stringify!($name), said);
        })*

        #[test]
        fn each_check_has_mutants() {
            let named = [$(stringify!($name)),*];
            for (name, _) in checks::ALL {
                assert!(named.contains(name), "{name}");
                assert!(mutants().any(|mutant| mutant.check == *name), "{name}");
            }
        }
    };
}

says!(
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
