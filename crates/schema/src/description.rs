//! What the catalog's rows say of one table. Costs what that table's rows cost, never the catalog.

use table::{ColumnType, IndexId, IndexKind, Row, Store, TableId, Value, decode_value};

use crate::catalog::Catalog;
use crate::column_definition::ColumnDefinition;
use crate::column_id::ColumnId;
use crate::constraint_definition::{ConstraintDefinition, ConstraintKind};
use crate::constraint_id::ConstraintId;
use crate::contradiction::ContradictionKind;
use crate::error::Error;
use crate::format::{
    CONSTRAINT_KIND_FOREIGN_KEY, CONSTRAINT_KIND_PRIMARY_KEY, CONSTRAINT_KIND_UNIQUE,
    decode_column_ids,
};
use crate::index_definition::IndexDefinition;
use crate::known_table::KnownTable;
use crate::limits::COLUMNS_MAX;
use crate::mistake::Mistake;
use crate::sequence_definition::SequenceDefinition;
use crate::sequence_id::SequenceId;
use crate::system_tables::SystemTableName;
use crate::table_definition::{TableDefinition, TableParts};

/// What the rows say of a table.
#[derive(Debug)]
pub(crate) enum Description {
    /// There is no row of it in `st_table`.
    Absent,
    /// It has a name and no columns yet.
    Named,
    /// It is defined.
    Whole(TableDefinition),
}

/// Reads what the rows say of the table `id`. In the middle of a transaction `st_index` and the like may be unknown
/// yet (the genesis is on its way); then the table has none of them.
pub(crate) fn describe(
    store: &Store,
    catalog: &Catalog,
    id: TableId,
) -> Result<Description, Error> {
    let tables = catalog.require(SystemTableName::Table)?;
    let key = Value::U32(id.0);
    let rows = tables.rows_where(store, &[("table_id", key.clone())])?;
    let Some(row) = rows.first() else {
        return Ok(Description::Absent);
    };
    let name = text(tables.cell(row, "table_name")?);
    let columns = columns(store, catalog, &key)?;
    if columns.is_empty() {
        return Ok(Description::Named);
    }
    let indexes = indexes(store, catalog, &key, &columns)?;
    let parts = TableParts {
        id,
        name,
        constraints: constraints(store, catalog, &key, &indexes)?,
        sequences: sequences(store, catalog, &key, &columns)?,
        columns,
        indexes,
    };
    match TableDefinition::new(parts) {
        Ok(definition) => Ok(Description::Whole(definition)),
        Err(mistakes) => Err(tables.contradiction(vec![key], ContradictionKind::Invalid(mistakes))),
    }
}

/// The first row that belongs to the table `id` although `st_table` has none of it.
pub(crate) fn first_orphan(
    store: &Store,
    catalog: &Catalog,
    id: TableId,
) -> Result<Option<Error>, Error> {
    let key = Value::U32(id.0);
    for name in [
        SystemTableName::Column,
        SystemTableName::Index,
        SystemTableName::Constraint,
        SystemTableName::Sequence,
    ] {
        let Some(known) = catalog.known(name) else {
            continue;
        };
        if let Some(row) = known
            .rows_where(store, &[("table_id", key.clone())])?
            .first()
        {
            let own = known.cell(row, id_column(name))?;
            return Ok(Some(
                known.contradiction(vec![key, own], ContradictionKind::OfNoTable),
            ));
        }
    }
    Ok(None)
}

/// The column that holds the id of what a row of one of the describing tables describes.
fn id_column(name: SystemTableName) -> &'static str {
    match name {
        SystemTableName::Table => "table_id",
        SystemTableName::Column => "column_id",
        SystemTableName::Index => "index_id",
        SystemTableName::Constraint => "constraint_id",
        SystemTableName::Sequence => "sequence_id",
        SystemTableName::Database => "database_id",
    }
}

