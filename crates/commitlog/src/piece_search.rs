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
use std::convert::Infallible;
use std::ops::Range;

use crate::chain::Chain;
use crate::format::{FRAMES_BYTE, Mark};
use crate::link::{Link, Links};
use crate::piece::{Certainty, Joint, Piece};
use crate::pieces::FilePieces;
use crate::tx_id::TxId;

/// So many pieces wait at most; more are given up, the ones that end last first. A log has one or two, and one more for each header within a payload.
const WAITING_MAX: usize = 1 << 14;

/// What was found in a segment.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) pieces: FilePieces,
    /// Payloads that are not what was written, some of them bytes of a piece all the same.
    pub(crate) bad_payloads: Vec<Range<u64>>,
    /// The first id of which there is no trace.
    pub(crate) last_trace: TxId,
}

/// What is known before a search.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// The chain before some ids, as headers and marks tell.
    pub(crate) anchors: &'a BTreeMap<TxId, Chain>,
    /// Where the pieces need joints, in order.
    pub(crate) joints: &'a [TxId],
    /// The marks of the segment.
    pub(crate) marks: &'a [Mark],
}

/// A search in the bytes of one segment.
pub(crate) struct PieceSearch<'a> {
    links: &'a mut Links,
    known: Known<'a>,
    /// What may be continued, by the place where it ends and a number of its own.
    waiting: BTreeMap<(u64, u64), Waiting>,
    waited: u64,
    found: Found,
}

/// A piece that may be continued.
struct Waiting {
    piece: Piece,
    joints: Vec<Joint>,
    /// How long the payload of the first record is, if that is a frame of its own.
    first_length: u32,
    /// Whether the chain at one of its ids is known, and the same.
    is_anchored: bool,
    /// The record before it, of which only the header holds.
    behind: Option<Range<u64>>,
}

