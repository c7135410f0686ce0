//! Who takes part.

mod cairn;
mod maps;
mod lmdb;
mod redb;
mod sqlite;
mod surrealmx;

use table::IndexKind;

use crate::engine::Engine;

/// Makes an engine without rows.
pub(crate) type Make = fn() -> Box<dyn Engine>;

/// All of them; the first one that can do a piece of work is what the others are held against.
pub(crate) fn all() -> Vec<Make> {
    vec![
        || Box::new(maps::Hashed::default()),
        || Box::new(maps::Ordered::default()),
        || Box::new(cairn::Cairn::new(IndexKind::Hash)),
        || Box::new(cairn::Cairn::new(IndexKind::Ordered)),
        || Box::new(redb::Redb::new()),
        || Box::new(sqlite::Sqlite::new()),
        || Box::new(lmdb::Lmdb::new()),
        || Box::new(surrealmx::SurrealMx::new()),
    ]
}
