//! The columns of a table at one moment of its history, and what follows from them for rows and row pages.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::page_format::PageKind;
use crate::row_geometry::{ColumnPlace, Regions, RowGeometry};
use crate::usual_page::UsualPage;
use crate::{ColumnType, Value};

/// Most columns that a layout has.
pub const COLUMN_COUNT_MAX: usize = 1024;

/// Which of a table's layouts, in the order they came into force; it rises with each change.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct LayoutNumber(pub u32);

impl fmt::Display for LayoutNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// One column of a layout; its position is its place in the list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LayoutColumn {
    /// The type of the values.
    pub column_type: ColumnType,
    /// Whether a value may be null.
    pub nullable: bool,
    /// What rows that are older than the column have there; of the column's type, or null where it is nullable.
    pub default: Option<Value>,
}

impl LayoutColumn {
    /// A column without null and without default.
    pub fn required(column_type: ColumnType) -> LayoutColumn {
        LayoutColumn {
            column_type,
            nullable: false,
            default: None,
        }
    }

    /// A column that may be null, without default.
    pub fn nullable(column_type: ColumnType) -> LayoutColumn {
        LayoutColumn {
            column_type,
            nullable: true,
            default: None,
        }
    }
}

/// A valid list of columns with its number.
///
/// Equal when number and columns are. A row of any layout fits into a row page: its variable values go to
/// long-value pages where they must (the compile-time assertions of `row_format.rs`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "StoredLayout", into = "StoredLayout")]
pub struct Layout {
    number: LayoutNumber,
    /// The lowest number that pages of these columns may have. Invariant: at most `number`.
    since: LayoutNumber,
    /// Invariant: 1 to `COLUMN_COUNT_MAX` columns whose defaults fit their types.
    columns: Vec<LayoutColumn>,
    /// Invariant: derived from `columns` alone, as are the fields below.
    places: Vec<ColumnPlace>,
    regions: Regions,
    nullable_count: usize,
    usual_page: UsualPage,
    page_kind: PageKind,
}

impl Layout {
    /// The layout of pieces of long values: drawn in `spill_format.rs`.
    pub(crate) fn of_pieces() -> Layout {
        let columns = [ColumnType::U64, ColumnType::Bytes].map(LayoutColumn::required);
        let layout = Layout::new(LayoutNumber(0), columns.to_vec());
        Layout {
            page_kind: PageKind::Pieces,
            ..layout.expect("two columns without defaults")
        }
    }

    /// A layout of these columns.
    ///
    /// # Errors
    /// [`LayoutError`] for no columns, too many, or a default that does not fit its column.
    pub fn new(number: LayoutNumber, columns: Vec<LayoutColumn>) -> Result<Layout, LayoutError> {
        if columns.is_empty() {
            return Err(LayoutError::NoColumns);
        }
        if columns.len() > COLUMN_COUNT_MAX {
            return Err(LayoutError::TooManyColumns {
                found: columns.len(),
            });
        }
        for (column, definition) in columns.iter().enumerate() {
            check_default(column, definition)?;
        }
        let (places, regions) = ColumnPlace::plan(&columns);
        let nullable_count = columns.iter().filter(|column| column.nullable).count();
        Ok(Layout {
            number,
            since: LayoutNumber(0),
            columns,
            places,
            regions,
            nullable_count,
            usual_page: UsualPage::default(),
            page_kind: PageKind::Row,
        })
    }

    /// The same layout, of a table whose pages of lower numbers have other columns.
    pub(crate) fn since(self, since: LayoutNumber) -> Layout {
        assert!(since <= self.number);
        Layout { since, ..self }
    }

    /// What pages of this layout show as `columns`: each the one at its source here, which is of its type, or, without one, its default in
    /// every row.
    pub(crate) fn shown_as(&self, columns: Vec<LayoutColumn>, sources: &[Option<u16>]) -> Layout {
        let place = |(column, source): (&LayoutColumn, &Option<u16>)| match *source {
            Some(source) => self.places[usize::from(source)].under(column.nullable),
            None => ColumnPlace::absent(column.column_type),
        };
        Layout {
            places: columns.iter().zip(sources).map(place).collect(),
            nullable_count: columns.iter().filter(|column| column.nullable).count(),
            columns,
            usual_page: UsualPage::default(),
            ..self.clone()
        }
    }

    /// Whether pages of this number have these columns.
    #[inline(always)]
    pub(crate) fn has_pages_of(&self, number: u32) -> bool {
        number.wrapping_sub(self.since.0) <= self.number.0 - self.since.0
    }

    /// The lowest number that pages of these columns may have.
    pub(crate) fn first_number(&self) -> LayoutNumber {
        self.since
    }

    /// The number.
    #[inline]
    pub fn number(&self) -> LayoutNumber {
        self.number
    }

    /// The columns by position.
    #[inline]
    pub fn columns(&self) -> &[LayoutColumn] {
        &self.columns
    }

