//! The bytes on disk, written out. A change here is a change of the format.
#![allow(clippy::unwrap_used)]

#[path = "fixture/fixture.rs"]
mod fixture;

use std::ops::ControlFlow;

use disk::SimDisk;
use fixture::{Section, check_content, page, repeatable};
use snapshot::{Blobs, Header, Options, Snapshots};

const PACK: &str = "00000000000000000300-f39dc61e505213ec.pack";

/// Bytes 0 to 96, and 504 to 512; zeros are between.
const HEADER: &str = "
    43 41 49 52 4e 50 43 4b | 02 00 | 00 00 | 99 00 00 00   magic, version 2, 153 bytes of body
    30 31 32 33 34 35 36 37   38 39 61 62 63 64 65 66       log id
    ec 13 52 50 1e c6 9d f3 | 2c 01 00 00 00 00 00 00       pack id, tx 300
    88 77 66 55 44 33 22 11 | c3 11 01 00 00 00 00 00       chain, body at 70083
    f4 b2 d4 05 85 dc aa c5   08 1f c1 87 9a 86 98 27       blake3 of the body
    a2 a7 6c 71 07 0e a2 a4   b5 1e 09 dc cf 95 21 07
                              00 | 00 00 00 | 15 d6 bf 22   published, crc32c
";

/// From the end of the region to the end of the file.
const BODY: &str = "
    30 31 32 33 34 35 36 37   38 39 61 62 63 64 65 66       log id
    ac 02                                                   tx 300
    88 ef 99 ab c5 e8 8c 91 11                              chain 0x1122334455667788
    02                                                      minimum reader 2
    04 6d 65 74 61                                          metadata
    00                                                      no packs but this one
    03                                                      three sections:
    02 | 02 | 01                                              two blobs, height 2, a root:
    5a ba a6 af bd a8 66 e7   7c e9 62 ed 75 7b 64 69           blake3
    60 1e 72 51 54 5a 3b 27   2e 3e 8e 6d 19 9c b5 6b
    ec a7 c8 82 e5 c3 f1 ce f3 01 | a0 a1 04                    this pack, offset 69792
    88 01 | 88 01 | ed ca b8 df 0e | 00                         136 bytes, stored as 136, crc32c, plain
    02 | 01 | 01                                              two blobs, height 1, a root:
    22 1a 66 d0 b4 ac 5c 35   20 f3 fd ae 53 66 6b 09
    d2 52 a3 04 9b 9e 04 2f   53 10 8e ad 2b 16 d2 33
    ec a7 c8 82 e5 c3 f1 ce f3 01 | bb a2 04
    88 01 | 88 01 | 9e af 81 1a | 00
    00 | 00 | 00                                              no blobs, height 0, no root
";

/// Of version 1.
const MANIFEST_1: &str = "00000000000000000300.manifest";

const MANIFEST_1_BYTES: &str = "
    43 41 49 52 4e 4d 46 54 | 01 00 | 00 00 | a8 00 00 00   magic, version 1, 168 bytes of body
    5d b4 e6 4d de ff e0 a8   05 86 98 17 df c5 73 1a       blake3 of the body
    63 da db cd 41 46 50 6c   92 4f 02 e4 3a af 3d 39
    00 00 00 00 00 00 00 00 | 00 | 00 00 00 | 5f 14 ca 4f   published, crc32c
    30 31 32 33 34 35 36 37   38 39 61 62 63 64 65 66       log id
    ac 02                                                   tx 300
    88 ef 99 ab c5 e8 8c 91 11                              chain 0x1122334455667788
    02                                                      minimum reader 2
    04 6d 65 74 61                                          metadata
    01                                                      one pack:
    ac 02 | ec a7 c8 82 e5 c3 f1 ce f3 01 | c3 a3 04          of 300, id 0xf39dc61e505213ec, 70083 bytes
    03                                                      three sections:
    02 | 02 | 01                                              two blobs, height 2, a root:
    5a ba a6 af bd a8 66 e7   7c e9 62 ed 75 7b 64 69           blake3
    60 1e 72 51 54 5a 3b 27   2e 3e 8e 6d 19 9c b5 6b
    ec a7 c8 82 e5 c3 f1 ce f3 01 | a0 a1 04                    pack, offset 69792
    88 01 | 88 01 | ed ca b8 df 0e | 00                         136 bytes, stored as 136, crc32c, plain
    02 | 01 | 01                                              two blobs, height 1, a root:
    22 1a 66 d0 b4 ac 5c 35   20 f3 fd ae 53 66 6b 09
    d2 52 a3 04 9b 9e 04 2f   53 10 8e ad 2b 16 d2 33
    ec a7 c8 82 e5 c3 f1 ce f3 01 | bb a2 04
    88 01 | 88 01 | 9e af 81 1a | 00
    00 | 00 | 00                                              no blobs, height 0, no root
";

