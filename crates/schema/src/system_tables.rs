//! The system tables that this build knows: one list.
//!
//! It has two uses. A genesis that this build writes declares exactly these tables, with these ids. A log that any build
//! wrote is read by the *names* in this list: ids, positions, further columns and further tables come from the log's own
//! rows. Only the two seeds ([`SystemTableName::Table`] and [`SystemTableName::Column`]) are frozen with their ids, the
//! positions of these columns and these indexes, since they are what the first rows are read by.
//!
//! The list grows at the ends, by columns that are marked as later. A log from before lacks them; an upgrade (`upgrade.rs`) adds them.

use table::ColumnType::{self, Bool, Bytes, I128, String as Text, U8, U16, U32, Uuid};
use table::Value;

/// The system tables that this build reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum SystemTableName {
    Table,
    Column,
    Index,
    Constraint,
    Sequence,
    Database,
}

impl SystemTableName {
    pub(crate) const ALL: [SystemTableName; 6] = [
        SystemTableName::Table,
        SystemTableName::Column,
        SystemTableName::Index,
        SystemTableName::Constraint,
        SystemTableName::Sequence,
        SystemTableName::Database,
    ];

    /// The table of this name, if this build knows it.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|table| table.declaration().name == name)
    }

    /// Its place in [`SystemTableName::ALL`].
    pub(crate) fn place(self) -> usize {
        self as usize
    }

    /// What this build declares it to be.
    pub(crate) fn declaration(self) -> &'static SystemTable {
        &SYSTEM_TABLES[self.place()]
    }
}

/// A system table as this build declares it.
#[derive(Debug)]
pub(crate) struct SystemTable {
    pub(crate) id: u32,
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [SystemColumn],
    pub(crate) indexes: &'static [SystemIndex],
}

/// A column of a system table. The id is that of a log that this build begins; elsewhere it is found by name.
#[derive(Debug)]
pub(crate) struct SystemColumn {
    pub(crate) id: u32,
    pub(crate) name: &'static str,
    pub(crate) column_type: ColumnType,
    pub(crate) nullable: bool,
    /// What rows get that do not name it, those too that are older than the column.
    pub(crate) default: Option<Value>,
    /// Whether it came to the list after the first logs were written: these have it after an upgrade, and until then it is as if it were
    /// null. So it is nullable, and null means what was before.
    pub(crate) is_later: bool,
}

#[derive(Debug)]
pub(crate) struct SystemIndex {
    pub(crate) id: u32,
    pub(crate) name: &'static str,
    pub(crate) kind: SystemIndexKind,
    pub(crate) columns: &'static [&'static str],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SystemIndexKind {
    /// A unique index, and the primary key constraint of this id.
    PrimaryKey {
        constraint: u32,
    },
    Unique,
    Plain,
}

pub(crate) const fn column(id: u32, name: &'static str, column_type: ColumnType) -> SystemColumn {
    SystemColumn {
        id,
        name,
        column_type,
        nullable: false,
        default: None,
        is_later: false,
    }
}

const fn nullable(id: u32, name: &'static str, column_type: ColumnType) -> SystemColumn {
    SystemColumn {
        id,
        name,
        column_type,
        nullable: true,
        default: None,
        is_later: false,
    }
}

const fn later(id: u32, name: &'static str, column_type: ColumnType) -> SystemColumn {
    SystemColumn {
        id,
        name,
        column_type,
        nullable: true,
        default: None,
        is_later: true,
    }
}

const fn primary_key(id: u32, constraint: u32, columns: &'static [&'static str]) -> SystemIndex {
    SystemIndex {
        id,
        name: "primary_key",
        kind: SystemIndexKind::PrimaryKey { constraint },
        columns,
    }
}

