//! The bound: rows of one length in a file, in the order of their coming, and nothing else.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::engine::{Engine, Opened};
use crate::row::{PACKED_BYTES, Texts, key, unpacked};

const FILE: &str = "rows";

/// What a key is multiplied with to get its place, modulo 2^64.
const PLACE_OF_KEY: u64 = 0xf1de_83e1_9937_733d;

pub(crate) struct Bare;

struct Rows(File);

impl Engine for Bare {
    fn name(&self) -> &'static str {
        "bare file"
    }

    fn settings(&self) -> &'static str {
        "rows of one length; a read of one of them, at a known place; a copy is read whole, written and synced"
    }

    fn fill(&self, dir: &Path, rows: u64) {
        let mut file = BufWriter::new(File::create(dir.join(FILE)).unwrap());
        let mut texts = Texts::default();
        for place in 0..rows {
            file.write_all(&texts.row(place).packed()).unwrap();
        }
        file.into_inner().unwrap().sync_all().unwrap();
    }

    fn find_first(&self, dir: &Path, key: u64) -> (u64, Box<dyn Opened>) {
        let file = File::open(dir.join(FILE)).unwrap();
        let mut row = [0; PACKED_BYTES];
        let place = key_place(key);
        let offset = place * PACKED_BYTES as u64;
        file.read_exact_at(&mut row, offset).unwrap();
        (unpacked(key, &row).digest(), Box::new(Rows(file)))
    }
}

/// The place of a row: [`key`] turned around.
fn key_place(of: u64) -> u64 {
    let place = of.wrapping_mul(PLACE_OF_KEY);
    assert_eq!(key(place), of);
    place
}

impl Opened for Rows {
    fn copy(&self, to: &Path) {
        let length = usize::try_from(self.0.metadata().unwrap().len()).unwrap();
        let mut bytes = vec![0; length];
        self.0.read_exact_at(&mut bytes, 0).unwrap();
        let mut file = File::create(to.join(FILE)).unwrap();
        file.write_all(&bytes).unwrap();
        file.sync_all().unwrap();
        fs::File::open(to).unwrap().sync_all().unwrap();
    }
}
