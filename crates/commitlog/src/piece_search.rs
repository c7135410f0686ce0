//! Looks for records that continue each other in what is left of a segment.
//!
//! ```text
//! nothing is lost: from record to record     | 0 | 1 | 2 |
//! behind that, place by place                            ##|##|##| 4 ..... | 5 | 6 |
//!                                                                └ its payload is looked at too: nothing vouches for it, as for 5 and 6
//! ```
//!
//! One way through the bytes is enough: what was found waits, by the place where it ends, for something that continues it. Only what continues something else, or stands where
//! a record begins for certain, lets the search pass over its payload; a header alone may have been written by whoever wrote a payload, and
//! claim all that is behind it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::chain::Chain;
use crate::format::FRAMES_BYTE;
use crate::link::{Link, Links};
use crate::piece::Piece;
use crate::salvage_report::SkipReason;
use crate::tx_id::TxId;

/// So many pieces wait at most; more are given up, the ones that end last first. A log has one or two, and one more for each header within a payload.
const WAITING_MAX: usize = 1 << 14;

/// What was found in a segment.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) pieces: Vec<Piece>,
    /// Bytes that something is known about, some of them bytes of a piece all the same.
    pub(crate) passed: Vec<(Range<u64>, SkipReason)>,
    /// The first id of which there is no trace.
    pub(crate) last_trace: TxId,
}

/// A search in the bytes of one segment.
pub(crate) struct PieceSearch<'a> {
    links: &'a mut Links,
    file: usize,
    /// The chain before some ids, as headers and marks tell.
    anchors: &'a BTreeMap<TxId, Chain>,
    /// What may be continued, by the place where it ends.
    waiting: BTreeMap<u64, Vec<Piece>>,
    waiting_count: usize,
    found: Found,
}

impl<'a> PieceSearch<'a> {
    /// A search in the segment that is number `file`.
    pub(crate) fn new(
        links: &'a mut Links,
        file: usize,
        anchors: &'a BTreeMap<TxId, Chain>,
    ) -> Self {
        PieceSearch {
            links,
            file,
            anchors,
            waiting: BTreeMap::new(),
            waiting_count: 0,
            found: Found::default(),
        }
    }

    /// Finds all pieces, each as long as it can be. Nothing begins in the zeros at the end.
    pub(crate) fn run(mut self) -> Found {
        let mut at = FRAMES_BYTE;
        while at < self.links.bytes.used() {
            self.end_before(at);
            at = match self.links.link_at(at) {
                Some(link) => self.place(link),
                None => self.links.place_behind(at),
            };
        }
        self.end_before(u64::MAX);
        self.found
    }

