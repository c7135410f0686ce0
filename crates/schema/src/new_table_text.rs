//! Tables to be made, written for people: a line for each column, index and foreign key.

use std::fmt;

use table::IndexKind;

use crate::new_table::NewTable;

impl fmt::Display for NewTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "table {}", self.name)?;
        for column in &self.columns {
            write!(formatter, "\n  {} {}", column.name, column.column_type)?;
            if column.nullable {
                formatter.write_str(", or null")?;
            }
            if let Some(default) = column.default.as_ref().filter(|default| !default.is_null()) {
                write!(formatter, ", default {default}")?;
            }
            if self
                .sequences
                .iter()
                .any(|(counting, _)| *counting == column.name)
            {
                formatter.write_str(", counts by itself")?;
            }
        }
        for index in &self.indexes {
            let what = index.role.text();
            let hashed = match index.kind {
                IndexKind::Hash => ", hashed",
                IndexKind::Ordered => "",
            };
            let columns = index.columns.join(", ");
            write!(formatter, "\n  {what} {} ({columns}){hashed}", index.name)?;
        }
        for key in &self.foreign_keys {
            let (columns, targets) = (key.columns.join(", "), key.target_columns.join(", "));
            let (name, target) = (&key.name, &key.target);
            write!(
                formatter,
                "\n  foreign key {name} ({columns}) to {target} ({targets})"
            )?;
        }
        Ok(())
    }
}
