//! Proof of origin, through the built binary: captured requests, the receiver for trying things, and secrets that rotate.

mod listening;
mod rotation;
mod verifying;
