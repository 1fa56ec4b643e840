//! Black-box tests.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests stop at the first surprise, and read the clock"
)]

mod arrows;
mod demo;
mod demo_events;
mod file_logs;
mod files;
mod http;
mod identity;
mod logs;
mod presets;
mod store;
#[path = "../support/mod.rs"]
mod support;
