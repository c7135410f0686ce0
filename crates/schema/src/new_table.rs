//! A table to be made: definitions by name, before the log has given ids to them.

use table::{ColumnType, IndexId, IndexKind, TableId};

use crate::column_definition::ColumnDefinition;
use crate::column_id::ColumnId;
use crate::constraint_definition::ConstraintDefinition;
use crate::constraint_id::ConstraintId;
use crate::error::Error;
use crate::format::{FIRST_READER, reader_of_kind};
use crate::index_definition::IndexDefinition;
use crate::limits::RESERVED;
use crate::mistake::{Mistake, Object};
use crate::nearest::nearest;
use crate::new_column::NewColumn;
use crate::new_foreign_key::NewForeignKey;
use crate::new_index::{NewIndex, NewIndexRole};
use crate::new_sequence::NewSequence;
use crate::sequence_id::SequenceId;
use crate::table_definition::{TableDefinition, TableParts};
use crate::validation::check_default_length;

/// What every table's primary key is named, the index and the constraint.
pub(crate) const PRIMARY_KEY: &str = "primary_key";

/// What a unique constraint over these columns is named, and its index.
pub(crate) fn unique_name(columns: &[&str]) -> String {
    format!("unique_{}", columns.join("_"))
}

/// What a foreign key over these columns is named, and its index.
pub(crate) fn foreign_name(columns: &[&str]) -> String {
    format!("foreign_{}", columns.join("_"))
}

/// A table to be made. Nothing is checked until [`NewTable::check`] or
/// [`WriteTransaction::create_table`](crate::WriteTransaction::create_table), which tell all mistakes at once.
///
/// ```
/// use schema::NewTable;
/// use table::ColumnType;
///
/// let planes = NewTable::new("planes")
///     .column("tailnum", ColumnType::String)
///     .nullable("year", ColumnType::I32)
///     .primary_key(&["tailnum"])
///     .index("by_year", &["year"]);
/// assert!(planes.check().is_ok());
///
/// let mistakes = NewTable::new("st_planes").index("by_year", &["year"]).check();
/// assert_eq!(mistakes.unwrap_err().len(), 3); // the reserved name, no columns, an unknown column
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct NewTable {
    pub(crate) name: String,
    pub(crate) columns: Vec<NewColumn>,
    pub(crate) indexes: Vec<NewIndex>,
    /// By the column that they fill.
    pub(crate) sequences: Vec<(String, NewSequence)>,
    pub(crate) foreign_keys: Vec<NewForeignKey>,
}

/// The first of the ids that a new table's parts take, one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FirstIds {
    pub(crate) table: u32,
    pub(crate) column: u32,
    pub(crate) index: u32,
    pub(crate) constraint: u32,
    pub(crate) sequence: u32,
}

impl NewTable {
    /// A table without columns.
    pub fn new(name: &str) -> Self {
        NewTable {
            name: name.to_owned(),
            columns: Vec::new(),
            indexes: Vec::new(),
            sequences: Vec::new(),
            foreign_keys: Vec::new(),
        }
    }

    /// Appends a column that is never null.
    #[must_use]
    pub fn column(self, name: &str, column_type: ColumnType) -> Self {
        self.column_with(NewColumn::new(name, column_type))
    }

    /// Appends a column that may be null.
    #[must_use]
    pub fn nullable(self, name: &str, column_type: ColumnType) -> Self {
        self.column_with(NewColumn::new(name, column_type).nullable())
    }

    /// Appends a column.
    #[must_use]
    pub fn column_with(mut self, column: NewColumn) -> Self {
        self.columns.push(column);
        self
    }

    /// Names rows by these columns: the table gets a unique index and a constraint, both named `primary_key`.
    #[must_use]
    pub fn primary_key(self, columns: &[&str]) -> Self {
        self.with_primary_key(columns, IndexKind::Ordered)
    }

    /// [`NewTable::primary_key`] on a hash index: rows are found by their whole key in fewer steps, and neither by the first
    /// columns of it nor in its order. Builds of format 1 can not open the database from then on.
    #[must_use]
    pub fn hash_primary_key(self, columns: &[&str]) -> Self {
        self.with_primary_key(columns, IndexKind::Hash)
    }

