//! Which segments make up the log, decided from their headers and marks alone.
//!
//! ```text
//! its successor begins at or below the floor             leftover of a prune: ignored, then removed
//! the oldest one begins above the floor                  the segments before it are lost: see `examine`
//! a later segment of a lower epoch                       leftover of a truncation: ignored, then removed
//! continued, and its successor begins there              in order
//! not continued, but it has a successor                  interrupted rotation: to be completed
//! continued, without a successor                         damaged: a segment is lost
//! continued, and its successor begins later              damaged: a segment is lost
//! continued, and its successor begins elsewhere          damaged: the histories differ
//! a name, a log id that is not its own                   damaged
//! a mark that it can not have, or none in the first      damaged
//! compressed, and not continued                          damaged
//! ```
//!
//! The floor is the greatest that a mark names: the first record that the log keeps. Why the log has to say so: a prune whose sync failed has
//! removed a segment in memory only, and nothing can sync that removal again, for its name is gone. The next prunes remove younger segments
//! durably, and a power cut brings the old one back, which may even be a leftover of a truncation. Without a floor that would look like a lost
//! segment. And where the first segment is lost, that would look like a prune.
//!
//! Invariant, as long as the oldest segment has version 2 or newer: at least two marks name the floor, so that a write that was lost does not make the
//! log look as if its first segment were. A prune writes it to both marks of the newest segment before it removes anything, and segments that
//! take the place of others, or begin a log elsewhere than at 0, have it in both from the start. A mark that is bad may be one that a kill cut off while it
//! was written, and with the other one lost nothing names the floor: then nothing is said to be missing, since a sound log would be refused, and the log begins
//! where it does. A block of zeros is no such mark.

use std::ops::Range;

use crate::damage::DamageKind;
use crate::format::{BODY_BLOCKS, FRAMES_BYTE, MARK_BLOCK_BYTE, Mark, VERSION_WITH_FLOOR};
use crate::segment_facts::SegmentFacts;
use crate::tx_id::TxId;

/// The order of the segments, as indexes into what was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Lineup {
    /// The segments that make up the log, oldest first.
    pub(crate) kept: Vec<usize>,
    /// Those that a truncation or a prune left behind.
    pub(crate) leftovers: Vec<usize>,
    /// Those of `kept` that have a successor and do not say so.
    pub(crate) unfinished: Vec<usize>,
    /// The first record that the log keeps, as far as the marks tell; 0 if it was never pruned. Where they can not tell, because segments are too old
    /// or marks are bad, it is the first one that is there.
    pub(crate) floor: TxId,
    /// The records that the log keeps and that are not there, before the oldest segment.
    pub(crate) missing: Option<Range<TxId>>,
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
    let mut lineup = Lineup {
        floor: segments
            .iter()
            .map(SegmentFacts::floor)
            .max()
            .unwrap_or_default(),
        ..Lineup::default()
    };
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
        let next = segments.get(index + 1).map(|next| next.header.base);
        if header.epoch < epoch || next.is_some_and(|next| next <= lineup.floor) {
            lineup.leftovers.push(index);
        } else {
            epoch = header.epoch;
            lineup.kept.push(index);
        }
    }
    if let Some(oldest) = lineup.kept.first().map(|&index| &segments[index].header)
        && oldest.base > lineup.floor
    {
        let mut kept = lineup.kept.iter().map(|&index| &segments[index]);
        if oldest.version >= VERSION_WITH_FLOOR && !kept.any(|segment| segment.has_bad_mark) {
            lineup.missing = Some(lineup.floor..oldest.base);
        } else {
            lineup.floor = oldest.base;
        }
    }
    for pair in lineup.kept.windows(2) {
        let (index, next) = (pair[0], &segments[pair[1]].header);
        let Some(mark) = segments[index].continued_mark() else {
            if segments[index].proven() > next.base {
                return Err(damage(pair[1], 0, DamageKind::SegmentChain));
            }
            lineup.unfinished.push(index);
            continue;
        };
        if mark.through < next.base {
            let expected = mark.through;
            let kind = DamageKind::SegmentMissing { expected };
            return Err(damage(index, mark.end_byte, kind));
        }
        if mark.through != next.base || mark.chain != next.chain_before {
            return Err(damage(pair[1], 0, DamageKind::SegmentChain));
        }
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
    Ok(lineup)
}

