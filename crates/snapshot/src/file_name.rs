//! The names of the files in a directory of snapshots. Any other name belongs to somebody else.

use crate::snapshot_id::SnapshotId;

const MANIFEST: &str = ".manifest";
const PACK: &str = ".pack";
const TEMPORARY: &str = ".tmp";

/// A name of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileName {
    /// `<tx, 20 digits>.manifest`: a published snapshot.
    Manifest(SnapshotId),
    /// `<tx, 20 digits>-<pack id, 16 hex digits>.pack`: blobs.
    Pack(PackName),
    /// A manifest with `.tmp` behind: not published yet, or withdrawn. The packs that it names are to be removed.
    TemporaryManifest(SnapshotId),
    /// A pack with `.tmp` behind: not finished.
    TemporaryPack(PackName),
}

/// What the name of a pack says: the snapshot that wrote it, and its own id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PackName {
    /// The snapshot that the pack was written for.
    pub(crate) written_for: SnapshotId,
    /// Unique among all packs that were ever in the directory.
    pub(crate) id: u64,
}

impl PackName {
    pub(crate) fn published(self) -> String {
        format!("{:020}-{:016x}{PACK}", self.written_for.0, self.id)
    }

    pub(crate) fn temporary(self) -> String {
        self.published() + TEMPORARY
    }

    fn parse(stem: &str) -> Option<Self> {
        let (tx, id) = stem.split_once('-')?;
        if id.len() != 16 || !id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        Some(PackName {
            written_for: parse_tx(tx)?,
            id: u64::from_str_radix(id, 16).ok()?,
        })
    }
}

pub(crate) fn manifest(id: SnapshotId) -> String {
    format!("{:020}{MANIFEST}", id.0)
}

pub(crate) fn temporary_manifest(id: SnapshotId) -> String {
    manifest(id) + TEMPORARY
}

impl FileName {
    /// Reads a name; `None` if it is not one of ours.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        if let Some(published) = name.strip_suffix(TEMPORARY) {
            return match Self::parse_published(published)? {
                FileName::Manifest(id) => Some(FileName::TemporaryManifest(id)),
                FileName::Pack(pack) => Some(FileName::TemporaryPack(pack)),
                _ => None,
            };
        }
        Self::parse_published(name)
    }

    fn parse_published(name: &str) -> Option<Self> {
        if let Some(stem) = name.strip_suffix(MANIFEST) {
            return parse_tx(stem).map(FileName::Manifest);
        }
        PackName::parse(name.strip_suffix(PACK)?).map(FileName::Pack)
    }
}

fn parse_tx(digits: &str) -> Option<SnapshotId> {
    if digits.len() != 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(SnapshotId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_names_are_ours() {
        let pack = PackName {
            written_for: SnapshotId(7),
            id: 0xab,
        };
        let names = [
            (
                manifest(SnapshotId(7)),
                Some(FileName::Manifest(SnapshotId(7))),
            ),
            (
                temporary_manifest(SnapshotId(7)),
                Some(FileName::TemporaryManifest(SnapshotId(7))),
            ),
            (pack.published(), Some(FileName::Pack(pack))),
            (pack.temporary(), Some(FileName::TemporaryPack(pack))),
            ("7.manifest".into(), None),
            ("notes.tmp".into(), None),
            ("99999999999999999999.manifest".into(), None),
            ("00000000000000000007.manifest.tmp.tmp".into(), None),
            ("00000000000000000007-AB00000000000000.pack".into(), None),
            ("+0000000000000000007.manifest".into(), None),
            ("00000000000000000007-+b00000000000000.pack".into(), None),
        ];
        for (name, expected) in names {
            assert_eq!(FileName::parse(&name), expected, "{name}");
        }
        assert_eq!(
            FileName::parse("00000000000000000007-00000000000000ab.pack"),
            Some(FileName::Pack(pack))
        );
    }
}
