//! A place between two records that can be gone to without walking there.

use crate::frame_cursor::Position;

/// A position, and where in the file it is found: the byte of the frame, or of the compressed block that begins there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Landmark {
    pub(crate) position: Position,
    pub(crate) file_byte: u64,
}

impl Landmark {
    /// A place among plain frames, which stand where they count.
    #[inline]
    pub(crate) fn plain(position: Position) -> Landmark {
        Landmark {
            position,
            file_byte: position.byte,
        }
    }
}
