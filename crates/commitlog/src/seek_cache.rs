//! Where some records begin, remembered to find others near them.
//!
//! ```text
//! segment    header  A  B  frames ........................................................
//!                              |             |                |             |
//! remembered                 id, byte      id, byte         id, byte      id, byte     about one in 64 KiB
//!                            chain         chain            chain         chain
//! ```
//!
//! Only a cache, in memory and bounded: a remembered place is believed only if a frame stands there whose checksums hold, which has
//! the expected id and which continues the remembered chain. Where it does not, or where reading on from it fails, the reader begins at
//! the segment's front instead. So an empty, stale or wrong cache changes no answer. Verdicts never ask it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::chain::Chain;
use crate::frame_cursor::Position;
use crate::tx_id::TxId;

/// How far remembered places are apart, about: so much is passed over at most to get from one to a record behind it.
const STRIDE_BYTES: u64 = 64 << 10;

/// When so many places are remembered (those of 2 GiB), all are forgotten: about 2 MiB of memory at most.
const PLACES_MAX: usize = 1 << 15;

/// Places of records by segment and id. Threads may share it.
#[derive(Debug, Default)]
pub(crate) struct SeekCache {
    places: Mutex<BTreeMap<(TxId, TxId), (u64, Chain)>>,
}

impl SeekCache {
    /// Remembers where the frame behind another one begins, if a stride ends between the two.
    #[inline]
    pub(crate) fn note(&self, base: TxId, before: Position, after: Position) {
        if before.byte / STRIDE_BYTES != after.byte / STRIDE_BYTES {
            self.remember(base, after);
        }
    }

    #[cold]
    fn remember(&self, base: TxId, position: Position) {
        let mut places = self.places();
        if places.len() >= PLACES_MAX {
            places.clear();
        }
        places.insert((base, position.id), (position.byte, position.chain));
    }

    /// The last remembered place in a segment that is not behind record `id`.
    pub(crate) fn nearest(&self, base: TxId, id: TxId) -> Option<Position> {
        let places = self.places();
        let mut before = places.range((base, base)..=(base, id.max(base)));
        let (&(_, id), &(byte, chain)) = before.next_back()?;
        Some(Position { id, byte, chain })
    }

    /// Forgets a segment, of which something that was remembered turned out to be wrong.
    pub(crate) fn forget(&self, base: TxId) {
        self.places().retain(|(segment, _), _| *segment != base);
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<(TxId, TxId), (u64, Chain)>> {
        // Whatever a thread that panicked has left is no worse than garbage.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use disk::SimDisk;

    use super::*;
    use crate::error::Result;
    use crate::format::{FRAMES_BYTE, FrameHeader, frame_bytes};
    use crate::read_only_log::{ReadOnlyLog, ReadOnlyOptions};
    use crate::reader::Reader;
    use crate::still_log::StillLog;
    use crate::{Log, LogId, Options};

    const RECORDS: u64 = 900;

    /// About 1.8 MB of records in segments of 600 kB. Each 50th holds copies of older frames of this log, header and all.
    fn log(disk: &SimDisk) -> Log {
        let options = Options {
            segment_bytes_max: 600_000,
            ..Options::default()
        };
        let log_id = LogId(*b"places to go to!");
        let log = Log::create(disk.root(), log_id, options, &[(b"genesis", None)]).unwrap();
        let mut frames = Vec::new();
        for number in 1..RECORDS {
            let mut payload = vec![7; usize::try_from(number * 997 % 4000).unwrap()];
            if number % 50 == 0 {
                payload = frames.split_off(frames.len() - 4000);
            }
            let id = log.append(&payload, None).unwrap();
            let payload_length = u32::try_from(payload.len()).unwrap();
            let header = FrameHeader {
                payload_length,
                id,
                time: None,
                chain_after: log.chain_at_end(),
            };
            let start = frames.len();
            frames.extend_from_slice(&header.encode());
            frames.extend_from_slice(&payload);
            frames.resize(
                start + usize::try_from(frame_bytes(payload_length)).unwrap(),
                0,
            );
        }
        log.sync().unwrap();
        log
    }

    /// What a reader says that begins at `id`: the chain before it and three records.
    fn answer(reader: Result<Reader>) -> Vec<String> {
        let mut reader = reader.unwrap();
        let mut said = vec![format!("{:?}", reader.chain_here().unwrap())];
        for _ in 0..3 {
            said.push(format!("{:?}", reader.next_record().unwrap()));
        }
        said
    }

    /// Every place that is remembered, made wrong by `change` or dropped.
    fn change(cache: &SeekCache, mut change: impl FnMut(Position) -> Option<Position>) {
        let mut places = cache.places();
        let before = std::mem::take(&mut *places);
        for ((base, id), (byte, chain)) in before {
            if let Some(wrong) = change(Position { id, byte, chain }) {
                places.insert((base, wrong.id), (wrong.byte, wrong.chain));
            }
        }
    }

    fn scramble(seed: &mut u64) -> u64 {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *seed >> 16
    }

    #[test]
    fn whatever_is_remembered_every_answer_is_the_same() {
        let disk = SimDisk::new(1);
        let log = log(&disk);
        let still = ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]).unwrap();
        let live_cache = log.shared().seek_cache();
        let still_cache = still.still().seek_cache();
        let expected: Vec<Vec<String>> = (0..=RECORDS)
            .map(|id| {
                live_cache.places().clear();
                answer(log.reader(TxId(id)))
            })
            .collect();
        let mut seed = 1;
        let garbage = |position: Position| Position {
            byte: scramble(&mut seed) % 700_000,
            ..position
        };
        let mut garbage = garbage;
        type Change<'a> = Box<dyn FnMut(Position) -> Option<Position> + 'a>;
        let changes: Vec<(&str, Change<'_>)> = vec![
            ("kept", Box::new(Some)),
            ("dropped", Box::new(|_| None)),
            ("garbage", Box::new(|position| Some(garbage(position)))),
            (
                "behind the end",
                Box::new(|position| {
                    let byte = u64::MAX;
                    Some(Position { byte, ..position })
                }),
            ),
            (
                "at the front",
                Box::new(|position| {
                    let byte = FRAMES_BYTE;
                    Some(Position { byte, ..position })
                }),
            ),
            (
                "not aligned",
                Box::new(|position| {
                    let byte = position.byte + 1;
                    Some(Position { byte, ..position })
                }),
            ),
            (
                "one id too low",
                Box::new(|position| {
                    let id = position.id.previous()?;
                    Some(Position { id, ..position })
                }),
            ),
            (
                "another chain",
                Box::new(|position| {
                    let chain = Chain(position.chain.0 ^ 1);
                    Some(Position { chain, ..position })
                }),
            ),
        ];
        for (name, mut wrong) in changes {
            for id in 0..=RECORDS {
                for cache in [live_cache, &**still_cache] {
                    change(cache, &mut wrong);
                }
                let id = RECORDS - id;
                let index = usize::try_from(id).unwrap();
                assert_eq!(answer(log.reader(TxId(id))), expected[index], "{name}");
                assert_eq!(answer(still.reader(TxId(id))), expected[index], "{name}");
            }
        }
    }

