//! The Merkle tree and its tiles, against the definitions of RFC 6962 (written out below as they stand there), its known
//! vectors, and the numbers of C2SP tlog-tiles.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use proof::{
    digest::{Sha256Hex, sha256},
    merkle::{self, Frontier, ProofError, verify_consistency, verify_inclusion},
    tile::{self, Kind, Missing, TileId, TilePath, Tiles},
};
use proptest::prelude::*;
use std::{collections::BTreeSet, sync::LazyLock};

/// Section 2.1: the Merkle Tree Hash of some leaves' hashes.
fn mth(leaves: &[Sha256Hex]) -> Sha256Hex {
    match leaves {
        [] => sha256(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            merkle::node(&mth(left), &mth(right))
        }
    }
}

/// The largest power of two smaller than `length`.
fn split(length: usize) -> usize {
    (1..).map(|bits| 1 << bits).take_while(|power| *power < length).last().unwrap_or(1)
}

/// Section 2.1.1: PATH(m, D).
fn path(index: usize, leaves: &[Sha256Hex]) -> Vec<Sha256Hex> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, other) = if index < k { (path(index, left), right) } else { (path(index - k, right), left) };
    proof.push(mth(other));
    proof
}

/// Section 2.1.2: SUBPROOF(m, D, b).
fn subproof(from: usize, leaves: &[Sha256Hex], whole: bool) -> Vec<Sha256Hex> {
    if from == leaves.len() {
        return if whole { Vec::new() } else { vec![mth(leaves)] };
    }
    let k = split(leaves.len());
    let (left, right) = leaves.split_at(k);
    let (mut proof, other) =
        if from <= k { (subproof(from, left, whole), right) } else { (subproof(from - k, right, false), left) };
    proof.push(mth(other));
    proof
}

fn leaves(count: usize) -> Vec<Sha256Hex> {
    (0..count).map(|index| merkle::leaf(format!("entry {index}").as_bytes())).collect()
}

/// Some leaves and their tiles, which smaller trees are cut from.
static MANY: LazyLock<(Vec<Sha256Hex>, Tiles)> = LazyLock::new(|| {
    let leaves = leaves(1_200);
    let tiles = all_tiles(&leaves);
    (leaves, tiles)
});

fn all_tiles(leaves: &[Sha256Hex]) -> Tiles {
    let mut tiles = Tiles::new();
    tiles.append(0, leaves).unwrap();
    tiles
}

/// Only these tiles, cut to what a tree of this size has of them.
fn only(tiles: &Tiles, needed: &BTreeSet<TileId>, size: usize) -> Tiles {
    let cut = |id: TileId| (id, tiles.get(id).unwrap()[..usize::from(id.width(size as u64))].to_vec());
    needed.iter().map(|id| cut(*id)).collect()
}

fn flipped(hash: Sha256Hex, bit: usize) -> Sha256Hex {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8 % 32] ^= 1 << (bit % 8);
    Sha256Hex::from_bytes(bytes)
}

fn hex(text: &str) -> Sha256Hex {
    text.parse().unwrap()
}

