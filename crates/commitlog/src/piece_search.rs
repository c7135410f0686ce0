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
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::ops::{Bound, Range};

use crate::chain::Chain;
use crate::format::{FRAMES_BYTE, Mark};
use crate::link::{Link, Links};
use crate::piece::{Before, Joint, Piece};
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

/// What is known before a search.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// The chain before some ids, as headers and marks tell.
    pub(crate) anchors: &'a BTreeMap<TxId, Chain>,
    /// Where the pieces need joints.
    pub(crate) joints: &'a BTreeSet<TxId>,
    /// The marks of the segment.
    pub(crate) marks: &'a [Mark],
}

/// A search in the bytes of one segment.
pub(crate) struct PieceSearch<'a> {
    links: &'a mut Links,
    file: usize,
    known: Known<'a>,
    /// What may be continued, by the place where it ends.
    waiting: BTreeMap<u64, Vec<Piece>>,
    waiting_count: usize,
    found: Found,
}

impl<'a> PieceSearch<'a> {
    /// A search in the segment that is number `file`.
    pub(crate) fn new(links: &'a mut Links, file: usize, known: Known<'a>) -> Self {
        PieceSearch {
            links,
            file,
            known,
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
        let is_base = self.links.base == Some(link.ids.start);
        let is_first = at == FRAMES_BYTE;
        let is_placed =
            is_first || self.is_marked(&link) || neighbours.iter().any(|piece| piece.is_placed);
        // Anybody who wrote a payload may have known the chain before the segment: that says nothing of what does not begin it.
        let anchor = match is_base && !is_first {
            true => None,
            false => self.known.anchors.get(&link.ids.start).copied(),
        };
        let known = match self.links.bytes.is_unreadable(&link.bytes) {
            true => Some(false),
            false => anchor.map(|chain| self.links.continues(&mut link, chain)),
        };
        neighbours.sort_by_key(|piece| {
            let records = piece.ids.end.0 - piece.ids.start.0;
            Reverse((piece.is_anchored, piece.is_placed, records))
        });
        let continued = neighbours
            .iter()
            .position(|piece| self.links.continues(&mut link, piece.chain_after));
        let is_whole = continued.is_some() || known == Some(true) || link.chain_before().is_some();
        let mut piece = match continued {
            Some(place) => self.continue_piece(neighbours.remove(place), &link),
            None if !is_whole && (known == Some(false) || !neighbours.is_empty()) => {
                if is_placed || !neighbours.is_empty() {
                    self.pass_payload(link.bytes.clone());
                }
                if is_placed && self.links.base.is_some() {
                    self.found.last_trace = link.ids.end;
                }
                // What continues it is what was written, though its own payload is not.
                let before = Before::Known(link.chain_after);
                let behind = Some(link.bytes.clone());
                let (bytes, ids) = (end..end, link.ids.end..link.ids.end);
                self.begin(&link, bytes, ids, before, behind)
            }
            None => {
                let before = link.chain_before().map_or(Before::Unknown, Before::Known);
                let (bytes, ids) = (link.bytes.clone(), link.ids.clone());
                self.begin(&link, bytes, ids, before, None)
            }
        };
        self.add_inner_joints(&mut piece, &link);
        piece.is_placed |= is_placed;
        let end_anchor = self.known.anchors.get(&piece.ids.end);
        piece.is_anchored |= known == Some(true) || end_anchor == Some(&piece.chain_after);
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

    /// Whether a mark says that this record begins here.
    fn is_marked(&self, link: &Link) -> bool {
        let mut marks = self.known.marks.iter();
        // Where blocks stand, marks count as if the frames were plain.
        !self.links.is_packed
            && marks.any(|mark| mark.end_byte == link.bytes.start && mark.through == link.ids.start)
    }

    fn continue_piece(&mut self, mut piece: Piece, link: &Link) -> Piece {
        if self.known.joints.contains(&link.ids.start) && !piece.ids.is_empty() {
            piece.joints.push(Joint {
                id: link.ids.start,
                chain: piece.chain_after,
                end: link.bytes.start,
                start: link.bytes.start,
            });
        }
        self.compute_before(&mut piece);
        piece.bytes.end = link.bytes.end;
        piece.ids.end = link.ids.end;
        piece.chain_after = link.chain_after;
        piece
    }

    /// What a piece of one frame continues, if its payload is what was written.
    fn compute_before(&mut self, piece: &mut Piece) {
        if piece.before == Before::Unknown && piece.ids.end == piece.ids.start.next() {
            let (at, length) = (piece.bytes.start, piece.first_length);
            let (id, after) = (piece.ids.start, piece.chain_after);
            let computed = self.links.continued_by(at, id, length, after);
            piece.before = Before::Computed(computed);
        }
    }

    /// Those between the records of a block.
    fn add_inner_joints(&mut self, piece: &mut Piece, link: &Link) {
        let inner = (
            Bound::Excluded(link.ids.start),
            Bound::Excluded(link.ids.end),
        );
        if piece.ids.is_empty()
            || link.ids.end <= link.ids.start.next()
            || self.known.joints.range(inner).next().is_none()
        {
            return;
        }
        let Ok(()) = self.links.records(link, |header, _| {
            let id = header.id.next();
            if id < link.ids.end && self.known.joints.contains(&id) {
                piece.joints.push(Joint {
                    id,
                    chain: header.chain_after,
                    end: link.bytes.end,
                    start: link.bytes.start,
                });
            }
            Ok::<(), Infallible>(())
        });
    }

    fn begin(
        &self,
        link: &Link,
        bytes: Range<u64>,
        ids: Range<TxId>,
        before: Before,
        behind: Option<Range<u64>>,
    ) -> Piece {
        Piece {
            file: self.file,
            bytes,
            ids,
            before,
            chain_after: link.chain_after,
            joints: Vec::new(),
            is_placed: false,
            is_anchored: false,
            is_opposed: false,
            first_length: link.payload_length(),
            behind,
        }
    }

    fn pass_payload(&mut self, bytes: Range<u64>) {
        self.found.passed.push((bytes, SkipReason::Payload));
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
        // Of a header alone something else has to say that it is one: its place, or its neighbour.
        let is_one = !piece.is_alone() || piece.is_anchored || piece.is_placed || piece.is_opposed;
        if is_one || self.links.is_last(piece.bytes.end) {
            self.compute_before(&mut piece);
            self.found.pieces.push(piece);
        }
    }
}
