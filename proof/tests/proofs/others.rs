//! Other people's code on what we write, and ours on what it writes: the crates `tlog_tiles` and `signed_note`.

use crate::sample::{self, LOG_ID};
use proof::{
    checkpoint::Checkpoint,
    digest::Sha256Hex,
    merkle::{self, Frontier, verify_consistency, verify_inclusion},
    note::{LogKey, Note, VerifierKey},
    tile::{self, TileId, TilePath, Tiles},
};
use proptest::prelude::*;
use signed_note::{Signer, StandardSigner, StandardVerifier, VerifierList};
use std::cell::RefCell;
use tlog_tiles::{Error, Hash, HashReader, Tile, TileHashReader, TileReader};

const HEIGHT: u8 = 8;

fn theirs(hash: Sha256Hex) -> Hash {
    Hash(*hash.as_bytes())
}

fn ours(hash: Hash) -> Sha256Hex {
    Sha256Hex::from_bytes(hash.0)
}

fn entry(index: u64) -> Vec<u8> {
    sample::leaf(index).canonical()
}

/// Our tiles as a server of theirs, by the path that they ask for.
struct Served(Tiles);

impl TileReader for Served {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let bytes = |asked: &Tile| {
            let path: TilePath = asked.path().strip_prefix("tile/8/").unwrap().parse().unwrap();
            assert_eq!(u32::from(path.width), asked.width());
            let hashes = self.0.get(path.id()).ok_or(Error::InvalidTile)?;
            Ok(tile::to_bytes(&hashes[..usize::from(path.width)]))
        };
        tiles.iter().map(bytes).collect()
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// Their own storage of hashes.
#[derive(Default)]
struct Stored(RefCell<Vec<Hash>>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        Ok(indexes.iter().map(|index| self.0.borrow()[*index as usize]).collect())
    }
}

fn both(size: u64) -> (Tiles, Stored) {
    let (mut tiles, stored) = (Tiles::new(), Stored::default());
    let leaves: Vec<_> = (0..size).map(|index| merkle::leaf(&entry(index))).collect();
    tiles.append(0, &leaves).unwrap();
    for index in 0..size {
        let new = tlog_tiles::stored_hashes(index, &entry(index), &stored).unwrap();
        stored.0.borrow_mut().extend(new);
    }
    (tiles, stored)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn trees_tiles_and_proofs_are_theirs(size in 1_u64..900, from: prop::sample::Index, at: prop::sample::Index) {
        let (tiles, stored) = both(size);
        let root = tiles.root(size).unwrap();
        prop_assert_eq!(theirs(root), tlog_tiles::tree_hash(size, &stored).unwrap());
        let (index, from) = (at.index(size as usize) as u64, from.index(size as usize) as u64 + 1);
        let earlier = tiles.root(from).unwrap();
        let leaf = merkle::leaf(&entry(index));
        prop_assert_eq!(theirs(leaf), tlog_tiles::record_hash(&entry(index)));

        // They verify our proofs, and make the same ones of our tiles, which they authenticate against the root.
        let proof: Vec<_> = tiles.inclusion(index, size).unwrap().into_iter().map(theirs).collect();
        prop_assert!(tlog_tiles::check_record(&proof, size, theirs(root), index, theirs(leaf)).is_ok());
        let consistency: Vec<_> = tiles.consistency(from, size).unwrap().into_iter().map(theirs).collect();
        prop_assert!(tlog_tiles::check_tree(&consistency, size, theirs(root), from, theirs(earlier)).is_ok());
        let served = Served(tiles);
        let reader = TileHashReader::new(size, theirs(root), &served);
        prop_assert_eq!(&tlog_tiles::prove_record(size, index, &reader).unwrap(), &proof);
        prop_assert_eq!(&tlog_tiles::prove_tree(size, from, &reader).unwrap(), &consistency);

        // We verify theirs.
        let proof: Vec<_> = tlog_tiles::prove_record(size, index, &stored).unwrap().into_iter().map(ours).collect();
        prop_assert_eq!(verify_inclusion(leaf, index, size, &proof, root), Ok(()));
        let proof: Vec<_> = tlog_tiles::prove_tree(size, from, &stored).unwrap().into_iter().map(ours).collect();
        prop_assert_eq!(verify_consistency(from, earlier, size, root, &proof), Ok(()));

        // Their tiles are ours, byte for byte.
        for tile in Tile::new_tiles(HEIGHT, 0, size) {
            let id = TileId { level: tile.level(), index: tile.level_index() };
            let hashes = served.0.get(id).unwrap();
            prop_assert_eq!(tile.read_data(&stored).unwrap(), tile::to_bytes(hashes));
            let path = format!("tile/8/{}", id.path(size).unwrap());
            prop_assert_eq!(path, tile.path());
        }
    }

    #[test]
    fn growth_changes_the_tiles_that_they_publish(from in 0_u64..700, by in 1_u64..700) {
        let leaves: Vec<_> = (0..from + by).map(|index| merkle::leaf(&index.to_be_bytes())).collect();
        let (before, after) = leaves.split_at(from as usize);
        let mut tiles = Tiles::new();
        tiles.append(0, before).unwrap();
        let changed: Vec<_> = tiles.append(from, after).unwrap().into_iter().collect();
        let published = Tile::new_tiles(HEIGHT, from, from + by);
        let published: Vec<_> = published.iter().map(|tile| TileId { level: tile.level(), index: tile.level_index() }).collect();
        prop_assert_eq!(changed, published);
    }

    #[test]
    fn a_path_is_one_to_both(text in "(0?[0-9]|[1-5][0-9]|6[0-3])/(x?[0-9]{3}/){0,2}[0-9]{3}(\\.p/[1-9][0-9]{0,2})?") {
        let own = text.parse::<TilePath>();
        match Tile::from_path(&format!("tile/8/{text}")) {
            Ok(tile) if tile.width() > 0 => prop_assert_eq!(own.unwrap().to_string(), text),
            _ => prop_assert!(own.is_err()),
        }
    }
}

