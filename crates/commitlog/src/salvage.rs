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
//! is possible there: higher than the last one, by no more than fit into the bytes between. From there the records are followed as long as each continues the one
//! before. That proves nothing yet, for a payload may hold the records of another log: a segment's header or a mark that knows the chain at one of their
//! ids proves them, or shows that they are none of this log's. First all pieces are found ([`crate::piece_search`]), then it is decided which are taken
//! ([`crate::piece`]), and then these are copied.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use disk::Dir;

use crate::chain::Chain;
use crate::error::{Error, Result};
use crate::format::{BODY_BLOCKS, FRAMES_BYTE, FrameHeader, HEADER_BYTES, VERSION};
use crate::log::Log;
use crate::log_id::LogId;
use crate::options::Options;
use crate::piece::{Piece, choose};
use crate::piece_search::{Link, PieceSearch};
use crate::remaining_bytes::RemainingBytes;
use crate::salvage_report::{KeptRecords, SalvageReport, SkipReason, SkippedBytes};
use crate::segment_name::parse_segment_name;
use crate::segment_remains::Remains;
use crate::tx_id::TxId;

/// Copies every record that can still be read from a log, whatever has become of its files, into a new log in another directory.
///
/// The source is only read; nobody may write to it meanwhile. The new log begins at 0 with the id `log_id`, and is closed. The report says which
/// record has become which, and what was passed over. If it fails in between, what is in the destination is of no use. Files are read a window of 1 MiB, or the
/// record that is longer, at a time.
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
    let mut report = SalvageReport::default();
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
    report.source = most_frequent(&remains);
    let log = Log::create(destination, log_id, options, &[])?;
    let mut salvage = Salvage {
        log,
        anchors: BTreeMap::new(),
        first: remains[0].base(),
        last_trace: remains[0].base(),
        pieces: Vec::new(),
        skipped: Vec::new(),
        report,
    };
    let used = salvage.choose_segments(&remains);
    for file in &used {
        salvage.note_anchors(&remains[*file]);
    }
    let mut searches = BTreeMap::new();
    for (place, &file) in used.iter().enumerate() {
        let base = remains[file].base();
        let bases = used[place + 1..].iter().map(|later| remains[*later].base());
        let bound = bases.filter(|later| *later > base).min();
        let search = salvage.search_segment(file, &remains[file], bound.unwrap_or(TxId(u64::MAX)));
        searches.insert(file, search);
    }
    let disputed = salvage.copy_pieces(&remains, &mut searches)?;
    salvage.finish(&remains, disputed)
}

fn most_frequent(remains: &[Remains]) -> Option<LogId> {
    let ids: Vec<LogId> = remains
        .iter()
        .filter_map(|remains| Some(remains.header?.log_id))
        .collect();
    let count = |id: &LogId| ids.iter().filter(|other| *other == id).count();
    // The oldest of those that are as frequent.
    ids.iter().rev().max_by_key(|id| count(id)).copied()
}

struct Salvage {
    log: Log,
    /// The chain before some ids, as headers and marks tell.
    anchors: BTreeMap<TxId, Chain>,
    first: TxId,
    /// The first id of which there is no trace.
    last_trace: TxId,
    /// In the order of the files, and of their places there.
    pieces: Vec<Piece>,
    /// In which file, and where.
    skipped: Vec<(usize, Range<u64>, SkipReason)>,
    report: SalvageReport,
}

impl Salvage {
    /// The segments to read; the others are reported.
    fn choose_segments(&mut self, remains: &[Remains]) -> Vec<usize> {
        let mut used = Vec::new();
        let mut epoch = 0;
        for (place, remains) in remains.iter().enumerate() {
            let Some(file) = &remains.file else {
                self.skipped.push((place, 0..0, SkipReason::NotAFile));
                continue;
            };
            let unused = match remains.header {
                None => None,
                Some(header) if Some(header.log_id) != self.report.source => {
                    let found = header.log_id;
                    Some(SkipReason::Foreign { found })
                }
                Some(header) if header.version > VERSION || header.body > BODY_BLOCKS => {
                    Some(SkipReason::NewerFormat)
                }
                Some(header) if header.epoch < epoch => Some(SkipReason::Leftover),
                Some(header) => {
                    epoch = header.epoch;
                    None
                }
            };
            match unused {
                Some(reason) => {
                    let len = file.len().unwrap_or(0);
                    self.skipped.push((place, 0..len, reason));
                }
                None => used.push(place),
            }
        }
        used
    }

