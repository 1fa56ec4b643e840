//! The table of variables is what the code reads, no more and no less.

use super::*;
use crate::azure::identity::choose;
use crate::config::state;
use crate::config::variables::{self, Reader, VARIABLES};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Answers from a world, and keeps the names that were asked for.
struct Listening {
    world: World,
    asked: RefCell<BTreeSet<String>>,
}

impl Listening {
    fn to(world: World) -> Self {
        Self { world, asked: RefCell::default() }
    }
}

impl Lookup for Listening {
    fn var(&self, name: &str) -> Option<String> {
        self.asked.borrow_mut().insert(name.to_owned());
        Lookup::var(&self.world, name)
    }

    fn base(&self) -> &Path {
        self.world.base()
    }

    fn read(&self, path: &Path) -> Result<String, String> {
        self.world.read(path)
    }

    fn glob(&self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        self.world.glob(pattern)
    }
}

fn table(reader: Reader) -> BTreeSet<String> {
    let of_reader = VARIABLES.iter().filter(|variable| variable.reader == reader);
    of_reader.map(|variable| variable.name.to_owned()).collect()
}

/// Worlds that between them lead a reader to every branch: with none, one, two and all of its variables set.
fn worlds(reader: Reader) -> Vec<BTreeSet<String>> {
    let names = table(reader);
    let pairs = names.iter().flat_map(|one| {
        names.iter().map(|other| BTreeSet::from([one.clone(), other.clone()])).collect::<Vec<_>>()
    });
    let mut worlds = vec![BTreeSet::new(), names.clone()];
    worlds.extend(pairs);
    worlds
}

/// What each variable is set to. Some readers go on only with a URL.
const VALUE: &str = "http://127.0.0.1:41/x";

#[test]
fn the_configuration_reads_the_variables_of_the_table() {
    let mut asked = BTreeSet::new();
    for names in worlds(Reader::Configuration) {
        let world = names.iter().fold(World::default(), |world, name| world.var(name, VALUE));
        let listening = Listening::to(world);
        let _any = load(Input::Environment, &known(), &listening);
        let _any = state(Input::Environment, &listening);
        let _any = storage_secret(&listening);
        asked.extend(listening.asked.into_inner());
    }
    assert_eq!(asked, table(Reader::Configuration), "src/config/variables.rs");
}

#[test]
fn the_choice_of_an_identity_reads_the_variables_of_the_table() {
    let asked = RefCell::new(BTreeSet::new());
    for names in worlds(Reader::Identity) {
        let _any = choose(|name| {
            asked.borrow_mut().insert(name.to_owned());
            names.contains(name).then(|| VALUE.to_owned())
        });
    }
    assert_eq!(asked.into_inner(), table(Reader::Identity), "src/config/variables.rs");
}

#[test]
fn each_variable_is_there_once_with_a_sentence() {
    let names: BTreeSet<_> = VARIABLES.iter().map(|variable| variable.name).collect();
    assert_eq!(names.len(), VARIABLES.len());
    for variable in VARIABLES {
        assert!(variable.meaning.ends_with('.') && variable.meaning.len() > 20, "{variable:?}");
    }
    assert_eq!(variables::get("HSMWATCH_LOG").unwrap().reader, Reader::CommandLine);
    assert_eq!(variables::get("HSMWATCH"), None);
}
