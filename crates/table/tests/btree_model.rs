//! The B+tree beside a `BTreeSet`, over long histories of seeded operations.
//!
//! A failure prints its seed; `CAIRN_SEED=<seed> cargo test -p table --test btree_model` replays it alone.
#![allow(clippy::unwrap_used)]

#[path = "support/seeds.rs"]
mod seeds;

use std::collections::BTreeSet;
use std::ops::Bound;

use seeds::seeds;
use table::{BTree, PageKind, PageNumber, Pages, RowId, TableId};

const OWNER: TableId = TableId(4097);

/// splitmix64: small, seeded, the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

type Entry = (Vec<u8>, RowId);
type Model = BTreeSet<Entry>;

/// What keys a history uses.
#[derive(Clone, Copy, Debug)]
enum Keys {
    /// Big-endian numbers, close together: wide nodes, long common prefixes.
    Numbers,
    /// Up to the greatest length, so that nodes have a handful of entries.
    Long,
    /// From nothing to the greatest length, most of them short, with zeros at the end.
    Mixed,
    /// A few keys with very many rows.
    Few,
    /// Long keys that differ at their end only: separators cannot be cut.
    LongAlike,
}

const ALL_KEYS: [Keys; 5] = [
    Keys::Numbers,
    Keys::Long,
    Keys::Mixed,
    Keys::Few,
    Keys::LongAlike,
];

fn key(keys: Keys, random: &mut Random) -> Vec<u8> {
    let filled = |random: &mut Random, len: u64, letters: u64| -> Vec<u8> {
        (0..len)
            .map(|_| u8::try_from(random.below(letters)).unwrap())
            .collect()
    };
    match keys {
        Keys::Numbers => random.below(5_000).to_be_bytes().to_vec(),
        Keys::Long => {
            let len = 3_000 + random.below(1_097);
            let mut key = vec![7; usize::try_from(len).unwrap()];
            let at = usize::try_from(random.below(20)).unwrap();
            key[at] = u8::try_from(random.below(20)).unwrap();
            key[at + 1] = u8::try_from(random.below(20)).unwrap();
            key
        }
        Keys::Mixed => {
            let len = match random.below(20) {
                0 => random.below(4_097),
                1..4 => random.below(600),
                _ => random.below(8),
            };
            filled(random, len, 3)
        }
        Keys::Few => vec![u8::try_from(random.below(3)).unwrap(); 2],
        Keys::LongAlike => {
            let mut key = vec![9; 4_096];
            let end = 4_096 - 2;
            key[end..].copy_from_slice(&u16::try_from(random.below(400)).unwrap().to_be_bytes());
            key
        }
    }
}

fn row(keys: Keys, random: &mut Random) -> RowId {
    let pages = match keys {
        Keys::Few => 400,
        _ => 2,
    };
    let page = PageNumber::new(u32::try_from(random.below(pages)).unwrap()).unwrap();
    RowId::new(page, u16::try_from(random.below(3)).unwrap())
}

fn collect(tree: &BTree, pages: &Pages) -> Vec<Entry> {
    tree.range(pages, Bound::Unbounded, Bound::Unbounded)
        .map(|entry| entry.map(|(key, row)| (key.to_vec(), row)).unwrap())
        .collect()
}

fn check_equal(tree: &BTree, pages: &Pages, model: &Model) {
    tree.check(pages).unwrap();
    assert_eq!(tree.entry_count(), model.len() as u64);
    assert_eq!(tree.is_empty(), model.is_empty());
    assert_eq!(
        tree.page_count(pages).unwrap(),
        pages.page_count(),
        "the tree is alone in there"
    );
    let found = collect(tree, pages);
    assert!(found.iter().eq(model.iter()), "other entries");
}

fn bound(keys: Keys, random: &mut Random) -> Bound<Vec<u8>> {
    match random.below(5) {
        0 => Bound::Unbounded,
        1 | 2 => Bound::Included(key(keys, random)),
        _ => Bound::Excluded(key(keys, random)),
    }
}

fn is_within(key: &[u8], lower: &Bound<Vec<u8>>, upper: &Bound<Vec<u8>>) -> bool {
    let above = match lower {
        Bound::Included(lower) => key >= lower.as_slice(),
        Bound::Excluded(lower) => key > lower.as_slice(),
        Bound::Unbounded => true,
    };
    let below = match upper {
        Bound::Included(upper) => key <= upper.as_slice(),
        Bound::Excluded(upper) => key < upper.as_slice(),
        Bound::Unbounded => true,
    };
    above && below
}