    /// Demands that no two rows agree in these columns: the table gets a unique index and a constraint, both named
    /// `unique_` and the columns.
    #[must_use]
    pub fn unique(self, columns: &[&str]) -> Self {
        self.with_unique(columns, IndexKind::Ordered)
    }

    /// [`NewTable::unique`] on a hash index.
    #[must_use]
    pub fn hash_unique(self, columns: &[&str]) -> Self {
        self.with_unique(columns, IndexKind::Hash)
    }

    /// Adds an ordered index.
    #[must_use]
    pub fn index(self, name: &str, columns: &[&str]) -> Self {
        let kind = IndexKind::Ordered;
        self.with_index(name.to_owned(), columns, NewIndexRole::Plain, kind)
    }

    /// Adds an ordered index in whose columns no two rows may agree.
    #[must_use]
    pub fn unique_index(self, name: &str, columns: &[&str]) -> Self {
        let kind = IndexKind::Ordered;
        self.with_index(name.to_owned(), columns, NewIndexRole::PlainUnique, kind)
    }

    /// Adds a hash index: it finds rows by values of all its columns, and nothing else.
    #[must_use]
    pub fn hash_index(self, name: &str, columns: &[&str]) -> Self {
        let kind = IndexKind::Hash;
        self.with_index(name.to_owned(), columns, NewIndexRole::Plain, kind)
    }

    /// Fills an integer column, where a row does not name it, with 1, 2, 3, ... A row that names a higher number moves
    /// the counter behind it.
    #[must_use]
    pub fn auto_increment(self, column: &str) -> Self {
        self.sequence(column, NewSequence::new())
    }

    /// [`NewTable::auto_increment`] by other numbers.
    #[must_use]
    pub fn sequence(mut self, column: &str, sequence: NewSequence) -> Self {
        self.sequences.push((column.to_owned(), sequence));
        self
    }

    /// Demands that each row without null in these columns names a row of another table, or of this one
    /// ([`WriteTransaction::add_foreign_key`](crate::WriteTransaction::add_foreign_key)).
    #[must_use]
    pub fn foreign_key(mut self, columns: &[&str], target: &str, target_columns: &[&str]) -> Self {
        let names = |columns: &[&str]| columns.iter().map(|&column| column.to_owned()).collect();
        self.foreign_keys.push(NewForeignKey {
            name: foreign_name(columns),
            columns: names(columns),
            target: target.to_owned(),
            target_columns: names(target_columns),
        });
        self
    }

    /// The table's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells all mistakes at once.
    ///
    /// # Errors
    /// Every [`Mistake`] that the definition makes.
    pub fn check(&self) -> Result<(), Vec<Mistake>> {
        let user = RESERVED.end;
        let first = FirstIds {
            table: user,
            column: user,
            index: user,
            constraint: user,
            sequence: user,
        };
        let mut mistakes = self.resolve(first).err().unwrap_or_default();
        for column in &self.columns {
            check_default_length(&column.name, column.default.as_ref(), &mut mistakes);
        }
        match mistakes.is_empty() {
            true => Ok(()),
            false => Err(mistakes),
        }
    }

    /// [`NewTable::check`] as the error of an operation.
    pub(crate) fn require(&self) -> Result<(), Error> {
        self.check().map_err(|mistakes| Error::InvalidDefinition {
            table: self.name.clone(),
            mistakes,
        })
    }

    /// The minimum reader that the table asks for.
    pub(crate) fn reader(&self) -> u16 {
        let kinds = self.indexes.iter().map(|index| reader_of_kind(index.kind));
        kinds.max().unwrap_or(FIRST_READER)
    }

    pub(crate) fn foreign_keys(&self) -> &[NewForeignKey] {
        &self.foreign_keys
    }

    pub(crate) fn column_count(&self) -> usize {
        self.columns.len()
    }

    pub(crate) fn index_count(&self) -> usize {
        self.indexes.len()
    }

    pub(crate) fn constraint_count(&self) -> usize {
        self.indexes
            .iter()
            .filter(|index| index.role.is_constraint())
            .count()
    }

    pub(crate) fn sequence_count(&self) -> usize {
        self.sequences.len()
    }