    fn note_anchors(&mut self, remains: &Remains) {
        if let Some(header) = remains.header {
            self.anchors.insert(header.base, header.chain_before);
            self.last_trace = self.last_trace.max(header.base);
        }
        for mark in &remains.marks {
            self.anchors.insert(mark.through, mark.chain);
            self.last_trace = self.last_trace.max(mark.through);
        }
    }

    /// Finds the pieces of a segment, each as long as it can be.
    fn search_segment(&mut self, file: usize, remains: &Remains, bound: TxId) -> PieceSearch {
        let opened = remains.file.as_ref().expect("it was chosen");
        if remains.header.is_none() {
            let len = opened.len().unwrap_or(0).min(HEADER_BYTES as u64);
            self.skipped.push((file, 0..len, SkipReason::Header));
        }
        let bytes = RemainingBytes::of_file(Arc::clone(opened));
        for range in bytes.unreadable() {
            let skipped = (file, range.clone(), SkipReason::Unreadable);
            self.skipped.push(skipped);
        }
        let is_packed = remains.header.map(|header| header.body == BODY_BLOCKS);
        let mut search = PieceSearch::new(bytes, is_packed, remains.base(), bound);
        let gap = match search.is_packed {
            true => SkipReason::Block,
            false => SkipReason::NoFrame,
        };
        let (mut at, mut passed) = (FRAMES_BYTE, FRAMES_BYTE);
        // What the record here is, if nothing is lost.
        let mut expected = remains
            .header
            .map(|header| (header.base, header.chain_before));
        // Nothing begins in the zeros behind that.
        while at < search.bytes.used() {
            let Some(first) = search.link_at(at) else {
                at += search.step();
                expected = None;
                continue;
            };
            let expected_chain = expected
                .take()
                .and_then(|(id, chain)| (id == first.ids.start).then_some(chain));
            let anchor = self.anchors.get(&first.ids.start).copied();
            let known = anchor.or(expected_chain);
            let continues = known.map(|chain| first.continues(chain));
            let (piece, is_refuted) = self.follow(&mut search, file, &first, continues);
            let is_more = piece.ids.start > first.ids.start || piece.ids.end > first.ids.end;
            let is_alone = !is_refuted
                && (first.is_first_whole()
                    || (continues.is_none() && search.is_last(first.bytes.end)));
            if !(piece.is_proven || is_more || is_alone || expected_chain.is_some()) {
                at += search.step();
                continue;
            }
            if passed < at {
                self.skipped.push((file, passed..at, gap));
            }
            if continues == Some(false) {
                let reason = match search.is_packed {
                    true => SkipReason::Contradicted,
                    false => SkipReason::Payload,
                };
                self.skipped.push((file, first.bytes.clone(), reason));
                self.last_trace = self.last_trace.max(first.ids.end);
            }
            at = piece.bytes.end;
            passed = at;
            expected = Some((piece.ids.end, piece.chain_after));
            if piece.is_proven {
                search.lowest = (piece.ids.end, at);
            }
            if piece.ids.is_empty() {
                continue;
            }
            if is_refuted {
                let skipped = (file, piece.bytes, SkipReason::Contradicted);
                self.skipped.push(skipped);
            } else {
                self.pieces.push(piece);
            }
        }
        let used = search.bytes.used();
        if passed < used {
            // A block may end with zeros, and no space is reserved behind it.
            let end = match search.is_packed {
                true => search.bytes.end(),
                false => used,
            };
            self.skipped.push((file, passed..end, gap));
        }
        search.bytes.let_go();
        search
    }

