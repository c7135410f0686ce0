//! Everybody who takes part.

mod bare;
mod cairn;
mod durability;
mod fjall;
mod okaywal;
mod raft_engine;
mod redb;
mod sqlite;
mod surrealmx;
mod zowens;

use crate::rival::Rival;

/// The bound: no log, only the work that every log has to do.
pub(crate) fn bound() -> Box<dyn Rival> {
    Box::new(bare::Bare {
        reads: bare::Reads::Frames,
    })
}

/// The bound of reading that no reader reaches: checksums of bytes whose places are known.
pub(crate) fn checksum_pass() -> Box<dyn Rival> {
    Box::new(bare::Bare {
        reads: bare::Reads::Checksums,
    })
}

/// Cairn's log, then the others.
pub(crate) fn all() -> Vec<Box<dyn Rival>> {
    vec![
        Box::new(self::cairn::Cairn),
        Box::new(self::okaywal::OkayWal),
        Box::new(self::raft_engine::RaftEngine),
        Box::new(self::durability::Durability),
        Box::new(self::zowens::Zowens),
        Box::new(self::surrealmx::SurrealMx),
        Box::new(self::fjall::Fjall),
        Box::new(self::redb::Redb),
        Box::new(self::sqlite::Sqlite),
    ]
}
