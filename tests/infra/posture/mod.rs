//! The security posture, and what else a deployment stands on: two tables, each row a test of its own.
//!
//! A row holds with every value of every parameter. It fails when the property is missing as well as when it is wrong:
//! `mutants` shows that of each.

/// Each row: its name, what it is about, what must be so; and after `when`, for which parameters.
macro_rules! posture {
    ($($name:ident: $on:expr, $must:expr $(, when $($param:literal = $value:expr),+)?;)*) => {
        /// All rows.
        pub(crate) fn rows() -> Vec<Row> {
            vec![$(Row {
                name: stringify!($name),
                on: $on,
                when: vec![$($(($param, json!($value))),+)?],
                must: $must,
            }),*]
        }

        /// Each row is a test of its own, so that a failure names it.
        mod rows {
            $(#[test]
            fn $name() {
                let row = super::rows().into_iter().find(|row| row.name == stringify!($name));
                super::super::hold(&row.expect("a row of this name"));
            })*
        }
    };
}

mod mutants;
mod row;
mod setup;
mod table;

use row::Row;

/// Runs one row over the repository.
fn hold(row: &Row) {
    let faults = row.faults(&crate::repository());
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}