    /// The piece that begins here, or behind this if its payload is another one, and whether something that knows the chain in it contradicts it.
    fn follow(
        &self,
        search: &mut PieceSearch,
        file: usize,
        first: &Link,
        continues: Option<bool>,
    ) -> (Piece, bool) {
        let mut piece = Piece {
            file,
            bytes: first.bytes.clone(),
            ids: first.ids.clone(),
            chain_after: first.chain_after,
            is_proven: continues == Some(true),
            is_first_whole: continues == Some(true) || first.is_first_whole(),
        };
        if continues == Some(false) {
            piece.bytes.start = piece.bytes.end;
            piece.ids.start = piece.ids.end;
            piece.is_first_whole = true;
        }
        let mut is_refuted = false;
        loop {
            match self.anchors.get(&piece.ids.end) {
                Some(chain) if *chain == piece.chain_after => piece.is_proven = true,
                Some(_) => is_refuted = true,
                None => {}
            }
            let next = search.link_at(piece.bytes.end).filter(|next| {
                next.ids.start == piece.ids.end && next.continues(piece.chain_after)
            });
            let Some(next) = next else {
                break;
            };
            piece.bytes.end = next.bytes.end;
            piece.ids.end = next.ids.end;
            piece.chain_after = next.chain_after;
        }
        let is_refuted = is_refuted && !piece.is_proven;
        (piece, is_refuted)
    }

    /// Copies the pieces that are taken. Yields the ids that others claim with as much right.
    fn copy_pieces(
        &mut self,
        remains: &[Remains],
        searches: &mut BTreeMap<usize, PieceSearch>,
    ) -> Result<Vec<Range<TxId>>> {
        let chosen = choose(std::mem::take(&mut self.pieces));
        for (pieces, reason) in [
            (chosen.repeated, SkipReason::Repeated),
            (chosen.contradicted, SkipReason::Contradicted),
        ] {
            let skipped = pieces
                .into_iter()
                .map(|piece| (piece.file, piece.bytes, reason));
            self.skipped.extend(skipped);
        }
        for (from, piece) in &chosen.taken {
            self.last_trace = self.last_trace.max(piece.ids.end);
            let Some(search) = searches.get_mut(&piece.file) else {
                continue;
            };
            self.copy_piece(&remains[piece.file].name, search, *from, piece)?;
            search.bytes.let_go();
        }
        for ids in &chosen.disputed {
            self.last_trace = self.last_trace.max(ids.end);
        }
        Ok(chosen.disputed)
    }

    /// Copies the records of a piece from `from` on, as long as they are what was found.
    fn copy_piece(
        &mut self,
        name: &str,
        search: &mut PieceSearch,
        from: TxId,
        piece: &Piece,
    ) -> Result<()> {
        // What was possible was decided when it was found.
        search.lowest = (piece.ids.start, piece.bytes.start);
        let mut at = piece.bytes.start;
        let mut chain = None;
        while at < piece.bytes.end {
            let Some(link) = search.link_at(at) else {
                return Ok(());
            };
            if chain.is_some_and(|chain| !link.continues(chain)) {
                return Ok(());
            }
            if link.ids.start < from {
                let skipped = (piece.file, link.bytes.clone(), SkipReason::Repeated);
                self.skipped.push(skipped);
            }
            search.records(&link, |header, payload| match header.id < from {
                true => Ok(()),
                false => self.keep(name, header, payload, piece.proves(header.id)),
            })?;
            at = link.bytes.end;
            chain = Some(link.chain_after);
        }
        Ok(())
    }

    fn keep(
        &mut self,
        file: &str,
        header: &FrameHeader,
        payload: &[u8],
        chain_proven: bool,
    ) -> Result<()> {
        let new = self.log.append(payload, header.time)?;
        self.report.records += 1;
        match self.report.kept.last_mut() {
            Some(last)
                if last.file == file
                    && last.ids.end == header.id
                    && last.chain_proven == chain_proven =>
            {
                last.ids.end = header.id.next();
            }
            _ => self.report.kept.push(KeptRecords {
                file: file.to_owned(),
                ids: header.id..header.id.next(),
                new_first: new,
                chain_proven,
            }),
        }
        Ok(())
    }

    fn finish(
        mut self,
        remains: &[Remains],
        mut missing: Vec<Range<TxId>>,
    ) -> Result<SalvageReport> {
        let mut next = self.first;
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
        self.skipped
            .sort_by_key(|(file, bytes, _)| (*file, bytes.start));
        for (file, bytes, reason) in self.skipped {
            let file = &remains[file].name;
            match self.report.skipped.last_mut() {
                Some(last)
                    if last.file == *file
                        && last.reason == reason
                        && last.bytes.end >= bytes.start =>
                {
                    last.bytes.end = last.bytes.end.max(bytes.end);
                }
                _ => self.report.skipped.push(SkippedBytes {
                    file: file.clone(),
                    bytes,
                    reason,
                }),
            }
        }
        self.log.close()?;
        Ok(self.report)
    }
}
