//! One table of notes, and how it is filled.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn::{
    ColumnType, Database, DatabaseId, Error, NewTable, OpenError, Options, ReadOnlyDatabase,
    ReadOptions, SnapshotPolicy, Transaction, TxId, Value, View, WriteError,
};
use disk::{Dir, SimDisk};

use crate::still_clock::StillClock;

/// The rows of table `notes`, by key.
pub type Notes = BTreeMap<u64, String>;

/// Options with which nothing happens by itself and every run writes the same bytes.
pub fn fixed_options() -> Options {
    Options {
        snapshots: SnapshotPolicy::by_hand(),
        background: false,
        clock: Arc::new(StillClock),
        holder: "a test".to_owned(),
        database_id: Some(DatabaseId(*b"an example's id.")),
        pack_nonce: Some(7),
        ..Options::default()
    }
}

/// Makes the table.
///
/// # Errors
/// The database's.
pub fn initialise(tx: &mut Transaction<'_>) -> Result<(), Error> {
    tx.create_table(&table().index("by_text", &["text"]))
}

/// Makes the table without its second index: as few pages as there can be.
///
/// # Errors
/// The database's.
pub(crate) fn initialise_small(tx: &mut Transaction<'_>) -> Result<(), Error> {
    tx.create_table(&table())
}

fn table() -> NewTable {
    NewTable::new("notes")
        .column("id", ColumnType::U64)
        .column("text", ColumnType::String)
        .primary_key(&["id"])
}

/// Opens or creates a database of notes.
///
/// # Errors
/// The database's.
pub fn try_open(dir: Arc<dyn Dir>, options: Options) -> Result<Database, bootstrap::Error> {
    match Database::open_on(dir, options, initialise) {
        Ok(database) => Ok(database),
        Err(OpenError::Database(error)) => Err(error),
        Err(OpenError::Initialiser(error)) => panic!("the initialiser is sound: {error}"),
    }
}

/// [`try_open`] on a simulated disk, where it can not fail.
#[track_caller]
pub fn open(disk: &SimDisk, options: Options) -> Database {
    try_open(disk.root(), options).unwrap()
}

/// Opens for reading only.
///
/// # Errors
/// The database's.
pub fn read_only(
    dir: Arc<dyn Dir>,
    options: &ReadOptions,
) -> Result<ReadOnlyDatabase, bootstrap::Error> {
    match ReadOnlyDatabase::open_on(dir, options) {
        Ok(database) => Ok(database),
        Err(Error::Database(error)) => Err(error),
        Err(error) => panic!("opening fails as a database does: {error}"),
    }
}

/// The text of a note: its length varies.
pub fn text_of(id: u64) -> String {
    let length = usize::try_from(id * 7 % 50).unwrap();
    format!("note {id} {}", "abc".repeat(length))
}

/// Commits one note.
///
/// # Errors
/// The database's.
pub fn try_put(database: &Database, id: u64) -> Result<TxId, WriteError<Error>> {
    let cells = [
        ("id", Value::from(id)),
        ("text", Value::from(text_of(id).as_str())),
    ];
    let (_, committed) = database.write_numbered(|tx| tx.insert("notes", &cells).map(drop))?;
    Ok(committed.tx.expect("something was inserted"))
}

/// [`try_put`] where it can not fail.
#[track_caller]
pub fn put(database: &Database, id: u64) -> TxId {
    try_put(database, id).unwrap()
}

/// The notes that a view shows, read by a scan and again through each index.
#[track_caller]
pub fn notes(view: &View) -> Notes {
    let table = view.table("notes").unwrap();
    let has_second_index = table.definition().index("by_text").is_some();
    let mut notes = Notes::new();
    for row in table.scan() {
        let row = row.unwrap();
        let (id, text): (u64, String) = (row.get("id").unwrap(), row.get("text").unwrap());
        let found = table.get(&[Value::from(id)]).unwrap().expect("its own key");
        assert_eq!(found.row_id(), row.row_id());
        if has_second_index {
            let by_text = table
                .find("by_text", &[Value::from(text.as_str())])
                .unwrap();
            assert!(
                by_text
                    .map(|found| found.unwrap().row_id())
                    .any(|found| found == row.row_id())
            );
        }
        assert!(notes.insert(id, text).is_none(), "a key twice");
    }
    assert_eq!(table.row_count(), notes.len() as u64);
    notes
}

/// The notes with these numbers.
pub fn expected(ids: impl IntoIterator<Item = u64>) -> Notes {
    ids.into_iter().map(|id| (id, text_of(id))).collect()
}

/// The digest of the newest state.
#[track_caller]
pub fn digest(database: &Database) -> [u8; 32] {
    database.view_latest().digest().unwrap()
}
