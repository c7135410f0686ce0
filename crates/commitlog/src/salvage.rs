//! Reads what is left of a damaged log into a new one.
//!
//! ```text
//! source       header A B | frame 7 | frame 8 | ######### | frame 11 | frame 12 | 000
//!                             kept      kept     skipped    kept, not   kept
//!                                               9, 10 lost  proven
//!                               │         │                   │          │
//! new log      header A B |   frame 0   frame 1             frame 2    frame 3
//! ```
//!
//! Opening never does this: it repairs nothing that was proven. Here, all that can be read is taken, beyond a torn place too, and the report says what was passed
//! over. Behind a damaged place the search goes on at the next multiple of 8 where a frame header stands whose checksum holds and whose id
//! is possible there: not below the segment's first, by no more than fit into the bytes between. From there the records are followed as long as each continues the one
//! before. That proves nothing yet, for a payload may hold the records of another log: a segment's header or a mark that knows the chain at one of their
//! ids proves them, or shows that they are none of this log's. First all pieces are found ([`crate::piece_search`]), then it is decided which are taken
//! ([`crate::piece`]), and then these are copied. What is not copied is skipped ([`crate::salvage_account`]).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use disk::Dir;

use crate::chain::Chain;
use crate::error::{Error, Result};
use crate::format::{
    BODY_BLOCKS, FRAMES_BYTE, FrameHeader, HEADER_BYTES, VERSION, VERSION_WITH_FLOOR,
};
use crate::link::Links;
use crate::log::Log;
use crate::log_id::LogId;
use crate::options::Options;
use crate::piece::{Piece, choose};
use crate::piece_search::PieceSearch;
use crate::remaining_bytes::RemainingBytes;
use crate::salvage_account::FileAccount;
use crate::salvage_report::{KeptRecords, SalvageReport, SkipReason, SkippedBytes};
use crate::segment_name::parse_segment_name;
use crate::segment_remains::{Remains, RemainsKind};
use crate::tx_id::TxId;

/// Copies every record that can still be read from a log, whatever has become of its files, into a new log in another directory.
///
/// The source is only read; nobody may write to it meanwhile. The new log begins at 0 with the id `log_id`, and is closed; it asks for the reader that any of the
/// segments asked for, whatever [`Options::reader`] says. The report says which
/// record has become which, and what was passed over. If it fails in between, what is in the destination is of no use. One file is open at a time, and read a window of
/// 1 MiB, or the record that is longer, at a time.
///
/// # Errors
/// [`Error::NoLog`] if no name in the source is that of a segment; [`Error::AlreadyExists`] if the destination holds one, as it does if it is the
/// source; errors of the destination: as [`Log::append`] and [`Log::close`]. What can not be read in the source is no error.
pub fn salvage(
    source: &dyn Dir,
    destination: Arc<dyn Dir>,
    log_id: LogId,
    options: Options,
) -> Result<SalvageReport> {
    let mut remains = Vec::new();
    for entry in source.list()? {
        if let Some(named) = parse_segment_name(&entry.name) {
            remains.push(Remains::look(source, entry.name, named, entry.kind));
        }
    }
    if remains.is_empty() {
        let path = source.path().to_path_buf();
        return Err(Error::NoLog { path });
    }
    remains.sort_by_key(|remains| (remains.base(), remains.named));
    let mut accounts: Vec<FileAccount> = Vec::new();
    accounts.resize_with(remains.len(), FileAccount::default);
    let report = SalvageReport {
        source: most_frequent(&remains),
        ..SalvageReport::default()
    };
    let used = choose_segments(&remains, report.source, &mut accounts);
    let headers = used.iter().filter_map(|file| remains[*file].header);
    let needed = headers.map(|header| header.minimum_reader).max();
    let options = Options {
        minimum_reader: options.minimum_reader.max(needed.unwrap_or_default()),
        ..options
    };
    let mut salvage = Salvage {
        log: Log::create(destination, log_id, options, &[])?,
        source,
        remains,
        accounts,
        searched: BTreeMap::new(),
        last_trace: TxId(0),
        pieces: Vec::new(),
        report,
    };
    let anchors = salvage.anchors(&used);
    for (place, &file) in used.iter().enumerate() {
        let base = salvage.remains[file].base();
        let bases = used[place + 1..].iter();
        let bases = bases.map(|later| salvage.remains[*later].base());
        let bound = bases.filter(|later| *later > base).min();
        let ids = base..bound.unwrap_or(TxId(u64::MAX));
        salvage.search(file, ids, &anchors);
    }
    let disputed = salvage.copy_pieces()?;
    salvage.finish(&used, disputed)
}

