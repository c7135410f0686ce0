//! Waiting for a record to be durable without a thread.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::error::Result;
use crate::log_state::Sleeper;
use crate::shared_log::SharedLog;
use crate::tx_id::TxId;

/// A future that ends when a record is durable: see [`crate::Log::durable`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are polled"]
pub struct Durable {
    shared: Arc<SharedLog>,
    id: TxId,
    /// How many truncations there were when this was made.
    truncations: usize,
    /// As what its waker is known, if it is.
    sleeper: Option<Sleeper>,
}

impl Durable {
    pub(crate) fn new(shared: Arc<SharedLog>, id: TxId) -> Durable {
        let truncations = shared.lock().truncated_to.len();
        Durable {
            shared,
            id,
            truncations,
            sleeper: None,
        }
    }
}

impl Future for Durable {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        // Not with the state held: it is somebody else's code, which may want it.
        let waker = context.waker().clone();
        let mut held = this.shared.lock();
        if let Some(sleeper) = this.sleeper.take() {
            held.forget_sleeper(sleeper);
        }
        loop {
            if let Some(ended) = held.durability(this.id, this.truncations) {
                return Poll::Ready(ended);
            }
            if held.agenda.attendants > 0 || !held.may_sync() {
                this.sleeper = Some(held.sleep(this.id, waker));
                return Poll::Pending;
            }
            // Nobody else would.
            held = match this.shared.lead_sync(held) {
                Ok(held) => held,
                Err(error) => return Poll::Ready(Err(error)),
            };
        }
    }
}

impl Drop for Durable {
    fn drop(&mut self) {
        if let Some(sleeper) = self.sleeper {
            self.shared.lock().forget_sleeper(sleeper);
        }
    }
}
