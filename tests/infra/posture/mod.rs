//! The security posture: one table, each row a test of its own.
//!
//! A row holds with every value of every parameter. It fails when the property is missing as well as when it is wrong:
//! `mutants` shows that of each.

mod mutants;
pub(crate) mod row;
mod table;

use row::Row;

/// Runs one row over the repository.
fn hold(row: &Row) {
    let faults = row.faults(&crate::repository());
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
