//! A key-value store: a map in memory, and the log that it is folded from.
//!
//! `cargo run -p commitlog --example key_value DIRECTORY [set KEY VALUE | remove KEY | get KEY]`
#![allow(dead_code, reason = "its test uses the store alone")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use commitlog::{Log, LogId, Options, Start, TxId};
use disk::{Dir, OsDir};

/// What was set and not removed.
pub(crate) struct Store {
    map: BTreeMap<Vec<u8>, Vec<u8>>,
    log: Log,
    _lock: disk::Lock,
}

impl Store {
    /// Opens the store in a directory, or creates it there, and applies every record of its log.
    pub(crate) fn open(dir: Arc<dyn Dir>) -> Result<Store, Box<dyn Error>> {
        let lock = dir.lock("lock", &disk::this_process())?;
        let options = Options::default();
        let log = match Log::open(Arc::clone(&dir), options.clone(), &[]) {
            Err(commitlog::Error::NoLog { .. }) => {
                let log_id = LogId(*b"key_value, v. 1.");
                Log::create_at(dir, log_id, options, Start::genesis(log_id), &[])?
            }
            opened => opened?.0,
        };
        let mut store = Store {
            map: BTreeMap::new(),
            log,
            _lock: lock,
        };
        let mut reader = store.log.reader(TxId(0))?;
        while let Some(record) = reader.next_record()? {
            apply(&mut store.map, record.payload);
        }
        Ok(store)
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.map.get(key).map(Vec::as_slice)
    }

    /// Sets or removes a key. Durable when it returns; after an error, open the store again to see what became of it.
    pub(crate) fn set(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Box<dyn Error>> {
        let mut record = vec![u8::from(value.is_some()), u8::try_from(key.len())?];
        record.extend_from_slice(key);
        record.extend_from_slice(value.unwrap_or_default());
        self.log.commit(&record, None)?;
        apply(&mut self.map, &record); // the log before the map: what the map shows is durable
        Ok(())
    }
}

/// A record is 1 to set or 0 to remove, the length of the key, the key, the value.
fn apply(map: &mut BTreeMap<Vec<u8>, Vec<u8>>, record: &[u8]) {
    let (key, value) = record[2..].split_at(usize::from(record[1]));
    match record[0] {
        1 => map.insert(key.to_vec(), value.to_vec()),
        _ => map.remove(key),
    };
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        [path, "get", key] => match Store::open(OsDir::open(path)?)?.get(key.as_bytes()) {
            Some(value) => println!("{}", String::from_utf8_lossy(value)),
            None => println!("not set"),
        },
        [path, "set", key, value] => {
            Store::open(OsDir::open(path)?)?.set(key.as_bytes(), Some(value.as_bytes()))?;
        }
        [path, "remove", key] => Store::open(OsDir::open(path)?)?.set(key.as_bytes(), None)?,
        _ => println!("DIRECTORY set KEY VALUE, DIRECTORY remove KEY or DIRECTORY get KEY"),
    }
    Ok(())
}
