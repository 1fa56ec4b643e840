//! The engine from outside: what it computes, what it refuses, and that no text breaks it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod functions;
mod needs;
mod operators;
mod oracle;
mod outline;
mod refusals;
mod robust;
mod store;
mod support;
