//! A small model of Bicep.

pub(crate) mod ast;
pub(crate) mod constraints;
mod syntax;

pub(crate) use syntax::read;