const PACK_1_HEADER: &str = "
    43 41 49 52 4e 50 43 4b | 01 00 | 00 00 | 00 00 00 00   magic, version 1
    30 31 32 33 34 35 36 37   38 39 61 62 63 64 65 66       log id
    ec 13 52 50 1e c6 9d f3 | 2c 01 00 00 00 00 00 00       pack id, tx 300
    88 77 66 55 44 33 22 11 | 00 00 00 00 | b0 5d 83 42     chain, crc32c
";

/// From byte 69632 on: 4096 of header and two pages before.
const REGION: &str = "
    6e 6f 64 65 | 01 | 01 | 00 00                           node of height 1 with one pack
    01 00 00 00 00 00 00 00                                 digit 0
    ec 13 52 50 1e c6 9d f3                                 pack 0
    ce f1 17 78 68 41 d0 39   37 70 9c 92 fa c6 e3 aa         blake3 of page 0
    e0 07 4a 31 99 70 40 95   f5 34 cc ec 08 22 f7 95
    00 10 00 00 00 00 00 00                                   offset 4096
    00 80 00 00 | 00 80 00 00                                 32768 bytes, stored as 32768
    84 79 ed ea | 00 | 00 | 00 00                             crc32c, pack 0, plain

    6e 6f 64 65 | 01 | 01 | 00 00                           node of height 1
    01 00 00 00 00 00 00 00
    ec 13 52 50 1e c6 9d f3
    de 8d be f5 e9 7c d9 e4   5d de 4b 0c 6d a9 4e b9         page 64
    ad e8 0d 64 5a 4b 59 e7   ee 8a 7b f7 ea 17 a6 e0
    00 90 00 00 00 00 00 00                                   offset 36864
    00 80 00 00 | 00 80 00 00
    b7 ec 96 34 | 00 | 00 | 00 00

    6e 6f 64 65 | 02 | 01 | 00 00                           node of height 2: the root of section 0
    03 00 00 00 00 00 00 00                                 digits 0 and 1
    ec 13 52 50 1e c6 9d f3
    86 c7 6a 12 5e 60 e5 c3   0a 87 56 6e 1b dd 73 1d         the first node
    59 c0 33 4d e5 ec 9e 0d   0c 82 f7 01 e8 39 5c 40
    00 10 01 00 00 00 00 00                                   offset 69632
    50 00 00 00 | 50 00 00 00                                 length 80
    9d 56 e5 90 | 00 | 00 | 00 00
    97 e1 24 37 9e 5c ff 2c   02 65 3e c3 f1 2d 1b 83         the second node
    0a 93 11 fa 08 91 1f 92   37 8d bb 62 10 f1 8c bd
    50 10 01 00 00 00 00 00                                   offset 69712
    50 00 00 00 | 50 00 00 00
    41 b8 7b 6c | 00 | 00 | 00 00

    68 65 61 64 20 66 69 76 65                              head five
    68 65 61 64 20 73 65 76 65 6e                           head seven

    6e 6f 64 65 | 01 | 01 | 00 00                           node of height 1: the root of section 1
    a0 00 00 00 00 00 00 00                                 digits 5 and 7
    ec 13 52 50 1e c6 9d f3
    81 45 66 fb 7a 75 9c 7f   a7 ae 46 45 ee 8c 3b b7         head five
    99 77 15 0b 3b 96 47 c8   fb bd 3d 1e b4 b1 f4 e1
    28 11 01 00 00 00 00 00                                   offset 69928
    09 00 00 00 | 09 00 00 00                                 9 bytes
    0c 3e 76 cb | 00 | 00 | 00 00
    96 21 c9 dd a3 b2 06 04   f1 6c 87 f7 95 24 9d d9         head seven
    36 3b a3 0d 51 54 08 e7   a7 93 fe cf da af 94 84
    31 11 01 00 00 00 00 00                                   offset 69937
    0a 00 00 00 | 0a 00 00 00
    20 24 5b 08 | 00 | 00 | 00 00
";

/// The bytes of a drawing: what stands on a line before its first word that is no pair of hex digits.
fn bytes(drawing: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in drawing.lines() {
        let words = line.split_whitespace().filter(|word| *word != "|");
        for word in words {
            match u8::from_str_radix(word, 16) {
                Ok(byte) if word.len() == 2 => bytes.push(byte),
                _ => break,
            }
        }
    }
    bytes
}

fn header() -> Header {
    Header {
        log_id: *b"0123456789abcdef",
        tx: 300,
        chain: 0x1122_3344_5566_7788,
        minimum_reader: 2,
        metadata: b"meta".to_vec(),
    }
}

fn golden_sections() -> Vec<Section> {
    vec![
        vec![(0, page(0xaa)), (64, page(0xbb))],
        vec![(5, b"head five".to_vec()), (7, b"head seven".to_vec())],
        vec![],
    ]
}

