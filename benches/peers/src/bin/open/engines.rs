//! Who takes part.

mod bare;
mod cairn;
mod lmdb;
mod redb;
mod sqlite;
mod surrealmx;

use crate::engine::Engine;

/// All of them; the first one is what the others are held against.
pub(crate) fn all() -> Vec<Box<dyn Engine>> {
    use ::cairn::SnapshotLoading::{Checked, Mapped};
    vec![
        Box::new(bare::Bare),
        Box::new(cairn::Cairn::new("Cairn, mapped", Mapped, false)),
        Box::new(cairn::Cairn::new("Cairn, mapped, to read", Mapped, true)),
        Box::new(cairn::Cairn::new("Cairn, checked", Checked, false)),
        Box::new(redb::Redb),
        Box::new(sqlite::Sqlite),
        Box::new(lmdb::Lmdb),
        Box::new(surrealmx::SurrealMx),
    ]
}
