//! Black-box tests.
<<<<<<< HEAD
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests stop at the first surprise, and read the clock"
)]

mod store;
=======

mod http;
mod identity;
mod logs;
#[path = "../support/mod.rs"]
mod support;
>>>>>>> azure
