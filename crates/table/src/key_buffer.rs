//! Where the bytes of a key go while it is encoded, and those of a row.

/// What takes the bytes of a key, piece by piece.
pub(crate) trait KeyBytes {
    /// The next bytes.
    fn put(&mut self, bytes: &[u8]);

    /// A byte, and the next ones.
    #[inline(always)]
    fn put_tagged<const N: usize>(&mut self, tag: u8, bytes: [u8; N]) {
        self.put(&[tag]);
        self.put(&bytes);
    }
}

impl KeyBytes for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// What takes the bytes of a row, and lets those that came be changed.
pub(crate) trait RowBytes: KeyBytes {
    /// How many there are.
    fn length(&self) -> usize;

    /// All of them.
    fn bytes_mut(&mut self) -> &mut [u8];
}

impl RowBytes for Vec<u8> {
    #[inline]
    fn length(&self) -> usize {
        self.len()
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }
}

/// A key that is made to be looked for once.
pub(crate) type KeyBuffer = ShortBuffer<48>;

/// A row or two that are encoded to be put elsewhere.
pub(crate) type RowBuffer = ShortBuffer<192>;

/// Bytes that cost no allocation if they are at most `SHORT`.
#[derive(Debug)]
pub(crate) struct ShortBuffer<const SHORT: usize> {
    short: [u8; SHORT],
    /// Invariant: at most `SHORT`; zero when `long` is used.
    length: usize,
    long: Vec<u8>,
}

impl<const SHORT: usize> ShortBuffer<SHORT> {
    #[inline]
    pub(crate) fn new() -> Self {
        ShortBuffer {
            short: [0; SHORT],
            length: 0,
            long: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        if self.long.is_empty() {
            &self.short[..self.length]
        } else {
            &self.long
        }
    }

    /// Keeps only the first bytes.
    #[inline]
    pub(crate) fn truncate(&mut self, length: usize) {
        self.long.truncate(length);
        self.length = self.length.min(length);
    }
}

impl<const SHORT: usize> RowBytes for ShortBuffer<SHORT> {
    #[inline]
    fn length(&self) -> usize {
        self.length.max(self.long.len())
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        if self.long.is_empty() {
            &mut self.short[..self.length]
        } else {
            &mut self.long
        }
    }
}

impl<const SHORT: usize> KeyBytes for ShortBuffer<SHORT> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if self.long.is_empty() && end <= SHORT {
            self.short[self.length..end].copy_from_slice(bytes);
            self.length = end;
            return;
        }
        self.long.extend_from_slice(&self.short[..self.length]);
        self.long.extend_from_slice(bytes);
        self.length = 0;
    }
}

/// What is left of a key while another one is compared with it, piece by piece; nothing when they differ.
#[derive(Debug)]
pub(crate) struct KeyRest<'k>(Option<&'k [u8]>);

impl<'k> KeyRest<'k> {
    #[inline]
    pub(crate) fn new(key: &'k [u8]) -> KeyRest<'k> {
        KeyRest(Some(key))
    }

    /// Whether all of the key came by, and nothing else.
    #[inline]
    pub(crate) fn is_matched(&self) -> bool {
        self.0.is_some_and(<[u8]>::is_empty)
    }
}

impl KeyBytes for KeyRest<'_> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.0 = self.0.and_then(|rest| rest.strip_prefix(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_holds_keys_of_all_lengths() {
        let text: Vec<u8> = (0..200).collect();
        for length in 0..text.len() {
            for piece in [1, 9, 47, 48, 49, 200] {
                let mut buffer = KeyBuffer::new();
                text[..length]
                    .chunks(piece)
                    .for_each(|piece| buffer.put(piece));
                assert_eq!(buffer.bytes(), &text[..length]);
            }
        }
    }

    #[test]
    fn a_key_is_matched_by_itself_alone() {
        for (key, pieces, expected) in [
            (&b"abc"[..], &["a", "bc"][..], true),
            (b"abc", &["abc", ""], true),
            (b"", &[], true),
            (b"abc", &["ab"], false),
            (b"abc", &["abc", "d"], false),
            (b"abc", &["b", "abc"], false),
        ] {
            let mut rest = KeyRest::new(key);
            pieces.iter().for_each(|piece| rest.put(piece.as_bytes()));
            assert_eq!(rest.is_matched(), expected, "{pieces:?}");
        }
    }
}
