//! Where some records begin, remembered to find others near them.
//!
//! ```text
//! segment    header  A  B  frames ........................................................
//!                              |             |                |             |
//! remembered                 id, byte      id, byte         id, byte      id, byte     about one in 64 KiB
//!                            chain         chain            chain         chain
//! ```
//!
//! Of a compressed segment the fronts of blocks are remembered, and where in the file those stand.
//!
//! Only a cache, in memory and bounded: a remembered place is believed only if a frame stands there whose checksums hold, which has
//! the expected id and which continues the remembered chain. Where it does not, or where reading on from it fails, the reader begins at
//! the segment's front instead, and the place is forgotten if that comes further. So whatever is remembered, a record that is yielded is the same, and so is what
//! is said of damage to it or behind it. Damage before it, in the same segment, is met by who walks over it: by who has no place behind it. Verdicts never ask the
//! cache.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::chain::Chain;
use crate::frame_cursor::Position;
use crate::landmark::Landmark;
use crate::tx_id::TxId;

/// How far remembered places are apart, about: so much is passed over at most to get from one to a record behind it.
const STRIDE_BYTES: u64 = 64 << 10;

/// When so many places are remembered (those of 2 GiB), all are forgotten: about 2 MiB of memory at most.
const PLACES_MAX: usize = 1 << 15;

/// The segment of a place, whether it is compressed, and the record.
type Key = (TxId, bool, TxId);

/// Where it stands in the file and in the plain segment, and the chain before it.
type Value = (u64, u64, Chain);

/// Places of records by segment and id. Threads may share it.
#[derive(Debug, Default)]
pub(crate) struct SeekCache {
    places: Mutex<BTreeMap<Key, Value>>,
}

/// What of the cache concerns one file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SeekPlaces<'a> {
    pub(crate) cache: &'a SeekCache,
    pub(crate) base: TxId,
    pub(crate) is_packed: bool,
}

impl SeekPlaces<'_> {
    /// Remembers where the frame or block behind another one begins, if a stride ends between the two.
    #[inline]
    pub(crate) fn note(&self, before: Landmark, after: Landmark) {
        if before.position.byte / STRIDE_BYTES != after.position.byte / STRIDE_BYTES {
            self.remember(after);
        }
    }

    #[cold]
    fn remember(&self, landmark: Landmark) {
        let mut places = self.cache.places();
        if places.len() >= PLACES_MAX {
            places.clear();
        }
        let Position { id, byte, chain } = landmark.position;
        places.insert(self.key(id), (landmark.file_byte, byte, chain));
    }

    /// The last remembered place that is not behind record `id`.
    pub(crate) fn nearest(&self, id: TxId) -> Option<Landmark> {
        let places = self.cache.places();
        let mut before = places.range(self.key(self.base)..=self.key(id.max(self.base)));
        let (&(_, _, id), &(file_byte, byte, chain)) = before.next_back()?;
        Some(Landmark {
            position: Position { id, byte, chain },
            file_byte,
        })
    }

    /// Forgets a place that turned out to be of no use.
    pub(crate) fn forget(&self, id: TxId) {
        self.cache.places().remove(&self.key(id));
    }

    fn key(&self, id: TxId) -> Key {
        (self.base, self.is_packed, id)
    }
}

