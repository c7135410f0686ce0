//! Arguments and options at the end of their range are refused, or mean what they say: nobody panics, and the log goes on.
#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use commitlog::{Error, Handoff, Log, LogId, Options, SyncPolicy, TxId};
use disk::SimDisk;

const LOG_ID: LogId = LogId(*b"to the limit....");

fn create(options: Options) -> Log {
    let disk = SimDisk::new(1);
    Log::create(disk.root(), LOG_ID, options, &[(b"genesis", None)]).unwrap()
}

#[test]
fn waiting_for_a_record_that_there_can_not_be_is_refused() {
    type Wait = fn(&Log, TxId) -> Result<(), Error>;
    let waits: [(&str, Wait); 3] = [
        ("wait_written", Log::wait_written),
        ("wait_durable", Log::wait_durable),
        ("durable", |log, id| {
            match pin!(log.durable(id)).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(ended) => ended,
                Poll::Pending => panic!("nobody else would end it"),
            }
        }),
    ];
    for (name, wait) in waits {
        for id in [u64::MAX, u64::MAX - 1, 1 << 62, 1] {
            let log = create(Options::default());
            match wait(&log, TxId(id)) {
                Err(Error::BeyondEnd { asked, end }) => {
                    assert_eq!((asked, end), (TxId(id), TxId(1)), "{name}");
                }
                other => panic!("{name}({id}): {other:?}"),
            }
            assert_eq!(log.commit(b"goes on", None).unwrap(), TxId(1), "{name}");
        }
    }
}

#[test]
fn an_interval_without_end_never_ends() {
    let log = create(Options {
        sync_policy: SyncPolicy::Interval(Duration::MAX),
        ..Options::default()
    });
    log.commit(b"1", None).unwrap();
    // None has begun.
    assert_eq!(log.maintain(Duration::from_secs(1)).unwrap(), None);
    assert_eq!(log.durable_end(), TxId(2));
    log.commit(b"2", None).unwrap();
    assert_eq!(
        log.maintain(Duration::from_secs(2)).unwrap(),
        Some(Duration::MAX)
    );
    assert_eq!(log.durable_end(), TxId(2));
}

#[test]
fn at_the_end_of_time_all_is_written_that_waits_for_a_while() {
    let log = create(Options {
        handoff: Handoff::Queued,
        ..Options::default()
    });
    log.append(b"1", None).unwrap();
    assert_eq!(log.maintain(Duration::MAX).unwrap(), None);
    assert_eq!(log.chain_after(TxId(1)).unwrap(), log.chain_at_end());
}

#[test]
fn a_queue_without_a_bound_is_one() {
    let log = create(Options {
        queue_bytes_max: usize::MAX,
        ..Options::default()
    });
    for id in 1..4 {
        assert_eq!(log.commit(b"x", None).unwrap(), TxId(id));
    }
}

#[test]
fn the_first_of_all_times_is_none() {
    let log = create(Options::default());
    // Given, read back.
    let rows = [
        (Some(i64::MIN), None),
        (Some(i64::MIN + 1), Some(i64::MIN + 1)),
        (Some(i64::MAX), Some(i64::MAX)),
        (None, None),
    ];
    for (given, read) in rows {
        let id = log.commit(b"x", given).unwrap();
        let mut reader = log.reader(id).unwrap();
        assert_eq!(reader.next_record().unwrap().unwrap().time, read);
    }
}
