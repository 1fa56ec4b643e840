//! What the chores share with the tests of the product: how a package is put together and proved.

use std::path::Path;

pub mod package;

/// The root of the repository.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
