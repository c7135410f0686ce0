//! The bytes of a hash index, written out.
#![allow(clippy::unwrap_used)]

use table::{HashIndex, KeyHash, PAGE_BYTES, PageKind, PageNumber, Pages, RowId, TableId};

const OWNER: TableId = TableId(0x0102_0304);
const HASH_KEY: [u8; 32] = [3; 32];

fn row(page: u32, slot: u16) -> RowId {
    RowId::new(PageNumber::new(page).unwrap(), slot)
}

/// Checks that a page is these bytes at these places and zero everywhere else.
fn check(pages: &Pages, page: u32, pieces: &[(usize, &[u8])]) {
    let mut expected = vec![0_u8; PAGE_BYTES];
    for (byte_offset, bytes) in pieces {
        expected[*byte_offset..*byte_offset + bytes.len()].copy_from_slice(bytes);
    }
    let found = pages
        .get(PageNumber::new(page).unwrap())
        .unwrap()
        .as_bytes();
    let differs = (0..PAGE_BYTES).find(|i| found[*i] != expected[*i]);
    assert_eq!(
        differs,
        None,
        "page {page}: {:02X?}",
        &found[differs.unwrap_or(0) & !63..][..64]
    );
}

/// The key of a `u64` column.
fn key(number: u64) -> [u8; 9] {
    let mut key = [1; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

#[test]
fn a_bucket_is_these_bytes() {
    let (mut pages, mut index) = (Pages::new(), HashIndex::new());
    let hash = KeyHash::new(&HASH_KEY, &key(7));
    // Nine rows of one key: seven in their home line, two in the next one. The second one goes, and another one comes.
    for slot in 0..9 {
        index
            .insert(&mut pages, OWNER, hash, row(0x0ABC_DEF0, slot))
            .unwrap();
    }
    assert!(
        index
            .remove(&mut pages, OWNER, hash, row(0x0ABC_DEF0, 1))
            .unwrap()
    );
    assert!(
        index
            .remove(&mut pages, OWNER, hash, row(0x0ABC_DEF0, 7))
            .unwrap()
    );
    let other = KeyHash::new(&HASH_KEY, b"a key of more than sixteen bytes");
    index.insert(&mut pages, OWNER, other, row(1, 2)).unwrap();
    let header = [
        8, 1, 0, 0, 4, 3, 2, 1, // hash bucket, version 1, owner
    ];
    let number = [1, 0, 0, 0]; // the only bucket
    // Bucket bits 0x3F8F968: tag E8 with the bit that says it is in use, 7F1F2 in front of the entries, steps of 41 lines.
    let home_tags = [
        0xE8, 0, 0xE8, 0xE8, 0xE8, 0xE8, 0xE8, 1, // seven tags, one freed; one entry passed
    ];
    let home_entries = [
        0, 0, 0xEF, 0xCD, 0xAB, 0x20, 0x1F, 0x7F, // slot 0 of the page, displacement 0
        0, 0, 0, 0, 0, 0, 0, 0, //
        2, 0, 0xEF, 0xCD, 0xAB, 0x20, 0x1F, 0x7F, //
        3, 0, 0xEF, 0xCD, 0xAB, 0x20, 0x1F, 0x7F, //
        4, 0, 0xEF, 0xCD, 0xAB, 0x20, 0x1F, 0x7F, //
        5, 0, 0xEF, 0xCD, 0xAB, 0x20, 0x1F, 0x7F, //
        6, 0, 0xEF, 0xCD, 0xAB, 0x20, 0x1F, 0x7F,
    ];
    let next_tags = [
        0, 0xE8, 0, 0, 0, 0, 0, 0, // two tags, one freed
    ];
    let next_entries = [
        0, 0, 0, 0, 0, 0, 0, 0, //
        8, 0, 0xEF, 0xCD, 0xAB, 0x21, 0x1F, 0x7F, // displacement 1
    ];
    let other_tags = [0x87, 0, 0, 0, 0, 0, 0, 0];
    let other_entries = [2, 0x10, 0, 0, 0, 0, 0x3D, 0x80];
    check(
        &pages,
        0,
        &[
            (0, &header),
            (32, &number),
            (64 + 8 * 379, &home_tags),
            (64 + 8 * (379 + 41), &next_tags),
            (64 + 8 * 3, &other_tags),
            (4152 + 56 * 379, &home_entries),
            (4152 + 56 * (379 + 41), &next_entries),
            (4152 + 56 * 3, &other_entries),
        ],
    );
}

#[test]
fn a_directory_is_these_bytes() {
    let (mut pages, mut index) = (Pages::new(), HashIndex::new());
    pages.allocate(PageKind::Row, OWNER).unwrap();
    for number in 0..5_300_u32 {
        let hash = KeyHash::new(&HASH_KEY, &key(number.into()));
        index
            .insert(&mut pages, OWNER, hash, row(number / 100, 0))
            .unwrap();
    }
    // The first split comes with entry 3081, the second with 5161.
    assert_eq!(index.page_count(&pages).unwrap(), 4);
    let header = [
        6, 1, 0, 0, 4, 3, 2, 1, // hash directory, version 1, level 0, owner
    ];
    let links = [
        2, 0, 0, 0, // the first bucket in page 1
        3, 0, 0, 0, // the second in page 2
        5, 0, 0, 0, // the third in page 4, for the directory is page 3
    ];
    check(&pages, 3, &[(0, &header), (64, &links)]);
    let numbers = [1, 2, 4].map(|page| {
        let page = pages.get(PageNumber::new(page).unwrap()).unwrap();
        u32::from_le_bytes(page.as_bytes()[32..36].try_into().unwrap())
    });
    assert_eq!(numbers, [4, 3, 5]);
}

#[test]
fn what_is_stored_of_an_index_names_it_again() {
    let (mut pages, mut index) = (Pages::new(), HashIndex::new());
    for number in 0..40_u16 {
        let hash = KeyHash::new(&HASH_KEY, &key(u64::from(number) % 3));
        index
            .insert(&mut pages, OWNER, hash, row(1, number))
            .unwrap();
    }
    for (index, expected) in [
        // Root: page 0; buckets; entries in lines; no tree.
        (index, &[1, 0, 1, 40, 0, 0, 0][..]),
        (HashIndex::new(), &[0, 0, 0, 0, 0, 0]),
    ] {
        let stored = postcard::to_stdvec(&index).unwrap();
        assert_eq!(stored, expected);
        assert_eq!(postcard::from_bytes::<HashIndex>(&stored).unwrap(), index);
    }
    // No root with a bucket; a root without one; buckets without an entry; entries without a bucket; too many buckets; more
    // entries than slots (3578).
    for stored in [
        &[0, 1, 1, 0, 0, 0][..],
        &[1, 0, 0, 1, 0, 0, 0],
        &[1, 0, 1, 0, 0, 0, 0],
        &[0, 0, 1, 0, 0, 0],
        &[1, 0, 0x81, 0x8C, 0xF0, 0x1F, 1, 0, 0, 0],
        &[1, 0, 1, 0xFA, 0x1B, 0, 0, 0],
    ] {
        assert!(
            postcard::from_bytes::<HashIndex>(stored).is_err(),
            "{stored:?}"
        );
    }
}
