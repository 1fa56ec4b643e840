//! Tables held by columns: little memory a row, and reads that touch only what a query looks at.

mod column;
mod json_lines;

use crate::needs::{Bounds, Wanted};
use crate::schema::{Row, Schema};
use crate::value::Value;
use column::Stored;
pub use json_lines::{JsonLinesError, infer_schema, read_json_lines};
use std::ops::Range;

/// Rows of one chunk: few enough that a chunk without a wanted text or time is often left out as a whole, enough that
/// the chunks of a large table are soon looked through.
const CHUNK: usize = 1 << 16;

/// A table held by columns: ticks and numbers as such, equal texts once.
///
/// Rows stay in the order in which they came. Where they came in the order of a datetime column, a query that bounds
/// the column finds its rows without reading the others.
///
/// ```
/// use kql::{ColumnTable, Schema, Type, Value};
///
/// let mut table = ColumnTable::new(Schema::new([("At", Type::Datetime), ("User", Type::String)]));
/// table.push(vec![Value::Datetime(kql::UNIX_EPOCH), Value::from("ada")])?;
/// assert_eq!(table.len(), 1);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug)]
pub struct ColumnTable {
    schema: Schema,
    full: Vec<Chunk>,
    /// The last one, which takes more rows.
    open: Chunk,
    rows: usize,
}

#[derive(Clone, Debug)]
struct Chunk {
    columns: Vec<Stored>,
    rows: usize,
}

impl ColumnTable {
    /// A table without rows.
    pub fn new(schema: Schema) -> Self {
        let open = Chunk::new(&schema);
        Self { schema, full: Vec::new(), open, rows: 0 }
    }

    /// The columns.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// True where there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// A rough number of bytes that the table takes.
    pub fn bytes(&self) -> usize {
        self.chunks().flat_map(|chunk| &chunk.columns).map(Stored::bytes).sum()
    }

    /// Adds a row.
    ///
    /// # Errors
    /// Says what does not fit: the number of values, or the type of one. The table is as before.
    pub fn push(&mut self, row: Row) -> Result<(), String> {
        let row = self.schema.fitting(row)?;
        for (column, value) in self.open_chunk().columns.iter_mut().zip(row) {
            column.push(value);
        }
        self.close_row();
        Ok(())
    }

    fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.full.iter().chain(std::iter::once(&self.open))
    }

    /// The chunk for the next row.
    fn open_chunk(&mut self) -> &mut Chunk {
        if self.open.rows >= CHUNK {
            self.seal();
        }
        &mut self.open
    }

    fn seal(&mut self) {
        if self.open.rows > 0 {
            self.full.push(std::mem::replace(&mut self.open, Chunk::new(&self.schema)));
        }
    }

    fn close_row(&mut self) {
        self.open.rows += 1;
        self.rows += 1;
    }

    /// The rows of `other` after these. Both tables have the same columns.
    fn append(&mut self, other: Self) {
        self.seal();
        self.rows += other.rows;
        self.full.extend(other.full);
        self.open = other.open;
    }

    /// The rows that `wanted` asks for; values of columns that it does not ask for are null.
    pub fn rows<'a>(&'a self, wanted: &Wanted) -> impl Iterator<Item = Row> + use<'a> {
        let wanted = wanted.clone();
        self.chunks().flat_map(move |chunk| chunk.rows(&wanted))
    }

    /// All rows.
    pub fn all_rows(&self) -> impl Iterator<Item = Row> + '_ {
        let columns = vec![true; self.schema.columns.len()];
        self.rows(&Wanted { columns, ..Wanted::default() })
    }
}

impl Chunk {
    fn new(schema: &Schema) -> Self {
        Self { columns: schema.columns.iter().map(|c| Stored::new(c.ty)).collect(), rows: 0 }
    }

    fn rows(&self, wanted: &Wanted) -> impl Iterator<Item = Row> + use<'_> {
        let mut within = 0..self.rows;
        let mut checks: Vec<(&Stored, Bounds)> = Vec::new();
        for bounds in &wanted.bounds {
            let Some(column) = self.columns.get(bounds.column) else { continue };
            match column.within(*bounds) {
                Some(range) => within = both(&within, &range),
                None => checks.push((column, *bounds)),
            }
        }
        let mut texts: Vec<(&[u32], Vec<bool>)> = Vec::new();
        for text in &wanted.texts {
            let Some((codes, among)) =
                self.columns.get(text.column).and_then(|column| column.among(&text.any_of))
            else {
                continue;
            };
            if !among.contains(&true) {
                within = 0..0;
            }
            texts.push((codes, among));
        }
        let width = self.columns.len();
        let columns: Vec<(usize, &Stored)> = self
            .columns
            .iter()
            .enumerate()
            .filter(|(at, _)| wanted.columns.get(*at).copied().unwrap_or(false))
            .collect();
        within
            .filter(move |row| {
                texts.iter().all(|(codes, among)| {
                    let code = codes.get(*row).and_then(|code| usize::try_from(*code).ok());
                    code.and_then(|code| among.get(code)).copied().unwrap_or(false)
                }) && checks.iter().all(|(column, bounds)| column.is_within(*row, *bounds))
            })
            .map(move |row| {
                let mut values = Vec::with_capacity(width);
                for (at, column) in &columns {
                    values.resize(*at, Value::Null);
                    values.push(column.value(row));
                }
                values.resize(width, Value::Null);
                values
            })
    }
}

fn both(a: &Range<usize>, b: &Range<usize>) -> Range<usize> {
    a.start.max(b.start)..a.end.min(b.end)
}
