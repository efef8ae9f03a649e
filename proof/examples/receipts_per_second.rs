//! How many receipts of 2 KB one core verifies in a second: `cargo run --release -p proof --example
//! receipts_per_second`. The fastest of several rounds counts: the others shared the core with something else.

use proof::{
    canonical,
    digest::{Sha256Hex, sha256},
    receipt::{ReceiptChain, Row, genesis},
};
use std::{io::Write, time::Instant};

const RECEIPTS: u64 = 20_000;
const ROUNDS: u32 = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut receipts = Vec::new();
    let mut parent = genesis();
    for org_seq in 0..RECEIPTS {
        let (id, payload) = receipt(org_seq, parent)?;
        let digest = sha256(&payload);
        receipts.push((org_seq, digest, parent, id, payload));
        parent = digest;
    }
    let bytes: usize = receipts.iter().map(|(.., payload)| payload.len()).sum();

    let mut fastest = f64::INFINITY;
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let mut chain = ReceiptChain::new();
        for (org_seq, receipt_sha256, parent_hash, receipt_id, payload) in &receipts {
            chain.feed(&Row {
                org_seq: *org_seq,
                receipt_sha256: *receipt_sha256,
                parent_hash: *parent_hash,
                receipt_id,
                payload,
            });
        }
        if chain.faults() > 0 {
            return Err("the chain does not hold".into());
        }
        fastest = fastest.min(begin.elapsed().as_secs_f64());
    }
    let rate = RECEIPTS as f64 / fastest;
    let size = bytes as u64 / RECEIPTS;
    writeln!(std::io::stdout(), "{rate:.0} receipts of {size} bytes a second on one core")?;
    Ok(())
}

/// A receipt about as long and as nested as a real one.
fn receipt(org_seq: u64, parent_hash: Sha256Hex) -> Result<(String, Vec<u8>), canonical::CanonicalError> {
    let receipt_id = format!("DCR-{org_seq:06}-0a1b2c3d");
    let finding = |index: usize| {
        serde_json::json!({
            "category": "math", "check_key": format!("formula_{index}"), "severity": "mid", "status": "pass",
            "detail": "The sum of the line items equals the total that the agent gave.", "label": "Total",
        })
    };
    let payload = canonical::to_vec(&serde_json::json!({
        "schema": "example/v1", "receipt_id": receipt_id, "org_seq": org_seq, "parent_hash": parent_hash,
        "findings": (0..10).map(finding).collect::<Vec<_>>(),
        "share_url": "https://example.org/share/0123456789abcdef",
    }))?;
    Ok((receipt_id, payload))
}