fn most_frequent(remains: &[Remains]) -> Option<LogId> {
    let ids: Vec<LogId> = remains
        .iter()
        .filter_map(|remains| Some(remains.header?.log_id))
        .collect();
    let mut counts = BTreeMap::new();
    for id in &ids {
        *counts.entry(id.0).or_insert(0_u64) += 1;
    }
    // The oldest of those that are as frequent.
    ids.iter().rev().max_by_key(|id| counts[&id.0]).copied()
}

/// The segments to read; the others are noted.
fn choose_segments(
    remains: &[Remains],
    source: Option<LogId>,
    accounts: &mut [FileAccount],
) -> Vec<usize> {
    let mut used = Vec::new();
    let mut epoch = 0;
    for (file, remains) in remains.iter().enumerate() {
        let unused = match (remains.kind, remains.header) {
            (RemainsKind::NotAFile, _) => Some(SkipReason::NotAFile),
            (RemainsKind::NotOpened, _) => Some(SkipReason::NotOpened),
            (RemainsKind::File(_), None) => None,
            (RemainsKind::File(_), Some(header)) if Some(header.log_id) != source => {
                let found = header.log_id;
                Some(SkipReason::Foreign { found })
            }
            (RemainsKind::File(_), Some(header))
                if header.version > VERSION || header.body > BODY_BLOCKS =>
            {
                Some(SkipReason::NewerFormat)
            }
            (RemainsKind::File(_), Some(header)) if header.epoch < epoch => {
                Some(SkipReason::Leftover)
            }
            (RemainsKind::File(_), Some(header)) => {
                epoch = header.epoch;
                None
            }
        };
        match unused {
            Some(reason) => accounts[file].note(0..remains.len(), reason),
            None => used.push(file),
        }
    }
    used
}

struct Salvage<'a> {
    log: Log,
    source: &'a dyn Dir,
    remains: Vec<Remains>,
    /// As many.
    accounts: Vec<FileAccount>,
    /// What is known of the files that were searched.
    searched: BTreeMap<usize, Searched>,
    /// The first id of which there is no trace.
    last_trace: TxId,
    pieces: Vec<Piece>,
    report: SalvageReport,
}

/// How to read a file again.
struct Searched {
    is_packed: bool,
    ids: Range<TxId>,
    end: u64,
}

