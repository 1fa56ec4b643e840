//! Back-tests: what rules would have told over a past period, against what was expected of them, as reports for people and
//! for programs. Pure: who goes through the period hands in what was told.

pub mod chart;
pub mod expect;
pub mod json;
pub mod junit;
pub mod outcome;
pub mod svg;
#[cfg(test)]
mod tests;

pub use expect::{Expectations, Policy, Verdict, judge};
pub use outcome::{Fired, Outcome, RuleRun};
