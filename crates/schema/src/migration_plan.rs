//! Compares tables by name, and orders the steps from one to the other: a pure function.
//!
//! ```text
//!   renames | foreign keys go | tables, indexes, sequences go | columns go, change, come
//!           | sequences, indexes, tables come | foreign keys come
//! ```
//!
//! So nothing is dropped that something still rests on, nothing comes before what it rests on, and what goes makes room for what comes.

use std::collections::HashSet;

use crate::declaration::Declaration;
use crate::migration::{Migration, Obstacle};
use crate::migration_step::{Change, MigrationStep};
use crate::new_column::NewColumn;
use crate::new_foreign_key::NewForeignKey;
use crate::new_index::NewIndex;
use crate::new_table::NewTable;
use crate::renames::Renames;

/// From tables that are there, each with whether it has rows, to those wanted.
pub(crate) fn plan(now: Vec<(NewTable, bool)>, wanted: &Declaration) -> Migration {
    let mut plan = Plan {
        wanted,
        phases: Default::default(),
        rekeyed: HashSet::new(),
        obstacles: Vec::new(),
    };
    let mut now = now;
    plan.rename(&mut now);
    plan.rekeyed = rekeyed(&now, wanted);
    for (table, has_rows) in &now {
        if let Some(next) = wanted.tables.iter().find(|next| next.name == table.name) {
            plan.compare(table, *has_rows, &settled(next));
        } else if wanted.dropped_tables.contains(&table.name) {
            for key in &table.foreign_keys {
                plan.drop_foreign_key(table, key);
            }
            plan.step(Phase::Drop, &table.name, Change::DropTable);
        } else {
            // Nothing else of it is touched.
            plan.compare_foreign_keys(table, &table.foreign_keys);
        }
    }
    for next in &wanted.tables {
        let is_there = |(table, _): &(NewTable, bool)| table.name == next.name;
        if !now.iter().any(is_there) {
            plan.create(next);
        }
    }
    Migration {
        steps: plan.phases.into_iter().flatten().collect(),
        obstacles: plan.obstacles,
    }
}

/// In their order.
#[derive(Debug, Clone, Copy)]
enum Phase {
    Rename,
    DropForeignKeys,
    Drop,
    Columns,
    Create,
    AddForeignKeys,
}

struct Plan<'a> {
    wanted: &'a Declaration,
    phases: [Vec<MigrationStep>; 6],
    /// Tables, and columns of theirs, over which a unique index goes. Whatever names rows by it is dropped first, and comes again if another
    /// one takes its place.
    rekeyed: HashSet<(String, Vec<String>)>,
    obstacles: Vec<Obstacle>,
}

