//! `tests/documents` holds what this code writes. After a change of a format that is meant:
//! `cargo test -p proof --test proofs -- --ignored`.

use crate::sample::{INDEX, LOG, LOG_ID, fresh, key, leaf, origin, receipt, settled};
use proof::{
    bundle::{Bundle, verify},
    dsse::{Envelope, statement},
    note::VerifierKey,
    tile::{self, Kind, TileId, TilePath},
    tlog_proof::{Policy, TlogProof},
};
use std::{fs, path::PathBuf};

fn documents() -> Vec<(&'static str, Vec<u8>)> {
    let ((receipt, payload), fresh, settled) = (receipt(), fresh(), settled());
    let statement = statement(&receipt, &payload).unwrap();
    let standing = TlogProof {
        extra: Some(payload.clone().into_bytes()),
        index: INDEX,
        hashes: fresh.log.inclusion_proof.clone(),
        checkpoint: fresh.log.checkpoint.parse().unwrap(),
    };
    let vkey = VerifierKey::log(origin(LOG_ID), key(2).public()).unwrap();
    let registry = settled.registry.clone().unwrap();
    let tile = TileId { level: 0, index: 1 };
    let path = TilePath { kind: Kind::Entries, index: 1_234_067, width: 17 };
    let entries: Vec<_> = (INDEX..INDEX + 3).map(|index| leaf(index).canonical()).collect();
    vec![
        ("payload.json", payload.into_bytes()),
        ("leaf.json", leaf(INDEX).canonical()),
        ("leaf-of-an-event.json", leaf(0).canonical()),
        ("bundle.json", settled.to_vec().unwrap()),
        ("bundle-fresh.json", fresh.to_vec().unwrap()),
        ("envelope.json", Envelope::sign(statement.clone(), &key(2)).to_vec().unwrap()),
        ("statement.json", statement),
        ("log.checkpoint", fresh.log.checkpoint.into_bytes()),
        ("registry.checkpoint", registry.checkpoint.into_bytes()),
        ("receipt.tlog-proof", standing.to_string().into_bytes()),
        ("log.vkey", vkey.to_string().into_bytes()),
        ("tile.path", path.to_string().into_bytes()),
        ("tile", tile::to_bytes(LOG.get(tile).unwrap())),
        ("entries", tile::entry_bundle(entries.iter().map(Vec::as_slice)).unwrap()),
    ]
}

fn place(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "documents", name].iter().collect()
}

#[test]
fn the_documents_are_what_is_written_today() {
    for (name, written) in documents() {
        let found = fs::read(place(name)).unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(&written), "{name}");
    }
}

#[test]
#[ignore = "writes the documents"]
fn write_the_documents() {
    for (name, written) in documents() {
        fs::write(place(name), written).unwrap();
    }
}

#[test]
fn the_documents_prove_each_other() {
    let read = |name: &str| fs::read(place(name)).unwrap();
    let text = |name: &str| String::from_utf8(read(name)).unwrap();
    let vkey: VerifierKey = text("log.vkey").parse().unwrap();
    let trust = proof::bundle::Trust { keys: vec![vkey.key()], ..Default::default() };
    assert!(verify(&Bundle::parse(&read("bundle.json")).unwrap(), &trust).proved());
    let envelope = Envelope::parse(&read("envelope.json")).unwrap();
    assert_eq!((envelope.verify(&[vkey.key()]), envelope.payload), (Ok(vkey.key()), read("statement.json")));
    let standing: TlogProof = text("receipt.tlog-proof").parse().unwrap();
    let policy = Policy { logs: vec![vkey], ..Policy::default() };
    assert!(standing.verify(&read("leaf.json"), &policy).is_ok());
}