/// The entries of Certificate Transparency's reference tests, and the root after each.
const VECTORS: [(&[u8], &str); 8] = [
    (b"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    (b"\x00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    (b"\x10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    (b"\x20\x21", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    (b"\x30\x31", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    (b"\x40\x41\x42\x43", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    (b"\x50\x51\x52\x53\x54\x55\x56\x57", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    (b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", ROOT_OF_8),
];
const ROOT_OF_8: &str = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328";
const LEAF_1: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
const LEAF_4: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
const NODE_2_3: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
const NODE_4_5: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
const NODE_6_7: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
const NODE_4_7: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";

#[test]
fn the_vectors_of_certificate_transparency_hold() {
    assert_eq!(merkle::empty(), hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root(), merkle::empty());
    for (entry, root) in VECTORS {
        frontier.push(merkle::leaf(entry));
        assert_eq!(frontier.root(), hex(root));
    }
    let leaf = |index: usize| merkle::leaf(VECTORS[index].0);
    let root = |size: usize| hex(VECTORS[size - 1].1);
    for (index, size, proof) in [
        (0, 1, vec![]),
        (0, 8, vec![LEAF_1, NODE_2_3, NODE_4_7]),
        (5, 8, vec![LEAF_4, NODE_6_7, VECTORS[3].1]),
        (2, 3, vec![VECTORS[1].1]),
        (1, 5, vec![VECTORS[0].1, NODE_2_3, LEAF_4]),
    ] {
        let proof: Vec<_> = proof.into_iter().map(hex).collect();
        assert_eq!(verify_inclusion(leaf(index), index as u64, size as u64, &proof, root(size)), Ok(()));
    }
    for (from, to, proof) in [
        (1, 1, vec![]),
        (1, 8, vec![LEAF_1, NODE_2_3, NODE_4_7]),
        (6, 8, vec![NODE_4_5, NODE_6_7, VECTORS[3].1]),
        (2, 5, vec![NODE_2_3, LEAF_4]),
    ] {
        let proof: Vec<_> = proof.into_iter().map(hex).collect();
        assert_eq!(verify_consistency(from as u64, root(from), to as u64, root(to), &proof), Ok(()));
    }
}

#[test]
fn every_proof_of_every_small_tree_is_the_one_of_the_definition() {
    let all = leaves(40);
    let tiles = all_tiles(&all);
    for size in 0..=all.len() {
        let tree = &all[..size];
        let root = mth(tree);
        assert_eq!(tiles.root(size as u64), Ok(root));
        assert_eq!(tree.iter().copied().collect::<Frontier>().root(), root);
        for (index, leaf) in tree.iter().enumerate() {
            let proof = tiles.inclusion(index as u64, size as u64).unwrap();
            assert_eq!(proof, path(index, tree));
            assert_eq!(verify_inclusion(*leaf, index as u64, size as u64, &proof, root), Ok(()));
        }
        for from in 1..=size {
            let proof = tiles.consistency(from as u64, size as u64).unwrap();
            assert_eq!(proof, subproof(from, tree, true));
            let earlier = mth(&all[..from]);
            assert_eq!(verify_consistency(from as u64, earlier, size as u64, root, &proof), Ok(()));
        }
        assert_eq!(tiles.consistency(0, size as u64), Ok(vec![]));
        assert_eq!(verify_consistency(0, merkle::empty(), size as u64, root, &[]), Ok(()));
    }
}

#[test]
fn what_cannot_be_proved_is_refused_whatever_the_numbers() {
    let (a, b) = (merkle::leaf(b"a"), merkle::leaf(b"b"));
    for (index, size) in [(0, 0), (1, 1), (u64::MAX, u64::MAX), (7, 3)] {
        assert_eq!(verify_inclusion(a, index, size, &[], a), Err(ProofError::Index { index, size }));
    }
    assert_eq!(verify_consistency(3, a, 2, b, &[]), Err(ProofError::Sizes { from: 3, to: 2 }));
    assert_eq!(verify_consistency(0, a, 2, b, &[]), Err(earlier(merkle::empty(), a)));
    assert_eq!(verify_consistency(2, a, 2, b, &[]), Err(ProofError::Root { expected: a, found: b }));
    assert_eq!(verify_consistency(0, merkle::empty(), 2, b, &[a]), Err(ProofError::Length { expected: 0, found: 1 }));
    assert_eq!(verify_consistency(3, a, 7, b, &[]), Err(ProofError::Length { expected: 4, found: 0 }));

    let last = u64::MAX - 1;
    let length = |found| Err(ProofError::Length { expected: 63, found });
    assert_eq!(verify_inclusion(a, last, u64::MAX, &[b; 64], a), length(64));
    assert!(matches!(verify_inclusion(a, last, u64::MAX, &[b; 63], a), Err(ProofError::Root { .. })));
    assert!(matches!(verify_inclusion(a, 0, u64::MAX, &[b; 64], a), Err(ProofError::Root { .. })));
    for from in [1, 1 << 63, (1 << 63) + 1, last] {
        for count in 0..70 {
            assert!(verify_consistency(from, a, u64::MAX, b, &vec![b; count]).is_err());
        }
    }
}

fn earlier(expected: Sha256Hex, found: Sha256Hex) -> ProofError {
    ProofError::EarlierRoot { expected, found }
}

#[test]
fn a_frontier_goes_on_where_another_one_was() {
    let all = leaves(300);
    let first: Frontier = all[..123].iter().copied().collect();
    let mut second = Frontier::resume(first.size(), first.peaks().to_vec()).unwrap();
    assert_eq!(second, first);
    second.extend(all[123..].iter().copied());
    assert_eq!(second.root(), mth(&all));
    assert_eq!(Frontier::resume(124, first.peaks().to_vec()), None);
    assert_eq!(Frontier::resume(u64::MAX, vec![all[0]; 64]), None);
}

#[test]
fn a_tree_of_70000_has_the_tiles_of_the_specification() {
    let size = 70_000;
    let tiles = all_tiles(&leaves(size));
    let widths = |level| tiles.iter().filter(|(id, _)| id.level == level).map(|(_, hashes)| hashes.len()).collect();
    let widths: [Vec<usize>; 4] = [0, 1, 2, 3].map(widths);
    assert_eq!(widths[0], [vec![256; 273], vec![112]].concat());
    assert_eq!(widths[1], [256, 17]);
    assert_eq!(widths[2], [1]);
    assert!(widths[3].is_empty());
    for (id, hashes) in tiles.iter() {
        assert_eq!(usize::from(id.width(size as u64)), hashes.len());
    }
    let path = |level, index| TileId { level, index }.path(size as u64).map(|path| path.to_string());
    assert_eq!(path(0, 273).as_deref(), Some("0/273.p/112"));
    assert_eq!(path(0, 272).as_deref(), Some("0/272"));
    assert_eq!(path(1, 1).as_deref(), Some("1/001.p/17"));
    assert_eq!(path(2, 0).as_deref(), Some("2/000.p/1"));
    assert_eq!((path(0, 274), path(2, 1), path(3, 0), path(u8::MAX, u64::MAX)), (None, None, None, None));
}

#[test]
fn what_is_needed_of_the_greatest_trees_is_little() {
    for size in [1, 255, 256, 257, 65_536, 1 << 40, (1 << 63) + 1, u64::MAX] {
        assert!(tile::needed_for_root(size).len() <= 8);
        assert!(tile::needed_for_inclusion(size / 3, size).len() <= 16);
        assert!(tile::needed_for_consistency(size / 3, size).len() <= 16);
    }
    assert_eq!(tile::needed_for_inclusion(3, 3), BTreeSet::new());
    assert_eq!(tile::needed_for_consistency(4, 3), BTreeSet::new());
    let tiles = Tiles::new();
    let missing = |level, index, width| Err(Missing { tile: TileId { level, index }, width });
    assert_eq!(tiles.inclusion(600, 600), missing(0, 2, 89));
    assert_eq!(tiles.consistency(257, 256), missing(0, 1, 1));
    assert_eq!(tiles.root(u64::MAX).map(|_| Vec::new()), missing(7, 0, 128));
    let message = "tile 2 of level 0 is needed with at least 89 hashes";
    assert_eq!(tiles.inclusion(600, 600).unwrap_err().to_string(), message);
}

#[test]
fn a_tile_that_is_missing_or_too_narrow_is_named_and_nothing_is_appended() {
    let all = leaves(700);
    let whole = all_tiles(&all[..600]);
    let mut narrow = whole.clone();
    let last = TileId { level: 0, index: 2 };
    narrow.insert(last, whole.get(last).unwrap()[..87].to_vec());
    let before = narrow.clone();
    assert_eq!(narrow.append(600, &all[600..]), Err(Missing { tile: last, width: 88 }));
    assert_eq!(narrow, before);
    assert_eq!(narrow.root(600), Err(Missing { tile: last, width: 88 }));
    assert_eq!(narrow.append(599, &all[599..]).unwrap(), BTreeSet::from([last]));
    assert_eq!(narrow.root(700), Ok(mth(&all)));
}

#[test]
fn paths_are_read_as_they_are_written() {
    for (text, kind, index, width) in [
        ("0/x001/234.p/17", Kind::Hashes(0), 1_234, 17),
        ("0/x001/x234/067", Kind::Hashes(0), 1_234_067, 256),
        ("entries/000", Kind::Entries, 0, 256),
        ("entries/x001/000.p/255", Kind::Entries, 1_000, 255),
        ("63/999", Kind::Hashes(63), 999, 256),
        ("2/x018/x446/x744/x073/x709/x551/615.p/1", Kind::Hashes(2), u64::MAX, 1),
    ] {
        let path = TilePath { kind, index, width };
        assert_eq!(text.parse(), Ok(path));
        assert_eq!(path.to_string(), text);
    }
    for text in [
        "",
        "/",
        "0",
        "0/",
        "0/1",
        "0/01",
        "0/0001",
        "0/00a",
        "0/+12",
        "00/000",
        "64/000",
        "-1/000",
        "a/000",
        "/000",
        "0/x000/001",
        "0/x001/x234",
        "0/001/234",
        "0/x1/234",
        "0/X001/234",
        "0/x001//234",
        "0/000/",
        "/0/000",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/017",
        "0/000.p/",
        "0/000.p",
        "0/000.p/1/",
        "0/000.p/1.p/1",
        "0/000.P/1",
        "0/000.p/ 1",
        "data/000",
        "entries/0",
        "Entries/000",
        "0/x018/x446/x744/x073/x709/x551/616",
        "0/x001/x018/x446/x744/x073/x709/x551/615",
        "0/٠٠٠",
        "0/000\n",
    ] {
        assert!(text.parse::<TilePath>().is_err(), "{text}");
    }
}

#[test]
fn what_is_served_ends_where_the_tree_does() {
    let within = |path: &str, size| path.parse::<TilePath>().unwrap().is_within(size);
    assert!(within("0/273.p/112", 70_000) && within("0/273.p/1", 70_000) && within("entries/273.p/112", 70_000));
    assert!(!within("0/273.p/113", 70_000) && !within("0/273", 70_000) && !within("entries/274.p/1", 70_000));
    assert!(within("1/001.p/17", 70_000) && !within("1/001.p/18", 70_000) && !within("63/000.p/1", u64::MAX));
    assert!(within("7/000.p/255", u64::MAX) && !within("7/000", u64::MAX));
}

#[test]
fn a_tile_is_its_hashes_one_after_another() {
    let hashes = leaves(3);
    let bytes = tile::to_bytes(&hashes);
    assert_eq!(bytes.len(), 96);
    assert_eq!(tile::from_bytes(&bytes), Ok(hashes));
    assert!(tile::from_bytes(&bytes[1..]).is_err() && tile::from_bytes(&[]).is_err());
    assert!(tile::from_bytes(&[0; 257 * 32]).is_err() && tile::from_bytes(&[0; 256 * 32]).is_ok());
}

#[test]
fn an_entry_stands_behind_its_length() {
    let long = vec![7; 65_535];
    let entries: [&[u8]; 3] = [b"ab", b"", &long];
    let bundle = tile::entry_bundle(entries.into_iter()).unwrap();
    assert_eq!(&bundle[..8], b"\x00\x02ab\x00\x00\xff\xff");
    assert_eq!(tile::entries(&bundle), Ok(entries.to_vec()));
    assert_eq!(tile::entries(&bundle[..bundle.len() - 1]), Err(tile::NotEntries(6)));
    assert_eq!(tile::entries(b"\x00"), Err(tile::NotEntries(0)));
    assert_eq!(tile::entries(&[0; 2 * 257]), Err(tile::NotEntries(2 * 256)));
    assert_eq!(tile::entry_bundle([[0; 65_536].as_slice()].into_iter()), Err(tile::TooLong(65_536)));
}

proptest! {
    #[test]
    fn every_inclusion_proof_holds_and_none_with_another_bit(
        size in 1_usize..700, at: prop::sample::Index, which: prop::sample::Index, bit in 0_usize..256,
    ) {
        let (all, tiles) = (&MANY.0[..size], &MANY.1);
        let (index, size) = (at.index(size), size as u64);
        let needed = tile::needed_for_inclusion(index as u64, size);
        let mut proof = only(tiles, &needed, all.len()).inclusion(index as u64, size).unwrap();
        let (leaf, root) = (all[index], mth(all));
        let index = index as u64;
        prop_assert_eq!(verify_inclusion(leaf, index, size, &proof, root), Ok(()));
        prop_assert!(verify_inclusion(flipped(leaf, bit), index, size, &proof, root).is_err());
        prop_assert!(verify_inclusion(leaf, index, size, &proof, flipped(root, bit)).is_err());
        prop_assert!(verify_inclusion(leaf, index ^ 1 << (bit % 64), size, &proof, root).is_err());
        let longer = [proof.as_slice(), &[leaf]].concat();
        prop_assert!(verify_inclusion(leaf, index, size, &longer, root).is_err());
        if !proof.is_empty() {
            let at = which.index(proof.len());
            prop_assert!(verify_inclusion(leaf, index, size, &proof[1..], root).is_err());
            proof[at] = flipped(proof[at], bit);
            prop_assert!(verify_inclusion(leaf, index, size, &proof, root).is_err());
        }
    }

    #[test]
    fn every_consistency_proof_holds_and_none_with_another_bit(
        to in 1_usize..700, at: prop::sample::Index, which: prop::sample::Index, bit in 0_usize..256,
    ) {
        let (all, tiles) = (&MANY.0[..to], &MANY.1);
        let from = at.index(to) + 1;
        let (earlier, later) = (mth(&all[..from]), mth(all));
        let (from, to) = (from as u64, to as u64);
        let needed = tile::needed_for_consistency(from, to);
        let mut proof = only(tiles, &needed, all.len()).consistency(from, to).unwrap();
        prop_assert_eq!(verify_consistency(from, earlier, to, later, &proof), Ok(()));
        prop_assert!(verify_consistency(from, flipped(earlier, bit), to, later, &proof).is_err());
        prop_assert!(verify_consistency(from, earlier, to, flipped(later, bit), &proof).is_err());
        let longer = [proof.as_slice(), &[later]].concat();
        prop_assert!(verify_consistency(from, earlier, to, later, &longer).is_err());
        if !proof.is_empty() {
            let at = which.index(proof.len());
            prop_assert!(verify_consistency(from, earlier, to, later, &proof[1..]).is_err());
            proof[at] = flipped(proof[at], bit);
            prop_assert!(verify_consistency(from, earlier, to, later, &proof).is_err());
        }
    }

    #[test]
    fn a_path_that_is_written_is_read_again(level in 0_u8..64, entries: bool, index: u64, width in 1_u16..=256) {
        let kind = if entries { Kind::Entries } else { Kind::Hashes(level) };
        let path = TilePath { kind, index, width };
        prop_assert_eq!(path.to_string().parse(), Ok(path));
    }

    #[test]
    fn a_path_that_is_read_is_written_so(text in "(entries|[0-9]{1,2})/(x?[0-9]{1,4}/){0,3}[0-9]{3}(\\.p/[0-9]{1,3})?") {
        if let Ok(path) = text.parse::<TilePath>() {
            prop_assert_eq!(path.to_string(), text);
        }
    }
}

proptest! {
    // Each case hashes thousands of nodes.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn tiles_that_grow_in_any_batches_are_the_same(batches in prop::collection::vec(0_usize..400, 0..=3)) {
        let all = &MANY.0[..batches.iter().sum()];
        let (mut grown, mut size, mut frontier) = (Tiles::new(), 0, Frontier::new());
        for batch in batches {
            let new = &all[size..size + batch];
            // Only what is asked for is at hand, as when it comes from a store.
            let needed = tile::needed_to_append(size as u64);
            let mut at_hand = only(&grown, &needed, size);
            let changed = at_hand.append(size as u64, new).unwrap();
            for id in &changed {
                prop_assert!(id.width((size + batch) as u64) > id.width(size as u64));
                grown.insert(*id, at_hand.get(*id).unwrap().to_vec());
            }
            size += batch;
            frontier.extend(new.iter().copied());
            prop_assert_eq!(grown.root(size as u64), Ok(frontier.root()));
            prop_assert_eq!(only(&grown, &tile::needed_for_root(size as u64), size).root(size as u64), Ok(frontier.root()));
        }
        prop_assert_eq!(&grown, &all_tiles(all));
        prop_assert_eq!(frontier.root(), mth(all));
        for (id, hashes) in grown.iter() {
            let span = 1 << (8 * usize::from(id.level));
            for (offset, hash) in hashes.iter().enumerate() {
                let first = (id.index as usize * 256 + offset) * span;
                prop_assert_eq!(*hash, mth(&all[first..first + span]));
            }
        }
    }
}
