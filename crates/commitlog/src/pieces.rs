//! All pieces that were found, and the numbers by which their parts are meant.
//!
//! ```text
//! file 0     pieces 0 1 2      joints | of 0: a b | of 2: c |      parts of piece 0: (0, 0) (0, 1) (0, 2)
//! file 1     piece  3
//! ```
//!
//! Whoever writes a payload can make a piece of every 64 bytes of it. So a part is a number of 8 bytes, and made when it is looked at.

use crate::piece::{Joint, Part, Piece};

/// Those of one file, in the order in which they end.
#[derive(Debug, Default)]
pub(crate) struct FilePieces {
    pieces: Vec<Piece>,
    joints: Vec<Joint>,
}

/// Those of all files.
#[derive(Debug)]
pub(crate) struct Pieces {
    files: Vec<FilePieces>,
    /// By file, the number of its first piece.
    firsts: Vec<u32>,
    count: u32,
}

/// Which part of which piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PartNumber {
    pub(crate) piece: u32,
    part: u32,
}

impl FilePieces {
    /// Adds a piece with these joints, which are in order and within its ids.
    pub(crate) fn push(&mut self, mut piece: Piece, joints: Vec<Joint>) {
        // Behind so many joints there is no number for one more: they took 100 GB.
        if let Ok(first_joint) = u32::try_from(self.joints.len()) {
            piece.first_joint = first_joint;
            self.pieces.push(piece);
            match self.joints.is_empty() {
                true => self.joints = joints,
                false => self.joints.extend(joints),
            }
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Piece> {
        self.pieces.iter_mut()
    }

    fn joints(&self, piece: usize) -> &[Joint] {
        let first = self.pieces[piece].first_joint as usize;
        let next = self.pieces.get(piece + 1);
        let end = next.map_or(self.joints.len(), |next| next.first_joint as usize);
        &self.joints[first..end]
    }
}

impl Pieces {
    /// Those of all files, by the number of the file.
    pub(crate) fn of(files: Vec<FilePieces>) -> Self {
        let (mut firsts, mut count) = (Vec::new(), 0_u32);
        for file in &files {
            firsts.push(count);
            // As many as there are numbers for: more took 200 GB.
            count = count.saturating_add(u32::try_from(file.pieces.len()).unwrap_or(u32::MAX));
        }
        Pieces {
            files,
            firsts,
            count,
        }
    }

    /// The numbers of all parts, in order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = PartNumber> {
        (0..self.count).flat_map(|piece| {
            let (file, place) = self.place(piece);
            let joints = u32::try_from(self.files[file].joints(place).len());
            (0..=joints.unwrap_or(u32::MAX)).map(move |part| PartNumber { piece, part })
        })
    }

    pub(crate) fn piece(&self, piece: u32) -> &Piece {
        let (file, place) = self.place(piece);
        &self.files[file].pieces[place]
    }

    pub(crate) fn part(&self, number: PartNumber) -> Part {
        let (file, place) = self.place(number.piece);
        let file = &self.files[file];
        file.pieces[place].part(file.joints(place), number.part as usize)
    }

    /// The number of the file in which a piece stands.
    pub(crate) fn file(&self, piece: u32) -> usize {
        self.place(piece).0
    }

    /// The file of a piece, and which of its pieces it is.
    fn place(&self, piece: u32) -> (usize, usize) {
        let file = self.firsts.partition_point(|first| *first <= piece) - 1;
        (file, (piece - self.firsts[file]) as usize)
    }
}
