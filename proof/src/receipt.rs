//! The chain of an organisation's receipts, as the contract has it: SHA-256 over each receipt's
//! canonical payload, which names its number and the digest of the receipt before.

use crate::{
    canonical,
    digest::{Sha256Hex, sha256},
};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, ops::Range};

/// How many errors a [`Verification`] lists.
pub const ERRORS_LISTED: usize = 20;

/// The parent of an organisation's first receipt: 64 zeros.
pub const fn genesis() -> Sha256Hex {
    Sha256Hex::ZERO
}

/// A receipt as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// Its number within the organisation, from 0 and without gaps.
    pub org_seq: u64,
    /// The SHA-256 of the payload.
    pub receipt_sha256: Sha256Hex,
    /// The `receipt_sha256` of the receipt before; [`genesis`] for the first.
    pub parent_hash: Sha256Hex,
    /// Its public id, such as `DCR-000004-3a7c9f2b`.
    pub receipt_id: &'a str,
    /// The payload's bytes as stored, which are those that were hashed.
    pub payload: &'a [u8],
}

/// What the payload says of its own place. The rest of it is passed over unread.
#[derive(Deserialize)]
struct Coordinates<'a> {
    org_seq: u64,
    parent_hash: Sha256Hex,
    #[serde(borrow)]
    receipt_id: Cow<'a, str>,
}

impl<'a> Coordinates<'a> {
    /// What any reader of JSON finds in the payload. One in canonical form, as we write it, is scanned, which costs a
    /// fraction of parsing it.
    fn of(row: &Row<'a>) -> Option<Self> {
        Self::scanned(row.payload).or_else(|| serde_json::from_slice(row.payload).ok())
    }

    /// What a canonical payload says; nothing where it is not canonical or anything is not plainly there.
    fn scanned(payload: &'a [u8]) -> Option<Self> {
        let [org_seq, parent_hash, receipt_id] =
            canonical::members(payload, ["org_seq", "parent_hash", "receipt_id"]).ok()?;
        Some(Self {
            org_seq: str::from_utf8(org_seq?).ok()?.parse().ok()?,
            parent_hash: unquoted(parent_hash?)?.parse().ok()?,
            receipt_id: Cow::Borrowed(unquoted(receipt_id?)?),
        })
    }

    fn are_those_of(&self, row: &Row<'_>) -> bool {
        self.is_named_as(row) && self.parent_hash == row.parent_hash
    }

    fn is_named_as(&self, row: &Row<'_>) -> bool {
        self.org_seq == row.org_seq && self.receipt_id == row.receipt_id
    }
}

/// The text of a JSON string in which nothing is escaped.
fn unquoted(written: &[u8]) -> Option<&str> {
    let inside = written.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if inside.contains(&b'\\') { None } else { str::from_utf8(inside).ok() }
}

/// Whether the SHA-256 of the payload's bytes is the stored digest: the contract's `verified`.
pub fn verified(row: &Row<'_>) -> bool {
    sha256(row.payload) == row.receipt_sha256
}

/// Whether the payload names the row's own number, id and parent.
pub fn agrees(row: &Row<'_>) -> bool {
    Coordinates::of(row).is_some_and(|coordinates| coordinates.are_those_of(row))
}

/// Whether a receipt stands where it says: its payload names the row's own number, id and parent,
/// and they follow the receipt before (`None` for the first, whose number is 0).
pub fn consistent(row: &Row<'_>, previous: Option<&Row<'_>>) -> bool {
    let (org_seq, parent_hash) = match previous {
        None => (Some(0), genesis()),
        Some(previous) => (previous.org_seq.checked_add(1), previous.receipt_sha256),
    };
    Some(row.org_seq) == org_seq && row.parent_hash == parent_hash && agrees(row)
}

/// What a receipt says by itself, whatever stands before it: nearly all of the work, in any order and side by side.
#[derive(Debug, Clone, Copy)]
pub struct Inspected {
    org_seq: u64,
    receipt_sha256: Sha256Hex,
    /// Whether the payload is the one that was sealed, and names the row's number and id.
    sound: bool,
    /// The receipt before, by the payload.
    parent: Sha256Hex,
    /// Whether the row names the same one.
    linked: bool,
}

impl Inspected {
    /// Hashes and reads the payload.
    pub fn new(row: &Row<'_>) -> Self {
        let coordinates = Coordinates::of(row);
        let named = coordinates.as_ref().is_some_and(|coordinates| coordinates.is_named_as(row));
        // A payload that cannot be read has failed by its hash; the link is then judged by the row.
        let parent = coordinates.map_or(row.parent_hash, |coordinates| coordinates.parent_hash);
        Self {
            org_seq: row.org_seq,
            receipt_sha256: row.receipt_sha256,
            sound: named && verified(row),
            parent,
            linked: parent == row.parent_hash,
        }
    }
}

