//! Which packs a snapshot leaves behind: of whose bytes too few are used, and, of too many, the smallest.

use crate::replaced::Replaced;

/// So many packs are not read for one snapshot.
const PACKS_MAX: usize = 32;
/// And if there are more, so many stay.
const PACKS_KEPT: usize = 16;
/// Unused bytes that are nothing yet, whatever is used: what a few small packs leave open.
const SPARE_BYTES: u64 = 4 << 20;
/// Beyond that, one unused byte for so many used ones.
const USED_PER_UNUSED: u64 = 4;

/// A pack that a snapshot lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PackUse {
    pub(crate) id: u64,
    /// The length of the file.
    pub(crate) bytes: u64,
    /// How many of them the snapshot refers to.
    pub(crate) used: u64,
}

impl PackUse {
    fn unused(&self) -> u64 {
        self.bytes.saturating_sub(self.used)
    }
}

/// The ids of the packs whose blobs the next snapshot stores anew, so that they go with the snapshots that use them.
///
/// What stays unused once it is written is at most a quarter of what is used, and 4 MiB; so each byte that is written again has had a share in
/// an unused one that is given back. `replaced` is what it stores anew in any case.
pub(crate) fn left_behind(packs: &[PackUse], replaced: &Replaced) -> Vec<u64> {
    let mut left = Vec::new();
    let used: u64 = packs.iter().map(|pack| pack.used).sum();
    let then = |pack: &PackUse| PackUse {
        used: pack.used.saturating_sub(replaced.in_pack(pack.id)),
        ..*pack
    };
    let mut kept: Vec<PackUse> = packs.iter().map(then).collect();
    if kept.len() > PACKS_MAX {
        kept.sort_unstable_by_key(|pack| (std::cmp::Reverse(pack.used), pack.id));
        left.extend(kept.drain(PACKS_KEPT..).map(|pack| pack.id));
    }
    let mut unused: u64 = kept.iter().map(PackUse::unused).sum();
    // The emptiest first: the least is written for each byte that is given back.
    kept.sort_unstable_by(|a, b| {
        let (a_used, b_used) = (u128::from(a.used), u128::from(b.used));
        let order = (a_used * u128::from(b.bytes)).cmp(&(b_used * u128::from(a.bytes)));
        order.then(a.id.cmp(&b.id))
    });
    for pack in kept {
        if unused <= SPARE_BYTES + used / USED_PER_UNUSED {
            break;
        }
        unused -= pack.unused();
        left.push(pack.id);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn pack(id: u64, bytes: u64, used: u64) -> PackUse {
        PackUse { id, bytes, used }
    }

    #[test]
    fn the_emptiest_packs_go_until_little_is_unused() {
        let rows: [(&[PackUse], &[u64]); 6] = [
            (&[], &[]),
            (&[pack(1, 100 * MIB, 100 * MIB)], &[]),
            // 29 MiB unused are allowed beside 100 used.
            (
                &[pack(1, 120 * MIB, 95 * MIB), pack(2, 6 * MIB, 5 * MIB)],
                &[],
            ),
            (
                &[pack(1, 125 * MIB, 95 * MIB), pack(2, 6 * MIB, 5 * MIB)],
                &[1],
            ),
            (
                &[
                    pack(1, 200 * MIB, 90 * MIB),
                    pack(2, 50 * MIB, 2 * MIB),
                    pack(3, 40 * MIB, 39 * MIB),
                ],
                &[2, 1],
            ),
            // A page that is referred to twice counts twice: more is used than there is.
            (&[pack(1, MIB, 2 * MIB), pack(2, 5 * MIB, 0)], &[2]),
        ];
        let none = Replaced::default();
        for (packs, expected) in rows {
            assert_eq!(left_behind(packs, &none), expected, "{packs:?}");
        }
    }

    #[test]
    fn of_too_many_packs_the_smallest_are_written_together() {
        let packs: Vec<PackUse> = (0..33).map(|id| pack(id, 100 + id, 100 + id)).collect();
        let none = Replaced::default();
        assert_eq!(left_behind(&packs[..32], &none), []);
        assert_eq!(
            left_behind(&packs, &none),
            (0..17).rev().collect::<Vec<_>>()
        );
    }
}