impl SeekCache {
    /// What is remembered of the file of a segment.
    #[inline]
    pub(crate) fn of(&self, base: TxId, is_packed: bool) -> SeekPlaces<'_> {
        SeekPlaces {
            cache: self,
            base,
            is_packed,
        }
    }

    /// Forgets a segment, of which something that was remembered turned out to be wrong.
    pub(crate) fn forget(&self, base: TxId) {
        self.places().retain(|(segment, _, _), _| *segment != base);
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<Key, Value>> {
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
    fn change(cache: &SeekCache, mut change: impl FnMut(Landmark) -> Option<Landmark>) {
        let mut places = cache.places();
        let before = std::mem::take(&mut *places);
        for ((base, is_packed, id), (file_byte, byte, chain)) in before {
            let landmark = Landmark {
                position: Position { id, byte, chain },
                file_byte,
            };
            if let Some(wrong) = change(landmark) {
                let Position { id, byte, chain } = wrong.position;
                places.insert((base, is_packed, id), (wrong.file_byte, byte, chain));
            }
        }
    }

    fn scramble(seed: &mut u64) -> u64 {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *seed >> 16
    }

    type Change = Box<dyn FnMut(Landmark) -> Option<Landmark>>;

    fn moved(change: impl Fn(&mut Landmark) + 'static) -> Change {
        Box::new(move |mut landmark| {
            change(&mut landmark);
            Some(landmark)
        })
    }

    /// In which ways all that is remembered may be wrong.
    fn changes() -> Vec<(&'static str, Change)> {
        let mut seed = 1;
        let mut other_seed = 2;
        vec![
            ("kept", Box::new(Some)),
            ("dropped", Box::new(|_| None)),
            (
                "garbage",
                Box::new(move |mut landmark| {
                    landmark.position.byte = scramble(&mut seed) % 700_000;
                    Some(landmark)
                }),
            ),
            (
                "garbage in the file",
                Box::new(move |mut landmark| {
                    landmark.file_byte = scramble(&mut other_seed) % 700_000;
                    Some(landmark)
                }),
            ),
            ("behind the end", moved(|to| to.position.byte = u64::MAX)),
            ("behind the file", moved(|to| to.file_byte = u64::MAX)),
            ("at the front", moved(|to| to.position.byte = FRAMES_BYTE)),
            (
                "at the front of the file",
                moved(|to| to.file_byte = FRAMES_BYTE),
            ),
            ("before it", moved(|to| to.file_byte = 0)),
            ("not aligned", moved(|to| to.position.byte += 1)),
            (
                "one id too low",
                moved(|to| to.position.id.0 = to.position.id.0.saturating_sub(1)),
            ),
            ("another chain", moved(|to| to.position.chain.0 ^= 1)),
        ]
    }

    #[test]
    fn whatever_is_remembered_every_answer_is_the_same() {
        for compressed in [false, true] {
            let disk = SimDisk::new(1);
            let log = log(&disk);
            let expected: Vec<Vec<String>> = (0..=RECORDS)
                .map(|id| {
                    log.shared().seek_cache().places().clear();
                    answer(log.reader(TxId(id)))
                })
                .collect();
            while compressed && log.compress_sealed().unwrap().is_some() {}
            let still = ReadOnlyLog::open(disk.root(), ReadOnlyOptions::default(), &[]).unwrap();
            let caches = [log.shared().seek_cache(), &**still.still().seek_cache()];
            for (name, mut wrong) in changes() {
                for id in (0..=RECORDS).rev() {
                    for cache in caches {
                        change(cache, &mut wrong);
                    }
                    let expected = &expected[usize::try_from(id).unwrap()];
                    assert_eq!(&answer(log.reader(TxId(id))), expected, "{name}");
                    assert_eq!(&answer(still.reader(TxId(id))), expected, "{name}");
                }
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
            cache
                .places()
                .insert((TxId(0), false, id), (byte, byte, chain));
            assert_eq!(answer(log.reader(TxId(from))), expected);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let cache = SeekCache::default();
        let places = cache.of(TxId(0), false);
        for number in 0..3 * PLACES_MAX as u64 {
            let at = |stride: u64| {
                Landmark::plain(Position {
                    id: TxId(number),
                    byte: stride * STRIDE_BYTES,
                    chain: Chain(0),
                })
            };
            places.note(at(number), at(number + 1));
            places.note(at(number), at(number));
            assert!(cache.places().len() <= PLACES_MAX);
        }
        assert!(places.nearest(TxId(u64::MAX)).is_some());
        assert!(cache.of(TxId(0), true).nearest(TxId(u64::MAX)).is_none());
        assert!(cache.of(TxId(1), false).nearest(TxId(u64::MAX)).is_none());
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
