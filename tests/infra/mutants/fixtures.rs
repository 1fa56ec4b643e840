//! Small broken files, each for what one check sees in a file by itself.

use crate::checks;
use crate::sources::Infra;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

#[test]
fn each_broken_file_is_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/infra/fixtures");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("fixtures")
        .map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let mut seen = String::new();
    for name in names {
        let text = fs::read_to_string(folder.join(&name)).expect("a text");
        // The check is named by the file: `syntax-lost-bracket.bicep`.
        let check = name.split('-').next().unwrap_or_default();
        let (_, check) =
            checks::ALL.iter().find(|(known, _)| *known == check).expect("a check's name");
        let infra = Infra::of(BTreeMap::from([(format!("infra/{name}"), text.into())]));
        let found = check(&infra);
        assert!(!found.is_empty(), "{name} is not told");
        let _infallible = writeln!(seen, "{name}\n  {}", found.join("\n  "));
    }
    insta::assert_snapshot!(seen);
}