impl Salvage<'_> {
    /// The chain before some ids, as headers and marks tell.
    fn anchors(&mut self, used: &[usize]) -> BTreeMap<TxId, Chain> {
        let mut anchors = BTreeMap::new();
        for remains in used.iter().map(|file| &self.remains[*file]) {
            let header = remains.header.iter();
            anchors.extend(header.map(|header| (header.base, header.chain_before)));
            anchors.extend(remains.marks.iter().map(|mark| (mark.through, mark.chain)));
        }
        let last = anchors.last_key_value().map(|(id, _)| *id);
        self.last_trace = self.last_trace.max(last.unwrap_or_default());
        anchors
    }

    /// Finds the pieces of a segment.
    fn search(&mut self, file: usize, ids: Range<TxId>, anchors: &BTreeMap<TxId, Chain>) {
        let (remains, account) = (&self.remains[file], &mut self.accounts[file]);
        let Some((opened, len)) = remains.open(self.source) else {
            account.note(0..remains.len(), SkipReason::NotOpened);
            return;
        };
        if remains.header.is_none() {
            account.note(0..len.min(HEADER_BYTES as u64), SkipReason::Header);
        }
        let bytes = RemainingBytes::of_file(opened, len);
        let is_packed = remains.header.map(|header| header.body == BODY_BLOCKS);
        let mut links = Links::new(bytes, is_packed, ids.clone());
        let found = PieceSearch::new(&mut links, file, anchors).run();
        for range in links.bytes.unreadable() {
            account.pass(range.clone(), SkipReason::Unreadable);
        }
        for (bytes, reason) in found.passed {
            account.pass(bytes, reason);
        }
        let gap = match links.is_packed {
            true => SkipReason::Block,
            false => SkipReason::NoFrame,
        };
        let used = links.bytes.used();
        let is_whole = |piece: &Piece| piece.bytes.end >= used;
        // A block may end with zeros, and no space is reserved behind it.
        let end = match links.is_packed && !found.pieces.iter().any(is_whole) {
            true => links.bytes.end(),
            false => used,
        };
        if FRAMES_BYTE < end {
            account.search(FRAMES_BYTE..end, gap);
        }
        self.pieces.extend(found.pieces);
        self.last_trace = self.last_trace.max(found.last_trace);
        let searched = Searched {
            is_packed: links.is_packed,
            ids,
            end: links.bytes.end(),
        };
        self.searched.insert(file, searched);
    }

    /// Copies the pieces that are taken. Yields the ids that others claim with as much right.
    fn copy_pieces(&mut self) -> Result<Vec<Range<TxId>>> {
        let chosen = choose(std::mem::take(&mut self.pieces));
        for (pieces, reason) in [
            (chosen.repeated, SkipReason::Repeated),
            (chosen.contradicted, SkipReason::Contradicted),
        ] {
            for piece in pieces {
                self.accounts[piece.file].pass(piece.bytes, reason);
            }
        }
        let mut open: Option<(usize, Links)> = None;
        for (from, piece) in &chosen.taken {
            self.last_trace = self.last_trace.max(piece.ids.end);
            if open.as_ref().is_none_or(|(file, _)| *file != piece.file) {
                drop(open.take());
                open = self.open_again(piece.file).map(|links| (piece.file, links));
            }
            match &mut open {
                Some((_, links)) => self.copy_piece(links, *from, piece)?,
                None => self.accounts[piece.file].pass(piece.bytes.clone(), SkipReason::NotOpened),
            }
        }
        for ids in &chosen.disputed {
            self.last_trace = self.last_trace.max(ids.end);
        }
        Ok(chosen.disputed)
    }

    fn open_again(&self, file: usize) -> Option<Links> {
        let searched = self.searched.get(&file)?;
        let (opened, _) = self.remains[file].open(self.source)?;
        let bytes = RemainingBytes::again(opened, searched.end);
        let (is_packed, ids) = (Some(searched.is_packed), searched.ids.clone());
        Some(Links::new(bytes, is_packed, ids))
    }

    /// Copies the records of a piece from `from` on, as long as they are what was found.
    fn copy_piece(&mut self, links: &mut Links, from: TxId, piece: &Piece) -> Result<()> {
        let (mut at, mut next) = (piece.bytes.start, piece.ids.start);
        let mut chain = piece.chain_before;
        while at < piece.bytes.end {
            let Some(link) = links.link_at(at) else {
                return Ok(());
            };
            let mut is_same = link.ids.start == next;
            links.records(&link, |header, payload| {
                let after = chain.map(|chain| chain.after(header.id, payload));
                is_same &= after.is_none_or(|after| after == header.chain_after);
                chain = Some(header.chain_after);
                if !is_same || header.id < from {
                    return Ok(());
                }
                self.keep(piece, header, payload)
            })?;
            if !is_same {
                return Ok(());
            }
            match link.ids.end <= from {
                true => self.accounts[piece.file].pass(link.bytes.clone(), SkipReason::Repeated),
                false => self.accounts[piece.file].keep(link.bytes.clone()),
            }
            (at, next) = (link.bytes.end, link.ids.end);
        }
        Ok(())
    }

    fn keep(&mut self, piece: &Piece, record: &FrameHeader, payload: &[u8]) -> Result<()> {
        let new = self.log.append(payload, record.time)?;
        self.report.records += 1;
        let (file, chain_proven) = (&self.remains[piece.file].name, piece.proves(record.id));
        match self.report.kept.last_mut() {
            Some(last)
                if last.file == *file
                    && last.ids.end == record.id
                    && last.chain_proven == chain_proven =>
            {
                last.ids.end = record.id.next();
            }
            _ => self.report.kept.push(KeptRecords {
                file: file.clone(),
                ids: record.id..record.id.next(),
                new_first: new,
                chain_proven,
            }),
        }
        Ok(())
    }

    /// The first id that the log kept.
    fn first(&self, used: &[usize]) -> TxId {
        let used = || used.iter().map(|file| &self.remains[*file]);
        let Some(oldest) = used().next() else {
            return self.last_trace;
        };
        let floors = used().flat_map(|remains| remains.marks.iter().map(|mark| mark.floor));
        // As when the log is opened: an old log had no floor, and a bad mark may have named it.
        let has_floor = oldest
            .header
            .is_none_or(|header| header.version >= VERSION_WITH_FLOOR)
            && !used().any(|remains| remains.has_bad_mark);
        match floors.max() {
            Some(floor) if has_floor => oldest.base().min(floor),
            _ => oldest.base(),
        }
    }

    fn finish(mut self, used: &[usize], mut missing: Vec<Range<TxId>>) -> Result<SalvageReport> {
        let mut next = self.first(used);
        for kept in &self.report.kept {
            missing.push(next..kept.ids.start);
            next = kept.ids.end;
        }
        missing.push(next..self.last_trace);
        missing.retain(|ids| !ids.is_empty());
        missing.sort_by_key(|ids| ids.start);
        for ids in missing {
            match self.report.missing.last_mut() {
                Some(last) if last.end >= ids.start => last.end = last.end.max(ids.end),
                _ => self.report.missing.push(ids),
            }
        }
        for (remains, account) in self.remains.iter().zip(self.accounts) {
            let skipped = account.skipped().into_iter();
            let named = skipped.map(|(bytes, reason)| SkippedBytes {
                file: remains.name.clone(),
                bytes,
                reason,
            });
            self.report.skipped.extend(named);
        }
        self.log.close()?;
        Ok(self.report)
    }
}
