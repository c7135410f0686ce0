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
//! is possible there: higher than the last one, by no more than fit into the bytes between. Its payload can only be vouched for by the chain before it, which a
//! mark may still know. If nothing does, the frame is taken if the one behind it continues its chain, or if it is the last, and is reported as not proven.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use disk::Dir;

use crate::chain::Chain;
use crate::checksum::checksum;
use crate::error::{Error, Result};
use crate::format::{
    BLOCK_HEADER_BYTES, BODY_BLOCKS, BlockHeader, FRAMES_BYTE, FrameHeader, HEADER_BYTES, VERSION,
};
use crate::frame_search::{FrameSearch, Place};
use crate::log::Log;
use crate::log_id::LogId;
use crate::options::Options;
use crate::packed_frames::unpack_block;
use crate::remaining_bytes::RemainingBytes;
use crate::salvage_report::{KeptRecords, SalvageReport, SkipReason, SkippedBytes};
use crate::segment_name::parse_segment_name;
use crate::segment_remains::Remains;
use crate::tx_id::TxId;

/// Frames begin at multiples of this.
const FRAME_STEP: u64 = 8;

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
        next: remains[0].base(),
        first: remains[0].base(),
        last_trace: remains[0].base(),
        report,
    };
    let used: Vec<&Remains> = salvage.choose(&remains);
    for remains in &used {
        salvage.note_anchors(remains);
    }
    for (place, remains) in used.iter().enumerate() {
        let bases = used[place + 1..].iter().map(|later| later.base());
        let bound = bases.filter(|base| *base > remains.base()).min();
        salvage.read_segment(remains, bound.unwrap_or(TxId(u64::MAX)))?;
    }
    salvage.finish()
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
    /// The lowest id that is not kept or given up yet.
    next: TxId,
    first: TxId,
    /// The first id of which there is no trace.
    last_trace: TxId,
    report: SalvageReport,
}

