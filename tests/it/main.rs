//! Black-box tests.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests stop at the first surprise, and read the clock"
)]

mod arrows;
mod backtest;
mod blob;
mod blob_cost;
mod blob_identity;
mod calls;
mod check;
mod crash;
mod daemon;
mod demo;
mod demo_events;
mod desks;
mod docs;
mod doctor;
mod file_logs;
mod files;
mod functions;
mod functions_days;
mod functions_host;
mod hooks;
mod hostile;
mod http;
mod identity;
mod init;
mod limits;
mod logs;
mod pack;
mod package;
mod page;
mod presets;
mod proof;
mod receivers;
mod remote;
mod rule_tests;
mod run;
mod service;
mod snippets;
mod state;
mod store;
#[path = "../support/mod.rs"]
mod support;
mod templates;
mod tickets;
mod verbs;