fn columns(
    store: &Store,
    catalog: &Catalog,
    table: &Value,
) -> Result<Vec<ColumnDefinition>, Error> {
    let known = catalog.require(SystemTableName::Column)?;
    let mut columns: Vec<(u16, ColumnDefinition)> = Vec::new();
    for row in known.rows_where(store, &[("table_id", table.clone())])? {
        let Value::U16(position) = known.cell(&row, "position")? else {
            continue;
        };
        columns.push((position, column(known, &row, table)?));
    }
    if columns.len() > COLUMNS_MAX {
        let mistake = Mistake::TooManyColumns {
            count: columns.len(),
        };
        return Err(known.contradiction(
            vec![table.clone()],
            ContradictionKind::Invalid(vec![mistake]),
        ));
    }
    columns.sort_by_key(|(position, column)| (*position, column.id));
    for (expected, (found, column)) in (0u16..).zip(&columns) {
        if *found != expected {
            let key = vec![table.clone(), Value::U32(column.id.0)];
            return Err(known.contradiction(
                key,
                ContradictionKind::PositionGap {
                    expected,
                    found: *found,
                },
            ));
        }
    }
    Ok(columns.into_iter().map(|(_, column)| column).collect())
}

fn column(known: &KnownTable, row: &Row<'_>, table: &Value) -> Result<ColumnDefinition, Error> {
    let id = ColumnId(number(known.cell(row, "column_id")?));
    let refuse = |kind| Err(known.contradiction(vec![table.clone(), Value::U32(id.0)], kind));
    let code = byte(known.cell(row, "type_code")?);
    let Some(column_type) = ColumnType::from_code(code) else {
        return refuse(ContradictionKind::UnknownTypeCode { code });
    };
    let default = match known.cell(row, "default_value")? {
        Value::Bytes(bytes) => match decode_value(&bytes) {
            Ok(value) => Some(Value::from(value)),
            Err(_) => return refuse(ContradictionKind::MalformedDefault),
        },
        _ => None,
    };
    // "None" has one form: the cell is null.
    if default.as_ref().is_some_and(Value::is_null) {
        return refuse(ContradictionKind::MalformedDefault);
    }
    Ok(ColumnDefinition {
        id,
        name: text(known.cell(row, "column_name")?),
        column_type,
        nullable: flag(known.cell(row, "nullable")?),
        default,
    })
}

fn indexes(
    store: &Store,
    catalog: &Catalog,
    table: &Value,
    columns: &[ColumnDefinition],
) -> Result<Vec<IndexDefinition>, Error> {
    let Some(known) = catalog.known(SystemTableName::Index) else {
        return Ok(Vec::new());
    };
    let mut indexes = Vec::new();
    for row in known.rows_where(store, &[("table_id", table.clone())])? {
        let id = IndexId(number(known.cell(&row, "index_id")?));
        let refuse = |kind| Err(known.contradiction(vec![table.clone(), Value::U32(id.0)], kind));
        let code = byte(known.cell(&row, "kind")?);
        let Some(kind) = IndexKind::from_code(code) else {
            return refuse(ContradictionKind::UnknownIndexKind { kind: code });
        };
        let Some(ids) = bytes(known.cell(&row, "column_ids")?)
            .as_deref()
            .and_then(decode_column_ids)
        else {
            return refuse(ContradictionKind::MalformedColumnList);
        };
        if let Some(&column) = ids
            .iter()
            .find(|&&id| !columns.iter().any(|column| column.id == id))
        {
            return refuse(ContradictionKind::NoSuchColumn { column });
        }
        indexes.push(IndexDefinition {
            id,
            name: text(known.cell(&row, "index_name")?),
            unique: flag(known.cell(&row, "is_unique")?),
            kind,
            columns: ids,
        });
    }
    Ok(indexes)
}

