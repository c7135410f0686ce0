//! The catalog: every table's definition, read from the rows that define it.

use std::collections::BTreeSet;
use std::sync::Arc;

use table::{CowRadix, TableId, Value};

use crate::contradiction::{Contradiction, ContradictionKind};
use crate::known_table::KnownTable;
use crate::seed::{SEEDS, declared};
use crate::system_tables::SystemTableName;
use crate::table_definition::TableDefinition;

/// The definitions of all tables by id, the system's own included. `Clone` takes O(1).
///
/// It holds nothing that is not in rows: it is what those rows mean, kept so that nobody has to read them again.
#[derive(Debug, Clone)]
pub struct Catalog {
    tables: CowRadix<Arc<TableDefinition>>,
    /// For each table that foreign keys refer to: the tables that these are of.
    referrers: CowRadix<Arc<BTreeSet<TableId>>>,
    /// By [`SystemTableName::place`]. The seeds are known before their rows are.
    known: Arc<[Option<KnownTable>; SystemTableName::ALL.len()]>,
}

impl Catalog {
    /// The catalog of a store without a genesis: empty, with the seeds known.
    pub(crate) fn new() -> Self {
        let mut known = [const { None }; SystemTableName::ALL.len()];
        for seed in SEEDS {
            let definition = Arc::new(declared(seed.declaration()));
            known[seed.place()] = Some(KnownTable {
                name: seed,
                definition,
            });
        }
        Catalog {
            tables: CowRadix::new(),
            referrers: CowRadix::new(),
            known: Arc::new(known),
        }
    }

    /// The definition of the table of this id.
    pub fn table(&self, id: TableId) -> Option<&Arc<TableDefinition>> {
        self.tables.get(u64::from(id.0))
    }

    /// All definitions, ascending by id, the system tables first.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<TableDefinition>> {
        self.tables.iter().map(|(_, definition)| definition)
    }

    /// How many tables there are, the system's own included.
    pub fn table_count(&self) -> u64 {
        self.tables.len()
    }

    /// Whether any table has a foreign key.
    pub(crate) fn has_foreign_keys(&self) -> bool {
        !self.referrers.is_empty()
    }

    /// The tables that have foreign keys to a table, by id.
    pub(crate) fn referrers(&self, target: TableId) -> impl Iterator<Item = TableId> {
        let referrers = self.referrers.get(u64::from(target.0)).into_iter();
        referrers.flat_map(|tables| tables.iter().copied())
    }

    /// Whether no row has been applied yet, not even a genesis.
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// A system table of this build's list, if the log has declared it so far.
    pub(crate) fn known(&self, name: SystemTableName) -> Option<&KnownTable> {
        self.known[name.place()].as_ref()
    }

    /// A system table that every log has once its genesis is applied.
    pub(crate) fn require(&self, name: SystemTableName) -> Result<&KnownTable, Contradiction> {
        self.known(name).ok_or_else(|| Contradiction {
            system_table: SystemTableName::Table.declaration().name.to_owned(),
            key: vec![Value::from(name.declaration().name)],
            kind: ContradictionKind::SystemTableGone,
        })
    }

    /// The system table of this build's list that has this id in this log.
    pub(crate) fn known_of(&self, id: TableId) -> Option<&KnownTable> {
        self.known.iter().flatten().find(|known| known.id() == id)
    }

    /// Takes over a table's new definition.
    pub(crate) fn put(&mut self, definition: Arc<TableDefinition>) -> Result<(), Contradiction> {
        let id = definition.id();
        if definition.is_system() {
            self.put_system(&definition)?;
        }
        self.change_referrers(id, Some(&definition));
        self.tables.insert(u64::from(id.0), definition);
        Ok(())
    }

    /// Forgets a table.
    pub(crate) fn remove(&mut self, id: TableId) -> Result<(), Contradiction> {
        if let Some(known) = self.known_of(id) {
            return Err(gone(id, known.name));
        }
        self.change_referrers(id, None);
        self.tables.remove(u64::from(id.0));
        Ok(())
    }

    /// Before a table's definition is taken over, or forgotten: the targets of its foreign keys hear of it.
    fn change_referrers(&mut self, id: TableId, next: Option<&TableDefinition>) {
        let targets = |definition: Option<&TableDefinition>| -> BTreeSet<TableId> {
            let keys = definition
                .into_iter()
                .flat_map(TableDefinition::foreign_keys);
            keys.map(|key| key.target).collect()
        };
        let before = targets(self.table(id).map(|before| &**before));
        let next = targets(next);
        for gone in before.difference(&next) {
            let mut referrers = self.referrers_of(*gone);
            referrers.remove(&id);
            self.put_referrers(*gone, referrers);
        }
        for new in next.difference(&before) {
            let mut referrers = self.referrers_of(*new);
            referrers.insert(id);
            self.put_referrers(*new, referrers);
        }
    }

    fn referrers_of(&self, target: TableId) -> BTreeSet<TableId> {
        self.referrers(target).collect()
    }

    fn put_referrers(&mut self, target: TableId, referrers: BTreeSet<TableId>) {
        let target = u64::from(target.0);
        if referrers.is_empty() {
            self.referrers.remove(target);
        } else {
            self.referrers.insert(target, Arc::new(referrers));
        }
    }

    fn put_system(&mut self, definition: &Arc<TableDefinition>) -> Result<(), Contradiction> {
        let before = self.table(definition.id());
        if before.is_some_and(|before| before.name() != definition.name()) {
            return Err(Contradiction {
                system_table: SystemTableName::Table.declaration().name.to_owned(),
                key: vec![Value::U32(definition.id().0)],
                kind: ContradictionKind::SystemTableGone,
            });
        }
        let Some(name) = SystemTableName::from_name(definition.name()) else {
            return Ok(());
        };
        let known = self.known(name);
        if let Some(known) = known
            && known.id() != definition.id()
        {
            return Err(gone(known.id(), name));
        }
        let next = KnownTable::new(name, Arc::clone(definition), known)?;
        Arc::make_mut(&mut self.known)[name.place()] = Some(next);
        Ok(())
    }
}

/// Two catalogs are equal if they define the same tables.
impl PartialEq for Catalog {
    fn eq(&self, other: &Self) -> bool {
        self.tables.len() == other.tables.len() && self.tables().eq(other.tables())
    }
}

fn gone(id: TableId, name: SystemTableName) -> Contradiction {
    Contradiction {
        system_table: SystemTableName::Table.declaration().name.to_owned(),
        key: vec![Value::U32(id.0), Value::from(name.declaration().name)],
        kind: ContradictionKind::SystemTableGone,
    }
}
