//! Black-box tests.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests stop at the first surprise, and read the clock"
)]

mod files;
mod store;
