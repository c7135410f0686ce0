//! The names of the files in a directory of snapshots. Any other name belongs to somebody else.

use std::fmt;

use crate::snapshot_id::SnapshotId;

const MANIFEST: &str = ".manifest";
const PACK: &str = ".pack";
const TEMPORARY: &str = ".tmp";

/// A name of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum FileName {
    /// `<tx, 20 digits>-<pack id, 16 hex digits>.pack`: a snapshot, or blobs that others share.
    Pack(PackName),
    /// A pack with `.tmp` behind: not finished.
    TemporaryPack(PackName),
    /// `<tx, 20 digits>.manifest`: a snapshot of version 1, whose packs hold blobs only.
    Manifest(SnapshotId),
    /// A manifest with `.tmp` behind: not published yet. The packs that it names are to be removed.
    TemporaryManifest(SnapshotId),
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

impl FileName {
    /// The snapshot that the file was made for.
    pub(crate) fn id(self) -> SnapshotId {
        match self {
            FileName::Pack(pack) | FileName::TemporaryPack(pack) => pack.written_for,
            FileName::Manifest(id) | FileName::TemporaryManifest(id) => id,
        }
    }

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

impl fmt::Display for FileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileName::Pack(pack) => {
                write!(
                    formatter,
                    "{:020}-{:016x}{PACK}",
                    pack.written_for.0, pack.id
                )
            }
            FileName::TemporaryPack(pack) => {
                write!(formatter, "{}{TEMPORARY}", FileName::Pack(*pack))
            }
            FileName::Manifest(id) => write!(formatter, "{:020}{MANIFEST}", id.0),
            FileName::TemporaryManifest(id) => {
                write!(formatter, "{}{TEMPORARY}", FileName::Manifest(*id))
            }
        }
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
        let id = SnapshotId(7);
        let ours = [
            (FileName::Manifest(id), "00000000000000000007.manifest"),
            (
                FileName::TemporaryManifest(id),
                "00000000000000000007.manifest.tmp",
            ),
            (
                FileName::Pack(pack),
                "00000000000000000007-00000000000000ab.pack",
            ),
            (
                FileName::TemporaryPack(pack),
                "00000000000000000007-00000000000000ab.pack.tmp",
            ),
        ];
        for (name, written) in ours {
            assert_eq!(name.to_string(), written);
            assert_eq!(FileName::parse(written), Some(name));
        }
        let others = [
            "7.manifest",
            "notes.tmp",
            "99999999999999999999.manifest",
            "00000000000000000007.manifest.tmp.tmp",
            "00000000000000000007-AB00000000000000.pack",
            "+0000000000000000007.manifest",
            "00000000000000000007-+b00000000000000.pack",
        ];
        for name in others {
            assert_eq!(FileName::parse(name), None, "{name}");
        }
    }
}
