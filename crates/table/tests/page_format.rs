//! The bytes of index nodes, written out.
#![allow(clippy::unwrap_used)]

use std::ops::Bound;

use table::{BTree, PAGE_BYTES, PageKind, PageNumber, Pages, RowId, TableId};

const OWNER: TableId = TableId(0x0102_0304);

fn number(number: u32) -> PageNumber {
    PageNumber::new(number).unwrap()
}

/// Checks that a page is these bytes at these places and zero everywhere else.
fn check(pages: &Pages, page: u32, pieces: &[(usize, &[u8])]) {
    let mut expected = vec![0_u8; PAGE_BYTES];
    for (byte_offset, bytes) in pieces {
        expected[*byte_offset..*byte_offset + bytes.len()].copy_from_slice(bytes);
    }
    let found = pages.get(number(page)).unwrap().as_bytes();
    let differs = (0..PAGE_BYTES).find(|i| found[*i] != expected[*i]);
    assert_eq!(
        differs,
        None,
        "page {page}: {:?}",
        &found[differs.unwrap_or(0) & !7..][..8]
    );
}

#[test]
fn a_leaf_is_these_bytes() {
    let mut pages = Pages::new();
    let mut tree = BTree::new();
    let row = |page, slot| RowId::new(number(page), slot);
    for (key, row) in [
        (&b"abcdefg"[..], row(1, 2)),
        (b"ab", row(0x0ABC_DEF0, 0x123)),
        (b"gone", row(5, 5)),
        (b"abcx", row(1, 0)),
    ] {
        assert!(tree.insert(&mut pages, OWNER, key, row).unwrap());
    }
    assert!(tree.remove(&mut pages, OWNER, b"gone", row(5, 5)).unwrap());
    let header = [
        2, 1, 0, 0, 4, 3, 2, 1, // index leaf, version 1, level 0, owner
        0, 0, 0, 0, 0, 0, 0, 0, //
        0, 0, 0, 0, 0, 0, 0, 0, //
        0, 0, 3, 0, 0xD3, 0x7F, 11,
        0, // 3 entries, the heap from 32723 on, 11 bytes of it dead
        0, 0, 0, 0, 0, 0, 0, 0, // no common prefix: "gone" had none with the others
    ];
    let directory = [
        0, 0, 0x62, 0x61, 0xE9, 0x7F, // "ab\0\0", 32745
        0x64, 0x63, 0x62, 0x61, 0xF2, 0x7F, // "abcd", 32754
        0x78, 0x63, 0x62, 0x61, 0xD3, 0x7F, // "abcx", 32723
    ];
    let abcx = [4, 0, 0, 0, 0, 0x10, 0, b'a', b'b', b'c', b'x'];
    let ab = [2, 0, 0xAB, 0xCD, 0xEF, 0x01, 0x23, b'a', b'b'];
    let abcdefg = [
        7, 0, 0, 0, 0, 0x10, 2, b'a', b'b', b'c', b'd', b'e', b'f', b'g',
    ];
    check(
        &pages,
        0,
        &[
            (0, &header),
            (64, &directory),
            (32_723, &abcx),
            (32_745, &ab),
            (32_754, &abcdefg),
        ],
    );
}

#[test]
fn an_inner_node_is_these_bytes() {
    let mut pages = Pages::new();
    pages.allocate(PageKind::Row, OWNER).unwrap();
    // Eight keys of 4000 bytes are a leaf and nearly nothing more: the ninth begins the next leaf.
    let keys: Vec<Vec<u8>> = (b'a'..=b'i')
        .map(|letter| {
            let mut key = b"prefix".to_vec();
            key.resize(4_000, letter);
            key
        })
        .collect();
    let tree =
        BTree::bulk_build(&mut pages, OWNER, keys.iter().map(|key| (key, RowId::MIN))).unwrap();
    assert_eq!((tree.height(), pages.page_count()), (2, 4));
    let header = [
        3, 1, 1, 0, 4, 3, 2, 1, // index inner node, version 1, level 1, owner
        0, 0, 0, 0, 0, 0, 0, 0, //
        0, 0, 0, 0, 0, 0, 0, 0, //
        0, 0, 1, 0, 0xEE, 0x7F, 0, 0, // 1 entry, the heap from 32750 on
        2, 0, 0, 0, 7, 0, 0,
        0, // leftmost child is page 1; all keys begin with the same 7 bytes
    ];
    let directory = [0, 0, 0, 0, 0xEE, 0x7F];
    let entry = [
        7, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, b'p', b'r', b'e', b'f', b'i', b'x', b'i',
    ];
    check(
        &pages,
        3,
        &[(0, &header), (64, &directory), (32_750, &entry)],
    );

    let leaf = pages.get(number(1)).unwrap();
    assert_eq!(
        leaf.as_bytes()[36..38],
        [6, 0],
        "all keys begin with the same 6 bytes"
    );
    assert_eq!(leaf.as_bytes()[64..68], [b'a'; 4]);
    let first = tree
        .first_at_or_after(&pages, Bound::Excluded(&keys[7]))
        .unwrap();
    assert_eq!(first, Some((keys[8].as_slice(), RowId::MIN)));
}