    /// How many columns there are, at least one.
    #[inline]
    pub fn column_count(&self) -> usize {
        self.columns.len()
    }

    /// How many columns may be null.
    pub fn nullable_count(&self) -> usize {
        self.nullable_count
    }

    /// The kind of the pages.
    #[inline(always)]
    pub(crate) fn page_kind(&self) -> PageKind {
        self.page_kind
    }

    /// Where the column's regions stand among the regions of a row page.
    #[inline]
    pub(crate) fn place(&self, column: usize) -> &ColumnPlace {
        &self.places[column]
    }

    /// The same of all columns.
    #[inline]
    pub(crate) fn places(&self) -> &[ColumnPlace] {
        &self.places
    }

    /// What row pages look like mostly.
    #[inline]
    pub(crate) fn usual_page(&self) -> &UsualPage {
        &self.usual_page
    }

    /// Takes row pages of this geometry for the usual ones from now on.
    pub(crate) fn set_usual(&self, geometry: RowGeometry) {
        self.usual_page
            .set(geometry, geometry.end(&self.regions), &self.places);
    }

    /// All regions of a row page.
    #[inline]
    pub(crate) fn regions(&self) -> &Regions {
        &self.regions
    }
}

impl PartialEq for Layout {
    fn eq(&self, other: &Layout) -> bool {
        self.number == other.number && self.columns == other.columns
    }
}

impl Eq for Layout {}

pub(crate) fn check_default(column: usize, definition: &LayoutColumn) -> Result<(), LayoutError> {
    let expected = definition.column_type;
    match definition.default.as_ref().map(Value::column_type) {
        Some(None) if !definition.nullable => Err(LayoutError::NullDefault { column }),
        Some(Some(found)) if found != expected => Err(LayoutError::DefaultType {
            column,
            expected,
            found,
        }),
        _ => Ok(()),
    }
}

/// What a layout can not be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// There are no columns.
    #[error("a layout has at least one column")]
    NoColumns,
    /// There are more columns than a row page can hold regions for.
    #[error("{found} columns, a layout has at most {COLUMN_COUNT_MAX}")]
    TooManyColumns {
        /// How many were given.
        found: usize,
    },
    /// A default is of another type than its column.
    #[error("the default of column {column} is of type {found}, the column of type {expected}")]
    DefaultType {
        /// The column's position.
        column: usize,
        /// The column's type.
        expected: ColumnType,
        /// The default's type.
        found: ColumnType,
    },
    /// A default is null although its column must not be.
    #[error("the default of column {column} is null, the column is not nullable")]
    NullDefault {
        /// The column's position.
        column: usize,
    },
}

/// A layout as it is serialised: what the rest is derived from.
#[derive(Serialize, Deserialize)]
struct StoredLayout {
    number: LayoutNumber,
    columns: Vec<LayoutColumn>,
}

impl TryFrom<StoredLayout> for Layout {
    type Error = LayoutError;

    fn try_from(stored: StoredLayout) -> Result<Layout, LayoutError> {
        Layout::new(stored.number, stored.columns)
    }
}

impl From<Layout> for StoredLayout {
    fn from(layout: Layout) -> StoredLayout {
        StoredLayout {
            number: layout.number,
            columns: layout.columns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_refused() {
        let with = |column_type, nullable, default| {
            Layout::new(
                LayoutNumber(0),
                vec![LayoutColumn {
                    column_type,
                    nullable,
                    default,
                }],
            )
        };
        assert_eq!(
            Layout::new(LayoutNumber(0), vec![]),
            Err(LayoutError::NoColumns)
        );
        assert_eq!(
            Layout::new(
                LayoutNumber(0),
                vec![LayoutColumn::required(ColumnType::U8); 1025]
            ),
            Err(LayoutError::TooManyColumns { found: 1025 })
        );
        assert_eq!(
            with(ColumnType::U8, false, Some(Value::I8(0))),
            Err(LayoutError::DefaultType {
                column: 0,
                expected: ColumnType::U8,
                found: ColumnType::I8
            })
        );
        assert_eq!(
            with(ColumnType::U8, false, Some(Value::Null)),
            Err(LayoutError::NullDefault { column: 0 })
        );
        assert!(with(ColumnType::U8, true, Some(Value::Null)).is_ok());
    }

    #[test]
    fn a_layout_survives_being_stored() {
        let columns = vec![
            LayoutColumn::required(ColumnType::U64),
            LayoutColumn {
                column_type: ColumnType::String,
                nullable: true,
                default: Some(Value::String("x".into())),
            },
        ];
        let layout = Layout::new(LayoutNumber(3), columns).unwrap();
        let stored = postcard::to_stdvec(&layout).unwrap();
        assert_eq!(stored, [3, 2, 10, 0, 0, 14, 1, 1, 2, 14, b'x']);
        assert_eq!(postcard::from_bytes::<Layout>(&stored).unwrap(), layout);
    }
}
