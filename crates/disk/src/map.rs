//! Bytes of a file seen through memory, without copying.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A read-only map of a part of a file. Cheap to clone; lives as long as any clone.
#[derive(Clone)]
pub struct Map(Arc<dyn AsRef<[u8]> + Send + Sync>);

impl Map {
    /// Wraps anything that owns bytes which never change.
    pub fn new(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Map(Arc::new(bytes))
    }
}

impl Deref for Map {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Map({} bytes)", self.len())
    }
}
