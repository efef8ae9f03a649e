//! Paths of tiles, tiles, entries, and proofs of whatever sizes and hashes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proof::{
    digest::Sha256Hex,
    merkle::{self, verify_consistency, verify_inclusion},
    tile::{self, TilePath, Tiles},
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(path) = text.parse::<TilePath>()
    {
        assert_eq!(path.to_string(), text);
        let _ = path.is_within(path.index);
    }
    if let Ok(entries) = tile::entries(bytes) {
        assert_eq!(tile::entry_bundle(entries.into_iter()).as_deref(), Ok(bytes));
    }
    if let Ok(hashes) = tile::from_bytes(bytes) {
        assert_eq!(tile::to_bytes(&hashes), bytes);
    }
    let Some((a, rest)) = bytes.split_first_chunk() else { return };
    let Some((b, rest)) = rest.split_first_chunk() else { return };
    let (a, b) = (u64::from_be_bytes(*a), u64::from_be_bytes(*b));
    let proof: Vec<_> = rest.as_chunks().0.iter().map(|hash| Sha256Hex::from_bytes(*hash)).collect();
    let hash = merkle::leaf(rest);
    // Nobody finds a proof that leads to a given root by chance.
    assert!(verify_inclusion(hash, a, b, &proof, merkle::empty()).is_err());
    assert!(a == b || a == 0 || verify_consistency(a, hash, b, merkle::empty(), &proof).is_err());
    let tiles = Tiles::new();
    let _ = (tiles.inclusion(a, b), tiles.consistency(a, b), tiles.root(a));
    assert!(tile::needed_for_root(a).len() <= 8 && tile::needed_for_inclusion(a, b).len() <= 16);
    assert!(tile::needed_for_consistency(a, b).len() <= 16);
});
