//! `cairn scan`: rows of a table that meet conditions.

use cairn::{IndexKind, Row, TableView, Value};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use table::ValueRef;

use crate::cli::{Condition, ScanOptions};
use crate::column_position::column_position;
use crate::export::in_order;
use crate::failure::Failure;
use crate::json_value::JsonValue;
use crate::opening::open_to_read;
use crate::output::Output;
use crate::text_table::TextTable;

/// Shows rows. With a condition on the first column of an index, or on all columns of a hash index, only the rows
/// that the index finds are read.
///
/// # Errors
/// No such table or column, a value that is not of the column's type, damage.
pub(crate) fn scan(options: &ScanOptions, output: &mut Output) -> Result<(), Failure> {
    let database = open_to_read(&options.dir, options.at)?;
    let view = database.view();
    let table = view.table(&options.table)?;
    let conditions: Vec<(usize, Value)> = options
        .conditions
        .iter()
        .map(|condition| read(&table, condition))
        .collect::<Result<_, _>>()?;
    let limit = options.limit.unwrap_or(u64::MAX);
    let header: Vec<&str> = table
        .definition()
        .columns()
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    let mut text = TextTable::new(1, &header);
    let mut shown = 0;
    for row in candidates(&table, &conditions)? {
        if shown == limit {
            break;
        }
        let values = row?.values()?;
        if conditions
            .iter()
            .any(|(position, wanted)| values[*position] != *wanted)
        {
            continue;
        }
        shown += 1;
        if options.json.json {
            output.json(&JsonRow {
                table: &table,
                values: &values,
            })?;
        } else {
            text.row(&values, output)?;
        }
    }
    if !options.json.json {
        text.finish(output)?;
    }
    Ok(())
}

/// A condition as a column's position and a value; an empty text is null where the column may be null and is no string.
fn read(table: &TableView<'_>, condition: &Condition) -> Result<(usize, Value), Failure> {
    let definition = table.definition();
    let position = column_position(definition, &condition.column)?;
    let column = &definition.columns()[position];
    match Value::parse(column.column_type, &condition.value) {
        Some(value) => Ok((position, value)),
        None if condition.value.is_empty() && column.nullable => Ok((position, Value::Null)),
        None => Err(Failure::refused(format_args!(
            "{:?} is no {}, which column {:?} is",
            condition.value, column.column_type, column.name
        ))),
    }
}

type Candidates<'v> = Box<dyn Iterator<Item = Result<Row<'v>, cairn::Error>> + 'v>;

fn candidates<'v>(
    table: &TableView<'v>,
    conditions: &[(usize, Value)],
) -> Result<Candidates<'v>, cairn::Error> {
    let definition = table.definition();
    for index in definition.indexes() {
        let value_of = |&column| {
            let position = definition.position_of(column)?;
            let mut conditions = conditions.iter();
            let condition = conditions.find(|condition| condition.0 == position)?;
            Some(condition.1.clone())
        };
        let wanted = match index.kind {
            IndexKind::Ordered => 1,
            IndexKind::Hash => index.columns.len(),
        };
        let values = index.columns.iter().take(wanted).map(value_of);
        let Some(values) = values.collect::<Option<Vec<Value>>>() else {
            continue;
        };
        return Ok(match index.kind {
            IndexKind::Ordered => Box::new(table.find(&index.name, &values)?),
            IndexKind::Hash => Box::new(table.find_all(&index.name, &values)?),
        });
    }
    in_order(table)
}

/// A row as one JSON object, its members in the order of the columns.
struct JsonRow<'r> {
    table: &'r TableView<'r>,
    values: &'r [Value],
}

impl Serialize for JsonRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.values.len()))?;
        for (column, value) in self.table.definition().columns().iter().zip(self.values) {
            object.serialize_entry(&column.name, &JsonValue(ValueRef::from(value)))?;
        }
        object.end()
    }
}
