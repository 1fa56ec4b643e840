//! The `hsmwatch` binary.

fn main() {}
