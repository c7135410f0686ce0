//! The content of a state as one number: what a log, its replay and its snapshots must agree on.
//!
//! ```text
//! blake3 of, for each table ascending by id:
//!   id | name | columns | indexes | constraints | sequences        its definition
//!   row count | rows                                               in the order of its primary key; without one
//!                                                                  the ascending blake3 hashes of the rows
//! ```
//!
//! Left out: the database's id (zeros stand for it), `TxId`s, times, layout numbers, and all that pages are about. Every text and list goes in
//! behind its length, every number little-endian, so no two contents give the same bytes.

use table::{IndexKind, Layout, Row, Value, ValueRef, encode_row, encode_value};

use crate::error::Error;
use crate::state::State;
use crate::system_tables::SystemTableName;
use crate::table_definition::TableDefinition;

/// How many bytes are collected before they are hashed: enough for the hash to run at full width.
const BATCH_BYTES: usize = 64 * 1024;

impl State {
    /// The digest of the content: tables, definitions and rows. Costs a read of everything.
    ///
    /// # Errors
    /// Damage only.
    pub fn digest(&self) -> Result<[u8; 32], Error> {
        let mut hash = Hash {
            hasher: blake3::Hasher::new(),
            batch: Vec::with_capacity(2 * BATCH_BYTES),
        };
        for table in self.catalog().tables() {
            put_definition(table, &mut hash.batch);
            self.put_rows(table, &mut hash)?;
        }
        hash.take_batch();
        Ok(*hash.hasher.finalize().as_bytes())
    }

    fn put_rows(&self, table: &TableDefinition, hash: &mut Hash) -> Result<(), Error> {
        let rows = self.rows(table.id())?;
        put_number(rows.row_count(), &mut hash.batch);
        let skipped = self.skipped_column(table);
        let mut values = Vec::new();
        if let Some(key) = table.primary_key() {
            let all = rows.in_key_order(key.id).map_err(Error::Table)?;
            for row in all {
                let row = row.map_err(Error::Table)?;
                put_row(&row, rows.layout(), skipped, &mut values, &mut hash.batch)?;
                hash.take_full_batch();
            }
            return Ok(());
        }
        let mut hashes: Vec<[u8; 32]> = Vec::new();
        let mut bytes = Vec::new();
        for row in rows.scan() {
            bytes.clear();
            put_row(
                &row.map_err(Error::Table)?,
                rows.layout(),
                skipped,
                &mut values,
                &mut bytes,
            )?;
            hashes.push(*blake3::hash(&bytes).as_bytes());
        }
        hashes.sort_unstable();
        for row in hashes {
            hash.batch.extend_from_slice(&row);
            hash.take_full_batch();
        }
        Ok(())
    }

    /// The database's id is no content: two databases with the same history are equal.
    fn skipped_column(&self, table: &TableDefinition) -> Option<usize> {
        let known = self.catalog().known(SystemTableName::Database)?;
        (known.id() == table.id()).then(|| known.position("database_id"))
    }
}

struct Hash {
    hasher: blake3::Hasher,
    batch: Vec<u8>,
}

impl Hash {
    fn take_batch(&mut self) {
        self.hasher.update(&self.batch);
        self.batch.clear();
    }

    fn take_full_batch(&mut self) {
        if self.batch.len() >= BATCH_BYTES {
            self.take_batch();
        }
    }
}

/// Appends a row as a group would hold it: one encoding for one content.
fn put_row<'a>(
    row: &Row<'a>,
    layout: &Layout,
    skipped: Option<usize>,
    values: &mut Vec<ValueRef<'a>>,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    values.clear();
    for column in 0..row.column_count() {
        if Some(column) == skipped {
            values.push(ValueRef::Uuid([0; 16]));
            continue;
        }
        match row.value_ref(column).map_err(Error::Table)? {
            Some(value) => values.push(value),
            // A long value stands in pages of its own and has to be copied together.
            None => {
                let owned = row.values().map_err(Error::Table)?;
                let values: Vec<ValueRef<'_>> = owned.iter().map(Value::as_ref).collect();
                encode_row(layout, &values, out);
                return Ok(());
            }
        }
    }
    encode_row(layout, values, out);
    Ok(())
}

fn put_definition(table: &TableDefinition, out: &mut Vec<u8>) {
    put_number(table.id().0.into(), out);
    put_bytes(table.name().as_bytes(), out);
    put_number(table.columns().len() as u64, out);
    for column in table.columns() {
        put_number(column.id.0.into(), out);
        put_bytes(column.name.as_bytes(), out);
        put_number(column.column_type.code().into(), out);
        put_number(column.nullable.into(), out);
        put_bytes(
            &encode_value(column.default.as_ref().unwrap_or(&Value::Null).as_ref()),
            out,
        );
    }
    put_number(table.indexes().len() as u64, out);
    for index in table.indexes() {
        put_number(index.id.0.into(), out);
        put_bytes(index.name.as_bytes(), out);
        // 0 or 1, and 2 more for a hash index.
        let is_hash = index.kind == IndexKind::Hash;
        put_number(u64::from(index.unique) + 2 * u64::from(is_hash), out);
        put_number(index.columns.len() as u64, out);
        index
            .columns
            .iter()
            .for_each(|column| put_number(column.0.into(), out));
    }
    put_number(table.constraints().len() as u64, out);
    for constraint in table.constraints() {
        put_number(constraint.id.0.into(), out);
        put_bytes(constraint.name.as_bytes(), out);
        put_number(constraint.kind.code().into(), out);
        put_number(
            constraint
                .kind
                .index()
                .map_or(u64::MAX, |index| index.0.into()),
            out,
        );
    }
    put_number(table.sequences().len() as u64, out);
    for sequence in table.sequences() {
        put_number(sequence.id.0.into(), out);
        put_bytes(sequence.name.as_bytes(), out);
        put_number(sequence.column.0.into(), out);
        for number in [
            sequence.start,
            sequence.step,
            sequence.minimum,
            sequence.maximum,
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        put_number(sequence.cycle.into(), out);
    }
}

fn put_number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_number(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}
