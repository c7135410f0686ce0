//! The maps of the standard library: no transactions, no views, no second index.

use std::collections::{BTreeMap, HashMap};

use crate::engine::{Digest, Engine};
use crate::row::{Texts, unpacked};

/// A hash map, which is the bound.
#[derive(Debug, Default)]
pub(crate) struct Hashed(HashMap<u64, Vec<u8>>);

/// The map that has an order.
#[derive(Debug, Default)]
pub(crate) struct Ordered(BTreeMap<u64, Vec<u8>>);

impl Engine for Hashed {
    fn name(&self) -> &'static str {
        "HashMap"
    }

    fn settings(&self) -> &'static str {
        "std, its own hasher; the row but its key is one Vec<u8>"
    }

    fn insert(&mut self, rows: &mut dyn Iterator<Item = u64>) {
        let mut texts = Texts::default();
        for place in rows {
            let row = texts.row(place);
            self.0.insert(row.key, row.packed().to_vec());
        }
    }

    fn delete(&mut self, keys: &[u64]) {
        for key in keys {
            self.0.remove(key).expect("it is there");
        }
    }

    fn find(&self, keys: &[u64]) -> (u64, u64) {
        let mut digest = Digest::default();
        for key in keys {
            if let Some(bytes) = self.0.get(key) {
                digest.add(unpacked(*key, bytes));
            }
        }
        (digest.sum, digest.count)
    }

    fn sum(&self) -> i64 {
        let rows = self.0.iter();
        rows.map(|(key, bytes)| unpacked(*key, bytes).count).sum()
    }

    fn range(&self, _from: u64, _count: usize) -> Option<u64> {
        None
    }
}

impl Engine for Ordered {
    fn name(&self) -> &'static str {
        "BTreeMap"
    }

    fn settings(&self) -> &'static str {
        "std; the row but its key is one Vec<u8>"
    }

    fn insert(&mut self, rows: &mut dyn Iterator<Item = u64>) {
        let mut texts = Texts::default();
        for place in rows {
            let row = texts.row(place);
            self.0.insert(row.key, row.packed().to_vec());
        }
    }

    fn delete(&mut self, keys: &[u64]) {
        for key in keys {
            self.0.remove(key).expect("it is there");
        }
    }

    fn find(&self, keys: &[u64]) -> (u64, u64) {
        let mut digest = Digest::default();
        for key in keys {
            if let Some(bytes) = self.0.get(key) {
                digest.add(unpacked(*key, bytes));
            }
        }
        (digest.sum, digest.count)
    }

    fn sum(&self) -> i64 {
        let rows = self.0.iter();
        rows.map(|(key, bytes)| unpacked(*key, bytes).count).sum()
    }

    fn range(&self, from: u64, count: usize) -> Option<u64> {
        let mut digest = Digest::default();
        for (key, bytes) in self.0.range(from..).take(count) {
            digest.add(unpacked(*key, bytes));
        }
        Some(digest.sum)
    }
}