impl<'a> PieceSearch<'a> {
    /// A search in these bytes.
    pub(crate) fn new(links: &'a mut Links, known: Known<'a>) -> Self {
        PieceSearch {
            links,
            known,
            waiting: BTreeMap::new(),
            waited: 0,
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
        let (mut neighbours, others): (Vec<Waiting>, Vec<Waiting>) = self
            .waiting_at(at)
            .into_iter()
            .partition(|waiting| waiting.piece.ids.end == link.ids.start);
        others.into_iter().for_each(|waiting| self.end(waiting));
        let is_base = self.links.base == Some(link.ids.start);
        let is_first = at == FRAMES_BYTE;
        let is_placed = is_first
            || self.is_marked(&link)
            || neighbours.iter().any(|waiting| waiting.piece.is_placed);
        // Anybody who wrote a payload may have known the chain before the segment: that says nothing of what does not begin it.
        let anchor = match is_base && !is_first {
            true => None,
            false => self.known.anchors.get(&link.ids.start).copied(),
        };
        let known = match self.links.bytes.is_unreadable(&link.bytes) {
            true => Some(false),
            false => anchor.map(|chain| self.links.continues(&mut link, chain)),
        };
        neighbours.sort_by_key(|waiting| {
            let piece = &waiting.piece;
            let records = piece.ids.end.0 - piece.ids.start.0;
            Reverse((waiting.is_anchored, piece.is_placed, records))
        });
        let continued = neighbours
            .iter()
            .position(|one| self.links.continues(&mut link, one.piece.chain_after));
        let is_whole = continued.is_some() || known == Some(true) || link.chain_before().is_some();
        let mut waiting = match continued {
            Some(place) => self.continue_piece(neighbours.remove(place), &link),
            None if !is_whole && (known == Some(false) || !neighbours.is_empty()) => {
                if is_placed || !neighbours.is_empty() {
                    self.pass_payload(&link.bytes);
                }
                if is_placed && self.links.base.is_some() {
                    self.found.last_trace = link.ids.end;
                }
                // What continues it is what was written, though its own payload is not.
                let (bytes, ids) = (end..end, link.ids.end..link.ids.end);
                let begun = begin(&link, bytes, ids, Some(link.chain_after));
                Waiting {
                    behind: Some(link.bytes.clone()),
                    ..begun
                }
            }
            None => begin(
                &link,
                link.bytes.clone(),
                link.ids.clone(),
                link.chain_before(),
            ),
        };
        self.add_inner_joints(&mut waiting, &link);
        let piece = &mut waiting.piece;
        piece.is_placed |= is_placed;
        let end_anchor = self.known.anchors.get(&piece.ids.end);
        waiting.is_anchored |= known == Some(true) || end_anchor == Some(&piece.chain_after);
        for mut neighbour in neighbours {
            neighbour.piece.is_opposed = true;
            self.end(neighbour);
        }
        self.wait(waiting);
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

    fn continue_piece(&mut self, mut waiting: Waiting, link: &Link) -> Waiting {
        if !waiting.piece.ids.is_empty() && self.is_joint(link.ids.start) {
            waiting.joints.push(Joint {
                id: link.ids.start,
                chain: waiting.piece.chain_after,
                byte: link.bytes.start,
            });
        }
        self.compute_before(&mut waiting);
        let piece = &mut waiting.piece;
        piece.bytes.end = link.bytes.end;
        piece.ids.end = link.ids.end;
        piece.chain_after = link.chain_after;
        waiting
    }

    /// What a piece of one frame continues, if its payload is what was written.
    fn compute_before(&mut self, waiting: &mut Waiting) {
        let piece = &mut waiting.piece;
        if piece.certainty == Certainty::None && piece.ids.end == piece.ids.start.next() {
            let (at, id) = (piece.bytes.start, piece.ids.start);
            let (length, after) = (waiting.first_length, piece.chain_after);
            piece.chain_before = self.links.continued_by(at, id, length, after);
            piece.certainty = Certainty::Computed;
        }
    }

    fn is_joint(&self, id: TxId) -> bool {
        self.known.joints.binary_search(&id).is_ok()
    }

    /// Those between the records of a block.
    fn add_inner_joints(&mut self, waiting: &mut Waiting, link: &Link) {
        let joints = self.known.joints;
        let behind_first = joints.partition_point(|id| *id <= link.ids.start);
        let has_some = joints
            .get(behind_first)
            .is_some_and(|id| *id < link.ids.end);
        if waiting.piece.ids.is_empty() || !has_some {
            return;
        }
        let Ok(()) = self.links.records(link, |header, _| {
            let id = header.id.next();
            if id < link.ids.end && joints.binary_search(&id).is_ok() {
                waiting.joints.push(Joint {
                    id,
                    chain: header.chain_after,
                    byte: link.bytes.start,
                });
            }
            Ok::<(), Infallible>(())
        });
    }

    fn pass_payload(&mut self, bytes: &Range<u64>) {
        match self.found.bad_payloads.last_mut() {
            Some(last) if last.end == bytes.start => last.end = bytes.end,
            _ => self.found.bad_payloads.push(bytes.clone()),
        }
    }

    fn wait(&mut self, waiting: Waiting) {
        self.waited += 1;
        let end = waiting.piece.bytes.end;
        self.waiting.insert((end, self.waited), waiting);
        if self.waiting.len() > WAITING_MAX {
            self.waiting.pop_last();
        }
    }

    fn waiting_at(&mut self, at: u64) -> Vec<Waiting> {
        let mut there = Vec::new();
        while let Some((&key, _)) = self.waiting.range((at, 0)..=(at, u64::MAX)).next() {
            there.extend(self.waiting.remove(&key));
        }
        there
    }

    /// Nothing continues what ends before this place.
    fn end_before(&mut self, at: u64) {
        while let Some(first) = self.waiting.first_entry()
            && first.key().0 < at
        {
            let waiting = first.remove();
            self.end(waiting);
        }
    }

    /// A piece that nothing continues.
    fn end(&mut self, mut waiting: Waiting) {
        if waiting.piece.ids.is_empty() {
            return;
        }
        if let Some(bytes) = waiting.behind.take() {
            self.pass_payload(&bytes);
        }
        // Of a header alone something else has to say that it is one: its place, or its neighbour.
        let piece = &waiting.piece;
        let is_told = waiting.is_anchored || piece.is_placed || piece.is_opposed;
        if is_told || !piece.is_alone() || self.links.is_last(piece.bytes.end) {
            self.compute_before(&mut waiting);
            self.found.pieces.push(waiting.piece, waiting.joints);
        }
    }
}

fn begin(link: &Link, bytes: Range<u64>, ids: Range<TxId>, before: Option<Chain>) -> Waiting {
    let piece = Piece {
        bytes,
        ids,
        chain_before: before.unwrap_or_default(),
        chain_after: link.chain_after,
        first_joint: 0,
        certainty: match before {
            Some(_) => Certainty::Known,
            None => Certainty::None,
        },
        is_placed: false,
        is_opposed: false,
    };
    Waiting {
        piece,
        joints: Vec::new(),
        first_length: link.payload_length(),
        is_anchored: false,
        behind: None,
    }
}
