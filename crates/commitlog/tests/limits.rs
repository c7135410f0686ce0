//! Arguments and options at the end of their range are refused, or mean what they say: nobody panics, and the log goes on.
#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use commitlog::{Error, Log, LogId, Options, TxId};
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
