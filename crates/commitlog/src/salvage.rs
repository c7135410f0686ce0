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
//! ids proves them, or shows that they are none of this log's. First it is read what headers and marks say ([`crate::salvage_evidence`]), then all pieces are found ([`crate::piece_search`]),
//! then it is decided which of them are one history ([`crate::kept_history`]), and then these are copied. What is not copied is skipped ([`crate::salvage_account`]).
//!
//! A file is searched once, and once more if the records of one of its pieces are claimed by another piece as well: then the chain has to be compared where that begins or ends.

use std::collections::BTreeMap;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use disk::Dir;

use crate::error::{Error, Result};
use crate::format::{FRAMES_BYTE, FrameHeader, HEADER_BYTES};
use crate::kept_history::{Fate, JudgedPart, KeptHistory, keep_history};
use crate::link::Links;
use crate::log::Log;
use crate::log_id::LogId;
use crate::options::Options;
use crate::piece::{Part, Piece};
use crate::piece_search::{Known, PieceSearch};
use crate::pieces::{FilePieces, Pieces};
use crate::remaining_bytes::RemainingBytes;
use crate::salvage_account::FileAccount;
use crate::salvage_evidence::{Evidence, order};
use crate::salvage_report::{KeptRecords, SalvageReport, SkipReason, SkippedBytes};
use crate::segment_name::parse_segment_name;
use crate::segment_remains::Remains;
use crate::tx_id::TxId;

/// Copies every record that can still be read from a log, whatever has become of its files, into a new log in another directory.
///
/// The source is only read; nobody may write to it meanwhile. The new log begins at 0 with the id `log_id`, and is closed; it asks for the reader that any of the
/// segments asked for, whatever [`Options::reader`] says. The report says which
/// record has become which, and what was passed over. If it fails in between, what is in the destination is of no use. One file is open at a time, and read a window of
/// 1 MiB, or the record that is longer, at a time. Besides, memory holds what is known of each piece, records in a row that continue each other, and the report: a sound segment is one piece,
/// each damaged place begins one more, and so do headers of frames that a payload holds where its own is lost. Bytes that were made to take memory, a piece for every 64 of them, take less
/// than three times as much.
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
    remains.sort_by_key(order);
    let evidence = Evidence::of(&remains);
    let headers = evidence.headers(&remains);
    let needed = headers.map(|(_, header)| header.minimum_reader).max();
    let options = Options {
        minimum_reader: options.minimum_reader.max(needed.unwrap_or_default()),
        ..options
    };
    let mut accounts: Vec<FileAccount> = Vec::new();
    accounts.resize_with(remains.len(), FileAccount::default);
    let mut salvage = Salvage {
        log: Log::create(destination, log_id, options, &[])?,
        source,
        report: SalvageReport {
            source: evidence.source,
            ..SalvageReport::default()
        },
        remains,
        evidence,
        accounts,
    };
    let (mut searched, pieces) = salvage.search_all();
    let kept = salvage.choose(&mut searched, &pieces);
    salvage.copy(&kept.parts, &searched, &pieces)?;
    drop((kept.parts, pieces));
    salvage.finish(kept.disputed, kept.last_trace, &searched)
}

struct Salvage<'a> {
    log: Log,
    source: &'a dyn Dir,
    remains: Vec<Remains>,
    evidence: Evidence,
    /// As many.
    accounts: Vec<FileAccount>,
    report: SalvageReport,
}

/// What is known of a file that was searched, and how to read it again.
struct Searched {
    bad_payloads: Vec<Range<u64>>,
    /// The first id of which there is no trace.
    last_trace: TxId,
    /// The lowest id of all that was found.
    first: Option<TxId>,
    /// Whether the last of it is a piece.
    is_whole: bool,
    is_packed: bool,
    end: u64,
    used: u64,
    unreadable: Vec<Range<u64>>,
}

