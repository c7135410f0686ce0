//! `cairn export`: a table as CSV or JSON lines.

use cairn::{Row, TableView};
use table::ValueRef;

use crate::cli::ExportOptions;
use crate::failure::Failure;
use crate::opening::open_to_read;
use crate::output::Output;
use crate::row_writer::{RowFormat, RowWriter};

/// Writes every row, in the order of the primary key if there is one.
///
/// # Errors
/// No such table, damage, the output's.
pub(crate) fn export(options: &ExportOptions, output: &mut Output) -> Result<(), Failure> {
    let database = open_to_read(&options.dir, options.at)?;
    let view = database.view();
    let table = view.table(&options.table)?;
    let format = if options.jsonl {
        RowFormat::JsonLines
    } else {
        RowFormat::Csv {
            null_text: options.null.clone(),
        }
    };
    let columns = table
        .definition()
        .columns()
        .iter()
        .map(|column| column.name.clone());
    let mut writer = RowWriter::new(output, format, columns.collect())?;
    for row in in_order(&table)? {
        let values = row?.values()?;
        writer.write(values.iter().map(ValueRef::from))?;
    }
    writer.finish()?;
    Ok(())
}

type OrderedRows<'v> = Box<dyn Iterator<Item = Result<Row<'v>, cairn::Error>> + 'v>;

/// All rows, in the order of the primary key if there is one.
pub(crate) fn in_order<'v>(table: &TableView<'v>) -> Result<OrderedRows<'v>, cairn::Error> {
    Ok(Box::new(table.in_order()?))
}
