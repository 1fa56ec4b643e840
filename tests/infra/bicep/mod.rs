//! A small model of Bicep.

pub mod ast;
pub mod constraints;
mod syntax;

pub use syntax::read;
