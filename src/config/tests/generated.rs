//! The files that are made from the catalogue are as it makes them. To make them again: `HSMWATCH_WRITE=1 cargo test -p hsmwatch
//! --lib generated`.

use super::written::world;
use super::*;
use crate::config::catalogue::{SECTIONS, reference, schema, template};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// The presets as they are shipped: files are for users.
fn shipped() -> Known {
    let presets = crate::watch::presets::all();
    Known {
        preset_ids: presets.iter().map(|preset| preset.spec.id.clone()).collect(),
        parameters: crate::watch::presets::parameters(),
        sets: crate::watch::presets::sets(),
    }
}

/// Compares a file of the repository with what it should be, or writes it.
fn held(name: &str, made: impl FnOnce(&str) -> String) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
    let there = fs::read_to_string(&path).unwrap_or_default();
    let made = made(&there);
    #[expect(clippy::disallowed_methods, reason = "a switch of whoever runs the test")]
    if std::env::var("HSMWATCH_WRITE").is_ok() {
        fs::write(path, made).unwrap();
        return;
    }
    let first = there.lines().zip(made.lines()).position(|(a, b)| a != b);
    assert!(
        there == made,
        "{name} is not what the catalogue says, from line {first:?} on: HSMWATCH_WRITE=1 cargo test -p hsmwatch --lib generated"
    );
}

#[test]
fn the_schema_is_what_the_catalogue_says() {
    held("hsmwatch.schema.json", |_| schema::text(&shipped()));
}

#[test]
fn the_example_is_what_the_catalogue_says() {
    held("hsmwatch.example.toml", |_| template::example());
}

#[test]
fn the_reference_is_what_the_catalogue_says() {
    held("docs/configuration.md", |there| {
        let mut made = String::new();
        let mut rest = there;
        let mut sections = SECTIONS.into_iter();
        while let Some((before, after)) = rest.split_once("<!-- keys") {
            let of = sections.next().expect("a place for each section");
            let (head, after) = after.split_once("-->\n").unwrap();
            assert!(of.header.is_empty() || head.contains(of.header), "{head}");
            let (_, after) = after.split_once("<!-- end of keys -->").unwrap();
            let table = reference::table(of);
            let _infallible =
                write!(made, "{before}<!-- keys{head}-->\n{table}<!-- end of keys -->");
            rest = after;
        }
        assert!(sections.next().is_none(), "a section has no place");
        let (before, after) = rest.split_once("<!-- variables -->\n").unwrap();
        let (_, after) = after.split_once("<!-- end of variables -->").unwrap();
        let table = reference::variables();
        format!("{made}{before}<!-- variables -->\n{table}<!-- end of variables -->{after}")
    });
}

#[test]
fn the_examples_of_the_reference_are_good() {
    let text = include_str!("../../../docs/configuration.md");
    let mut seen = 0;
    for block in text.split("```toml\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        let result =
            load(Input::File { name: "configuration.md", text: block }, &shipped(), &world());
        assert_eq!(rendered(&result), "fine", "{block}");
        seen += 1;
    }
    assert_eq!(seen, 6);
}