impl Plan<'_> {
    fn step(&mut self, phase: Phase, table: &str, change: Change) {
        self.phases[phase as usize].push(MigrationStep {
            table: table.to_owned(),
            change,
        });
    }

    /// Renames in the plan and in what is compared.
    fn rename(&mut self, now: &mut [(NewTable, bool)]) {
        let wanted = self.wanted;
        let there = now.iter().map(|(table, _)| table.name.clone()).collect();
        let declared = wanted
            .tables
            .iter()
            .map(|table| table.name.clone())
            .collect();
        let Renames { taken, refused } = Renames::of(there, &declared, &wanted.renamed_tables);
        for (from, to) in refused {
            self.obstacles.push(Obstacle::TableRename { from, to });
        }
        for (from, to) in taken {
            let tables = now.iter_mut().map(|(table, _)| table);
            for table in tables.filter(|table| table.name == from) {
                table.name.clone_from(&to);
            }
            let keys = now
                .iter_mut()
                .flat_map(|(table, _)| &mut table.foreign_keys);
            keys.filter(|key| key.target == from)
                .for_each(|key| key.target.clone_from(&to));
            self.step(Phase::Rename, &from, Change::RenameTable { to });
        }
        for next in &wanted.tables {
            self.rename_columns(now, next);
        }
    }

    fn rename_columns(&mut self, now: &mut [(NewTable, bool)], next: &NewTable) {
        let Some((table, _)) = now.iter().find(|(table, _)| table.name == next.name) else {
            return;
        };
        let names = |table: &NewTable| -> HashSet<String> {
            table
                .columns
                .iter()
                .map(|column| column.name.clone())
                .collect()
        };
        let of_table = self.wanted.renamed_columns.iter();
        let of_table = of_table.filter(|(table, ..)| *table == next.name);
        let asked: Vec<(String, String)> = of_table
            .map(|(_, from, to)| (from.clone(), to.clone()))
            .collect();
        let Renames { taken, refused } = Renames::of(names(table), &names(next), &asked);
        let name = || next.name.clone();
        for (from, to) in refused {
            let table = name();
            self.obstacles
                .push(Obstacle::ColumnRename { table, from, to });
        }
        for (from, to) in taken {
            let tables = now.iter_mut().map(|(table, _)| table);
            for table in tables.filter(|table| table.name == next.name) {
                rename_column(table, &from, &to);
            }
            let keys = now
                .iter_mut()
                .flat_map(|(table, _)| &mut table.foreign_keys);
            for key in keys.filter(|key| key.target == next.name) {
                rename_in(&mut key.target_columns, &from, &to);
            }
            self.step(Phase::Rename, &next.name, Change::RenameColumn { from, to });
        }
    }

    /// The steps of one table that is there.
    fn compare(&mut self, table: &NewTable, has_rows: bool, next: &NewTable) {
        self.compare_foreign_keys(table, &next.foreign_keys);
        for index in &table.indexes {
            if !next
                .indexes
                .iter()
                .any(|other| other.demands_the_same(index))
            {
                let name = index.name.clone();
                let change = if index.role.is_constraint() {
                    Change::DropConstraint(name)
                } else {
                    Change::DropIndex(name)
                };
                self.step(Phase::Drop, &table.name, change);
            }
        }
        self.compare_sequences(table, next);
        self.compare_columns(table, has_rows, next);
        for index in &next.indexes {
            if !table
                .indexes
                .iter()
                .any(|other| other.demands_the_same(index))
            {
                let change = Change::CreateIndex(index.clone());
                self.step(Phase::Create, &table.name, change);
            }
        }
    }

    fn compare_foreign_keys(&mut self, table: &NewTable, next: &[NewForeignKey]) {
        let stays = |key: &NewForeignKey, others: &[NewForeignKey]| {
            let target = (key.target.clone(), key.target_columns.clone());
            let is_same = |other: &NewForeignKey| other.demands_the_same(key);
            !self.rekeyed.contains(&target) && others.iter().any(is_same)
        };
        let gone = table.foreign_keys.iter().filter(|key| !stays(key, next));
        let new = distinct(next).filter(|key| !stays(key, &table.foreign_keys));
        let (gone, new): (Vec<_>, Vec<_>) = (gone.collect(), new.cloned().collect());
        for key in gone {
            self.drop_foreign_key(table, key);
        }
        for key in new {
            let change = Change::AddForeignKey(key);
            self.step(Phase::AddForeignKeys, &table.name, change);
        }
    }

    fn compare_columns(&mut self, table: &NewTable, has_rows: bool, next: &NewTable) {
        let name = || table.name.clone();
        let find = |table: &NewTable, name: &str| -> Option<NewColumn> {
            let mut columns = table.columns.iter();
            columns.find(|column| column.name == name).cloned()
        };
        let (stay, go): (Vec<_>, Vec<_>) = table
            .columns
            .iter()
            .partition(|column| find(next, &column.name).is_some());
        let mut dropped = Vec::new();
        for column in go {
            let column = (name(), column.name.clone());
            if self.wanted.dropped_columns.contains(&column) {
                dropped.push(Change::DropColumn(column.1));
                continue;
            }
            let (table, column) = column;
            self.obstacles
                .push(Obstacle::UndeclaredColumn { table, column });
        }
        // A table is never without columns: if none stays, the last that goes waits for the first that comes.
        let mut last = None;
        if stay.is_empty() {
            last = dropped.pop();
        }
        for change in dropped {
            self.step(Phase::Columns, &table.name, change);
        }
        for column in stay {
            if let Some(wanted) = find(next, &column.name) {
                self.compare_column(&table.name, column, &wanted);
            }
        }
        for column in &next.columns {
            if find(table, &column.name).is_some() {
                continue;
            }
            if has_rows && !column.nullable && column.default.is_none() {
                let (table, column) = (name(), column.name.clone());
                self.obstacles.push(Obstacle::NoValue { table, column });
                continue;
            }
            let change = Change::AddColumn(column.clone());
            for change in std::iter::once(change).chain(last.take()) {
                self.step(Phase::Columns, &table.name, change);
            }
        }
    }

    fn compare_column(&mut self, table: &str, column: &NewColumn, next: &NewColumn) {
        let name = || column.name.clone();
        let (from, to) = (column.column_type, next.column_type);
        if !from.widens_to(to) {
            let (table, column) = (table.to_owned(), name());
            self.obstacles.push(Obstacle::NotWider {
                table,
                column,
                from,
                to,
            });
            return;
        }
        let mut default = column.default.clone();
        if from != to {
            let column = name();
            self.step(Phase::Columns, table, Change::Widen { column, from, to });
            default = default.and_then(|default| default.widened(to));
        }
        match (column.nullable, next.nullable) {
            (true, false) => self.step(Phase::Columns, table, Change::SetNotNull(name())),
            (false, true) => self.step(Phase::Columns, table, Change::DropNotNull(name())),
            _ => {}
        }
        let wanted = next.default.clone().filter(|default| !default.is_null());
        if default != wanted {
            let (column, default) = (name(), wanted);
            self.step(
                Phase::Columns,
                table,
                Change::SetDefault { column, default },
            );
        }
    }

    fn compare_sequences(&mut self, table: &NewTable, next: &NewTable) {
        let type_of = |table: &NewTable, column: &str| {
            let mut columns = table.columns.iter();
            let column = columns.find(|known| known.name == column);
            column.map(|column| column.column_type)
        };
        for (column, sequence) in &table.sequences {
            let (Some(from), Some(to)) = (type_of(table, column), type_of(next, column)) else {
                // It goes with its column, or that is in the way.
                continue;
            };
            let sequence = sequence.widened(from, to);
            let mut wanted = next.sequences.iter();
            if wanted.any(|other| *other == (column.clone(), sequence)) {
                continue;
            }
            let of_column = (table.name.clone(), column.clone());
            if !self.wanted.restarted.contains(&of_column) {
                let (table, column) = of_column;
                self.obstacles
                    .push(Obstacle::OtherSequence { table, column });
                continue;
            }
            let change = Change::DropSequence(column.clone());
            self.step(Phase::Drop, &table.name, change);
            let again = next.sequences.iter().filter(|(other, _)| other == column);
            for (column, sequence) in again {
                let (column, sequence) = (column.clone(), *sequence);
                let change = Change::CreateSequence { column, sequence };
                self.step(Phase::Create, &table.name, change);
            }
        }
        for (column, sequence) in &next.sequences {
            if !table.sequences.iter().any(|(other, _)| other == column) {
                let (column, sequence) = (column.clone(), *sequence);
                let change = Change::CreateSequence { column, sequence };
                self.step(Phase::Create, &table.name, change);
            }
        }
    }

    fn create(&mut self, next: &NewTable) {
        let mut table = next.clone();
        let keys = std::mem::take(&mut table.foreign_keys);
        self.step(Phase::Create, &next.name, Change::CreateTable(table));
        for key in distinct(&keys) {
            let change = Change::AddForeignKey(key.clone());
            self.step(Phase::AddForeignKeys, &next.name, change);
        }
    }

    fn drop_foreign_key(&mut self, table: &NewTable, key: &NewForeignKey) {
        let change = Change::DropConstraint(key.name.clone());
        self.step(Phase::DropForeignKeys, &table.name, change);
    }
}

