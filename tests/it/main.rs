//! Black-box tests.

mod http;
mod identity;
mod logs;
#[path = "../support/mod.rs"]
mod support;