/// A mark that this segment can not have.
fn impossible_mark(segment: &SegmentFacts) -> Option<Mark> {
    let base = segment.header.base;
    segment.marks.into_iter().flatten().find(|mark| {
        let empty = mark.through == base;
        mark.through < base
            || mark.floor > base
            || mark.end_byte < FRAMES_BYTE
            || empty != (mark.end_byte == FRAMES_BYTE)
            || (empty && mark.chain != segment.header.chain_before)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Chain;
    use crate::format::{BODY_FRAMES, SegmentHeader, VERSION};
    use crate::log_id::LogId;

    const FRAME: u64 = 40;

    /// A segment of the records `base..`, each in a frame of 40 bytes, with the chain before a record its id.
    fn segment(base: u64, marks: &[Mark]) -> SegmentFacts {
        let mut blocks = [None; 2];
        for mark in marks {
            // The one before, which is there as long as this one is.
            blocks[1 - mark.block()] = Some(Mark {
                sequence: mark.sequence - 1,
                closed: false,
                continued: false,
                through: TxId(base),
                end_byte: FRAMES_BYTE,
                chain: Chain(base),
                ..*mark
            });
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
            has_bad_mark: false,
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
            unnamed: false,
            floor: TxId(0),
        }
    }

    fn continued(base: u64, through: u64) -> Mark {
        Mark {
            sequence: 5,
            continued: true,
            unnamed: false,
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
                "one in between is lost",
                vec![sealed(0, 2), plain(3, 4)],
                Some((0, missing(2))),
            ),
            (
                "the last one is lost",
                vec![sealed(0, 3)],
                Some((0, missing(3))),
            ),
        ]);
    }

    #[test]
    fn what_lies_wholly_below_the_floor_is_a_leftover_and_no_gap_is_above_it() {
        let with_floor = |mut segment: SegmentFacts, floor| {
            for mark in segment.marks.iter_mut().flatten() {
                mark.floor = TxId(floor);
            }
            segment
        };
        let plain = |base, floor| with_floor(segment(base, &[mark(base, base + 1)]), floor);
        let sealed =
            |base, through, floor| with_floor(segment(base, &[continued(base, through)]), floor);
        let missing = |index, expected| {
            let expected = TxId(expected);
            Err((index, DamageKind::SegmentMissing { expected }))
        };
        let fresh = |base| segment(base, &[]);
        let later = |base| {
            let mut later = plain(base, base);
            later.header.epoch = 1;
            later
        };
        type Found = Result<(Vec<usize>, Vec<usize>), (usize, DamageKind)>;
        // What is found: the segments that are kept, and the leftovers.
        let rows: [(&str, Vec<SegmentFacts>, Found); 13] = [
            (
                "no floor",
                vec![sealed(0, 3, 0), sealed(3, 6, 0), plain(6, 0)],
                Ok((vec![0, 1, 2], vec![])),
            ),
            (
                "not removed yet",
                vec![sealed(0, 3, 0), sealed(3, 6, 0), plain(6, 6)],
                Ok((vec![2], vec![0, 1])),
            ),
            (
                "the oldest one came back",
                vec![sealed(0, 3, 0), sealed(6, 8, 0), plain(8, 6)],
                Ok((vec![1, 2], vec![0])),
            ),
            (
                "two came back",
                vec![sealed(0, 2, 0), sealed(3, 4, 0), plain(6, 6)],
                Ok((vec![2], vec![0, 1])),
            ),
            (
                "a fresh segment, and the one before it has the floor",
                vec![sealed(0, 2, 0), sealed(5, 8, 5), fresh(8)],
                Ok((vec![1, 2], vec![0])),
            ),
            (
                "the floor of an older segment counts as well",
                vec![sealed(0, 2, 0), sealed(5, 8, 5), plain(8, 0)],
                Ok((vec![1, 2], vec![0])),
            ),
            (
                "the first one kept is lost, and one below came back",
                vec![sealed(0, 2, 0), sealed(6, 8, 0), plain(8, 3)],
                missing(0, 2),
            ),
            (
                "the first one kept is lost",
                vec![sealed(6, 8, 0), plain(8, 3)],
                Ok((vec![0, 1], vec![])),
            ),
            (
                "one above the floor is lost",
                vec![sealed(3, 6, 3), plain(8, 3)],
                missing(0, 6),
            ),
            (
                "no floor, and a gap",
                vec![sealed(0, 2, 0), plain(3, 0)],
                missing(0, 2),
            ),
            (
                "what a truncation gave up came back before the floor",
                vec![sealed(2, 9, 0), later(3)],
                Ok((vec![1], vec![0])),
            ),
            (
                "and behind it",
                vec![later(3), sealed(7, 9, 0)],
                Ok((vec![0], vec![1])),
            ),
            (
                "a floor above the segment that names it",
                vec![sealed(0, 2, 0), plain(2, 3)],
                Err((1, DamageKind::Mark { through: TxId(3) })),
            ),
        ];
        for (name, segments, expected) in rows {
            let found = line_up(&segments)
                .map(|lineup| (lineup.kept, lineup.leftovers))
                .map_err(|damage| (damage.index, damage.kind));
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn what_the_log_keeps_and_is_not_there_is_missing_if_the_marks_can_tell() {
        let log = |base, floor, version| {
            let mut first = segment(base, &[continued(base, base + 3)]);
            let mut second = segment(base + 3, &[mark(base + 3, base + 4)]);
            for segment in [&mut first, &mut second] {
                segment.header.version = version;
            }
            for mark in second.marks.iter_mut().flatten() {
                mark.floor = TxId(floor);
            }
            [first, second]
        };
        let found = |log: &[SegmentFacts]| {
            let lineup = line_up(log).expect("nothing else is wrong");
            (lineup.floor, lineup.missing)
        };
        let rows = [
            ((0, 0, 2), 0, None),
            ((4, 4, 2), 4, None),
            // The first segment is kept as long as it may hold the floor.
            ((4, 5, 2), 5, None),
            ((4, 3, 2), 3, Some(TxId(3)..TxId(4))),
            ((4, 0, 2), 0, Some(TxId(0)..TxId(4))),
            // A program that knew no floors may have pruned: what is there begins the log.
            ((4, 0, 1), 4, None),
            ((4, 3, 1), 4, None),
        ];
        for ((base, floor, version), expected, missing) in rows {
            let found = found(&log(base, floor, version));
            assert_eq!(found, (TxId(expected), missing), "{base}, {floor}");
        }
        // A mark that is bad may have said it. Of two that said it no single fault takes both.
        for at in 0..2 {
            for block in 0..2 {
                let mut log = log(4, 3, 2);
                log[at].marks[block] = None;
                assert_eq!(found(&log).1, Some(TxId(3)..TxId(4)), "{at}, {block}");
            }
            let mut bad = log(4, 3, 2);
            bad[at].has_bad_mark = true;
            assert_eq!(found(&bad).1, None, "{at}");
        }
        let mut fresh = log(4, 3, 2).to_vec();
        fresh.push(segment(8, &[]));
        fresh[1].marks = [Some(continued(7, 8)), fresh[1].marks[1]];
        let mut first = mark(8, 8);
        first.sequence = 0;
        fresh[2].marks[0] = Some(first);
        assert_eq!(found(&fresh), (TxId(3), Some(TxId(3)..TxId(4))));
        // What a truncation left behind, without its first mark, when the log itself is lost.
        let mut leftover = [segment(4, &[])];
        let mut second = mark(4, 4);
        second.sequence = 1;
        leftover[0].marks[1] = Some(second);
        assert_eq!(found(&leftover), (TxId(0), Some(TxId(0)..TxId(4))));
    }
}
