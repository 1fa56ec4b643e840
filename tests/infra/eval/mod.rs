//! What a template comes to: every expression evaluated for given parameters, through all modules, without Azure.
//!
//! What only Azure knows (`vault.properties.vaultUri`) is a text between `⟦` and `⟧`; everything else is what the service would
//! be sent. Whatever cannot be evaluated (a name that is not there, a property that an object lacks, an argument of the wrong
//! kind) is a fault, with file and line.

mod deploy;
mod expression;
mod frame;
mod functions;
mod scenario;
pub(crate) mod value;

pub(crate) use deploy::{Deployed, Deployment, deploy};
pub(crate) use functions::guid;
pub(crate) use scenario::{Scenario, faults_of_pairs, others_of, scenarios};
