//! A state as the sections of a snapshot, and back.

use std::ops::RangeInclusive;
use std::sync::Arc;

use schema::State;
use snapshot::{Blob, Loaded, Source, SourceError};
use table::{HeadsMoment, Page, PageMoment, PageNumber, Store, TableId};

use crate::database_id::DatabaseId;
use crate::error::Error;
use crate::format::{
    HEAD_BYTES_MAX, HEAD_PART_BYTES, HEADS_SECTION, PAGES_SECTION, head_part_number,
    parse_head_part_number,
};
use crate::known::Known;
use crate::mapped_pages::{LoadedPage, MappedPages};

/// Why the sections of a snapshot make no state.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// The numbers in the sections are not those of a state.
    Numbers,
    /// A blob is damaged.
    Blob(snapshot::Error),
    /// What they hold contradicts itself.
    State(schema::Error),
}

/// Lends the sections of a state to whoever writes them, and names the pages that have changed since a moment that is known. Refused with
/// [`Error::TableHeadTooLong`] if a head has no room.
pub(crate) fn with_sections<T>(
    state: &State,
    known: Option<&Known>,
    write: impl FnOnce(&mut [&mut dyn Source]) -> snapshot::Result<T>,
) -> Result<T, Error> {
    let mut pages = Pages {
        pages: state.store().pages(),
        moment: known.map(|known| &known.moment),
    };
    let heads = known.and_then(|known| known.heads.as_ref());
    with_heads(state, &mut pages, heads, write)
}

/// The same, but of the pages only those in memory of their own: what is to mend a file is not read through a map of it, which ends the process if the file was
/// cut, and would give little that stands in no file.
pub(crate) fn with_owned_sections<T>(
    state: &State,
    write: impl FnOnce(&mut [&mut dyn Source]) -> snapshot::Result<T>,
) -> Result<T, Error> {
    with_heads(state, &mut OwnedPages(state.store().pages()), None, write)
}

fn with_heads<T>(
    state: &State,
    pages: &mut dyn Source,
    moment: Option<&HeadsMoment>,
    write: impl FnOnce(&mut [&mut dyn Source]) -> snapshot::Result<T>,
) -> Result<T, Error> {
    let mut heads = Heads {
        state,
        moment,
        encoded: None,
    };
    let mut sections: [&mut dyn Source; 2] = [pages, &mut heads];
    const { assert!(PAGES_SECTION == 0 && HEADS_SECTION == 1) };
    write(&mut sections).map_err(|error| match error {
        // What a source refuses is told as it is.
        snapshot::Error::Source(source) => match source.downcast::<Error>() {
            Ok(refusal) => *refusal,
            Err(source) => snapshot::Error::Source(source).into(),
        },
        error => error.into(),
    })
}

/// The state that a snapshot holds. Its pages stay where they were loaded and verified, and are copied when they are first written.
pub(crate) fn loaded_state(id: DatabaseId, loaded: &Loaded) -> Result<State, Unfit> {
    let mut pages = Vec::with_capacity(loaded.section(PAGES_SECTION).len());
    for (number, blob) in loaded.section(PAGES_SECTION) {
        let number = PageNumber::try_from(*number).map_err(|_| Unfit::Numbers)?;
        let bytes = Arc::new(LoadedPage(blob.clone()));
        pages.push((number, Page::borrowed_verified(bytes, blob.crc32c())));
    }
    state(id, loaded.section(HEADS_SECTION), |key, heads| {
        Store::restore(key, pages, heads)
    })
}

/// The state that a snapshot holds, whose pages are found and verified when they are first used.
pub(crate) fn mapped_state(
    id: DatabaseId,
    pages: &Arc<MappedPages>,
    heads: &[(u64, Blob)],
) -> Result<State, Unfit> {
    let pages = Arc::clone(pages);
    state(id, heads, |key, heads| Store::map(key, pages, heads))
}

fn state(
    id: DatabaseId,
    section: &[(u64, Blob)],
    store: impl FnOnce([u8; 32], &mut dyn Iterator<Item = &[u8]>) -> Result<Store, table::Error>,
) -> Result<State, Unfit> {
    let mut heads: Vec<(u32, Vec<u8>)> = Vec::new();
    let mut next_part = 0;
    for (number, blob) in section {
        let (table, part) = parse_head_part_number(*number).ok_or(Unfit::Numbers)?;
        // Heads are decoded at once, so their bytes are verified here however the snapshot was loaded.
        blob.check().map_err(Unfit::Blob)?;
        match heads.last_mut() {
            Some((last, head)) if *last == table => {
                if usize::from(part) != next_part {
                    return Err(Unfit::Numbers);
                }
                head.extend_from_slice(blob.bytes());
                next_part += 1;
            }
            _ if part == 0 => {
                heads.push((table, blob.bytes().to_vec()));
                next_part = 1;
            }
            _ => return Err(Unfit::Numbers),
        }
    }
    let mut heads = heads.iter().map(|(_, head)| head.as_slice());
    let store = store(State::hash_key(id.0), &mut heads)
        .map_err(|error| Unfit::State(schema::Error::Table(error)))?;
    State::from_store(id.0, store).map_err(Unfit::State)
}