    #[test]
    fn a_place_within_a_payload_that_holds_sound_frames_misleads_nobody() {
        let disk = SimDisk::new(1);
        let log = log(&disk);
        let cache = log.shared().seek_cache();
        // Record 50 holds copies of the frames before it, or the ends of them.
        let extent = Log::inspect(disk.root().as_ref()).unwrap();
        let bytes = disk.read(&extent.segments[0].file).unwrap();
        let mut inside = None;
        let mut chain = extent.chain_before_base;
        let mut reader = log.reader(TxId(0)).unwrap();
        let mut end = usize::try_from(FRAMES_BYTE).unwrap();
        while let Some(record) = reader.next_record().unwrap() {
            let length = u32::try_from(record.payload.len()).unwrap();
            let start = end;
            end += usize::try_from(frame_bytes(length)).unwrap();
            let copied = bytes[end..]
                .windows(end - start)
                .position(|window| window == &bytes[start..end]);
            if let Some(distance) = copied {
                let byte = (end + distance) as u64;
                let id = record.id;
                inside = Some((id, byte, chain));
                break;
            }
            chain = record.chain;
        }
        let (id, byte, chain) = inside.expect("a frame was copied into a payload");
        for from in id.0..id.0 + 60 {
            let expected = {
                cache.places().clear();
                answer(log.reader(TxId(from)))
            };
            cache.places().clear();
            cache.places().insert((TxId(0), id), (byte, chain));
            assert_eq!(answer(log.reader(TxId(from))), expected);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let cache = SeekCache::default();
        for number in 0..3 * PLACES_MAX as u64 {
            let at = |stride: u64| Position {
                id: TxId(number),
                byte: stride * STRIDE_BYTES,
                chain: Chain(0),
            };
            cache.note(TxId(0), at(number), at(number + 1));
            cache.note(TxId(0), at(number), at(number));
            assert!(cache.places().len() <= PLACES_MAX);
        }
        assert!(cache.nearest(TxId(0), TxId(u64::MAX)).is_some());
        assert!(cache.nearest(TxId(1), TxId(u64::MAX)).is_none());
        cache.forget(TxId(0));
        assert!(cache.places().is_empty());
    }

    #[test]
    fn appending_and_seeking_fill_the_cache() {
        let disk = SimDisk::new(1);
        let log = log(&disk);
        let segments = Log::inspect(disk.root().as_ref()).unwrap().segments.len();
        let remembered = log.shared().seek_cache().places().len();
        assert_eq!((segments, remembered), (4, 29));
        let places = Arc::default();
        let options = ReadOnlyOptions::default();
        let still = Arc::new(StillLog::open(disk.root(), &options, &[], places).unwrap());
        for id in 0..RECORDS {
            answer(Reader::of_still_log(Arc::clone(&still), TxId(id)));
        }
        let found: Vec<_> = log
            .shared()
            .seek_cache()
            .places()
            .clone()
            .into_iter()
            .collect();
        let sought: Vec<_> = still.seek_cache().places().clone().into_iter().collect();
        assert_eq!(found, sought);
    }
}