#[test]
fn a_tile_with_another_bit_is_refused_by_them() {
    let (mut tiles, _) = both(512);
    let root = theirs(tiles.root(512).unwrap());
    let id = TileId { level: 0, index: 1 };
    let mut hashes = tiles.get(id).unwrap().to_vec();
    hashes[3] = merkle::leaf(b"another");
    tiles.insert(id, hashes);
    let served = Served(tiles);
    let reader = TileHashReader::new(512, root, &served);
    assert!(tlog_tiles::prove_record(512, 256, &reader).is_err());
    assert!(tlog_tiles::prove_record(512, 0, &reader).is_ok());
}

fn verifier(key: &VerifierKey) -> VerifierList {
    VerifierList::new(vec![Box::new(StandardVerifier::new(&key.to_string()).unwrap())])
}

#[test]
fn our_checkpoints_are_notes_and_checkpoints_to_them() {
    let (tiles, key) = (&*sample::LOG, LogKey::from_seed([7; 32]));
    let vkey = VerifierKey::log(sample::origin(LOG_ID), key.public()).unwrap();
    for size in [0, 1, 300] {
        let checkpoint = sample::checkpoint(tiles, LOG_ID, size);
        let note = checkpoint.sign(&key).unwrap().to_string();
        let read = signed_note::Note::from_bytes(note.as_bytes()).unwrap();
        assert_eq!(read.verify(&verifier(&vkey)).unwrap().0.len(), 1);
        let theirs = tlog_tiles::Checkpoint::from_bytes(read.text()).unwrap();
        let (origin, size, hash) = (theirs.origin(), theirs.size(), theirs.hash());
        assert_eq!((origin, size, hash.0), (checkpoint.origin.as_str(), checkpoint.size, *checkpoint.root.as_bytes()));

        let other = note.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size + 1), 1);
        assert!(signed_note::Note::from_bytes(other.as_bytes()).unwrap().verify(&verifier(&vkey)).is_err());
    }
}

#[test]
fn their_checkpoints_are_ours() {
    let seed = [7; 32];
    let key = LogKey::from_seed(seed);
    let name = sample::origin(LOG_ID);
    let vkey = VerifierKey::log(&name, key.public()).unwrap();
    let id: String = vkey.id().iter().map(|byte| format!("{byte:02x}")).collect();
    // A signer's key is written as the one that verifies, with the seed in place of the public key.
    let (_, of_seed) = VerifierKey::log("x", proof::note::PublicKey::from_bytes(seed))
        .unwrap()
        .to_string()
        .rsplit_once('+')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let signer = StandardSigner::new(&format!("PRIVATE+KEY+{name}+{id}+{of_seed}")).unwrap();
    assert_eq!(signer.key_id(), u32::from_be_bytes(vkey.id()));

    let root: Frontier = (0..9).map(|index: u64| merkle::leaf(&entry(index))).collect();
    let checkpoint = tlog_tiles::Checkpoint::new(&name, 9, theirs(root.root()), "").unwrap();
    let mut note = signed_note::Note::new(&checkpoint.to_bytes(), &[]).unwrap();
    note.add_sigs(&[&signer]).unwrap();
    let note: Note = String::from_utf8(note.to_bytes()).unwrap().parse().unwrap();
    assert!(note.verify(&[vkey]).is_ok());
    let expected = Checkpoint { origin: name, size: 9, root: root.root() };
    assert_eq!(note.text.parse(), Ok(expected.clone()));
    // Ed25519 is deterministic: the same text and key make the same note.
    assert_eq!(expected.sign(&key).unwrap(), note);
}

proptest! {
    #[test]
    fn a_note_is_one_to_both(at: prop::sample::Index, character: char, how in 0..3) {
        let original = sample::SETTLED.registry.clone().unwrap().checkpoint;
        let mut characters: Vec<_> = original.chars().collect();
        let at = at.index(characters.len());
        match how {
            0 => characters[at] = character,
            1 => characters.insert(at, character),
            _ => { characters.remove(at); }
        }
        let text: String = characters.into_iter().collect();
        prop_assert_eq!(text.parse::<Note>().is_ok(), signed_note::Note::from_bytes(text.as_bytes()).is_ok());
    }
}
