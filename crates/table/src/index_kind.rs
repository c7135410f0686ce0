//! What an index can be asked.

/// The structure of an index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum IndexKind {
    /// A B+tree: whole keys, their first columns, ranges, in order.
    #[default]
    Ordered = 1,
    /// Lines of hashes: whole keys only, in fewer steps and half the memory.
    Hash = 2,
}

impl IndexKind {
    /// The byte that stands for it in `st_index`.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The kind that `code` stands for.
    pub fn from_code(code: u8) -> Option<IndexKind> {
        [Self::Ordered, Self::Hash]
            .into_iter()
            .find(|kind| kind.code() == code)
    }

    /// Its name, as the command writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Hash => "hash",
        }
    }
}
