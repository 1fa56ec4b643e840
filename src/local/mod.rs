//! Adapters for one machine: state in a directory or in memory, and exported log files as a log source.

pub mod disk;
pub mod files;
pub mod fleeting;
pub mod logs;
pub mod memory;
pub mod rehearsal;
