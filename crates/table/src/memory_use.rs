//! What a table takes in memory.

use crate::error::Error;
use crate::index_id::IndexId;
use crate::page::PAGE_BYTES;
use crate::page_format::PageKind;
use crate::pages::Pages;
use crate::table::Table;

/// The bytes of the pages of a table, by what stands in them. Pages are counted whole; those that older views alone hold are not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryUse {
    /// Of the rows, without values that are too long for a row page.
    pub rows: u64,
    /// Of values that are too long for a row page, with the index over their pieces.
    pub long_values: u64,
    /// Of each index, ascending by id.
    pub indexes: Vec<(IndexId, u64)>,
    /// Of the index over whole rows that a table without a primary key has.
    pub content_index: u64,
}

impl MemoryUse {
    /// All of it.
    pub fn total(&self) -> u64 {
        let indexes: u64 = self.indexes.iter().map(|(_, bytes)| bytes).sum();
        self.rows + self.long_values + indexes + self.content_index
    }

    pub(crate) fn of(table: &Table, pages: &Pages) -> Result<MemoryUse, Error> {
        let bytes = |page_count: u64| page_count * PAGE_BYTES as u64;
        let mut long_value_pages = 0;
        for (number, page) in pages.iter() {
            let page = page.bytes().map_err(|kind| kind.at(number))?;
            let is_long = page.is_of(PageKind::LongValue) || page.is_of(PageKind::Pieces);
            if is_long && page.owner() == table.id {
                long_value_pages += 1;
            }
        }
        long_value_pages += table.rows.spills.index().page_count(pages)?;
        let mut indexes = Vec::with_capacity(table.indexes.len());
        for index in &table.indexes {
            indexes.push((index.spec.id, bytes(index.page_count(pages)?)));
        }
        Ok(MemoryUse {
            rows: bytes(table.rows.page_count()),
            long_values: bytes(long_value_pages),
            indexes,
            content_index: bytes(table.content.page_count(pages)?),
        })
    }
}