/// Lends the heads of tables in parts, each encoded when it is asked for.
struct Heads<'a> {
    state: &'a State,
    moment: Option<&'a HeadsMoment>,
    encoded: Option<Encoded>,
}

/// The first head from a table on.
struct Encoded {
    from: TableId,
    table: TableId,
    head: Vec<u8>,
}

impl Heads<'_> {
    /// The first head from a table on; `None` behind the last.
    fn head_from(&mut self, from: TableId) -> Result<Option<&Encoded>, SourceError> {
        let is_it = |encoded: &Encoded| (encoded.from..=encoded.table).contains(&from);
        if !self.encoded.as_ref().is_some_and(is_it) {
            self.encoded = self
                .state
                .store()
                .head_from(from)
                .map(|(table, head)| Encoded { from, table, head });
        }
        let Some(encoded) = &self.encoded else {
            return Ok(None);
        };
        if encoded.head.len() > HEAD_BYTES_MAX {
            let definition = self.state.catalog().table(encoded.table);
            return Err(Box::new(Error::TableHeadTooLong {
                table: definition.map_or_else(String::new, |it| it.name().to_owned()),
                bytes: encoded.head.len(),
            }));
        }
        Ok(Some(encoded))
    }
}

impl Source for Heads<'_> {
    fn next_from(&mut self, from: u64) -> Result<Option<(u64, &[u8])>, SourceError> {
        let Some((mut table, mut part)) = parse_head_part_number(from) else {
            return Ok(None);
        };
        loop {
            let Some(encoded) = self.head_from(TableId(table))? else {
                return Ok(None);
            };
            part = if encoded.table.0 == table { part } else { 0 };
            table = encoded.table.0;
            if part_of(&encoded.head, part).is_some() {
                break;
            }
            let Some(next) = table.checked_add(1) else {
                return Ok(None);
            };
            (table, part) = (next, 0);
        }
        let encoded = self.encoded.as_ref().expect("it was found just now");
        let bytes = part_of(&encoded.head, part);
        Ok(bytes.map(|bytes| (head_part_number(table, part), bytes)))
    }

    fn changed(&mut self) -> Vec<RangeInclusive<u64>> {
        let Some(moment) = self.moment else {
            return vec![0..=u64::MAX];
        };
        let changed = self.state.store().heads_changed_after(moment);
        let parts =
            |table: TableId| head_part_number(table.0, 0)..=head_part_number(table.0, u16::MAX);
        changed.into_iter().map(parts).collect()
    }
}

/// A part of a head, if it is as long.
fn part_of(head: &[u8], part: u16) -> Option<&[u8]> {
    head.chunks(HEAD_PART_BYTES).nth(part.into())
}

/// Lends pages.
struct Pages<'a> {
    pages: &'a table::Pages,
    moment: Option<&'a PageMoment>,
}

impl Source for Pages<'_> {
    fn next_from(&mut self, from: u64) -> Result<Option<(u64, &[u8])>, SourceError> {
        let Ok(from) = PageNumber::try_from(from) else {
            return Ok(None);
        };
        let Some((number, page)) = self.pages.iter_from(from).next() else {
            return Ok(None);
        };
        let bytes = page.bytes().map_err(|kind| kind.at(number))?;
        Ok(Some((number.into(), bytes.as_bytes())))
    }

    fn changed(&mut self) -> Vec<RangeInclusive<u64>> {
        let changed = self
            .moment
            .and_then(|moment| self.pages.changed_after(moment));
        let Some(changed) = changed else {
            return vec![0..=u64::MAX];
        };
        let widened =
            |numbers: RangeInclusive<u32>| (*numbers.start()).into()..=(*numbers.end()).into();
        changed.map(widened).collect()
    }
}

/// Lends pages that are asked for one by one, unless they are borrowed.
struct OwnedPages<'a>(&'a table::Pages);

impl Source for OwnedPages<'_> {
    fn next_from(&mut self, from: u64) -> Result<Option<(u64, &[u8])>, SourceError> {
        let Ok(from) = PageNumber::try_from(from) else {
            return Ok(None);
        };
        let next = self.0.iter_from(from).next();
        let Some((number, page)) = next.filter(|(_, page)| !page.is_borrowed()) else {
            return Ok(None);
        };
        let bytes = page.bytes().map_err(|kind| kind.at(number))?;
        Ok(Some((number.into(), bytes.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_the_longest_head_has_a_number() {
        let lengths = |head: &[u8]| -> Vec<usize> {
            let parts = (0..).map_while(|part| part_of(head, part));
            parts.map(<[u8]>::len).collect()
        };
        let two_and_a_byte = vec![0; 2 * HEAD_PART_BYTES + 1];
        assert_eq!(
            lengths(&two_and_a_byte),
            [HEAD_PART_BYTES, HEAD_PART_BYTES, 1]
        );
        // Zeros that nobody looks at take no memory.
        let all = vec![0; HEAD_BYTES_MAX];
        assert_eq!(
            part_of(&all, u16::MAX).map(<[u8]>::len),
            Some(HEAD_PART_BYTES)
        );
    }
}
