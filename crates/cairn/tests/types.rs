//! Each type that a column can have, written from a Rust type and read as one.
#![allow(clippy::unwrap_used)]

use cairn::{
    ColumnType, Database, Error, FromValue, NewTable, Options, Record, Row, Timestamp, Value,
};
use disk::SimDisk;

/// Makes a record with a column for each line; each line: the column, its type, the Rust type, two values.
macro_rules! everything {
    ($($column:ident $column_type:ident $rust:ty, $low:expr, $high:expr;)*) => {
        #[derive(Debug, Clone, PartialEq)]
        struct Everything {
            id: u32,
            $($column: Option<$rust>,)*
        }

        impl Record for Everything {
            const TABLE: &'static str = "everything";

            fn cells(&self) -> Vec<(&'static str, Value)> {
                vec![("id", self.id.into()), $((stringify!($column), self.$column.clone().into()),)*]
            }

            fn from_row(row: &Row<'_>) -> Result<Self, Error> {
                Ok(Everything { id: row.get("id")?, $($column: row.get(stringify!($column))?,)* })
            }
        }

        const COLUMNS: &[(&str, ColumnType)] = &[$((stringify!($column), ColumnType::$column_type),)*];

        fn rows() -> [Everything; 3] {
            [
                Everything { id: 1, $($column: Some($low),)* },
                Everything { id: 2, $($column: Some($high),)* },
                Everything { id: 3, $($column: None,)* },
            ]
        }

        /// The columns of a row that can be read as a Rust type that is not one of an `Option`.
        fn read_as<T: FromValue>(row: &Row<'_>) -> Vec<&'static str> {
            let names = COLUMNS.iter().map(|(name, _)| *name);
            names.filter(|name| row.get::<T>(name).is_ok()).collect()
        }

        fn check_types(row: &Row<'_>, expected: impl Fn(&'static str) -> Vec<&'static str>) {
            $(assert_eq!(read_as::<$rust>(row), expected(stringify!($column)), "as {}", stringify!($rust));)*
        }
    };
}

everything! {
    a_bool Bool bool, false, true;
    an_i8 I8 i8, i8::MIN, i8::MAX;
    an_i16 I16 i16, i16::MIN, i16::MAX;
    an_i32 I32 i32, i32::MIN, i32::MAX;
    an_i64 I64 i64, i64::MIN, i64::MAX;
    an_i128 I128 i128, i128::MIN, i128::MAX;
    a_u8 U8 u8, 0, u8::MAX;
    a_u16 U16 u16, 0, u16::MAX;
    a_u32 U32 u32, 0, u32::MAX;
    a_u64 U64 u64, 0, u64::MAX;
    a_u128 U128 u128, 0, u128::MAX;
    an_f32 F32 f32, f32::MIN_POSITIVE, f32::INFINITY;
    an_f64 F64 f64, f64::MIN_POSITIVE, f64::NEG_INFINITY;
    a_string String String, String::new(), "æøå".repeat(20_000);
    some_bytes Bytes Vec<u8>, Vec::new(), vec![0xFF; 40_000];
    a_uuid Uuid [u8; 16], [0; 16], [0xFF; 16];
    a_timestamp Timestamp Timestamp, Timestamp(i64::MIN), Timestamp(1_700_000_000_000_000_000);
}

fn initialise(tx: &mut cairn::Transaction<'_>) -> Result<(), Error> {
    let table = NewTable::new("everything").column("id", ColumnType::U32);
    let table = COLUMNS.iter().fold(table, |table, (name, column_type)| {
        table.nullable(name, *column_type)
    });
    tx.create_table(&table.primary_key(&["id"]))
}

#[test]
fn a_row_of_all_types_goes_in_and_comes_out_also_after_a_reopen() {
    let types: Vec<ColumnType> = COLUMNS
        .iter()
        .map(|(_, column_type)| *column_type)
        .collect();
    assert_eq!(types, ColumnType::ALL, "a type has no line above");
    let disk = SimDisk::new(1);
    let open = || Database::open_on(disk.root(), Options::default(), initialise).unwrap();
    let db = open();
    db.write(|tx| {
        rows()
            .iter()
            .try_for_each(|row| tx.insert_record(row).map(drop))
    })
    .unwrap();
    let check = |db: &Database| {
        let view = db.view();
        let found = view.table("everything").unwrap().records();
        let found: Vec<Everything> = found.collect::<Result<_, _>>().unwrap();
        assert_eq!(found, rows());
    };
    check(&db);
    drop(db);
    check(&open());
}

#[test]
fn a_cell_is_read_as_its_own_type_and_as_no_other() {
    let disk = SimDisk::new(1);
    let db = Database::open_on(disk.root(), Options::default(), initialise).unwrap();
    db.write(|tx| {
        rows()
            .iter()
            .try_for_each(|row| tx.insert_record(row).map(drop))
    })
    .unwrap();
    let view = db.view();
    let table = view.table("everything").unwrap();
    for id in [1, 2] {
        let row = table.get(&[Value::U32(id)]).unwrap().unwrap();
        check_types(&row, |column| vec![column]);
    }
    let nulls = table.get(&[Value::U32(3)]).unwrap().unwrap();
    check_types(&nulls, |_| Vec::new());
}