const fn unique(id: u32, name: &'static str, columns: &'static [&'static str]) -> SystemIndex {
    SystemIndex {
        id,
        name,
        kind: SystemIndexKind::Unique,
        columns,
    }
}

const fn plain(id: u32, name: &'static str, columns: &'static [&'static str]) -> SystemIndex {
    SystemIndex {
        id,
        name,
        kind: SystemIndexKind::Plain,
        columns,
    }
}

/// The id of the seed table `st_table`.
pub(crate) const ST_TABLE_ID: u32 = 1;
/// The id of the seed table `st_column`.
pub(crate) const ST_COLUMN_ID: u32 = 2;
/// The id of the seed's unique index on table names.
pub(crate) const TABLE_NAME_INDEX_ID: u32 = 2;

/// In the order of [`SystemTableName::ALL`].
pub(crate) static SYSTEM_TABLES: [SystemTable; 6] = [
    // Frozen.
    SystemTable {
        id: ST_TABLE_ID,
        name: "st_table",
        columns: &[column(1, "table_id", U32), column(2, "table_name", Text)],
        indexes: &[
            primary_key(1, 1, &["table_id"]),
            unique(TABLE_NAME_INDEX_ID, "by_name", &["table_name"]),
        ],
    },
    // Frozen.
    SystemTable {
        id: ST_COLUMN_ID,
        name: "st_column",
        columns: &[
            column(3, "table_id", U32),
            column(4, "column_id", U32),
            column(5, "position", U16),
            column(6, "column_name", Text),
            column(7, "type_code", U8),
            column(8, "nullable", Bool),
            nullable(9, "default_value", Bytes),
        ],
        indexes: &[primary_key(3, 2, &["table_id", "column_id"])],
    },
    SystemTable {
        id: 3,
        name: "st_index",
        columns: &[
            column(10, "table_id", U32),
            column(11, "index_id", U32),
            column(12, "index_name", Text),
            column(13, "kind", U8),
            column(14, "is_unique", Bool),
            column(15, "column_ids", Bytes),
        ],
        indexes: &[primary_key(4, 3, &["table_id", "index_id"])],
    },
    SystemTable {
        id: 4,
        name: "st_constraint",
        columns: &[
            column(16, "table_id", U32),
            column(17, "constraint_id", U32),
            column(18, "constraint_name", Text),
            column(19, "kind", U8),
            nullable(20, "index_id", U32),
            later(34, "target_table_id", U32),
            later(35, "target_index_id", U32),
        ],
        indexes: &[primary_key(5, 4, &["table_id", "constraint_id"])],
    },
    SystemTable {
        id: 5,
        name: "st_sequence",
        columns: &[
            column(21, "sequence_id", U32),
            nullable(22, "table_id", U32),
            nullable(23, "column_id", U32),
            column(24, "sequence_name", Text),
            nullable(25, "next_value", I128),
            column(26, "start_value", I128),
            column(27, "step", I128),
            column(28, "minimum", I128),
            column(29, "maximum", I128),
            column(30, "cycle", Bool),
        ],
        indexes: &[
            primary_key(6, 5, &["sequence_id"]),
            plain(7, "by_name", &["table_id", "sequence_name"]),
        ],
    },
    SystemTable {
        id: 6,
        name: "st_database",
        columns: &[
            column(31, "database_id", Uuid),
            column(32, "minimum_reader", U16),
            column(33, "minimum_writer", U16),
        ],
        indexes: &[primary_key(8, 6, &["database_id"])],
    },
];

/// A sequence that gives ids: a row of `st_sequence` without a table.
#[derive(Debug)]
pub(crate) struct SystemSequence {
    pub(crate) id: u32,
    pub(crate) name: &'static str,
    pub(crate) start: u32,
    pub(crate) maximum: u32,
}

/// The first id of any kind that this build's genesis leaves for later system objects.
const FIRST_FREE_SYSTEM_ID: u32 = 64;

const fn user_ids(id: u32, name: &'static str) -> SystemSequence {
    SystemSequence {
        id,
        name,
        start: crate::limits::RESERVED.end,
        maximum: u32::MAX,
    }
}

/// The sequences that ids come from. System objects of all kinds share one.
pub(crate) static SYSTEM_SEQUENCES: [SystemSequence; 6] = [
    SystemSequence {
        id: 1,
        name: SYSTEM_IDS,
        start: FIRST_FREE_SYSTEM_ID,
        maximum: crate::limits::RESERVED.end - 1,
    },
    user_ids(2, TABLE_IDS),
    user_ids(3, COLUMN_IDS),
    user_ids(4, INDEX_IDS),
    user_ids(5, CONSTRAINT_IDS),
    user_ids(6, SEQUENCE_IDS),
];

/// The sequence of ids of all system objects.
pub(crate) const SYSTEM_IDS: &str = "st_system_id";
/// The sequence of table ids.
pub(crate) const TABLE_IDS: &str = "st_table_id";
/// The sequence of column ids.
pub(crate) const COLUMN_IDS: &str = "st_column_id";
/// The sequence of index ids.
pub(crate) const INDEX_IDS: &str = "st_index_id";
/// The sequence of constraint ids.
pub(crate) const CONSTRAINT_IDS: &str = "st_constraint_id";
/// The sequence of sequence ids.
pub(crate) const SEQUENCE_IDS: &str = "st_sequence_id";

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_below_the_first_free_one() {
        let mut tables = HashSet::new();
        let mut columns = HashSet::new();
        let mut indexes = HashSet::new();
        let mut constraints = HashSet::new();
        for (place, table) in SYSTEM_TABLES.iter().enumerate() {
            assert_eq!(SystemTableName::ALL[place].place(), place);
            assert_eq!(
                SystemTableName::from_name(table.name),
                Some(SystemTableName::ALL[place])
            );
            assert!(tables.insert(table.id) && table.id < FIRST_FREE_SYSTEM_ID);
            for column in table.columns {
                assert!(columns.insert(column.id) && column.id < FIRST_FREE_SYSTEM_ID);
                assert!(column.nullable || !column.is_later);
            }
            for index in table.indexes {
                assert!(indexes.insert(index.id) && index.id < FIRST_FREE_SYSTEM_ID);
                if let SystemIndexKind::PrimaryKey { constraint } = index.kind {
                    assert!(constraints.insert(constraint) && constraint < FIRST_FREE_SYSTEM_ID);
                }
            }
        }
    }
}