/// What does not hold at a receipt, in the contract's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The payload is not the one that was sealed, or names another number or id than the row.
    #[error("hash mismatch")]
    HashMismatch,
    /// The receipt's number is not its place in the chain.
    #[error("sequence gap (expected {expected})")]
    SequenceGap {
        /// Its place, from 0.
        expected: u64,
    },
    /// The parent in the payload is not the receipt before, or not the row's.
    #[error("broken parent link")]
    BrokenParentLink,
}

impl Serialize for Fault {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A fault and the receipt at which it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Error {
    /// The receipt's number as stored.
    pub org_seq: u64,
    /// What does not hold.
    pub error: Fault,
}

/// The outcome of walking a chain: the contract's three fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Whether there was no error at all, listed or not.
    pub ok: bool,
    /// How many receipts were walked.
    pub receipts_checked: u64,
    /// The first [`ERRORS_LISTED`] errors.
    pub errors: Vec<Error>,
}

/// Verifies one organisation's receipts in ascending order, in constant memory.
#[derive(Debug, Clone)]
pub struct ReceiptChain {
    checked: u64,
    previous: Sha256Hex,
    errors: Vec<Error>,
    faults: u64,
}

impl Default for ReceiptChain {
    fn default() -> Self {
        Self { checked: 0, previous: genesis(), errors: Vec::new(), faults: 0 }
    }
}

impl ReceiptChain {
    /// A chain from its first receipt.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next receipt. Several faults of one receipt are counted each, in the order of [`Fault`].
    pub fn link(&mut self, receipt: &Inspected) {
        let Inspected { org_seq, receipt_sha256, sound, parent, linked } = *receipt;
        let expected = self.checked;
        if !sound {
            self.fault(org_seq, Fault::HashMismatch);
        }
        if org_seq != expected {
            self.fault(org_seq, Fault::SequenceGap { expected });
        }
        if parent != self.previous || !linked {
            self.fault(org_seq, Fault::BrokenParentLink);
        }
        self.checked += 1;
        self.previous = receipt_sha256;
    }

    /// Notes that the chain's end is missing: receipts of these numbers are known to have been minted, and none is
    /// stored. The chain itself cannot tell, since a shorter one is as well formed.
    pub fn miss(&mut self, minted: Range<u64>) {
        let all = self.faults + minted.end.saturating_sub(minted.start);
        for expected in minted.take(ERRORS_LISTED) {
            self.fault(expected, Fault::SequenceGap { expected });
        }
        self.faults = all;
    }

    fn fault(&mut self, org_seq: u64, error: Fault) {
        self.faults += 1;
        if self.errors.len() < ERRORS_LISTED {
            self.errors.push(Error { org_seq, error });
        }
    }

    /// How many faults there were, listed or not.
    pub fn faults(&self) -> u64 {
        self.faults
    }

    /// The outcome.
    pub fn finish(self) -> Verification {
        Verification { ok: self.faults == 0, receipts_checked: self.checked, errors: self.errors }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    struct Stored {
        org_seq: u64,
        receipt_sha256: Sha256Hex,
        parent_hash: Sha256Hex,
        receipt_id: String,
        payload: Vec<u8>,
    }

    impl Stored {
        fn row(&self) -> Row<'_> {
            let Self { org_seq, receipt_sha256, parent_hash, .. } = *self;
            Row { org_seq, receipt_sha256, parent_hash, receipt_id: &self.receipt_id, payload: &self.payload }
        }
    }

    fn chain(length: u64) -> Vec<Stored> {
        let mut parent_hash = genesis();
        let receipt = |org_seq: u64| {
            let receipt_id = format!("DCR-{org_seq:06}-0a1b2c3d");
            let payload = canonical::to_vec(&json!({
                "schema": "example/v1", "receipt_id": receipt_id, "org_seq": org_seq, "parent_hash": parent_hash,
                "note": "Prüfung ok", "evidence": [{"parent_hash": "nested", "org_seq": -1}],
            }))
            .unwrap();
            let stored = Stored { org_seq, receipt_sha256: sha256(&payload), parent_hash, receipt_id, payload };
            parent_hash = stored.receipt_sha256;
            stored
        };
        (0..length).map(receipt).collect()
    }

    fn verification(receipts: &[Stored]) -> Verification {
        let mut chain = ReceiptChain::new();
        receipts.iter().for_each(|receipt| chain.link(&Inspected::new(&receipt.row())));
        chain.finish()
    }

    fn errors(receipts: &[Stored]) -> Vec<(u64, String)> {
        verification(receipts).errors.into_iter().map(|error| (error.org_seq, error.error.to_string())).collect()
    }

    fn listed<const N: usize>(expected: [(u64, &str); N]) -> Vec<(u64, String)> {
        expected.map(|(org_seq, error)| (org_seq, error.to_owned())).into()
    }

