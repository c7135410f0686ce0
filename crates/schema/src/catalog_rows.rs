//! Definitions as rows: what [`crate::description`] reads back.

use table::{Value, encode_value};

use crate::column_definition::ColumnDefinition;
use crate::constraint_definition::{ConstraintDefinition, ConstraintKind};
use crate::format::encode_column_ids;
use crate::index_definition::IndexDefinition;
use crate::sequence_definition::SequenceDefinition;
use crate::system_tables::SystemSequence;
use crate::table_definition::TableDefinition;

/// The cells of a row by column name.
pub(crate) type Cells = Vec<(&'static str, Value)>;

pub(crate) fn of_table(table: &TableDefinition) -> Cells {
    vec![
        ("table_id", Value::U32(table.id().0)),
        ("table_name", Value::from(table.name())),
    ]
}

pub(crate) fn of_column(
    table: &TableDefinition,
    position: u16,
    column: &ColumnDefinition,
) -> Cells {
    let default = column.default.as_ref().filter(|value| !value.is_null());
    vec![
        ("table_id", Value::U32(table.id().0)),
        ("column_id", Value::U32(column.id.0)),
        ("position", Value::U16(position)),
        ("column_name", Value::from(column.name.as_str())),
        ("type_code", Value::U8(column.column_type.code())),
        ("nullable", Value::Bool(column.nullable)),
        (
            "default_value",
            Value::from(default.map(|value| encode_value(value.as_ref()))),
        ),
    ]
}

pub(crate) fn of_columns(table: &TableDefinition) -> impl Iterator<Item = Cells> {
    (0u16..)
        .zip(table.columns())
        .map(|(position, column)| of_column(table, position, column))
}

pub(crate) fn of_index(table: &TableDefinition, index: &IndexDefinition) -> Cells {
    vec![
        ("table_id", Value::U32(table.id().0)),
        ("index_id", Value::U32(index.id.0)),
        ("index_name", Value::from(index.name.as_str())),
        ("kind", Value::U8(index.kind.code())),
        ("is_unique", Value::Bool(index.unique)),
        (
            "column_ids",
            Value::Bytes(encode_column_ids(&index.columns)),
        ),
    ]
}

pub(crate) fn of_constraint(table: &TableDefinition, constraint: &ConstraintDefinition) -> Cells {
    let target = match constraint.kind {
        ConstraintKind::ForeignKey {
            target,
            target_index,
            ..
        } => Some((target, target_index)),
        _ => None,
    };
    vec![
        ("table_id", Value::U32(table.id().0)),
        ("constraint_id", Value::U32(constraint.id.0)),
        ("constraint_name", Value::from(constraint.name.as_str())),
        ("kind", Value::U8(constraint.kind.code())),
        (
            "index_id",
            Value::from(constraint.kind.index().map(|index| index.0)),
        ),
        ("target_table_id", Value::from(target.map(|(id, _)| id.0))),
        (
            "target_index_id",
            Value::from(target.map(|(_, index)| index.0)),
        ),
    ]
}

/// A sequence that has not given a number yet.
pub(crate) fn of_sequence(table: &TableDefinition, sequence: &SequenceDefinition) -> Cells {
    vec![
        ("sequence_id", Value::U32(sequence.id.0)),
        ("table_id", Value::U32(table.id().0)),
        ("column_id", Value::U32(sequence.column.0)),
        ("sequence_name", Value::from(sequence.name.as_str())),
        ("next_value", Value::I128(sequence.start)),
        ("start_value", Value::I128(sequence.start)),
        ("step", Value::I128(sequence.step)),
        ("minimum", Value::I128(sequence.minimum)),
        ("maximum", Value::I128(sequence.maximum)),
        ("cycle", Value::Bool(sequence.cycle)),
    ]
}

/// A sequence that ids come from.
pub(crate) fn of_system_sequence(sequence: &SystemSequence) -> Cells {
    let start = Value::I128(sequence.start.into());
    vec![
        ("sequence_id", Value::U32(sequence.id)),
        ("table_id", Value::Null),
        ("column_id", Value::Null),
        ("sequence_name", Value::from(sequence.name)),
        ("next_value", start.clone()),
        ("start_value", start.clone()),
        ("step", Value::I128(1)),
        ("minimum", start),
        ("maximum", Value::I128(sequence.maximum.into())),
        ("cycle", Value::Bool(false)),
    ]
}
