//! Which segments make up the log, decided from their headers and marks alone.
//!
//! ```text
//! a later segment of a lower epoch                       leftover of a truncation: ignored, then removed
//! continued, and its successor begins there              in order
//! not continued, but it has a successor                  interrupted rotation: to be completed
//! continued, without a successor                         damaged: a segment is lost
//! continued, and its successor begins later              a gap: damaged, unless a snapshot stands in for all that is before it
//! continued, and its successor begins elsewhere          damaged: the histories differ
//! either of the two, and its successor's epoch is        a gap: what a truncation had given up has come back
//!   higher, and its records do not lead there
//! a name, a log id that is not its own                   damaged
//! a mark that it can not have, or none in the first      damaged
//! compressed, and not continued                          damaged
//! ```
//!
//! Why a gap may be none: a prune whose sync failed has removed a segment in memory only, and nothing can sync that removal again, for its name
//! is gone. The next prunes remove younger segments durably, and a power cut brings the old one back. So does a leftover of a truncation.

use crate::damage::DamageKind;
use crate::format::{BODY_BLOCKS, FRAMES_BYTE, MARK_BLOCK_BYTE, Mark, SegmentHeader};
use crate::tx_id::TxId;

/// What is known of a segment without reading its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentFacts {
    /// The base that its name says.
    pub(crate) named: TxId,
    /// Its header.
    pub(crate) header: SegmentHeader,
    /// Its valid marks.
    pub(crate) marks: [Option<Mark>; 2],
    /// The length of the file.
    pub(crate) bytes: u64,
}

impl SegmentFacts {
    /// The mark that was written last.
    pub(crate) fn newest_mark(&self) -> Option<Mark> {
        self.marks
            .into_iter()
            .flatten()
            .max_by_key(|mark| mark.sequence)
    }

    /// The mark that says that there is a next segment.
    pub(crate) fn continued_mark(&self) -> Option<Mark> {
        self.marks.into_iter().flatten().find(|mark| mark.continued)
    }

    /// The first id of which neither base nor marks prove that it had been synced.
    pub(crate) fn proven(&self) -> TxId {
        let marked = self.marks.iter().flatten().map(|mark| mark.through);
        marked.fold(self.header.base, TxId::max)
    }

    /// Whether the name of its file is known to be durable: see [`name_is_proven`].
    pub(crate) fn name_is_proven(&self) -> bool {
        name_is_proven(&self.marks)
    }

    /// Whether the log was closed with this as its newest segment, and not touched since.
    pub(crate) fn is_closed(&self) -> bool {
        self.newest_mark()
            .is_some_and(|mark| mark.closed && mark.end_byte == self.bytes)
    }
}

/// Whether the marks of a segment tell that its file was given its name by a sync of the directory that returned Ok.
///
/// Every mark but the first is written by a log that went on after that sync: one whose sync fails is poisoned, or
/// not opened at all, and whoever finds the file afterwards without such a mark makes it anew. Only the first mark may be older than the
/// name, in a log that is created with records.
pub(crate) fn name_is_proven(marks: &[Option<Mark>; 2]) -> bool {
    marks.iter().flatten().any(|mark| mark.sequence > 0)
}

/// The order of the segments, as indexes into what was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Lineup {
    /// The segments that make up the log, oldest first.
    pub(crate) kept: Vec<usize>,
    /// Those that a truncation left behind.
    pub(crate) leftovers: Vec<usize>,
    /// Those of `kept` that have a successor and do not say so.
    pub(crate) unfinished: Vec<usize>,
    /// Those before the last gap, which are not part of the log any more if a snapshot stands in for them.
    pub(crate) detached: Vec<usize>,
    /// The first gap, as the damage that it is otherwise.
    pub(crate) gap: Option<LineupDamage>,
}

impl Lineup {
    /// Those of `unfinished` whose successor is of a later epoch, each with that one: truncations and interrupted rotations do not meet, so either the
    /// mark is lost that said that it is continued, or it is something that was given up and came back. Only its records tell.
    pub(crate) fn doubtful(&self, segments: &[SegmentFacts]) -> Vec<(usize, usize)> {
        let pairs = self.kept.windows(2).map(|pair| (pair[0], pair[1]));
        pairs
            .filter(|(index, next)| {
                self.unfinished.contains(index)
                    && segments[*index].header.epoch < segments[*next].header.epoch
            })
            .collect()
    }

    /// What is before `next` is not part of the log any more.
    pub(crate) fn detach_before(&mut self, next: usize) {
        let place = self.kept.partition_point(|&index| index < next);
        self.detached.extend(self.kept.drain(..place));
        self.unfinished.retain(|&index| index >= next);
        self.gap = self.gap.or(Some(LineupDamage {
            index: next,
            byte_offset: 0,
            kind: DamageKind::SegmentChain,
        }));
    }
}

