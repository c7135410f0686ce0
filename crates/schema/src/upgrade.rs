//! A log from before meets a newer list of system tables: what it lacks is added, by rows in one transaction like any other.
//!
//! Ids come from the log's own sequence, so two logs that were upgraded at different times may name the same column differently; this
//! build finds it by name. What is added changes no answer for builds that do not know it: they keep it, and write rows with its default.

use std::fmt;

use crate::catalog_change::CatalogChange;
use crate::catalog_rows;
use crate::column_definition::ColumnDefinition;
use crate::column_id::ColumnId;
use crate::error::Error;
use crate::known_table::KnownTable;
use crate::system_tables::{SYSTEM_IDS, SystemColumn, SystemTableName};
use crate::write_transaction::WriteTransaction;

/// What an upgrade has added, in the order in which it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upgrade {
    /// Columns of system tables: table and column.
    pub columns: Vec<(String, String)>,
}

impl Upgrade {
    /// Whether there was nothing to add.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }
}

impl fmt::Display for Upgrade {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (table, column)) in self.columns.iter().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(formatter, "{separator}{table}.{column}")?;
        }
        Ok(())
    }
}

impl WriteTransaction {
    /// Adds what this build's system tables have and the log's lack.
    ///
    /// # Errors
    /// Damage only, and ids of system objects that are all used.
    pub fn upgrade(&mut self) -> Result<Upgrade, Error> {
        let mut lacking: Vec<(KnownTable, &'static SystemColumn)> = Vec::new();
        for name in SystemTableName::ALL {
            let known = self.catalog().require(name)?;
            let columns = name.declaration().columns.iter();
            let columns = columns.filter(|column| known.definition.column(column.name).is_none());
            lacking.extend(columns.map(|column| (known.clone(), column)));
        }
        if lacking.is_empty() {
            return Ok(Upgrade::default());
        }
        self.change_catalog(|change| add_columns(change, &lacking))?;
        let added = lacking
            .iter()
            .map(|(known, column)| (known.definition.name().to_owned(), column.name.to_owned()));
        Ok(Upgrade {
            columns: added.collect(),
        })
    }
}

/// Behind the columns that the tables have, of which this build may not know all.
fn add_columns(
    change: &mut CatalogChange<'_>,
    lacking: &[(KnownTable, &'static SystemColumn)],
) -> Result<(), Error> {
    let ids = change.take_ids(SYSTEM_IDS, lacking.len())?;
    let mut positions = std::collections::BTreeMap::new();
    for ((known, column), id) in lacking.iter().zip(ids..) {
        let last = known.definition.columns().len();
        let position = positions.entry(known.id()).or_insert(last);
        let definition = ColumnDefinition {
            id: ColumnId(id),
            name: column.name.to_owned(),
            column_type: column.column_type,
            nullable: column.nullable,
            default: None,
        };
        let place = u16::try_from(*position).map_err(|_| Error::SequenceExhausted {
            table: known.definition.name().to_owned(),
            column: column.name.to_owned(),
        })?;
        *position += 1;
        let cells = catalog_rows::of_column(&known.definition, place, &definition);
        change.insert(SystemTableName::Column, cells)?;
    }
    Ok(())
}
