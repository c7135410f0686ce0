//! A point in time as a Rust type of its own.

use table::Value;

/// Nanoseconds since the Unix epoch in UTC, negative before it: what a column of type timestamp holds.
///
/// A type of its own, so that a number is not taken for a time, nor a time for a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl From<Timestamp> for Value {
    fn from(timestamp: Timestamp) -> Value {
        Value::Timestamp(timestamp.0)
    }
}
