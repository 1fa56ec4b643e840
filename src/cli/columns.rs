//! Text in columns, for people.

use crate::notify::terminal::{columns, pad};

/// A head and rows as lines, each column as wide as its widest text, two blanks between. The last is not padded.
pub(crate) fn lines(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let widths = widths(head, rows);
    let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    std::iter::once(&head).chain(rows).map(|cells| line(cells, &widths)).collect()
}

/// How wide each column is.
pub(crate) fn widths(head: &[&str], rows: &[Vec<String>]) -> Vec<usize> {
    let widest = |n: usize| rows.iter().filter_map(|row| row.get(n)).map(|t| columns(t)).max();
    head.iter().enumerate().map(|(n, name)| columns(name).max(widest(n).unwrap_or(0))).collect()
}

/// A row as a line. A cell that is wider than its column pushes the others on.
pub(crate) fn line(cells: &[String], widths: &[usize]) -> String {
    let padded =
        cells.iter().zip(widths).map(|(cell, width)| pad(cell, (*width).max(columns(cell))));
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}
