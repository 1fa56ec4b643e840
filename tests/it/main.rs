//! Black-box tests.

mod arrows;
