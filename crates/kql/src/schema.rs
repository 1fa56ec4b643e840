//! Tables as the engine sees them: schemas to bind against, rows to run over.

use crate::needs::Wanted;
use crate::store::ColumnTable;
use crate::value::{Type, Value};
use std::collections::BTreeMap;

/// A column's name and type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name; Kusto's names are case-sensitive.
    pub name: String,
    /// The type.
    pub ty: Type,
}

/// The columns of a table or a result, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// The columns.
    pub columns: Vec<Column>,
}

impl Schema {
    /// From names and types.
    pub fn new<N: Into<String>>(columns: impl IntoIterator<Item = (N, Type)>) -> Self {
        let columns =
            columns.into_iter().map(|(name, ty)| Column { name: name.into(), ty }).collect();
        Self { columns }
    }

    /// Where a column is.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }

    /// A row as the columns want it: values of their types, no string null.
    pub(crate) fn fitting(&self, mut row: Row) -> Result<Row, String> {
        if row.len() != self.columns.len() {
            return Err(format!("{} values for {} columns", row.len(), self.columns.len()));
        }
        for (value, column) in row.iter_mut().zip(&self.columns) {
            match value.ty() {
                None => *value = column.ty.missing(),
                Some(ty) if ty == column.ty => {}
                Some(ty) => {
                    let Column { name, ty: wanted } = column;
                    return Err(format!("column `{name}` is {wanted}, the value is {ty}"));
                }
            }
        }
        Ok(row)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|c| c.name.as_str())
    }
}

/// The values of a row, one per column of its schema.
pub type Row = Vec<Value>;

/// Why a table could not be read.
pub type ScanError = Box<dyn std::error::Error + Send + Sync>;

/// The rows of a table as they are read.
pub type Scan<'a> = Box<dyn Iterator<Item = Result<Row, ScanError>> + 'a>;

/// Which tables there are.
pub trait Catalog {
    /// The columns of a table; nothing where there is no such table.
    fn schema(&self, table: &str) -> Option<Schema>;
}

/// Tables with their rows.
pub trait Tables: Catalog {
    /// The rows of a table, read one by one as the query asks for them. A table may be read more than once.
    ///
    /// Values must have their column's type or be null; a null of a string column is read as `""`.
    fn scan(&self, table: &str) -> Scan<'_>;

    /// The rows of a table, of which only some matter: a table that can leave out the others is read faster.
    ///
    /// Rows have all columns all the same; the values of those that do not matter may be null.
    fn scan_for(&self, table: &str, wanted: &Wanted) -> Scan<'_> {
        let _ = wanted;
        self.scan(table)
    }

    /// Whether rows of a few texts are found without looking at the others. A join then asks for the rows of its keys
    /// only, key by key where that is enough.
    fn seeks(&self) -> bool {
        false
    }
}

/// Tables held in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryTables {
    tables: BTreeMap<String, Held>,
}

#[derive(Clone, Debug)]
enum Held {
    Rows(Schema, Vec<Row>),
    Columns(ColumnTable),
}

impl MemoryTables {
    /// No tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a table of rows, in place of one of the same name. Rows are checked when they are read.
    #[must_use]
    pub fn with(mut self, name: &str, schema: Schema, rows: Vec<Row>) -> Self {
        self.tables.insert(name.to_owned(), Held::Rows(schema, rows));
        self
    }

    /// Adds a table held by columns, in place of one of the same name.
    #[must_use]
    pub fn with_columns(mut self, name: &str, table: ColumnTable) -> Self {
        self.tables.insert(name.to_owned(), Held::Columns(table));
        self
    }
}

impl Catalog for MemoryTables {
    fn schema(&self, table: &str) -> Option<Schema> {
        self.tables.get(table).map(|held| match held {
            Held::Rows(schema, _) => schema.clone(),
            Held::Columns(table) => table.schema().clone(),
        })
    }
}

impl Tables for MemoryTables {
    fn scan(&self, table: &str) -> Scan<'_> {
        match self.tables.get(table) {
            Some(Held::Rows(_, rows)) => Box::new(rows.iter().cloned().map(Ok)),
            Some(Held::Columns(table)) => Box::new(table.all_rows().map(Ok)),
            None => Box::new(std::iter::empty()),
        }
    }

    fn scan_for(&self, table: &str, wanted: &Wanted) -> Scan<'_> {
        match self.tables.get(table) {
            Some(Held::Columns(table)) => Box::new(table.rows(wanted).map(Ok)),
            _ => self.scan(table),
        }
    }
}
