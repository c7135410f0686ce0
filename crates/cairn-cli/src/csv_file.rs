//! A CSV file on disk, plain or compressed, that can be read more than once.
//!
//! Types are inferred from all lines before the first row is kept, so a file is read twice, each time from its
//! beginning. What a file is, is told by its first bytes, not by its name.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a file of the user's that is read here is no part of a database"
)]

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use crate::csv_error::CsvError;
use crate::csv_records::CsvRecords;
use crate::progress::Progress;

const GZIP_MAGIC: &[u8] = &[0x1F, 0x8B];
const BUFFER_BYTES: usize = 256 << 10;

/// A CSV file, plain or gzip.
#[derive(Debug, Clone)]
pub struct CsvFile {
    path: PathBuf,
}

impl CsvFile {
    /// Names the file; nothing is opened yet.
    pub fn new(path: &Path) -> CsvFile {
        CsvFile {
            path: path.to_path_buf(),
        }
    }

    /// The file as errors call it.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The size on disk in bytes, compressed where the file is: what a progress bar counts.
    ///
    /// # Errors
    /// A file that cannot be looked at.
    pub fn bytes_on_disk(&self) -> Result<u64, CsvError> {
        self.opened()
            .and_then(|file| file.metadata())
            .map(|metadata| metadata.len())
            .map_err(|source| self.failed(source))
    }

    /// Opens the file and reads its header; `progress` moves with the bytes read from disk.
    ///
    /// # Errors
    /// A file that cannot be opened, and those of [`CsvRecords::new`].
    pub fn records(&self, progress: &Progress) -> Result<CsvRecords<Box<dyn BufRead>>, CsvError> {
        let reader = self
            .reader(progress)
            .map_err(|source| self.failed(source))?;
        CsvRecords::new(reader, &self.name())
    }

    fn reader(&self, progress: &Progress) -> io::Result<Box<dyn BufRead>> {
        let mut file = self.opened()?;
        let mut magic = Vec::with_capacity(GZIP_MAGIC.len());
        Read::by_ref(&mut file)
            .take(GZIP_MAGIC.len() as u64)
            .read_to_end(&mut magic)?;
        file.rewind()?;
        let bytes = BufReader::with_capacity(BUFFER_BYTES, progress.counting(file));
        Ok(if magic == GZIP_MAGIC {
            // A gzip file may be several ones put together.
            Box::new(BufReader::with_capacity(
                BUFFER_BYTES,
                MultiGzDecoder::new(bytes),
            ))
        } else {
            Box::new(bytes)
        })
    }

    fn opened(&self) -> io::Result<File> {
        // A pipe cannot be read twice, and a folder not at all. This comes first: to open a pipe waits for who writes to it.
        if !self.path.metadata()?.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        File::open(&self.path)
    }

    fn failed(&self, source: io::Error) -> CsvError {
        CsvError::Io {
            file: self.name(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn row_count(bytes: &[u8]) -> Result<usize, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut records = CsvFile::new(file.path())
            .records(&Progress::hidden())
            .map_err(|error| error.to_string())?;
        let mut count = 0;
        while records
            .next_record()
            .map_err(|error| error.to_string())?
            .is_some()
        {
            count += 1;
        }
        Ok(count)
    }

    #[test]
    fn plain_and_compressed_files_are_told_by_their_bytes() {
        assert_eq!(row_count(b"a\n1\n2\n"), Ok(2));
        assert_eq!(row_count(&gzip("a\n1\n2\n")), Ok(2));
        assert_eq!(
            row_count(&[gzip("a\n1\n"), gzip("2\n3\n")].concat()),
            Ok(3),
            "two files put together"
        );
    }

    #[test]
    fn a_cut_or_broken_gzip_is_refused() {
        let whole = gzip(&format!("a\n{}", "12345\n".repeat(1000)));
        for length in [2, 9, 20, whole.len() - 9, whole.len() - 1] {
            assert!(
                row_count(&whole[..length]).is_err(),
                "cut to {length} bytes"
            );
        }
        let mut broken = whole;
        let checksum = broken.len() - 8;
        broken[checksum] ^= 1;
        assert!(row_count(&broken).is_err());
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = CsvFile::new(folder.path())
            .records(&Progress::hidden())
            .err()
            .unwrap();
        assert!(
            refusal.to_string().ends_with(": not a regular file"),
            "{refusal}"
        );
        let missing = CsvFile::new(&folder.path().join("missing.csv"));
        assert!(missing.records(&Progress::hidden()).is_err());
        assert!(missing.bytes_on_disk().is_err());
    }
}