/// What is wrong, with the index of the segment and the byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineupDamage {
    pub(crate) index: usize,
    pub(crate) byte_offset: u64,
    pub(crate) kind: DamageKind,
}

/// Decides which segments make up the log. `segments` are sorted by name; there is at least one.
pub(crate) fn line_up(segments: &[SegmentFacts]) -> Result<Lineup, LineupDamage> {
    let damage = |index, byte_offset, kind| LineupDamage {
        index,
        byte_offset,
        kind,
    };
    let mut lineup = Lineup::default();
    let mut epoch = 0;
    for (index, segment) in segments.iter().enumerate() {
        let header = &segment.header;
        if header.base != segment.named {
            let base = header.base;
            return Err(damage(index, 0, DamageKind::Misnamed { base }));
        }
        if header.log_id != segments[0].header.log_id {
            let found = header.log_id;
            return Err(damage(index, 0, DamageKind::Foreign { found }));
        }
        let unmarked = match header.body {
            BODY_BLOCKS => segment.continued_mark().is_none(),
            _ => header.is_genesis() && segment.newest_mark().is_none(),
        };
        if unmarked {
            return Err(damage(index, MARK_BLOCK_BYTE[0], DamageKind::NoMark));
        }
        if let Some(mark) = impossible_mark(segment) {
            let through = mark.through;
            return Err(damage(index, FRAMES_BYTE, DamageKind::Mark { through }));
        }
        if header.epoch < epoch {
            lineup.leftovers.push(index);
        } else {
            epoch = header.epoch;
            lineup.kept.push(index);
        }
    }
    let mut connected = 0;
    for (place, pair) in lineup.kept.windows(2).enumerate() {
        let (index, next) = (pair[0], &segments[pair[1]].header);
        let differ = damage(pair[1], 0, DamageKind::SegmentChain);
        let gap = match segments[index].continued_mark() {
            Some(mark) if mark.through < next.base => {
                let expected = mark.through;
                damage(
                    index,
                    mark.end_byte,
                    DamageKind::SegmentMissing { expected },
                )
            }
            Some(mark) if mark.through == next.base && mark.chain == next.chain_before => continue,
            None if segments[index].proven() <= next.base => {
                lineup.unfinished.push(index);
                continue;
            }
            _ if segments[index].header.epoch < next.epoch => differ,
            _ => return Err(differ),
        };
        lineup.gap = lineup.gap.or(Some(gap));
        connected = place + 1;
    }
    if let Some(&last) = lineup.kept.last()
        && let Some(mark) = segments[last].continued_mark()
    {
        let expected = mark.through;
        return Err(damage(
            last,
            mark.end_byte,
            DamageKind::SegmentMissing { expected },
        ));
    }
    lineup.detached = lineup.kept.drain(..connected).collect();
    let first = lineup.kept[0];
    lineup.unfinished.retain(|&index| index >= first);
    Ok(lineup)
}

