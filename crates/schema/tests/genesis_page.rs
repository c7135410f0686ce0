//! `docs/GENESIS.md` shows the golden genesis byte by byte, as a reader finds it that knows the seeds and nothing else of this crate.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write;

const PAGE: &str = include_str!("../../../docs/GENESIS.md");
const GOLDEN: &str = include_str!("golden/genesis.hex");

/// The columns of `st_table` as they are frozen: name, type code, nullable.
const ST_TABLE: [(&str, u64, bool); 2] = [("table_id", 9, false), ("table_name", 14, false)];

/// The columns of `st_column` as they are frozen.
const ST_COLUMN: [(&str, u64, bool); 7] = [
    ("table_id", 9, false),
    ("column_id", 9, false),
    ("position", 8, false),
    ("column_name", 14, false),
    ("type_code", 7, false),
    ("nullable", 1, false),
    ("default_value", 15, true),
];

/// Name, type code, nullable.
type Column = (String, u64, bool);

/// The groups of a payload, each row under the columns that the rows before it stated.
struct Reader<'a> {
    bytes: &'a [u8],
    /// By table and position.
    columns: BTreeMap<u64, BTreeMap<u64, Column>>,
    names: BTreeMap<u64, String>,
    page: String,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8]) -> Reader<'a> {
        let seed = |columns: &[(&str, u64, bool)]| {
            let columns = columns
                .iter()
                .map(|&(name, code, nullable)| (name.to_owned(), code, nullable));
            (0..).zip(columns).collect()
        };
        Reader {
            bytes,
            columns: BTreeMap::from([(1, seed(&ST_TABLE)), (2, seed(&ST_COLUMN))]),
            names: BTreeMap::from([(1, "st_table".to_owned()), (2, "st_column".to_owned())]),
            page: String::new(),
        }
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.bytes.split_at(count);
        self.bytes = rest;
        taken
    }

    fn number(&mut self, count: usize) -> u64 {
        let taken = self.take(count).iter().rev();
        taken.fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    /// A LEB128.
    fn length(&mut self) -> usize {
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = self.number(1);
            length |= (byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return usize::try_from(length).unwrap();
            }
        }
    }

    /// A value that is not null, as text.
    fn value(&mut self, code: u64) -> String {
        match code {
            1 => ["false", "true"][usize::try_from(self.number(1)).unwrap()].to_owned(),
            7 => self.number(1).to_string(),
            8 => self.number(2).to_string(),
            9 => self.number(4).to_string(),
            6 => i128::from_le_bytes(self.take(16).try_into().unwrap()).to_string(),
            14 => {
                let length = self.length();
                format!("{:?}", str::from_utf8(self.take(length)).unwrap())
            }
            15 => {
                let length = self.length();
                format!("0x{}", hex(self.take(length)))
            }
            16 => format!("uuid {}", hex(self.take(16))),
            _ => panic!("no system table has a column of type {code}"),
        }
    }

    fn row(&mut self, table: u64) {
        let whole = self.bytes;
        let columns = self.columns[&table].clone();
        let nullable = columns.values().filter(|column| column.2).count();
        let nulls = self.number(nullable.div_ceil(8));
        let mut nullable_before = 0;
        let values: Vec<String> = columns
            .values()
            .map(|(_, code, nullable)| {
                let is_null = *nullable && nulls >> nullable_before & 1 == 1;
                nullable_before += u64::from(*nullable);
                if is_null {
                    "null".to_owned()
                } else {
                    self.value(*code)
                }
            })
            .collect();
        writeln!(self.page, "  {}", values.join(", ")).unwrap();
        self.dump(&whole[..whole.len() - self.bytes.len()]);
        // What a row says of a table holds from the end of its group on, and no row of the group is of that table.
        let number = |place: usize| -> u64 { values[place].parse().unwrap() };
        let text = |place: usize| values[place].trim_matches('"').to_owned();
        match table {
            1 => drop(self.names.insert(number(0), text(1))),
            2 if number(0) > 2 => {
                let column = (text(3), number(4), text(5) == "true");
                let table = self.columns.entry(number(0)).or_default();
                table.insert(number(2), column);
            }
            2 => {
                let frozen = &self.columns[&number(0)][&number(2)];
                assert_eq!(*frozen, (text(3), number(4), text(5) == "true"));
            }
            _ => {}
        }
    }

    fn dump(&mut self, bytes: &[u8]) {
        for line in bytes.chunks(40) {
            writeln!(self.page, "    {}", hex(line)).unwrap();
        }
    }

    fn read(mut self) -> String {
        let marks = &self.bytes[2..6];
        let line = format!("marks: reader {}, writer {}", marks[0], marks[2]);
        writeln!(self.page, "{line}").unwrap();
        let front = self.take(8);
        self.dump(front);
        while !self.bytes.is_empty() {
            let header = self.bytes;
            let (table, layout) = (self.number(4), self.number(4));
            assert_eq!(self.number(4), 1, "a genesis inserts");
            let (rows, length) = (self.number(4), self.number(8));
            let columns: Vec<&str> = self.columns[&table]
                .values()
                .map(|column| &*column.0)
                .collect();
            let columns = columns.join(", ");
            writeln!(
                self.page,
                "\ntable {table} {}, layout {layout}, insert, {rows} rows in {length} bytes: {columns}",
                self.names[&table]
            )
            .unwrap();
            self.dump(&header[..24]);
            let end = self.bytes.len() - usize::try_from(length).unwrap();
            for _ in 0..rows {
                self.row(table);
            }
            assert_eq!(self.bytes.len(), end);
        }
        self.page
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_page_shows_the_golden_genesis() {
    let digits: Vec<u8> = GOLDEN.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    let golden: Vec<u8> = digits.chunks(2).map(byte).collect();
    let expected = Reader::new(&golden).read();
    let (_, shown) = PAGE.split_once("```text genesis\n").unwrap();
    let (shown, _) = shown.split_once("```").unwrap();
    assert!(
        shown == expected,
        "docs/GENESIS.md does not show the genesis, which is\n{expected}"
    );
}
