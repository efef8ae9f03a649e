//! An installation that has replaced its key twice, with one receipt in one organisation's log.

use proof::{
    bundle::{Bundle, Format, Logged, Receipt, Registered, Timestamp, Trust},
    canonical,
    checkpoint::{Checkpoint, Origin, REGISTRY},
    digest::{Sha256Hex, blake3, sha256},
    leaf::{Coordinates, Leaf},
    merkle,
    note::{LogKey, Note, VerifierKey},
    rotation::{Introduced, Introduction},
    tile::Tiles,
};
use serde_json::json;
use std::sync::LazyLock;

pub(crate) const LOG_NAME: &str = "ledger.example.org";
pub(crate) const LOG_ID: &str = "5f0c2b7a9d1e4c38";
/// The leaf of the receipt, and the sizes of the trees.
pub(crate) const INDEX: u64 = 203;
pub(crate) const FIRST: u64 = 204;
pub(crate) const LATER: u64 = 300;
pub(crate) const REGISTERED: u64 = 17;
pub(crate) const REGISTRY_SIZE: u64 = 40;

/// The installation's keys, from the first.
pub(crate) fn key(number: u8) -> LogKey {
    LogKey::from_seed([number; 32])
}

pub(crate) fn witness() -> (VerifierKey, LogKey) {
    let key = LogKey::from_seed([99; 32]);
    (VerifierKey::cosigner("witness.example/w1", key.public()).unwrap(), key)
}

pub(crate) fn trust(number: u8) -> Trust {
    Trust { keys: vec![key(number).public()], ..Trust::default() }
}

pub(crate) fn origin(log_id: &str) -> String {
    Origin { log_name: LOG_NAME.to_owned(), log_id: log_id.to_owned(), epoch: 0 }.to_string()
}

pub(crate) fn payload(parent_hash: Sha256Hex) -> String {
    let payload = json!({
        "schema": "defendable.eval-receipt/v1", "receipt_id": "DCR-000004-3a7c9f2b", "org_seq": 4,
        "parent_hash": parent_hash, "created_at": "2026-03-01T12:00:00Z",
        "share_url": "https://ledger.example.org/share/a1B2c3D4e5F6g7H8i9J0k1L2",
        "organization": {"id": "org_01", "name": "Prüfstelle"}, "verdict": {"outcome": "honey", "score_100": 93},
    });
    canonical::to_string(&payload).unwrap()
}

pub(crate) fn receipt() -> (Receipt, String) {
    let parent_hash = sha256(b"the receipt before");
    let payload = payload(parent_hash);
    let receipt = Receipt {
        receipt_id: "DCR-000004-3a7c9f2b".to_owned(),
        org_seq: 4,
        parent_hash,
        receipt_sha256: sha256(payload.as_bytes()),
        created_at: "2026-03-01T12:00:00Z".to_owned(),
        share_url: "https://ledger.example.org/share/a1B2c3D4e5F6g7H8i9J0k1L2".to_owned(),
    };
    (receipt, payload)
}

pub(crate) fn leaf(index: u64) -> Leaf {
    let (receipt, _) = receipt();
    let coordinates = Coordinates {
        org_seq: receipt.org_seq,
        parent_hash: receipt.parent_hash,
        receipt_id: receipt.receipt_id,
        receipt_sha256: receipt.receipt_sha256,
    };
    Leaf {
        org_position: index,
        hash: blake3(format!("event {index}").as_bytes()),
        recorded_at: 1_772_366_400_000_000 + index as i64 * 1_500_000,
        receipt: (index == INDEX).then_some(coordinates),
    }
}

/// The organisation's log.
pub(crate) static LOG: LazyLock<Tiles> = LazyLock::new(|| tiles((0..LATER).map(|index| leaf(index).hash())));

fn tiles(leaves: impl Iterator<Item = Sha256Hex>) -> Tiles {
    let mut tiles = Tiles::new();
    tiles.append(0, &leaves.collect::<Vec<_>>()).unwrap();
    tiles
}

pub(crate) fn checkpoint(tiles: &Tiles, log_id: &str, size: u64) -> Checkpoint {
    Checkpoint { origin: origin(log_id), size, root: tiles.root(size).unwrap() }
}

/// The log's later checkpoint, which the registry holds.
pub(crate) fn registered() -> Note {
    checkpoint(&LOG, LOG_ID, LATER).sign(&key(2)).unwrap()
}

pub(crate) fn registry() -> Tiles {
    let entry = |index| match index {
        REGISTERED => sha256(registered().to_string().as_bytes()),
        index => sha256(format!("another checkpoint {index}").as_bytes()),
    };
    tiles((0..REGISTRY_SIZE).map(|index| merkle::leaf(entry(index).as_bytes())))
}

pub(crate) fn keys() -> Vec<Introduced> {
    let introduced = |number: u8| Introduced {
        public_key: key(number).public(),
        introduced_by: (number > 1)
            .then(|| Introduction::make(LOG_NAME, &key(number - 1), key(number).public()).unwrap()),
    };
    (1..=3).map(introduced).collect()
}

/// A receipt that is in the log since a moment: the second key has signed, and the registry has nothing yet.
pub(crate) fn fresh() -> Bundle {
    let (receipt, payload) = receipt();
    Bundle {
        format: Format::V1,
        receipt,
        payload,
        log: Logged {
            log_id: LOG_ID.to_owned(),
            leaf: String::from_utf8(leaf(INDEX).canonical()).unwrap(),
            index: INDEX,
            inclusion_proof: LOG.inclusion(INDEX, FIRST).unwrap(),
            checkpoint: checkpoint(&LOG, LOG_ID, FIRST).sign(&key(2)).unwrap().to_string(),
        },
        keys: keys()[..2].to_vec(),
        registry: None,
    }
}

/// The same receipt later: the third key has signed the registry's checkpoint, and a witness too.
pub(crate) fn settled() -> Bundle {
    SETTLED.clone()
}

pub(crate) static SETTLED: LazyLock<Bundle> = LazyLock::new(|| {
    let registry = registry();
    let mut holds = checkpoint(&registry, REGISTRY, REGISTRY_SIZE).sign(&key(3)).unwrap();
    let (name, witness) = witness();
    holds.signatures.push(holds.cosign(name.name(), &witness, 1_772_366_700).unwrap());
    let registered = Registered {
        registered: registered().to_string(),
        consistency_proof: LOG.consistency(FIRST, LATER).unwrap(),
        index: REGISTERED,
        inclusion_proof: registry.inclusion(REGISTERED, REGISTRY_SIZE).unwrap(),
        checkpoint: holds.to_string(),
        timestamps: vec![Timestamp {
            authority: "https://tsa.example".to_owned(),
            token: vec![0x30, 0x03, 0x02, 0x01, 0],
        }],
    };
    Bundle { keys: keys(), registry: Some(registered), ..fresh() }
});
