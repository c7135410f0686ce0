//! What an ordered index takes does not depend on the order in which its keys come.
//!
//! A failure prints its seed; `CAIRN_SEED=<seed> cargo test -p table --test btree_orders` replays it alone.
#![allow(clippy::unwrap_used)]

#[path = "support/seeds.rs"]
mod seeds;

use seeds::seeds;
use table::{BTree, PAGE_BYTES, PageNumber, Pages, RowId, TableId};

const OWNER: TableId = TableId(4097);
const ENTRIES: u64 = 150_000;
/// From here on a page more or less is little.
const MANY: u64 = 50_000;

/// Of a u64, which takes 22 bytes in a full leaf, an index takes 34 at most; of other keys as many times what they take there.
const BYTES_MAX: u64 = 34;
const BYTES_IN_FULL_LEAF: u64 = 22;
/// What an entry takes in a leaf beyond its key.
const BESIDE_KEY: u64 = 6 + 7;

/// splitmix64 as a permutation.
fn scattered(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The key of a u64 column.
fn one(number: u64) -> Vec<u8> {
    let mut key = vec![1];
    key.extend(number.to_be_bytes());
    key
}

/// The key of two u64 columns.
fn two(first: u64, second: u64) -> Vec<u8> {
    let mut key = one(first);
    key.extend(one(second));
    key
}

/// The key of a string column, of several lengths.
fn text(number: u64) -> Vec<u8> {
    let rest = "x".repeat(usize::try_from(number % 13).unwrap());
    format!("\u{1}name {number:012} {rest}\0").into_bytes()
}

/// Entry by entry, an order of keys.
type Order = Box<dyn Fn(u64) -> Vec<u8>>;

struct Orders(Vec<(String, Order)>);

impl Orders {
    fn add(&mut self, name: impl Into<String>, order: impl Fn(u64) -> Vec<u8> + 'static) {
        self.0.push((name.into(), Box::new(order)));
    }
}

/// Nearly ascending and nearly descending, in groups of `count`.
fn add_groups(orders: &mut Orders, count: u64) {
    let reversed = move |k: u64| k / count * count + (count - 1 - k % count);
    let last_first = move |k: u64| k / count * count + (k + count - 1) % count;
    let first_last = move |k: u64| k / count * count + (k + 1) % count;
    orders.add(format!("{count} reversed"), move |k| one(reversed(k)));
    orders.add(format!("{count}, last first"), move |k| one(last_first(k)));
    orders.add(format!("{count}, first last"), move |k| one(first_last(k)));
    orders.add(format!("{count} reversed, far apart"), move |k| {
        one(reversed(k) * 1_000_003)
    });
    orders.add(format!("{count} reversed, strings"), move |k| {
        text(reversed(k))
    });
    orders.add(format!("{count} ascending, groups descending"), move |k| {
        one((ENTRIES / count - k / count) * count + k % count)
    });
    orders.add(format!("{count} together, scattered"), move |k| {
        one((scattered(k / count) >> 20) * count + k % count)
    });
    orders.add(format!("in order but for {count}"), move |k| {
        one(k * 100 + scattered(k) % (count * 100))
    });
}

/// Keys of `count` tenants, whose numbers ascend or descend.
fn add_tenants(orders: &mut Orders, count: u64) {
    orders.add(format!("{count} tenants"), move |k| {
        two(k % count, k / count)
    });
    orders.add(format!("{count} tenants descending"), move |k| {
        two(k % count, ENTRIES - k / count)
    });
    orders.add(format!("{count} tenants in pairs reversed"), move |k| {
        two(k % count, (k / count) ^ 1)
    });
    orders.add(format!("{count} tenants in any turn"), move |k| {
        two(scattered(k) % count, k)
    });
    orders.add(format!("{count} runs"), move |k| {
        one(k % count * 1_000_000 + k / count)
    });
}

/// One more key in every `distance` of those that are there, again and again: full leaves, each with one place where keys come.
fn add_between(orders: &mut Orders, distance: u64) {
    let half = ENTRIES / 2;
    orders.add(format!("later one in {distance}"), move |k| {
        let Some(later) = k.checked_sub(half) else {
            return one(k * 1_000);
        };
        let places = half / distance;
        one(later % places * distance * 1_000 + 1 + later / places)
    });
    orders.add(format!("one in {distance} comes late"), move |k| {
        let is_late = k % distance == 0 && k > 3_000;
        one(if is_late { (k - 1_040) * 2 + 1 } else { k * 2 })
    });
}

fn orders(seed: u64) -> Vec<(String, Order)> {
    let mut orders = Orders(Vec::new());
    orders.add("ascending", one);
    orders.add("descending", |k| one(ENTRIES - k));
    orders.add("scattered", move |k| one(scattered(k ^ (seed << 32))));
    orders.add("from the middle", |k| {
        one(if k % 2 == 0 { ENTRIES + k } else { ENTRIES - k })
    });
    orders.add("from both ends", |k| {
        one(if k % 2 == 0 { k } else { 2 * ENTRIES - k })
    });
    let half = ENTRIES / 2;
    orders.add("scattered, then pairs reversed", move |k| {
        one(if k < half {
            scattered(k ^ (seed << 32)) >> 8
        } else {
            (1 << 60) + (k ^ 1)
        })
    });
    orders.add("ascending, then scattered", move |k| {
        one(if k < half {
            k << 20
        } else {
            scattered(k ^ (seed << 32)) % (half << 20)
        })
    });
    // A leaf has room for 1486 entries of a u64.
    let any = 2 + scattered(seed) % 3_000;
    for count in [2, 3, 4, 8, 100, 743, 1_486, any] {
        add_groups(&mut orders, count);
    }
    for count in [2, 3, 10, 30] {
        add_tenants(&mut orders, count);
    }
    for distance in [400, 743, 1_486, 1_600, 2_000] {
        add_between(&mut orders, distance);
    }
    orders.0
}

#[test]
fn in_whatever_order_keys_come_an_entry_takes_no_more() {
    for seed in seeds("btree_orders", 1) {
        let mut over = Vec::new();
        for (name, key) in orders(seed) {
            let (mut pages, mut tree) = (Pages::new(), BTree::new());
            let (mut in_full_leaves, mut worst) = (0, 0);
            for k in 0..ENTRIES {
                let key = key(k);
                let page = PageNumber::new(u32::try_from(k / 512).unwrap()).unwrap();
                let row = RowId::new(page, u16::try_from(k % 512).unwrap());
                assert!(tree.insert(&mut pages, OWNER, &key, row).unwrap());
                in_full_leaves += key.len() as u64 + BESIDE_KEY;
                if k >= MANY && k % 499 == 0 {
                    let taken = tree.page_count(&pages).unwrap() * PAGE_BYTES as u64;
                    // In tenths of a byte.
                    worst = worst.max(taken * BYTES_IN_FULL_LEAF * 10 / in_full_leaves);
                }
            }
            tree.check(&pages).unwrap();
            println!("{name}: {}.{}", worst / 10, worst % 10);
            if worst > BYTES_MAX * 10 {
                over.push(name);
            }
        }
        assert!(over.is_empty(), "more than {BYTES_MAX}: {over:?}");
    }
}