    /// The definition under ids given out from `first`, or every mistake.
    pub(crate) fn resolve(&self, first: FirstIds) -> Result<TableDefinition, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let columns: Vec<ColumnDefinition> = self
            .columns
            .iter()
            .zip(first.column..=u32::MAX)
            .map(|(column, id)| column.with_id(ColumnId(id)))
            .collect();
        let mut parts = TableParts {
            id: TableId(first.table),
            name: self.name.clone(),
            columns,
            indexes: Vec::new(),
            constraints: Vec::new(),
            sequences: Vec::new(),
        };
        let mut constraint_ids = first.constraint..=u32::MAX;
        for (new, id) in self.indexes.iter().zip(first.index..=u32::MAX) {
            let id = IndexId(id);
            let ids = resolve_columns(
                &parts.columns,
                Object::Index,
                &new.name,
                &new.columns,
                &mut mistakes,
            );
            // What names a column that is not there has been told; the rest of it is judged only when all are.
            let Some(columns) = ids else { continue };
            parts.indexes.push(IndexDefinition {
                id,
                name: new.name.clone(),
                unique: new.role.is_unique(),
                kind: new.kind,
                columns,
            });
            let Some(kind) = new.role.constraint(id) else {
                continue;
            };
            let Some(id) = constraint_ids.next() else {
                continue;
            };
            parts.constraints.push(ConstraintDefinition {
                id: ConstraintId(id),
                name: new.name.clone(),
                kind,
            });
        }
        for ((column, sequence), id) in self.sequences.iter().zip(first.sequence..=u32::MAX) {
            let of = std::slice::from_ref(column);
            let object = Object::Sequence;
            let ids = resolve_columns(&parts.columns, object, column, of, &mut mistakes);
            let Some(ids) = ids else { continue };
            let definition = parts.columns.iter().find(|known| known.id == ids[0]);
            parts.sequences.extend(definition.map(|definition| {
                let id = SequenceId(id);
                sequence.of_column(id, definition.id, &definition.name, definition.column_type)
            }));
        }
        match (TableDefinition::new(parts), mistakes) {
            (Ok(definition), mistakes) if mistakes.is_empty() => Ok(definition),
            (Ok(_), mistakes) => Err(mistakes),
            (Err(mut all), mut mistakes) => {
                all.append(&mut mistakes);
                Err(all)
            }
        }
    }

    fn with_primary_key(self, columns: &[&str], kind: IndexKind) -> Self {
        let name = PRIMARY_KEY.to_owned();
        self.with_index(name, columns, NewIndexRole::PrimaryKey, kind)
    }

    fn with_unique(self, columns: &[&str], kind: IndexKind) -> Self {
        let name = unique_name(columns);
        self.with_index(name, columns, NewIndexRole::Unique, kind)
    }

    fn with_index(
        mut self,
        name: String,
        columns: &[&str],
        role: NewIndexRole,
        kind: IndexKind,
    ) -> Self {
        self.indexes.push(NewIndex::new(&name, columns, role, kind));
        self
    }
}

impl NewColumn {
    pub(crate) fn with_id(&self, id: ColumnId) -> ColumnDefinition {
        ColumnDefinition {
            id,
            name: self.name.clone(),
            column_type: self.column_type,
            nullable: self.nullable,
            // A null default of a nullable column says what no default says.
            default: self
                .default
                .clone()
                .filter(|value| !(value.is_null() && self.nullable)),
        }
    }
}

/// The ids of columns by name; `None`, and a mistake for each, if some are not there.
pub(crate) fn resolve_columns(
    columns: &[ColumnDefinition],
    object: Object,
    name: &str,
    wanted: &[String],
    mistakes: &mut Vec<Mistake>,
) -> Option<Vec<ColumnId>> {
    let before = mistakes.len();
    let mut ids = Vec::with_capacity(wanted.len());
    for column in wanted {
        match columns.iter().find(|known| known.name == *column) {
            Some(known) => ids.push(known.id),
            None => mistakes.push(Mistake::UnknownColumn {
                object,
                name: name.to_owned(),
                column: column.clone(),
                nearest: nearest(column, columns.iter().map(|known| known.name.as_str())),
            }),
        }
    }
    (mistakes.len() == before).then_some(ids)
}