/// A range taken from both ends in a random order gives what the model has, once each.
fn check_range(tree: &BTree, pages: &Pages, model: &Model, keys: Keys, random: &mut Random) {
    let (lower, upper) = (bound(keys, random), bound(keys, random));
    let expected: Vec<&Entry> = model
        .iter()
        .filter(|(key, _)| is_within(key, &lower, &upper))
        .collect();
    let mut range = tree.range(
        pages,
        lower.as_ref().map(Vec::as_slice),
        upper.as_ref().map(Vec::as_slice),
    );
    let (mut front, mut back) = (Vec::new(), Vec::new());
    let side = random.below(4);
    loop {
        let from_front = side == 0 || (side != 1 && random.below(2) == 0);
        let entry = if from_front {
            range.next()
        } else {
            range.next_back()
        };
        let Some(entry) = entry else { break };
        let (key, row) = entry.unwrap();
        if from_front { &mut front } else { &mut back }.push((key.to_vec(), row));
        assert!(front.len() + back.len() <= expected.len());
    }
    assert!(range.next().is_none());
    assert!(range.next_back().is_none());
    back.reverse();
    front.extend(back);
    assert!(
        front.iter().eq(expected),
        "other entries between {lower:?} and {upper:?}"
    );
}

fn run_history(seed: u64, keys: Keys, steps: u64) {
    let mut random = Random(seed);
    let (mut pages, mut tree, mut model) = (Pages::new(), BTree::new(), Model::new());
    let mut views: Vec<(Pages, BTree, Model)> = Vec::new();
    // Growth and decline in turns, so that the tree is emptied again and again.
    let mut growing = true;
    for step in 0..steps {
        if step % (steps / 6 + 1) == 0 {
            growing = !growing || model.is_empty();
        }
        let inserts = random.below(10) < if growing { 8 } else { 2 };
        if inserts {
            let (key, row) = (key(keys, &mut random), row(keys, &mut random));
            let is_new = model.insert((key.clone(), row));
            assert_eq!(tree.insert(&mut pages, OWNER, &key, row).unwrap(), is_new);
            assert!(tree.contains(&pages, &key, row).unwrap());
        } else {
            let wanted = (key(keys, &mut random), row(keys, &mut random));
            let (key, row) = model
                .range(wanted.clone()..)
                .next()
                .cloned()
                .unwrap_or(wanted);
            let was_there = model.remove(&(key.clone(), row));
            assert_eq!(
                tree.remove(&mut pages, OWNER, &key, row).unwrap(),
                was_there
            );
            assert!(!tree.contains(&pages, &key, row).unwrap());
        }
        tree.check(&pages).unwrap();
        let wanted = key(keys, &mut random);
        let first = model.range((wanted.clone(), RowId::MIN)..).next();
        assert_eq!(
            tree.first_at_or_after(&pages, Bound::Included(&wanted))
                .unwrap(),
            first.map(|(key, row)| (key.as_slice(), *row))
        );
        let with_key = first.filter(|(key, _)| *key == wanted).map(|(_, row)| *row);
        assert_eq!(tree.first_with_key(&pages, &wanted).unwrap(), with_key);
        if step % 50 == 0 {
            check_range(&tree, &pages, &model, keys, &mut random);
        }
        if step % 400 == 0 {
            views.push((pages.clone(), tree.clone(), model.clone()));
        }
    }
    check_equal(&tree, &pages, &model);
    for (pages, tree, model) in &views {
        check_equal(tree, pages, model);
    }
    while let Some((key, row)) = model.pop_first() {
        assert!(tree.remove(&mut pages, OWNER, &key, row).unwrap());
    }
    check_equal(&tree, &pages, &model);
    assert_eq!(pages.page_count(), 0, "an empty tree owns no page");
    assert_eq!(tree, BTree::new());
}

#[test]
fn behaves_as_a_btree_set() {
    for seed in seeds("btree_model", 12) {
        for keys in ALL_KEYS {
            run_history(seed, keys, 1_500);
        }
    }
}

#[test]
fn the_same_history_makes_the_same_bytes() {
    let bytes_of = |between: bool| {
        let mut random = Random(77);
        let (mut pages, mut tree) = (Pages::new(), BTree::new());
        let mut views = Vec::new();
        for step in 0..3_000 {
            let (key, row) = (key(Keys::Mixed, &mut random), row(Keys::Mixed, &mut random));
            if step % 3 == 2 {
                tree.remove(&mut pages, OWNER, &key, row).unwrap();
            } else {
                tree.insert(&mut pages, OWNER, &key, row).unwrap();
            }
            // Views make pages be copied; that must not show in them.
            if between && step % 7 == 0 {
                views.push(pages.clone());
            }
        }
        let bytes: Vec<(PageNumber, u32)> = pages
            .iter()
            .map(|(number, page)| (number, page.bytes().unwrap().checksum()))
            .collect();
        (tree, bytes)
    };
    assert_eq!(bytes_of(false), bytes_of(true));
}

