//! Which bytes of a simulated file are mapped.

use std::ops::Range;
use std::sync::{Arc, Weak};

use crate::sim_dir_node::NodeId;

/// The bytes of a map: a copy, since nothing may change them.
pub(crate) struct SimMap {
    bytes: Vec<u8>,
    life: Arc<()>,
}

impl SimMap {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        SimMap {
            bytes,
            life: Arc::new(()),
        }
    }
}

impl AsRef<[u8]> for SimMap {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A map that somebody may still look at.
pub(crate) struct LiveMap {
    node: NodeId,
    range: Range<u64>,
    life: Weak<()>,
}

impl LiveMap {
    pub(crate) fn new(node: NodeId, range: Range<u64>, map: &SimMap) -> Self {
        LiveMap {
            node,
            range,
            life: Arc::downgrade(&map.life),
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.life.strong_count() > 0
    }

    /// Whether it shows one of these bytes of a file.
    pub(crate) fn shows(&self, node: NodeId, changed: &Range<u64>) -> bool {
        self.node == node && self.range.start.max(changed.start) < self.range.end.min(changed.end)
    }
}