    /// Joins what begins here to what it continues. Yields where to go on.
    fn place(&mut self, mut link: Link) -> u64 {
        let (at, end) = (link.bytes.start, link.bytes.end);
        let (mut neighbours, others): (Vec<Piece>, Vec<Piece>) = self
            .waiting_at(at)
            .into_iter()
            .partition(|piece| piece.ids.end == link.ids.start);
        others.into_iter().for_each(|piece| self.end(piece));
        let is_base = link.ids.start == self.links.ids.start;
        let is_first = is_base && at == FRAMES_BYTE;
        let is_placed = is_first || neighbours.iter().any(|piece| piece.is_placed);
        // Anybody who wrote a payload may have known the chain before the segment: that proves only what begins it.
        let anchor = match is_base && !is_first {
            true => None,
            false => self.anchors.get(&link.ids.start).copied(),
        };
        let known = match self.links.bytes.is_unreadable(&link.bytes) {
            true => Some(false),
            false => anchor.map(|chain| self.links.continues(&mut link, chain)),
        };
        neighbours.sort_by_key(|piece| {
            let records = piece.ids.end.0 - piece.ids.start.0;
            Reverse((piece.is_proven, piece.is_placed, records))
        });
        let continued = neighbours
            .iter()
            .position(|piece| self.links.continues(&mut link, piece.chain_after));
        let is_whole = continued.is_some() || known == Some(true) || link.chain_before().is_some();
        let mut piece = match continued {
            Some(place) => {
                let before = neighbours.remove(place);
                Piece {
                    bytes: before.bytes.start..end,
                    ids: before.ids.start..link.ids.end,
                    chain_after: link.chain_after,
                    ..before
                }
            }
            None if known == Some(false) || (known.is_none() && !neighbours.is_empty()) => {
                if is_placed || !neighbours.is_empty() {
                    self.pass_payload(link.bytes.clone());
                }
                if is_placed || neighbours.iter().any(|piece| piece.is_proven) {
                    self.found.last_trace = self.found.last_trace.max(link.ids.end);
                }
                // What continues it is what was written, though its own payload is not.
                let chain_before = Some(link.chain_after);
                let behind = Some(link.bytes.clone());
                let (bytes, ids) = (end..end, link.ids.end..link.ids.end);
                self.begin(&link, bytes, ids, chain_before, behind)
            }
            None => {
                let chain_before = anchor.or(link.chain_before());
                let (bytes, ids) = (link.bytes.clone(), link.ids.clone());
                self.begin(&link, bytes, ids, chain_before, None)
            }
        };
        piece.is_placed |= is_placed;
        piece.is_proven |= known == Some(true);
        match self.anchors.get(&piece.ids.end) {
            Some(chain) if *chain == piece.chain_after => piece.is_proven = true,
            Some(_) => piece.is_refuted = true,
            None => {}
        }
        for mut piece in neighbours {
            piece.is_opposed = true;
            self.end(piece);
        }
        self.wait(piece);
        match is_whole || is_placed {
            true => end,
            false => self.links.place_behind(at),
        }
    }

    fn begin(
        &self,
        link: &Link,
        bytes: Range<u64>,
        ids: Range<TxId>,
        chain_before: Option<Chain>,
        behind: Option<Range<u64>>,
    ) -> Piece {
        Piece {
            file: self.file,
            bytes,
            ids,
            chain_before,
            chain_after: link.chain_after,
            is_proven: false,
            is_refuted: false,
            is_placed: false,
            is_opposed: false,
            behind,
        }
    }

    fn pass_payload(&mut self, bytes: Range<u64>) {
        let reason = match self.links.is_packed {
            true => SkipReason::Contradicted,
            false => SkipReason::Payload,
        };
        self.found.passed.push((bytes, reason));
    }

    fn wait(&mut self, piece: Piece) {
        self.waiting_count += 1;
        self.waiting.entry(piece.bytes.end).or_default().push(piece);
        if self.waiting_count > WAITING_MAX
            && let Some(mut last) = self.waiting.last_entry()
        {
            self.waiting_count -= 1;
            last.get_mut().pop();
            if last.get().is_empty() {
                last.remove();
            }
        }
    }

    fn waiting_at(&mut self, at: u64) -> Vec<Piece> {
        let pieces = self.waiting.remove(&at).unwrap_or_default();
        self.waiting_count -= pieces.len();
        pieces
    }

    /// Nothing continues what ends before this place.
    fn end_before(&mut self, at: u64) {
        while let Some((&end, _)) = self.waiting.first_key_value()
            && end < at
        {
            for piece in self.waiting_at(end) {
                self.end(piece);
            }
        }
    }

    /// A piece that nothing continues.
    fn end(&mut self, mut piece: Piece) {
        if piece.ids.is_empty() {
            return;
        }
        if let Some(bytes) = piece.behind.take() {
            self.pass_payload(bytes);
        }
        if piece.is_refuted && !piece.is_proven {
            let passed = (piece.bytes, SkipReason::Contradicted);
            self.found.passed.push(passed);
            return;
        }
        // Of a header alone something else has to say that it is one: its place, or its neighbour.
        let is_one = !piece.is_alone() || piece.is_proven || piece.is_placed || piece.is_opposed;
        if is_one || self.links.is_last(piece.bytes.end) {
            self.found.pieces.push(piece);
        }
    }
}