/// Foreign keys without those that demand what one before them does: a table may have come to two of a kind by renames.
fn distinct(keys: &[NewForeignKey]) -> impl Iterator<Item = &NewForeignKey> {
    let is_first = |(place, key): &(usize, &NewForeignKey)| {
        let mut before = keys[..*place].iter();
        !before.any(|other| other.demands_the_same(key))
    };
    keys.iter().enumerate().filter(is_first).map(|(_, key)| key)
}

/// The columns of unique indexes that go, by table.
fn rekeyed(now: &[(NewTable, bool)], wanted: &Declaration) -> HashSet<(String, Vec<String>)> {
    let mut rekeyed = HashSet::new();
    for (table, _) in now {
        let Some(next) = wanted.tables.iter().find(|next| next.name == table.name) else {
            continue;
        };
        let stays = |index: &NewIndex| {
            next.indexes
                .iter()
                .any(|other| other.demands_the_same(index))
        };
        let gone = table
            .indexes
            .iter()
            .filter(|index| index.role.is_unique() && !stays(index));
        rekeyed.extend(gone.map(|index| (table.name.clone(), index.columns.clone())));
    }
    rekeyed
}

fn rename_column(table: &mut NewTable, from: &str, to: &str) {
    let rename = |name: &mut String| {
        if name == from {
            to.clone_into(name);
        }
    };
    table
        .columns
        .iter_mut()
        .for_each(|column| rename(&mut column.name));
    table
        .sequences
        .iter_mut()
        .for_each(|(column, _)| rename(column));
    let indexes = table.indexes.iter_mut().map(|index| &mut index.columns);
    let keys = table.foreign_keys.iter_mut().map(|key| &mut key.columns);
    indexes
        .chain(keys)
        .for_each(|columns| rename_in(columns, from, to));
}

fn rename_in(columns: &mut [String], from: &str, to: &str) {
    for column in columns {
        if column == from {
            to.clone_into(column);
        }
    }
}

/// The table with sequences that leave nothing to follow from types.
fn settled(table: &NewTable) -> NewTable {
    let mut settled = table.clone();
    for (name, sequence) in &mut settled.sequences {
        if let Some(column) = table.columns.iter().find(|column| column.name == *name) {
            *sequence = sequence.settled(column.column_type);
        }
    }
    settled
}