    fn replace(receipt: &mut Stored, from: &str, to: &str) {
        let text = String::from_utf8(std::mem::take(&mut receipt.payload)).unwrap();
        assert!(text.contains(from));
        receipt.payload = text.replacen(from, to, 1).into_bytes();
    }

    #[test]
    fn an_end_that_is_missing_is_a_fault_for_each_receipt() {
        let mut chain = ReceiptChain::new();
        chain.miss(2..2);
        assert!(chain.clone().finish().ok);
        chain.miss(2..4);
        let verification = chain.finish();
        assert!(!verification.ok && verification.receipts_checked == 0);
        let errors: Vec<_> = verification.errors.iter().map(|error| (error.org_seq, error.error.to_string())).collect();
        assert_eq!(errors, listed([(2, "sequence gap (expected 2)"), (3, "sequence gap (expected 3)")]));
    }

    #[test]
    fn an_empty_chain_and_a_sound_one_are_ok() {
        let answer = serde_json::to_value(verification(&[])).unwrap();
        assert_eq!(answer, json!({"ok": true, "receipts_checked": 0, "errors": []}));
        assert_eq!(verification(&chain(5)), Verification { ok: true, receipts_checked: 5, errors: vec![] });
    }

    #[test]
    fn a_changed_payload_is_named_at_its_own_receipt_only() {
        let mut receipts = chain(5);
        replace(&mut receipts[2], "ok", "no");
        assert_eq!(errors(&receipts), listed([(2, "hash mismatch")]));
        receipts[2].payload = b"[".to_vec();
        assert_eq!(errors(&receipts), listed([(2, "hash mismatch")]));
        let answer = serde_json::to_value(verification(&receipts)).unwrap();
        let expected =
            json!({"ok": false, "receipts_checked": 5, "errors": [{"org_seq": 2, "error": "hash mismatch"}]});
        assert_eq!(answer, expected);
    }

    #[test]
    fn a_changed_payload_with_its_hash_is_named_at_the_next_receipt() {
        let mut receipts = chain(5);
        replace(&mut receipts[2], "ok", "no");
        receipts[2].receipt_sha256 = sha256(&receipts[2].payload);
        assert_eq!(errors(&receipts), listed([(3, "broken parent link")]));
    }

    #[test]
    fn a_deleted_receipt_leaves_a_gap_at_every_later_one() {
        let mut receipts = chain(6);
        receipts.remove(2);
        let expected = [
            (3, "sequence gap (expected 2)"),
            (3, "broken parent link"),
            (4, "sequence gap (expected 3)"),
            (5, "sequence gap (expected 4)"),
        ];
        assert_eq!(errors(&receipts), listed(expected));
    }

    #[test]
    fn a_duplicate_and_swapped_receipts_are_named() {
        let mut receipts = chain(3);
        let [first, second, _] = &mut receipts[..] else { unreachable!() };
        std::mem::swap(first, second);
        let expected = [
            (1, "sequence gap (expected 0)"),
            (1, "broken parent link"),
            (0, "sequence gap (expected 1)"),
            (0, "broken parent link"),
            (2, "broken parent link"),
        ];
        assert_eq!(errors(&receipts), listed(expected));

        // The rows' contents swapped, their numbers kept.
        receipts[0].org_seq = 0;
        receipts[1].org_seq = 1;
        let expected = [
            (0, "hash mismatch"),
            (0, "broken parent link"),
            (1, "hash mismatch"),
            (1, "broken parent link"),
            (2, "broken parent link"),
        ];
        assert_eq!(errors(&receipts), listed(expected));

        let mut receipts = chain(2);
        receipts.push(chain(2).remove(1));
        assert_eq!(errors(&receipts), listed([(1, "sequence gap (expected 2)"), (1, "broken parent link")]));
    }

    #[test]
    fn a_row_that_disagrees_with_its_payload_is_named() {
        let mut receipts = chain(3);
        receipts[1].receipt_id = "DCR-000001-ffffffff".to_owned();
        assert_eq!(errors(&receipts), listed([(1, "hash mismatch")]));
        assert!(verified(&receipts[1].row()));
        assert!(!consistent(&receipts[1].row(), Some(&receipts[0].row())));

        let mut receipts = chain(3);
        receipts[1].parent_hash = genesis();
        assert_eq!(errors(&receipts), listed([(1, "broken parent link")]));

        let mut receipts = chain(3);
        receipts[1].org_seq = 7;
        assert_eq!(errors(&receipts), listed([(7, "hash mismatch"), (7, "sequence gap (expected 1)")]));
    }

