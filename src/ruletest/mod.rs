//! Rule tests: files that say which rows come when, and which alerts they should make. Reading them, and holding what was
//! told against them; who runs the engine is `hosts::rehearse`.

pub mod file;
pub mod judge;
pub mod report;
pub mod rewrite;
pub mod schema;
mod time;

pub use file::{Case, Expected, Fault, Mishap, QueryTest, Schema, TestFile, Wrong};
pub use judge::{Difference, Told};
