//! A key-value store: a map in memory, and the log that it is folded from.
//!
//! `cargo run -p commitlog --example key_value DIRECTORY [set KEY VALUE | remove KEY | get KEY]`
#![allow(dead_code, reason = "its test uses the store alone")]

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use commitlog::{Log, LogId, Options, TxId};
use disk::{Dir, OsDir};

/// Says in the log that its records are those of this program.
const LOG_ID: LogId = LogId(*b"key_value, v. 1.");

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
        // Opening may repair: first see whose log it is.
        let log = match Log::inspect(dir.as_ref()) {
            Err(commitlog::Error::NoLog { .. }) => Log::create(dir, LOG_ID, options, &[])?,
            Ok(extent) if extent.log_id != LOG_ID => return Err("another program's log".into()),
            Ok(_) => Log::open(dir, options, &[])?.0,
            Err(error) => return Err(error.into()),
        };
        let mut store = Store {
            map: BTreeMap::new(),
            log,
            _lock: lock,
        };
        let mut reader = store.log.reader(TxId(0))?;
        while let Some(record) = reader.next_record()? {
            apply(&mut store.map, record.payload).ok_or("a record that is none of a store")?;
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
        let applied = apply(&mut self.map, &record); // the log before the map: what the map shows is durable
        assert!(applied.is_some());
        Ok(())
    }
}

/// A record is 1 to set or 0 to remove, the length of the key, the key, the value.
fn apply(map: &mut BTreeMap<Vec<u8>, Vec<u8>>, record: &[u8]) -> Option<()> {
    let ([action, key_length], rest) = record.split_first_chunk()?;
    let (key, value) = rest.split_at_checked(usize::from(*key_length))?;
    match action {
        1 => drop(map.insert(key.to_vec(), value.to_vec())),
        0 => drop(map.remove(key)),
        _ => return None,
    }
    Some(())
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<&[u8]> = arguments
        .iter()
        .map(|word| word.as_encoded_bytes())
        .collect();
    let open = || Store::open(OsDir::open(&arguments[0])?);
    match *words {
        [_, b"get", key] => match open()?.get(key) {
            Some(value) => println!("{}", String::from_utf8_lossy(value)),
            None => println!("not set"),
        },
        [_, b"set", key, value] => open()?.set(key, Some(value))?,
        [_, b"remove", key] => open()?.set(key, None)?,
        _ => {
            eprintln!("DIRECTORY set KEY VALUE, DIRECTORY remove KEY or DIRECTORY get KEY");
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}