    #[test]
    fn all_errors_count_and_twenty_are_listed() {
        let mut receipts = chain(40);
        receipts.remove(0);
        let mut chain = ReceiptChain::new();
        receipts.iter().for_each(|receipt| chain.link(&Inspected::new(&receipt.row())));
        assert_eq!(chain.faults(), 40);
        let verification = chain.finish();
        assert_eq!((verification.ok, verification.receipts_checked, verification.errors.len()), (false, 39, 20));
    }

    #[test]
    fn a_receipt_is_consistent_with_the_one_before_it_and_with_no_other() {
        let receipts = chain(3);
        let rows: Vec<_> = receipts.iter().map(Stored::row).collect();
        assert!(consistent(&rows[0], None) && consistent(&rows[2], Some(&rows[1])));
        assert!(!consistent(&rows[1], None) && !consistent(&rows[2], Some(&rows[0])));
        assert!(!consistent(&rows[0], Some(&rows[0])));
    }

    /// Payloads whose three members are as they should be, or nearly so, among others that may hold the same names.
    fn payloads() -> impl Strategy<Value = Vec<u8>> {
        let text = prop_oneof![
            "[0-9a-f]{64}".prop_map(serde_json::Value::from),
            "DCR-[0-9]{6}".prop_map(serde_json::Value::from),
            "[ -~\n\u{0}é]{0,5}".prop_map(serde_json::Value::from),
        ];
        let number = (-3_i64..20).prop_map(serde_json::Value::from);
        let any_value =
            prop_oneof![text, number, Just(json!(null)), Just(json!({"org_seq": 7})), Just(json!([1, "]"]))];
        let name =
            prop_oneof![Just("a".to_owned()), Just("z\n".to_owned()), Just("org_seq".to_owned()), "[a-z\"]{0,3}"];
        let coordinates = ("[0-9a-f]{64}", 0_u64..9, "[DCR0-9\"\\\\é\n-]{0,8}");
        (coordinates, prop::collection::vec((name, any_value), 0..6)).prop_map(|((parent, org_seq, id), others)| {
            let mut payload = json!({"org_seq": org_seq, "parent_hash": parent, "receipt_id": id});
            others.into_iter().for_each(|(name, value)| payload[name] = value);
            canonical::to_vec(&payload).unwrap()
        })
    }

    /// What a payload says, in a form that can be compared.
    fn said(coordinates: Option<Coordinates<'_>>) -> Option<(u64, Sha256Hex, String)> {
        coordinates.map(|said| (said.org_seq, said.parent_hash, said.receipt_id.into_owned()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn a_scanned_payload_says_what_a_parser_reads(
            payload in payloads(), at: prop::sample::Index, byte in prop_oneof![any::<u8>(), prop::sample::select(&b" \"\\,:{}[]0-"[..])],
            how in 0..4,
        ) {
            let mut payload = payload;
            let at = at.index(payload.len());
            match how {
                0 => payload[at] = byte,
                1 => payload.insert(at, byte),
                2 => { payload.remove(at); }
                _ => {}
            }
            let read = said(serde_json::from_slice(&payload).ok());
            if let Some(scanned) = said(Coordinates::scanned(&payload)) {
                prop_assert_eq!(Some(scanned), read.clone());
            }
            let row = Row {
                org_seq: 0, receipt_sha256: genesis(), parent_hash: genesis(), receipt_id: "", payload: &payload,
            };
            prop_assert_eq!(said(Coordinates::of(&row)), read);
        }
    }

    #[test]
    fn a_payload_as_we_write_it_is_scanned() {
        for receipt in chain(3) {
            assert!(Coordinates::scanned(&receipt.payload).is_some());
        }
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_caught_at_its_receipt(
            victim in 0_usize..5, field in 0..5, at: prop::sample::Index, bit in 0_u32..7,
        ) {
            let mut receipts = chain(5);
            let org_seq = receipts[victim].org_seq;
            let receipt = &mut receipts[victim];
            let flipped = |digest: Sha256Hex| {
                let mut bytes = *digest.as_bytes();
                bytes[at.index(32)] ^= 1 << bit;
                Sha256Hex::from_bytes(bytes)
            };
            match field {
                0 => { let at = at.index(receipt.payload.len()); receipt.payload[at] ^= 1 << bit; }
                1 => receipt.receipt_sha256 = flipped(receipt.receipt_sha256),
                2 => receipt.parent_hash = flipped(receipt.parent_hash),
                3 => receipt.org_seq ^= 1 << at.index(64),
                _ => {
                    let mut id = std::mem::take(&mut receipt.receipt_id).into_bytes();
                    let at = at.index(id.len());
                    id[at] ^= 1 << bit;
                    receipt.receipt_id = String::from_utf8(id).unwrap();
                }
            }
            let first = if field == 3 { receipts[victim].org_seq } else { org_seq };
            prop_assert_eq!(verification(&receipts).errors.first().map(|error| error.org_seq), Some(first));
        }
    }
}