/// A mark that this segment can not have.
fn impossible_mark(segment: &SegmentFacts) -> Option<Mark> {
    let base = segment.header.base;
    segment.marks.into_iter().flatten().find(|mark| {
        let empty = mark.through == base;
        mark.through < base
            || mark.end_byte < FRAMES_BYTE
            || empty != (mark.end_byte == FRAMES_BYTE)
            || (empty && mark.chain != segment.header.chain_before)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Chain;
    use crate::format::{BODY_FRAMES, VERSION};
    use crate::log_id::LogId;

    const FRAME: u64 = 40;

    /// A segment of the records `base..`, each in a frame of 40 bytes, with the chain before a record its id.
    fn segment(base: u64, marks: &[Mark]) -> SegmentFacts {
        let mut blocks = [None; 2];
        for mark in marks {
            blocks[mark.block()] = Some(*mark);
        }
        SegmentFacts {
            named: TxId(base),
            header: SegmentHeader {
                version: VERSION,
                body: BODY_FRAMES,
                minimum_reader: 0,
                log_id: LogId([7; 16]),
                base: TxId(base),
                chain_before: Chain(base),
                epoch: 0,
            },
            marks: blocks,
            bytes: 1 << 20,
        }
    }

    /// A mark of a segment that begins at `base`.
    fn mark(base: u64, through: u64) -> Mark {
        Mark {
            sequence: 4,
            through: TxId(through),
            end_byte: FRAMES_BYTE + FRAME * (through - base),
            chain: Chain(through),
            closed: false,
            continued: false,
        }
    }

    fn continued(base: u64, through: u64) -> Mark {
        Mark {
            sequence: 5,
            continued: true,
            ..mark(base, through)
        }
    }

    /// A name, the segments, and which of them is damaged and how.
    type Row = (&'static str, Vec<SegmentFacts>, Option<(usize, DamageKind)>);

    fn check(rows: &[Row]) {
        for (name, segments, expected) in rows {
            let found = line_up(segments);
            let found = found.err().map(|damage| (damage.index, damage.kind));
            assert_eq!(found, *expected, "{name}");
        }
    }

    #[test]
    fn marks_that_a_segment_can_not_have_are_damage() {
        let with = |change: fn(&mut Mark)| {
            let mut wrong = mark(5, 7);
            change(&mut wrong);
            vec![segment(5, &[wrong])]
        };
        let damage = |through| {
            let through = TxId(through);
            Some((0, DamageKind::Mark { through }))
        };
        check(&[
            ("sound", with(|_| ()), None),
            ("empty", vec![segment(5, &[mark(5, 5)])], None),
            (
                "before the base",
                with(|mark| mark.through = TxId(4)),
                damage(4),
            ),
            (
                "in the header",
                with(|mark| mark.end_byte = FRAMES_BYTE - 8),
                damage(7),
            ),
            (
                "records in no bytes",
                with(|mark| mark.end_byte = FRAMES_BYTE),
                damage(7),
            ),
            (
                "bytes of no record",
                with(|mark| mark.through = TxId(5)),
                damage(5),
            ),
            (
                "empty, and another chain",
                vec![segment(
                    5,
                    &[Mark {
                        chain: Chain(1),
                        ..mark(5, 5)
                    }],
                )],
                damage(5),
            ),
        ]);
    }

    #[test]
    fn neighbours_must_fit() {
        let missing = |expected| {
            let expected = TxId(expected);
            DamageKind::SegmentMissing { expected }
        };
        let plain = |base, through| segment(base, &[mark(base, through)]);
        let sealed = |base, through| segment(base, &[continued(base, through)]);
        let other_chain = |base| {
            let mut other = segment(base, &[]);
            other.header.chain_before = Chain(1);
            other
        };
        check(&[
            ("in order", vec![sealed(0, 3), plain(3, 4)], None),
            (
                "an interrupted rotation",
                vec![plain(0, 2), plain(3, 4)],
                None,
            ),
            (
                "another, marked to its end",
                vec![plain(0, 3), plain(3, 4)],
                None,
            ),
            (
                "more is proved than the next one leaves room for",
                vec![plain(0, 4), plain(3, 4)],
                Some((1, DamageKind::SegmentChain)),
            ),
            (
                "continued elsewhere",
                vec![sealed(0, 4), plain(3, 4)],
                Some((1, DamageKind::SegmentChain)),
            ),
            (
                "continued with another chain",
                vec![sealed(0, 3), other_chain(3)],
                Some((1, DamageKind::SegmentChain)),
            ),
            (
                "the last one is lost",
                vec![sealed(0, 3)],
                Some((0, missing(3))),
            ),
        ]);
        let gap = line_up(&[sealed(0, 2), plain(3, 4)]).unwrap();
        assert_eq!(gap.gap.map(|damage| damage.kind), Some(missing(2)));
        assert_eq!((gap.kept, gap.detached), (vec![1], vec![0]));
    }

    #[test]
    fn what_was_given_up_and_came_back_is_before_a_gap() {
        let later = |base| {
            let mut later = segment(base, &[mark(base, base + 1)]);
            later.header.epoch = 1;
            later
        };
        let segments = [segment(0, &[continued(0, 4)]), later(3)];
        let found = line_up(&segments).unwrap();
        assert_eq!((found.kept, found.detached), (vec![1], vec![0]));
        assert_eq!(
            found.gap.map(|gap| (gap.index, gap.kind)),
            Some((1, DamageKind::SegmentChain))
        );

        let segments = [segment(0, &[mark(0, 4)]), later(3)];
        assert_eq!(line_up(&segments).unwrap().detached, [0]);

        // Its records have to tell.
        let segments = [
            segment(0, &[continued(0, 1)]),
            segment(1, &[mark(1, 2)]),
            later(3),
        ];
        let mut found = line_up(&segments).unwrap();
        assert_eq!(
            (&found.kept[..], &found.unfinished[..]),
            (&[0, 1, 2][..], &[1][..])
        );
        assert_eq!(found.doubtful(&segments), [(1, 2)]);
        found.detach_before(2);
        assert_eq!((found.kept, found.detached), (vec![2], vec![0, 1]));
        assert_eq!(found.unfinished, [0; 0]);
    }
}