fn number_key(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

fn fill(tree: &BTree, pages: &Pages) -> f64 {
    let room = tree.page_count(pages).unwrap() * (32_768 - 64);
    // What an entry of an eight-byte key takes in a leaf.
    let taken = tree.entry_count() * (6 + 7 + 8);
    #[expect(clippy::cast_precision_loss, reason = "a ratio for an assertion")]
    let ratio = taken as f64 / room as f64;
    ratio
}

#[test]
fn ascending_keys_fill_their_leaves() {
    let (mut pages, mut tree) = (Pages::new(), BTree::new());
    for number in 0..100_000 {
        assert!(
            tree.insert(&mut pages, OWNER, &number_key(number), RowId::MIN)
                .unwrap()
        );
    }
    tree.check(&pages).unwrap();
    assert!(fill(&tree, &pages) > 0.95, "{}", fill(&tree, &pages));

    let mut built_pages = Pages::new();
    let sorted = (0..100_000).map(|number| (number_key(number), RowId::MIN));
    let mut built = BTree::bulk_build(&mut built_pages, OWNER, sorted).unwrap();
    built.check(&built_pages).unwrap();
    assert_eq!(collect(&built, &built_pages), collect(&tree, &pages));
    assert_eq!(
        built.page_count(&built_pages).unwrap(),
        tree.page_count(&pages).unwrap()
    );

    built.clear(&mut built_pages).unwrap();
    assert_eq!(built_pages.page_count(), 0);
    assert!(built.is_empty());
}

#[test]
fn a_build_fills_its_inner_nodes() {
    // What tells two neighbours apart stands behind 500 bytes that all have in common, so an inner node has room for some 60 children.
    let keys = (0..20_000_u64).map(|number| {
        let mut key = vec![7; 500];
        key.extend(number.to_be_bytes());
        (key, RowId::MIN)
    });
    let mut pages = Pages::new();
    let tree = BTree::bulk_build(&mut pages, OWNER, keys).unwrap();
    tree.check(&pages).unwrap();
    let of_kind = |kind| {
        let bytes = pages.iter().map(|(_, page)| page.bytes().unwrap());
        bytes.filter(|page| page.kind() == Some(kind)).count()
    };
    assert_eq!(of_kind(PageKind::IndexLeaf), 323);
    assert_eq!(of_kind(PageKind::IndexInner), 7);
}

#[test]
fn a_build_is_what_was_given_in_order() {
    let mut random = Random(3);
    for count in [1, 2, 10, 2_000, 60_000] {
        let entries: BTreeSet<Entry> = (0..count)
            .map(|_| (key(Keys::Mixed, &mut random), row(Keys::Mixed, &mut random)))
            .collect();
        let mut pages = Pages::new();
        let tree = BTree::bulk_build(&mut pages, OWNER, entries.clone()).unwrap();
        check_equal(&tree, &pages, &entries);
    }
    let tree = BTree::bulk_build(&mut Pages::new(), OWNER, [([0], RowId::MIN); 0]).unwrap();
    assert!(tree.is_empty());
}

#[test]
#[should_panic(expected = "entries come in order")]
fn a_build_from_entries_out_of_order_is_refused() {
    let entries = [([2], RowId::MIN), ([1], RowId::MIN)];
    let _ = BTree::bulk_build(&mut Pages::new(), OWNER, entries);
}

#[test]
fn a_queue_keeps_its_size() {
    let (mut pages, mut tree) = (Pages::new(), BTree::new());
    for number in 0..30_000_u64 {
        tree.insert(&mut pages, OWNER, &number_key(number), RowId::MIN)
            .unwrap();
        if let Some(gone) = number.checked_sub(2_500) {
            assert!(
                tree.remove(&mut pages, OWNER, &number_key(gone), RowId::MIN)
                    .unwrap()
            );
        }
        assert!(pages.page_count() <= 6);
    }
    tree.check(&pages).unwrap();
}

#[test]
fn a_stack_at_the_edge_of_a_leaf_does_not_grow() {
    let (mut pages, mut tree) = (Pages::new(), BTree::new());
    let mut number = 0;
    while pages.page_count() < 3 {
        tree.insert(&mut pages, OWNER, &number_key(number), RowId::MIN)
            .unwrap();
        number += 1;
    }
    for _ in 0..1_000 {
        number -= 1;
        assert!(
            tree.remove(&mut pages, OWNER, &number_key(number), RowId::MIN)
                .unwrap()
        );
        tree.check(&pages).unwrap();
        assert_eq!(pages.page_count(), 1);
        tree.insert(&mut pages, OWNER, &number_key(number), RowId::MIN)
            .unwrap();
        number += 1;
        assert_eq!(pages.page_count(), 3);
    }
}

#[test]
fn what_is_stored_of_a_tree_names_it_again() {
    let mut pages = Pages::new();
    pages.allocate(PageKind::Row, OWNER).unwrap();
    let mut tree = BTree::new();
    for number in 0..5_000 {
        tree.insert(&mut pages, OWNER, &number_key(number), RowId::MIN)
            .unwrap();
    }
    for tree in [tree, BTree::new()] {
        let stored = postcard::to_stdvec(&tree).unwrap();
        assert_eq!(postcard::from_bytes::<BTree>(&stored).unwrap(), tree);
    }
    // No root with entries; a root without a level; a root beyond the last page; too high.
    for stored in [
        &[0, 0, 1][..],
        &[1, 0, 0, 1],
        &[1, 0x80, 0x80, 0x80, 0x80, 1, 1, 1],
        &[1, 0, 16, 1],
    ] {
        assert!(postcard::from_bytes::<BTree>(stored).is_err(), "{stored:?}");
    }
}
