//! The security posture: one table, each row a test of its own.
//!
//! A row holds with every value of every parameter. It fails when the property is missing as well as when it is wrong:
//! `mutants` shows that of each.

mod mutants;
pub mod row;
mod table;

use crate::sources::Infra;
use row::Row;

/// What breaks the table, in its order.
pub fn check(infra: &Infra) -> Vec<String> {
    table::rows().iter().flat_map(|row| row.faults(infra)).collect()
}

/// Runs one row over the repository.
fn hold(row: &Row) {
    let faults = row.faults(&crate::repository());
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