impl Salvage {
    /// The segments to read; the others are reported.
    fn choose<'a>(&mut self, remains: &'a [Remains]) -> Vec<&'a Remains> {
        let mut used = Vec::new();
        let mut epoch = 0;
        for remains in remains {
            let Some(file) = &remains.file else {
                self.skip(&remains.name, 0..0, SkipReason::NotAFile);
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
                    self.skip(&remains.name, 0..len, reason);
                }
                None => used.push(remains),
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

    fn read_segment(&mut self, remains: &Remains, bound: TxId) -> Result<()> {
        let Some(file) = &remains.file else {
            return Ok(());
        };
        if remains.header.is_none() {
            let len = file.len().unwrap_or(0).min(HEADER_BYTES as u64);
            self.skip(&remains.name, 0..len, SkipReason::Header);
        }
        let mut bytes = RemainingBytes::of_file(Arc::clone(file));
        for range in bytes.unreadable() {
            self.skip(&remains.name, range.clone(), SkipReason::Unreadable);
        }
        let packed = match remains.header {
            Some(header) => header.body == BODY_BLOCKS,
            None => block_at(&mut bytes, FRAMES_BYTE).is_some(),
        };
        let mut search = FrameSearch {
            file: &remains.name,
            bytes,
            at: FRAMES_BYTE,
            passed: FRAMES_BYTE,
            id: remains.base(),
            bound,
            chain: None,
            place: Place::Plain,
        };
        match packed {
            true => self.read_blocks(&mut search),
            false => self.read_frames(&mut search),
        }
    }

    /// Reads one block after another, and past what is none.
    fn read_blocks(&mut self, search: &mut FrameSearch<'_>) -> Result<()> {
        while search.at < search.bytes.end() {
            let possible = search.id..search.bound;
            let Some(block) = block_at(&mut search.bytes, search.at)
                .filter(|block| possible.contains(&block.first))
            else {
                search.at += 1;
                continue;
            };
            self.skip_passed(search, SkipReason::Block);
            let start = search.at;
            let stored = start + BLOCK_HEADER_BYTES as u64;
            let end = stored + u64::from(block.stored_length);
            let place = Place::Block { start, end };
            search.id = block.first;
            let mut plain = Vec::new();
            let stored = search.bytes.get(stored, end - stored);
            if unpack_block(&block, stored, &mut plain) {
                let mut inner = FrameSearch {
                    file: search.file,
                    bytes: RemainingBytes::of_block(plain),
                    at: 0,
                    passed: 0,
                    id: block.first,
                    bound: search.bound,
                    chain: Some(block.chain_before),
                    place,
                };
                self.read_frames(&mut inner)?;
                search.id = inner.id;
            } else {
                self.skip(search.file, start..end, SkipReason::Block);
            }
            search.at = end;
            search.passed = end;
        }
        self.skip_passed(search, SkipReason::Block);
        Ok(())
    }

    /// Reads one frame after another, and past what is none.
    fn read_frames(&mut self, search: &mut FrameSearch<'_>) -> Result<()> {
        while search.has_room() {
            let Some((header, end)) = search.frame() else {
                search.at += FRAME_STEP;
                search.chain = None;
                continue;
            };
            let known = match search.chain {
                Some(chain) if header.id == search.id => Some(chain),
                _ => self.anchors.get(&header.id).copied(),
            };
            let sum = checksum(search.payload(&header));
            let continues = known.map(|chain| {
                chain.mix(header.id, header.payload_length, sum) == header.chain_after
            });
            if continues.is_none() && !search.is_continued(&header, end) {
                search.at += FRAME_STEP;
                continue;
            }
            self.skip_passed(search, SkipReason::NoFrame);
            self.last_trace = self.last_trace.max(header.id.next());
            let bytes = search.place_of(search.at..end);
            if continues == Some(false) {
                self.skip(search.file, bytes, SkipReason::Payload);
            } else if header.id < self.next {
                self.skip(search.file, bytes, SkipReason::Repeated);
            } else {
                let file = search.file;
                self.keep(file, &header, search.payload(&header), continues.is_some())?;
            }
            search.id = header.id.next();
            search.chain = Some(header.chain_after);
            search.at = end;
            search.passed = end;
        }
        search.at = search.bytes.end();
        self.skip_passed(search, SkipReason::NoFrame);
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
        self.next = header.id.next();
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

    /// Reports what lies between the last frame and here, unless it is nothing but zeros up to the end.
    fn skip_passed(&mut self, search: &mut FrameSearch<'_>, reason: SkipReason) {
        let mut bytes = search.passed.min(search.at)..search.at;
        if search.at == search.bytes.end() {
            bytes.end = search.bytes.used().max(bytes.start);
        }
        if !bytes.is_empty() {
            self.skip(search.file, search.place_of(bytes), reason);
        }
        search.passed = search.at;
    }

    fn skip(&mut self, file: &str, bytes: Range<u64>, reason: SkipReason) {
        match self.report.skipped.last_mut() {
            Some(last)
                if last.file == file && last.reason == reason && last.bytes.end >= bytes.start =>
            {
                last.bytes.end = last.bytes.end.max(bytes.end);
            }
            _ => self.report.skipped.push(SkippedBytes {
                file: file.to_owned(),
                bytes,
                reason,
            }),
        }
    }

    fn finish(mut self) -> Result<SalvageReport> {
        let mut next = self.first;
        for kept in &self.report.kept {
            if next < kept.ids.start {
                self.report.missing.push(next..kept.ids.start);
            }
            next = kept.ids.end;
        }
        if next < self.last_trace {
            self.report.missing.push(next..self.last_trace);
        }
        self.log.close()?;
        Ok(self.report)
    }
}

/// The sound header of a block at some place, if all of its stored bytes are there.
fn block_at(bytes: &mut RemainingBytes, at: u64) -> Option<BlockHeader> {
    let header = bytes.get(at, BLOCK_HEADER_BYTES as u64);
    let header = BlockHeader::decode(header.first_chunk()?)?;
    let stored = bytes.end() - at - BLOCK_HEADER_BYTES as u64;
    (u64::from(header.stored_length) <= stored).then_some(header)
}