fn constraints(
    store: &Store,
    catalog: &Catalog,
    table: &Value,
    indexes: &[IndexDefinition],
) -> Result<Vec<ConstraintDefinition>, Error> {
    let Some(known) = catalog.known(SystemTableName::Constraint) else {
        return Ok(Vec::new());
    };
    let mut constraints = Vec::new();
    for row in known.rows_where(store, &[("table_id", table.clone())])? {
        let id = ConstraintId(number(known.cell(&row, "constraint_id")?));
        let refuse = |kind| Err(known.contradiction(vec![table.clone(), Value::U32(id.0)], kind));
        let code = byte(known.cell(&row, "kind")?);
        let kind = match (code, known.cell(&row, "index_id")?) {
            (CONSTRAINT_KIND_PRIMARY_KEY, Value::U32(index)) => ConstraintKind::PrimaryKey {
                index: IndexId(index),
            },
            (CONSTRAINT_KIND_UNIQUE, Value::U32(index)) => ConstraintKind::Unique {
                index: IndexId(index),
            },
            (CONSTRAINT_KIND_FOREIGN_KEY, Value::U32(index)) => {
                let [Value::U32(target), Value::U32(target_index)] = [
                    known.cell(&row, "target_table_id")?,
                    known.cell(&row, "target_index_id")?,
                ] else {
                    return refuse(ContradictionKind::NamesNothing);
                };
                ConstraintKind::ForeignKey {
                    index: IndexId(index),
                    target: TableId(target),
                    target_index: IndexId(target_index),
                }
            }
            (
                CONSTRAINT_KIND_PRIMARY_KEY | CONSTRAINT_KIND_UNIQUE | CONSTRAINT_KIND_FOREIGN_KEY,
                _,
            ) => {
                return refuse(ContradictionKind::NamesNothing);
            }
            // Whether it may be unknown is for the end of the transaction to say: the marks tell.
            (code, _) => ConstraintKind::Unknown { code },
        };
        if let Some(index) = kind.index()
            && !indexes.iter().any(|known| known.id == index)
        {
            return refuse(ContradictionKind::NoSuchIndex { index });
        }
        let name = text(known.cell(&row, "constraint_name")?);
        constraints.push(ConstraintDefinition { id, name, kind });
    }
    Ok(constraints)
}

fn sequences(
    store: &Store,
    catalog: &Catalog,
    table: &Value,
    columns: &[ColumnDefinition],
) -> Result<Vec<SequenceDefinition>, Error> {
    let Some(known) = catalog.known(SystemTableName::Sequence) else {
        return Ok(Vec::new());
    };
    let mut sequences = Vec::new();
    for row in known.rows_where(store, &[("table_id", table.clone())])? {
        let id = SequenceId(number(known.cell(&row, "sequence_id")?));
        let refuse = |kind| Err(known.contradiction(vec![table.clone(), Value::U32(id.0)], kind));
        let column = match known.cell(&row, "column_id")? {
            Value::U32(column) => ColumnId(column),
            _ => return refuse(ContradictionKind::NamesNothing),
        };
        if !columns.iter().any(|known| known.id == column) {
            return refuse(ContradictionKind::NoSuchColumn { column });
        }
        sequences.push(SequenceDefinition {
            id,
            name: text(known.cell(&row, "sequence_name")?),
            column,
            start: wide(known.cell(&row, "start_value")?),
            step: wide(known.cell(&row, "step")?),
            minimum: wide(known.cell(&row, "minimum")?),
            maximum: wide(known.cell(&row, "maximum")?),
            cycle: flag(known.cell(&row, "cycle")?),
        });
    }
    Ok(sequences)
}

// A known table has the list's types and nulls, so the other arms of these are never taken.

fn number(value: Value) -> u32 {
    if let Value::U32(number) = value {
        number
    } else {
        0
    }
}

fn byte(value: Value) -> u8 {
    if let Value::U8(byte) = value { byte } else { 0 }
}

fn wide(value: Value) -> i128 {
    if let Value::I128(number) = value {
        number
    } else {
        0
    }
}

fn flag(value: Value) -> bool {
    value == Value::Bool(true)
}

fn text(value: Value) -> String {
    if let Value::String(text) = value {
        text
    } else {
        String::new()
    }
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    if let Value::Bytes(bytes) = value {
        Some(bytes)
    } else {
        None
    }
}
