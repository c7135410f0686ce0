//! `cairn tables`: what tables there are.

use cairn::TableDefinition;
use serde::Serialize;

use crate::cli::{AtOption, TablesOptions};
use crate::failure::Failure;
use crate::opening::open_to_read;
use crate::output::Output;

#[derive(Serialize)]
struct JsonTable {
    id: u32,
    name: String,
    rows: u64,
    columns: Vec<JsonColumn>,
    indexes: Vec<JsonIndex>,
}

#[derive(Serialize)]
struct JsonColumn {
    name: String,
    #[serde(rename = "type")]
    column_type: String,
    nullable: bool,
}

#[derive(Serialize)]
struct JsonIndex {
    name: String,
    unique: bool,
    primary_key: bool,
    kind: &'static str,
    columns: Vec<String>,
}

/// Lists the tables with their columns and keys.
///
/// # Errors
/// Damage, the output's.
pub(crate) fn tables(options: &TablesOptions, output: &mut Output) -> Result<(), Failure> {
    let database = open_to_read(&options.dir, AtOption { at: None })?;
    let view = database.view();
    let mut rows = Vec::new();
    for definition in view
        .tables()
        .filter(|table| options.system || !table.is_system())
    {
        let row_count = view.table(definition.name())?.row_count();
        let table = describe(definition, row_count);
        if options.json.json {
            output.json(&table)?;
            continue;
        }
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|column| {
                format!(
                    "{} {}{}",
                    column.name,
                    column.column_type,
                    if column.nullable { "?" } else { "" }
                )
            })
            .collect();
        let key = table.indexes.iter().find(|index| index.primary_key);
        let key = key
            .map(|index| index.columns.join(", "))
            .unwrap_or_default();
        rows.push(vec![
            table.id.to_string(),
            table.name,
            table.rows.to_string(),
            key,
            columns.join(", "),
        ]);
    }
    if !options.json.json {
        output.table(
            &[
                "id",
                "table",
                "rows",
                "primary key",
                "columns (? may be null)",
            ],
            rows,
        )?;
    }
    Ok(())
}

fn describe(definition: &TableDefinition, rows: u64) -> JsonTable {
    let columns = definition.columns().iter().map(|column| JsonColumn {
        name: column.name.clone(),
        column_type: column.column_type.to_string(),
        nullable: column.nullable,
    });
    let name_of = |id| {
        definition
            .position_of(id)
            .map(|position| definition.columns()[position].name.clone())
    };
    let primary_key = definition.primary_key().map(|index| index.id);
    let indexes = definition.indexes().iter().map(|index| JsonIndex {
        name: index.name.clone(),
        unique: index.unique,
        primary_key: Some(index.id) == primary_key,
        kind: index.kind.name(),
        columns: index.columns.iter().filter_map(|&id| name_of(id)).collect(),
    });
    JsonTable {
        id: definition.id().0,
        name: definition.name().to_owned(),
        rows,
        columns: columns.collect(),
        indexes: indexes.collect(),
    }
}
