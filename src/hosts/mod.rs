//! Hosts: what runs the engine. They read the clock, wait, and carry tickets.

pub mod checks;
pub mod daemon;
pub mod functions;
pub mod page;
pub mod replay;