fn golden_pack() -> Vec<u8> {
    let header = bytes(HEADER);
    let zeros = |to: usize, from: usize| vec![0; to - from];
    let (front, seal) = header.split_at(96);
    let front = [front, &zeros(504, 96), seal].concat();
    assert_eq!(front.len(), 512);
    [
        front,
        zeros(4096, 512),
        page(0xaa),
        page(0xbb),
        bytes(REGION),
        bytes(BODY),
    ]
    .concat()
}

fn golden_pack_1() -> Vec<u8> {
    let header = bytes(PACK_1_HEADER);
    let zeros = vec![0; 4096 - header.len()];
    [header, zeros, page(0xaa), page(0xbb), bytes(REGION)].concat()
}

#[test]
fn the_bytes_written_are_these() {
    let disk = SimDisk::new(1);
    let snapshots = Snapshots::open(disk.root(), repeatable()).unwrap();
    let sections = golden_sections();
    let [pages, heads, none] = &sections[..] else {
        unreachable!()
    };
    let mut pages = Blobs::new(pages.iter().cloned());
    let mut heads = Blobs::new(heads.iter().cloned());
    let mut none = Blobs::new(none.iter().cloned());
    snapshots
        .write(
            &header(),
            &mut [&mut pages, &mut heads, &mut none],
            &mut |_| ControlFlow::Continue(()),
        )
        .unwrap();
    assert_eq!(disk.files(), [PACK]);
    let pack = disk.read(PACK).unwrap();
    let expected = golden_pack();
    assert_eq!(pack.len(), expected.len());
    let differing = pack.iter().zip(&expected).position(|(a, b)| a != b);
    assert_eq!(differing, None, "the first differing byte of the pack");
}

/// Version 2, and version 1, which is not written any more.
fn golden_disks() -> [SimDisk; 2] {
    let [disk, disk_1] = [1, 2].map(SimDisk::new);
    disk.write(PACK, &golden_pack());
    disk_1.write(PACK, &golden_pack_1());
    disk_1.write(MANIFEST_1, &bytes(MANIFEST_1_BYTES));
    [disk, disk_1]
}

#[test]
fn these_bytes_are_read() {
    for disk in golden_disks() {
        let files = disk.files();
        let snapshots = Snapshots::open(disk.root(), repeatable()).unwrap();
        assert_eq!(snapshots.list().unwrap().sound[0].header(), &header());
        check_content(&snapshots, 300, &golden_sections());
        assert_eq!(disk.files(), files);
    }
}

/// The hash of a node, computed from the description alone.
#[test]
fn a_node_is_named_by_height_digits_and_children() {
    let mut hasher = blake3::Hasher::new_derive_key("cairn snapshot tree node v1");
    hasher.update(&[1]);
    hasher.update(&0xa0u64.to_le_bytes());
    hasher.update(blake3::hash(b"head five").as_bytes());
    hasher.update(blake3::hash(b"head seven").as_bytes());
    let name = *hasher.finalize().as_bytes();
    for disk in golden_disks() {
        let snapshots = Snapshots::open(disk.root(), repeatable()).unwrap();
        let root = snapshots.list().unwrap().sound[0].root_hash(1).unwrap();
        assert_eq!(root.0, name);
    }
}

/// The ends of a page of ones as an LZ4 block, between which are 128 bytes ff.
const BLOCK_BEGIN: &str = "
    1f 01 | 01 00                                           a literal, and what follows one byte back: 4 + 15 +
";
const BLOCK_END: &str = "
    66                                                      128 * 255 + 102 = 32761 bytes of it
    60 01 01 01 01 01 01                                    six literals
";

/// What refers to it, behind the hash.
const COMPRESSED_REFERENCE: &str = "
    00 10 00 00 00 00 00 00                                   offset 4096
    00 80 00 00 | 8c 00 00 00                                 32768 bytes, stored as 140
    39 1e f0 4f | 00 | 01 | 00 00                             crc32c of the 140, pack 0, LZ4
";

#[test]
fn a_compressed_page_is_an_lz4_block_without_a_length() {
    let disk = SimDisk::new(1);
    let options = Options {
        compress: true,
        ..repeatable()
    };
    let snapshots = Snapshots::open(disk.root(), options).unwrap();
    let mut pages = Blobs::new([(0, page(1))]);
    let on = &mut |_| ControlFlow::Continue(());
    snapshots.write(&header(), &mut [&mut pages], on).unwrap();
    let file = disk.read(PACK).unwrap();
    assert_eq!(file[8..12], [3, 0, 0, 0]);
    let block = [bytes(BLOCK_BEGIN), vec![0xff; 128], bytes(BLOCK_END)].concat();
    assert_eq!(file[4096..4236], block);
    let node = &file[4236..];
    assert_eq!(node[..4], *b"node");
    assert_eq!(node[24..56], *blake3::hash(&page(1)).as_bytes());
    assert_eq!(node[56..80], bytes(COMPRESSED_REFERENCE));
}
