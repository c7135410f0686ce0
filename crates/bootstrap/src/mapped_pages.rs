//! The pages of a snapshot that is mapped: each is found when it is first used.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use snapshot::{Blob, Mapped, Outline, Unread};
use table::{DamageKind, Page, PageBytes, PageNumber, StoredPages, UnknownPages};

use crate::format::PAGES_SECTION;

/// A mapped snapshot as what a store begins with.
#[derive(Debug)]
pub(crate) struct MappedPages {
    snapshot: Mapped<MappedPage>,
    last: Option<PageNumber>,
    /// Damage of a node was met and told of.
    is_told: AtomicBool,
}

/// A page in a map.
pub(crate) struct MappedPage {
    blob: Blob,
    page: OnceLock<Page>,
}

impl MappedPages {
    /// `None` if the last number is not that of a page.
    pub(crate) fn new(snapshot: Mapped<MappedPage>) -> snapshot::Result<Option<Self>> {
        let last = snapshot.last(PAGES_SECTION)?;
        let Ok(last) = last.map(PageNumber::try_from).transpose() else {
            return Ok(None);
        };
        Ok(Some(MappedPages {
            snapshot,
            last,
            is_told: AtomicBool::new(false),
        }))
    }

    pub(crate) fn manifest(&self) -> &snapshot::Manifest {
        self.snapshot.manifest()
    }

    /// What the next snapshot can be written on. Reads what was not read yet of the tree of hashes.
    pub(crate) fn outline(&self) -> snapshot::Result<Outline> {
        self.snapshot.outline()
    }

    /// The numbers and blobs of a section that is small.
    pub(crate) fn section(&self, section: usize) -> snapshot::Result<Vec<(u64, Blob)>> {
        let mut blobs = Vec::new();
        let mut from = Some(0);
        while let Some(next) = from {
            let found = self.snapshot.next_from(section, next);
            let Some((number, page)) = found.map_err(|unread| unread.error)? else {
                break;
            };
            blobs.push((number, page.blob.clone()));
            from = number.checked_add(1);
        }
        Ok(blobs)
    }

    fn kind_of(&self, error: &snapshot::Error) -> DamageKind {
        if !self.is_told.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "the snapshot that the state is mapped from is damaged");
        }
        DamageKind::Unlisted(error.to_string().into())
    }
}

impl StoredPages for MappedPages {
    fn page_count(&self) -> u64 {
        self.manifest().blob_count(PAGES_SECTION)
    }

    fn last(&self) -> Option<PageNumber> {
        self.last
    }

    fn get(&self, number: PageNumber) -> Result<Option<&Page>, DamageKind> {
        let found = self.snapshot.get(PAGES_SECTION, number.into());
        let found = found.map_err(|error| self.kind_of(&error))?;
        Ok(found.map(MappedPage::page))
    }

    fn next_from(&self, from: PageNumber) -> Result<Option<(PageNumber, &Page)>, UnknownPages> {
        let found = self.snapshot.next_from(PAGES_SECTION, from.into());
        let found = found.map_err(|Unread { numbers, error }| UnknownPages {
            kind: self.kind_of(&error),
            numbers: page_number(*numbers.start())..=page_number(*numbers.end()),
        })?;
        Ok(found.map(|(number, page)| (page_number(number), page.page())))
    }

    fn has_any(&self, numbers: RangeInclusive<PageNumber>) -> Result<bool, DamageKind> {
        let numbers = (*numbers.start()).into()..=(*numbers.end()).into();
        let found = self.snapshot.has_any(PAGES_SECTION, numbers);
        found.map_err(|error| self.kind_of(&error))
    }
}

impl MappedPage {
    fn page(&self) -> &Page {
        self.page.get_or_init(|| {
            let bytes = Arc::new(LoadedPage(self.blob.clone()));
            Page::borrowed(bytes, self.blob.crc32c())
        })
    }
}

impl From<Blob> for MappedPage {
    fn from(blob: Blob) -> Self {
        MappedPage {
            blob,
            page: OnceLock::new(),
        }
    }
}

/// A page inside of a snapshot, which it keeps alive.
pub(crate) struct LoadedPage(pub(crate) Blob);

impl PageBytes for LoadedPage {
    fn page_bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    fn stored_at(&self) -> Option<Arc<str>> {
        let (file, byte) = self.0.stored_at();
        Some(format!("{} at byte {byte}", file.display()).into())
    }
}

/// Ranges of nodes reach beyond the last page.
fn page_number(number: u64) -> PageNumber {
    PageNumber::try_from(number).unwrap_or(PageNumber::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use disk::SimDisk;
    use schema::NewTable;
    use table::{ColumnType, Value};

    use crate::database::Database;
    use crate::known::KnownOutline;
    use crate::look::{Scope, look};
    use crate::options::{Options, SnapshotLoading};
    use crate::snapshot_policy::SnapshotPolicy;
    use crate::start::start;

    const SCOPE: Scope = Scope {
        unproven: false,
        ignore_snapshots: false,
    };

    /// A closed database with a snapshot of so many rows.
    fn filled(rows: u64) -> SimDisk {
        let disk = SimDisk::new(1);
        let options = Options {
            snapshots: SnapshotPolicy::by_hand(),
            background: false,
            ..Options::default()
        };
        let opened = Database::open(disk.root(), options, |tx| {
            let notes = NewTable::new("notes")
                .column("id", ColumnType::U64)
                .column("text", ColumnType::String)
                .primary_key(&["id"]);
            tx.create_table(&notes).map(drop)
        });
        let (database, _) = opened.expect("there is nothing yet");
        let text = "long ".repeat(1300);
        let fill = |tx: &mut schema::WriteTransaction| {
            (0..rows).try_for_each(|id| {
                let cells = [
                    ("id", Value::from(id)),
                    ("text", Value::from(text.as_str())),
                ];
                tx.insert("notes", &cells).map(drop)
            })
        };
        database.write(fill).expect("all ids differ");
        database.snapshot().expect("the disk works");
        database.close().expect("the disk works");
        disk
    }

    #[test]
    fn an_open_and_a_read_look_into_as_many_nodes_however_many_rows_there_are() {
        let mut read = Vec::new();
        for rows in [1500, 6000] {
            let disk = filled(rows);
            let looked = look(&*disk.root(), SCOPE).expect("the disk works");
            let started = start(&looked, Some(0), SnapshotLoading::Mapped);
            let start = started.expect("the disk works").expect("it is sound");
            let Some(KnownOutline::Mapped(pages)) = start.known.map(|known| known.outline) else {
                panic!("it is mapped");
            };
            let opened = pages.snapshot.nodes_read();
            let notes = start.state.table("notes").expect("it was made");
            let key = notes.primary_key().expect("it has one").id;
            let row = notes.find(key, &[Value::from(300_u64)]);
            assert!(row.expect("nothing is damaged").is_some());
            read.push((opened, pages.snapshot.nodes_read()));
            assert!(pages.outline().is_ok());
            assert!(pages.snapshot.nodes_read() > start.state.store().pages().page_count() / 64);
            assert_eq!(Arc::strong_count(&pages), 2);
        }
        // Mostly those of the heads of tables, which are read whole. The index and the row take one each, if they are not beside each other.
        assert_eq!(read, [(23, 24), (23, 25)]);
    }
}
