//! Random use of a log compared with a plain vector. A failure prints the shrunken history; proptest keeps nothing on disk.
#![allow(clippy::unwrap_used)]

use commitlog::{Error, Log, LogId, Options, SyncPolicy, TxId};
use disk::SimDisk;
use proptest::prelude::*;

const LOG_ID: LogId = LogId(*b"a model's log id");

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<u8>, Option<i64>),
    Commit(Vec<u8>),
    Sync,
    Rotate,
    Prune(prop::sample::Index),
    Reopen { close: bool },
    ReadFrom(prop::sample::Index),
    ChainAfter(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let payload = || prop::collection::vec(any::<u8>(), 0..600);
    let time = prop::option::of(-1000i64..1000);
    prop_oneof![
        4 => (payload(), time).prop_map(|(payload, time)| Step::Append(payload, time)),
        2 => payload().prop_map(Step::Commit),
        1 => Just(Step::Sync),
        1 => Just(Step::Rotate),
        1 => any::<prop::sample::Index>().prop_map(Step::Prune),
        1 => any::<bool>().prop_map(|close| Step::Reopen { close }),
        2 => any::<prop::sample::Index>().prop_map(Step::ReadFrom),
        1 => any::<prop::sample::Index>().prop_map(Step::ChainAfter),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_log_is_a_vector(
        steps in prop::collection::vec(step(), 0..60),
        segment_bytes_max in 12_288u64..16_000,
        never in any::<bool>(),
    ) {
        let options = Options {
            segment_bytes_max,
            sync_policy: if never { SyncPolicy::Never } else { SyncPolicy::EveryCommit },
            ..Options::default()
        };
        let disk = SimDisk::new(9);
        let mut log = Log::create(disk.root(), LOG_ID, options.clone(), &[(b"genesis", None)]).unwrap();
        let mut model = vec![(b"genesis".to_vec(), None)];
        let mut chains = vec![log.chain_at_end()];
        for step in steps {
            match step {
                Step::Append(payload, time) => {
                    prop_assert_eq!(log.append(&payload, time).unwrap(), TxId(model.len() as u64));
                    model.push((payload, time));
                    chains.push(log.chain_at_end());
                }
                Step::Commit(payload) => {
                    let id = log.commit(&payload, None).unwrap();
                    prop_assert_eq!(id, TxId(model.len() as u64));
                    prop_assert!(never || log.durable_end() > id);
                    model.push((payload, None));
                    chains.push(log.chain_at_end());
                }
                Step::Sync => {
                    log.sync().unwrap();
                    prop_assert_eq!(log.durable_end(), log.next_id());
                }
                Step::Rotate => log.rotate().unwrap(),
                Step::Prune(index) => {
                    let before = TxId(index.index(model.len() + 1) as u64);
                    let old = log.base();
                    let pruned = log.prune_before(before).unwrap();
                    prop_assert_eq!(pruned.base, log.base());
                    prop_assert!(pruned.base == old || pruned.base <= before);
                }
                Step::Reopen { close } => {
                    if close {
                        log.close().unwrap();
                    }
                    drop(log);
                    let (again, report) = Log::open(disk.root(), options.clone(), &[]).unwrap();
                    prop_assert!(!close || report.was_closed);
                    prop_assert_eq!(report.torn, None);
                    prop_assert_eq!(report.end, TxId(model.len() as u64));
                    log = again;
                }
                Step::ReadFrom(index) => {
                    let from = TxId(index.index(model.len() + 1) as u64);
                    match log.reader(from) {
                        Err(Error::Pruned { oldest }) => prop_assert_eq!(oldest, log.base()),
                        Err(error) => prop_assert!(false, "{}", error),
                        Ok(mut reader) => {
                            let mut id = usize::try_from(from.0).unwrap();
                            while let Some(record) = reader.next_record().unwrap() {
                                let (payload, time) = &model[id];
                                prop_assert_eq!(record.id.0, id as u64);
                                prop_assert_eq!((record.payload, record.time), (&payload[..], *time));
                                prop_assert_eq!(record.chain, chains[id]);
                                prop_assert_eq!(record.proven, record.id < log.durable_end());
                                id += 1;
                            }
                            prop_assert_eq!(id, model.len());
                        }
                    }
                }
                Step::ChainAfter(index) => {
                    let id = index.index(model.len());
                    match log.chain_after(TxId(id as u64)) {
                        Ok(chain) => prop_assert_eq!(chain, chains[id]),
                        Err(Error::Pruned { .. }) => prop_assert!((id as u64) + 1 < log.base().0),
                        Err(error) => prop_assert!(false, "{}", error),
                    }
                }
            }
            prop_assert_eq!(log.next_id(), TxId(model.len() as u64));
        }
    }
}
