//! Configuration: `hsmwatch.toml`, or the environment alone, as a pure function of strings.
//!
//! [`load`] reads a draft (every value parsed by itself), then holds the parts against each other, and answers either a
//! checked [`Config`] or all problems at once, each with its place and what to do. The world comes in through [`Lookup`].

mod address;
mod asked;
mod auth;
mod blob;
pub(crate) mod catalogue;
mod cloud;
mod cross;
mod desks;
mod document;
mod draft;
mod environment;
mod fetched;
mod file;
pub(crate) mod judge;
mod lookup;
mod model;
mod pem;
mod problem;
mod reader;
mod receivers;
mod rules;
mod secret;
mod state;
#[cfg(test)]
mod tests;
mod text;
mod value;
pub mod variables;
mod webhook;

pub use asked::{Asked, Kept, Recorder};
pub use blob::{BlobPlace, ContainerPlace};
pub use cloud::Cloud;
pub use fetched::{Blobs, Fetched, Wanted};
pub use lookup::{Lookup, System};
pub use model::{
    Address, Auth, Config, Receiver, RulePlace, Source, State, StorageSecret, TemplatePlaces,
    TextPlace, Workspace,
};
pub use problem::{Place, Problem, Problems, nearest};

use crate::watch::parameters::Parameters;
use document::Document;
use problem::Report;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a configuration is read from. A file wins whole over the environment.
#[derive(Clone, Copy, Debug)]
pub enum Input<'t> {
    /// A file.
    File {
        /// As the user would name it.
        name: &'t str,
        /// Its text.
        text: &'t str,
    },
    /// The variables `HSMWATCH_*`.
    Environment,
}

/// The presets there are.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Their ids.
    pub preset_ids: Vec<String>,
    /// The parameters of those that have some, with their values, by the preset's id.
    pub parameters: BTreeMap<String, Parameters>,
    /// Sets of ids by name; `tutorial` is what a configuration without `presets` gets.
    pub sets: BTreeMap<String, Vec<String>>,
}

/// A configuration that can be used, and what is odd about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is odd, but no error.
    pub warnings: Vec<Problem>,
    /// Where a secret is written out in the configuration itself: such a text is to be kept nowhere else.
    pub exposed: Vec<Problem>,
}

/// Reads and checks a configuration.
pub fn load(input: Input<'_>, known: &Known, lookup: &dyn Lookup) -> Result<Loaded, Problems> {
    let mut report = Report::default();
    let mut files = Vec::new();
    let draft = match input {
        Input::File { name, text } => {
            let document = Document { name: Arc::from(name), text };
            file::read(&document, lookup, &mut report, &mut files)
        }
        Input::Environment => Some(environment::read(lookup, &mut report)),
    };
    let config = draft.and_then(|draft| cross::check(draft, known, &mut report));
    let (warnings, exposed) = report.finish(&files)?;
    match config {
        Some(config) => Ok(Loaded { config, warnings, exposed }),
        None => Err(Problems(vec![Problem {
            place: None,
            message: "the configuration is not complete".to_owned(),
            hint: None,
        }])),
    }
}

/// Where state lives, if that alone can be read, whatever else is wrong.
pub fn state(input: Input<'_>, lookup: &dyn Lookup) -> Option<State> {
    let mut report = Report::default();
    match input {
        Input::File { name, text } => {
            let document = Document { name: Arc::from(name), text };
            let state = file::state_alone(&document, lookup, &mut report);
            state.filter(|_| !report.failed())
        }
        // What else is missing there is another's business.
        Input::Environment => environment::read(lookup, &mut report).state,
    }
}

/// The secret of a storage account that the environment has, for a configuration that is read from there.
pub fn storage_secret(lookup: &dyn Lookup) -> Result<Option<StorageSecret>, Problems> {
    let mut report = Report::default();
    let secret = state::storage_secret(|name| environment::variable(lookup, name), &mut report);
    report.finish(&[])?;
    Ok(secret.map(|(secret, _)| secret))
}
