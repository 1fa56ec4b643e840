//! Writes audit rows as JSON lines: `audit-rows 300000 > rows.jsonl`.

use std::io::{BufWriter, Write, stdout};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows = std::env::args().nth(1).ok_or("usage: audit-rows ROWS > FILE")?.parse()?;
    let mut out = BufWriter::new(stdout().lock());
    kql_bench::write_rows(&mut out, rows)?;
    Ok(out.flush()?)
}
