//! One table of a view, by name.

use std::ops::Bound;

use schema::{IndexDefinition, TableDefinition};
use table::{IndexRange, KeyRows, MemoryUse, RowId, Scan, TableRef, Value};

use crate::error::Error;
use crate::record::Record;
use crate::row::Row;

/// A table for reading. Borrows the view or the transaction it is of.
#[derive(Debug, Clone, Copy)]
pub struct TableView<'a> {
    definition: &'a TableDefinition,
    rows: TableRef<'a>,
}

impl<'a> TableView<'a> {
    pub(crate) fn new(definition: &'a TableDefinition, rows: TableRef<'a>) -> Self {
        TableView { definition, rows }
    }

    /// Its name, columns, keys and indexes.
    pub fn definition(&self) -> &'a TableDefinition {
        self.definition
    }

    /// How many rows it has.
    pub fn row_count(&self) -> u64 {
        self.rows.row_count()
    }

    /// What it takes in memory, by what stands there; [`TableDefinition::index_of`] knows the names of the indexes.
    ///
    /// # Errors
    /// Damage.
    pub fn memory_use(&self) -> Result<MemoryUse, Error> {
        Ok(self.rows.memory_use().map_err(schema::Error::Table)?)
    }

    /// All rows, in no order to rely on.
    pub fn scan(&self) -> Rows<'a, Scan<'a>> {
        Rows {
            definition: self.definition,
            rows: self.rows.scan(),
        }
    }

    /// The row with this primary key; the values in the order of the key's columns.
    ///
    /// # Errors
    /// [`Error::Schema`] if the table has no primary key; [`Error::WrongKey`]; damage.
    pub fn get(&self, key: &[Value]) -> Result<Option<Row<'a>>, Error> {
        let index = self.primary_key()?;
        self.require_whole(index, key)?;
        let found = self.rows.find(index.id, key);
        let found = found.map_err(|error| self.refused(error))?;
        Ok(found.map(|row| Row::new(self.definition, row)))
    }

    /// The row at a place of this view.
    ///
    /// # Errors
    /// If no row stands there; damage.
    pub fn row(&self, row: RowId) -> Result<Row<'a>, Error> {
        let row = self.rows.get(row).map_err(schema::Error::Table)?;
        Ok(Row::new(self.definition, row))
    }

    /// The rows whose columns of an index begin with these values, in index order, from both ends. `"primary_key"` names
    /// the primary key's index.
    ///
    /// # Errors
    /// [`Error::Schema`] with the nearest name if there is no such index, or if it is a hash index, which knows whole keys
    /// only; [`Error::WrongKey`].
    pub fn find(&self, index: &str, prefix: &[Value]) -> Result<Rows<'a, IndexRange<'a>>, Error> {
        self.range(index, Bound::Included(prefix), Bound::Included(prefix))
    }

    /// The rows with exactly these values in all columns of an index of any kind.
    ///
    /// # Errors
    /// [`Error::Schema`] with the nearest name if there is no such index; [`Error::WrongKey`]; damage.
    pub fn find_all(&self, index: &str, key: &[Value]) -> Result<Rows<'a, KeyRows<'a>>, Error> {
        let index = self.index(index)?;
        self.require_whole(index, key)?;
        let rows = self.rows.find_all(index.id, key);
        Ok(Rows {
            definition: self.definition,
            rows: rows.map_err(|error| self.refused(error))?,
        })
    }

    /// All rows in the order of the primary key, if there is one. On a hash index they are sorted first, which takes memory
    /// for all keys.
    ///
    /// # Errors
    /// Damage.
    pub fn in_order(
        &self,
    ) -> Result<impl Iterator<Item = Result<Row<'a>, Error>> + use<'a>, Error> {
        let rows: Box<dyn Iterator<Item = _>> = match self.definition.primary_key() {
            Some(key) => self
                .rows
                .in_key_order(key.id)
                .map_err(schema::Error::Table)?,
            None => Box::new(self.rows.scan()),
        };
        Ok(Rows {
            definition: self.definition,
            rows,
        })
    }

    /// The rows between two bounds of an index, in index order, from both ends. A bound may name fewer values than the
    /// index has columns: it stands for all rows that begin with them. Null comes first.
    ///
    /// # Errors
    /// As [`TableView::find`].
    pub fn range(
        &self,
        index: &str,
        lower: Bound<&[Value]>,
        upper: Bound<&[Value]>,
    ) -> Result<Rows<'a, IndexRange<'a>>, Error> {
        let index = self.index(index)?;
        for bound in [lower, upper] {
            if let Bound::Included(values) | Bound::Excluded(values) = bound
                && values.len() > index.columns.len()
            {
                return Err(self.wrong_key(index, values.len()));
            }
        }
        let rows = self.rows.index_range(index.id, lower, upper);
        Ok(Rows {
            definition: self.definition,
            rows: rows.map_err(|error| self.refused(error))?,
        })
    }

    /// All rows as values of a Rust type.
    pub fn records<T: Record>(&self) -> impl Iterator<Item = Result<T, Error>> + use<'a, T> {
        self.scan().map(|row| T::from_row(&row?))
    }

    /// The rows of the table layer, for what this layer does not offer: columns as slices, ids.
    pub fn inner(&self) -> TableRef<'a> {
        self.rows
    }

    fn index(&self, name: &str) -> Result<&'a IndexDefinition, Error> {
        self.definition
            .index(name)
            .ok_or_else(|| Error::no_such_index(self.definition, name))
    }

    fn primary_key(&self) -> Result<&'a IndexDefinition, Error> {
        self.definition.primary_key().ok_or_else(|| {
            let table = self.definition.name().to_owned();
            schema::Error::NoPrimaryKey { table }.into()
        })
    }

    fn require_whole(&self, index: &IndexDefinition, key: &[Value]) -> Result<(), Error> {
        match key.len() == index.columns.len() {
            true => Ok(()),
            false => Err(self.wrong_key(index, key.len())),
        }
    }

    /// A refusal of the table layer, by name.
    fn refused(&self, error: table::Error) -> Error {
        schema::Error::of_definition(error, self.definition).into()
    }

    fn wrong_key(&self, index: &IndexDefinition, found: usize) -> Error {
        Error::WrongKey {
            table: self.definition.name().to_owned(),
            index: index.name.clone(),
            expected: index.columns.len(),
            found,
        }
    }
}

/// Rows of one table, each read as it is asked for.
#[derive(Debug)]
pub struct Rows<'a, I> {
    definition: &'a TableDefinition,
    rows: I,
}

impl<'a, I: Iterator<Item = Result<table::Row<'a>, table::Error>>> Iterator for Rows<'a, I> {
    type Item = Result<Row<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = self.rows.next()?;
        Some(named(self.definition, row))
    }
}

impl<'a, I: DoubleEndedIterator<Item = Result<table::Row<'a>, table::Error>>> DoubleEndedIterator
    for Rows<'a, I>
{
    fn next_back(&mut self) -> Option<Self::Item> {
        let row = self.rows.next_back()?;
        Some(named(self.definition, row))
    }
}

fn named<'a>(
    definition: &'a TableDefinition,
    row: Result<table::Row<'a>, table::Error>,
) -> Result<Row<'a>, Error> {
    Ok(Row::new(definition, row.map_err(schema::Error::Table)?))
}
