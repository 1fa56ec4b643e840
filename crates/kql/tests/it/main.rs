//! The engine from outside: what it computes, what it refuses, and that no text breaks it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod aggregates;
mod arrays;
mod codes;
mod conversions;
mod functions;
mod lints;
mod needs;
mod numbers;
mod operators;
mod oracle;
mod outline;
mod refusals;
mod robust;
mod series;
mod slices;
mod stages;
mod store;
mod support;
mod texts;
mod time;