impl Salvage<'_> {
    /// Searches the files. Yields what is known of those that can be opened, and the pieces.
    fn search_all(&self) -> (BTreeMap<usize, Searched>, Pieces) {
        let mut searched = BTreeMap::new();
        let mut pieces: Vec<FilePieces> = Vec::new();
        pieces.resize_with(self.remains.len(), FilePieces::default);
        let anchors: Vec<TxId> = self.evidence.anchors.keys().copied().collect();
        for file in &self.evidence.used {
            self.search(*file, &anchors, &mut searched, &mut pieces[*file]);
        }
        let all = pieces.iter().flat_map(FilePieces::iter);
        let mut joints: Vec<TxId> = Vec::new();
        joints.extend(all.flat_map(|piece| [piece.ids.start, piece.ids.end]));
        joints.retain(|id| anchors.binary_search(id).is_err());
        joints.sort_unstable();
        joints.dedup();
        let is_shared = |piece: &Piece| {
            let inner = joints.partition_point(|id| *id <= piece.ids.start);
            joints.get(inner).is_some_and(|id| *id < piece.ids.end)
        };
        let has_shared = |file: &FilePieces| file.iter().any(is_shared);
        let again: Vec<bool> = pieces.iter().map(has_shared).collect();
        joints.extend(anchors);
        joints.sort_unstable();
        for (file, pieces) in pieces
            .iter_mut()
            .enumerate()
            .filter(|(file, _)| again[*file])
        {
            self.search(file, &joints, &mut searched, pieces);
        }
        (searched, Pieces::of(pieces))
    }

    /// Finds the pieces of a segment, if its file can be opened.
    fn search(
        &self,
        file: usize,
        joints: &[TxId],
        searched: &mut BTreeMap<usize, Searched>,
        pieces: &mut FilePieces,
    ) {
        // Two of what was found take twice the memory.
        *pieces = FilePieces::default();
        searched.remove(&file);
        let remains = &self.remains[file];
        let Some((opened, len)) = remains.open(self.source) else {
            return;
        };
        let bytes = RemainingBytes::of_file(opened, len);
        let mut links = self.links(file, bytes);
        let known = Known {
            anchors: &self.evidence.anchors,
            joints,
            marks: &remains.marks,
        };
        let found = PieceSearch::new(&mut links, known).run();
        *pieces = found.pieces;
        if !self.evidence.vouching.contains(&file) {
            // What stands in its place there may have been given up, or be another log's.
            pieces.iter_mut().for_each(|piece| piece.is_placed = false);
        }
        let one = Searched {
            bad_payloads: found.bad_payloads,
            last_trace: found.last_trace,
            first: pieces.iter().map(|piece| piece.ids.start).min(),
            is_whole: pieces
                .iter()
                .any(|piece| piece.bytes.end >= links.bytes.used()),
            is_packed: links.is_packed,
            end: links.bytes.end(),
            used: links.bytes.used(),
            unreadable: links.bytes.unreadable().to_vec(),
        };
        searched.insert(file, one);
    }

    fn links(&self, file: usize, bytes: RemainingBytes) -> Links {
        let header = self.remains[file].header;
        let bound = header.map_or(TxId(u64::MAX), |header| self.evidence.bound(header.base));
        Links::new(bytes, header, bound)
    }

    /// Chooses the records to keep, and accounts for the others.
    fn choose(&mut self, searched: &mut BTreeMap<usize, Searched>, pieces: &Pieces) -> KeptHistory {
        for (file, reason) in &self.evidence.unused {
            self.accounts[*file].note(0..self.remains[*file].len(), *reason);
        }
        for file in self.evidence.used.clone() {
            self.account(file, searched.get_mut(&file));
        }
        let kept = keep_history(pieces, self.evidence.pruned, &self.evidence.anchors);
        for judged in &kept.parts {
            let reason = match judged.fate {
                Fate::Repeated => SkipReason::Repeated,
                Fate::Contradicted => SkipReason::Contradicted,
                Fate::Pruned => SkipReason::Leftover,
                _ => continue,
            };
            let file = pieces.file(judged.number.piece);
            self.accounts[file].pass(pieces.part(judged.number).bytes, reason);
        }
        kept
    }

    /// Accounts for what was searched.
    fn account(&mut self, file: usize, searched: Option<&mut Searched>) {
        let (remains, account) = (&self.remains[file], &mut self.accounts[file]);
        let Some(searched) = searched else {
            account.note(0..remains.len(), SkipReason::NotOpened);
            return;
        };
        if remains.header.is_none() {
            account.note(
                0..remains.len().min(HEADER_BYTES as u64),
                SkipReason::Header,
            );
        }
        for range in &searched.unreadable {
            account.pass(range.clone(), SkipReason::Unreadable);
        }
        for bytes in mem::take(&mut searched.bad_payloads) {
            account.pass(bytes, SkipReason::Payload);
        }
        let gap = match searched.is_packed {
            true => SkipReason::Block,
            false => SkipReason::NoFrame,
        };
        // A block may end with zeros, and no space is reserved behind it.
        let end = match searched.is_packed && !searched.is_whole {
            true => searched.end,
            false => searched.used,
        };
        if FRAMES_BYTE < end {
            account.search(FRAMES_BYTE..end, gap);
        }
    }

    /// Copies the parts that are taken.
    fn copy(
        &mut self,
        parts: &[JudgedPart],
        searched: &BTreeMap<usize, Searched>,
        pieces: &Pieces,
    ) -> Result<()> {
        let mut open: Option<(usize, Links)> = None;
        for judged in parts.iter().filter(|judged| judged.fate.is_taken()) {
            let file = pieces.file(judged.number.piece);
            let part = pieces.part(judged.number);
            if open.as_ref().is_none_or(|(opened, _)| *opened != file) {
                drop(open.take());
                let one = searched.get(&file);
                let links = one.and_then(|one| self.open_again(file, one));
                open = links.map(|links| (file, links));
            }
            let proven_from = match judged.fate {
                Fate::TakenProven => part.ids.start,
                Fate::TakenProvenBehindFirst => part.ids.start.next(),
                _ => part.ids.end,
            };
            match &mut open {
                Some((file, links)) => self.copy_part(*file, links, &part, proven_from)?,
                None => self.accounts[file].pass(part.bytes, SkipReason::NotOpened),
            }
        }
        Ok(())
    }

    fn open_again(&self, file: usize, searched: &Searched) -> Option<Links> {
        let (opened, _) = self.remains[file].open(self.source)?;
        let bytes = RemainingBytes::again(opened, searched.end);
        let mut links = self.links(file, bytes);
        links.is_packed = searched.is_packed;
        Some(links)
    }

    /// Copies the records of a part, as long as they are what was found.
    fn copy_part(
        &mut self,
        file: usize,
        links: &mut Links,
        part: &Part,
        proven_from: TxId,
    ) -> Result<()> {
        let (mut at, mut next) = (part.bytes.start, part.ids.start);
        let mut chain = part.chain_before();
        while next < part.ids.end {
            let link = links.link_at(at);
            let Some(link) = link.filter(|link| link.ids.contains(&next)) else {
                return Ok(());
            };
            let mut is_same = true;
            links.records(&link, |header, payload| {
                // Of a block that the part begins or ends in, the others are not meant.
                if !is_same || !part.ids.contains(&header.id) {
                    return Ok(());
                }
                let after = chain.map(|chain| chain.after(header.id, payload));
                is_same =
                    header.id == next && after.is_none_or(|after| after == header.chain_after);
                if is_same {
                    (next, chain) = (next.next(), Some(header.chain_after));
                    self.keep(file, header, payload, header.id >= proven_from)?;
                }
                Ok::<(), Error>(())
            })?;
            if !is_same {
                return Ok(());
            }
            self.accounts[file].keep(link.bytes.clone());
            at = link.bytes.end;
        }
        Ok(())
    }

    fn keep(
        &mut self,
        file: usize,
        record: &FrameHeader,
        payload: &[u8],
        chain_proven: bool,
    ) -> Result<()> {
        let new = self.log.append(payload, record.time)?;
        self.report.records += 1;
        let file = &self.remains[file].name;
        match self.report.kept.last_mut() {
            Some(last)
                if last.file == *file
                    && last.ids.end == record.id
                    && last.chain_proven == chain_proven =>
            {
                last.ids.end = record.id.next();
            }
            _ => self.report.kept.push(KeptRecords {
                file: Arc::clone(file),
                ids: record.id..record.id.next(),
                new_first: new,
                chain_proven,
            }),
        }
        Ok(())
    }

    /// The first id that the log kept.
    fn first(&self, searched: &BTreeMap<usize, Searched>) -> Option<TxId> {
        let has_header = |file: &usize| self.remains[*file].header.is_some();
        let headless = || {
            searched
                .iter()
                .filter(|(file, one)| !has_header(file) && one.used > 0)
        };
        // Its marks may have said more.
        let is_trusted = headless().all(|(_, one)| one.first.is_none());
        let trusted = self.evidence.trusted_first().filter(|_| is_trusted);
        trusted.or_else(|| {
            let begins = headless().map(|(file, one)| {
                let named = self.remains[*file].named;
                one.first.map_or(named, |first| first.min(named))
            });
            self.evidence.seeming_first(begins.min())
        })
    }

    fn finish(
        mut self,
        mut missing: Vec<Range<TxId>>,
        last_trace: TxId,
        searched: &BTreeMap<usize, Searched>,
    ) -> Result<SalvageReport> {
        let traces = searched.values().map(|one| one.last_trace);
        let last_trace = traces.fold(last_trace, TxId::max);
        let mut next = self.first(searched).unwrap_or(last_trace);
        for kept in &self.report.kept {
            missing.push(next..kept.ids.start);
            next = next.max(kept.ids.end);
        }
        missing.push(next..last_trace);
        missing.retain(|ids| !ids.is_empty());
        missing.sort_unstable_by_key(|ids| ids.start);
        missing.dedup_by(|ids, last| {
            let touches = last.end >= ids.start;
            if touches {
                last.end = last.end.max(ids.end);
            }
            touches
        });
        self.report.missing = missing;
        for (remains, account) in self.remains.iter().zip(self.accounts) {
            account.skipped(|bytes, reason| match self.report.skipped.last_mut() {
                Some(last)
                    if last.file == remains.name
                        && last.reason == reason
                        && last.bytes.end == bytes.start =>
                {
                    last.bytes.end = bytes.end;
                }
                _ => self.report.skipped.push(SkippedBytes {
                    file: Arc::clone(&remains.name),
                    bytes,
                    reason,
                }),
            });
        }
        self.log.close()?;
        Ok(self.report)
    }
}
