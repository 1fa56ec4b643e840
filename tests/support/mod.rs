//! The outside world of black-box tests: real HTTP servers on this machine that keep the documented contracts and
//! misbehave on demand. Each runs on a thread of its own and stops when it is dropped.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]
#![allow(dead_code, reason = "a kit: not every part is used by every test")]

pub(crate) mod azurite;
pub(crate) mod bed;
pub(crate) mod bouncer;
pub(crate) mod daemon;
pub(crate) mod desks;
pub(crate) mod fake_desk;
pub(crate) mod fake_identity;
pub(crate) mod fake_logs;
pub(crate) mod fake_management;
pub(crate) mod fake_receiver;
pub(crate) mod fake_tokens;
pub(crate) mod function_app;
pub(crate) mod functions_host;
pub(crate) mod gate;
pub(crate) mod installed;
pub(crate) mod package;
pub(crate) mod proxy;
pub(crate) mod server;
pub(crate) mod state;
#[cfg(unix)]
pub(crate) mod terminal;
pub(crate) mod tls;
