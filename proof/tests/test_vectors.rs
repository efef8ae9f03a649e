//! `docs/test-vectors.md` shows what this code computes. When it does not, the test prints what the
//! document's blocks should hold.

use proof::{
    canonical,
    digest::{Blake3Hex, Sha256Hex, sha256},
    event::{Envelope, EventChain, payload_digest},
    leaf::Leaf,
    receipt::{Inspected, ReceiptChain, Row, genesis},
};
use serde_json::json;

const DOCUMENT: &str = include_str!("../../docs/test-vectors.md");

/// The contents of the document's fenced blocks.
fn blocks() -> Vec<&'static str> {
    let fenced = DOCUMENT.split("```").skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').map_or("", |(_, text)| text).trim_end()).collect()
}

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn event() -> Outcome<[String; 6]> {
    let payload = String::from_utf8(canonical::to_vec(&json!({"title": "Prüfung Q1", "lane": "mortgage"}))?)?;
    let digest = payload_digest(payload.as_bytes());
    let envelope = Envelope {
        actor: "user:01890a5d-ac96-774b-bcce-b302099a8057",
        aggregate_id: "01890a5d-ac96-7ab2-80e2-4536629c90de",
        aggregate_type: "run",
        command_id: "01890a5d-ac97-7d33-a4f5-0c1d2e3f4a5b",
        event_type: "RunOpened",
        event_version: "1.0",
        org_id: "01890a5d-ac95-7cc1-9b1e-6a5f4e3d2c1b",
        org_position: 0,
        payload_blake3: digest,
        prev: Blake3Hex::ZERO,
        recorded_at: 1_772_366_400_123_456,
        sequence: 1,
    };
    let hash = envelope.seal();
    assert_eq!(EventChain::new(envelope.org_id).feed(&envelope, payload.as_bytes(), hash), []);
    let leaf = Leaf { org_position: envelope.org_position, hash, recorded_at: envelope.recorded_at, receipt: None };
    let (envelope, entry) = (String::from_utf8(envelope.canonical())?, String::from_utf8(leaf.canonical())?);
    Ok([payload, digest.to_string(), envelope, hash.to_string(), entry, leaf.hash().to_string()])
}

fn receipts() -> Outcome<[String; 4]> {
    let ids = ["DCR-000000-0a1b2c3d", "DCR-000001-4e5f6071"];
    let receipt = |org_seq: u64, receipt_id: &str, parent: Sha256Hex, outcome: &str| {
        let payload = json!({
            "schema": "example/v1", "receipt_id": receipt_id, "org_seq": org_seq, "parent_hash": parent,
            "created_at": "2026-03-01T12:00:00Z", "verdict": {"outcome": outcome, "score_100": 100 - org_seq},
        });
        let payload = String::from_utf8(canonical::to_vec(&payload)?)?;
        Outcome::Ok((sha256(payload.as_bytes()), payload))
    };
    let (first_hash, first) = receipt(0, ids[0], genesis(), "honey")?;
    let (second_hash, second) = receipt(1, ids[1], first_hash, "propolis")?;

    let mut chain = ReceiptChain::new();
    for (org_seq, receipt_sha256, parent_hash, payload) in
        [(0, first_hash, genesis(), &first), (1, second_hash, first_hash, &second)]
    {
        let receipt_id = ids[org_seq as usize];
        chain.link(&Inspected::new(&Row {
            org_seq,
            receipt_sha256,
            parent_hash,
            receipt_id,
            payload: payload.as_bytes(),
        }));
    }
    assert!(chain.finish().ok);
    Ok([first, first_hash.to_string(), second, second_hash.to_string()])
}

#[test]
fn the_document_shows_what_is_computed() -> Outcome {
    let expected: Vec<_> = event()?.into_iter().chain(receipts()?).collect();
    assert_eq!(blocks(), expected, "the document's blocks should hold:\n\n{}\n", expected.join("\n\n"));
    Ok(())
}

#[test]
fn what_the_document_calls_canonical_is() {
    for block in blocks().into_iter().filter(|block| block.starts_with('{')) {
        assert_eq!(canonical::check(block.as_bytes()), Ok(()), "{block}");
    }
}
