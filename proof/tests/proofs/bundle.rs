//! Bundles: what holds, which step fails when something does not, and whose key is believed.

use crate::sample::{self, FIRST, INDEX, LOG_ID, LOG_NAME, fresh, key, settled, trust};
use proof::{
    bundle::{Bundle, Name, NotABundle, Outcome, Report, Signer, Trust, verify},
    canonical,
    checkpoint::{Checkpoint, REGISTRY},
    digest::sha256,
    note::{Note, PublicKey},
    rotation::{Introduced, Introduction},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

fn outcome(report: &Report, name: Name) -> Outcome {
    report.steps.iter().find(|step| step.name == name).unwrap().outcome
}

/// The steps that do not hold.
fn failing(report: &Report) -> Vec<Name> {
    report.steps.iter().filter(|step| step.outcome == Outcome::Fails).map(|step| step.name).collect()
}

fn known() -> Trust {
    Trust { witnesses: vec![sample::witness().0], ..trust(1) }
}

#[test]
fn a_settled_bundle_holds_step_by_step() {
    let report = verify(&settled(), &known());
    let expected = [
        (Name::Payload, sample::receipt().0.receipt_sha256.to_string()),
        (Name::Coordinates, "DCR-000004-3a7c9f2b, number 4 of its organisation".to_owned()),
        (Name::Leaf, "leaf 203".to_owned()),
        (Name::Inclusion, "leaf 203 of 204".to_owned()),
        (Name::Checkpoint, key(2).public().to_string()),
        (Name::Keys, "the keys of ledger.example.org".to_owned()),
        (Name::Registry, "leaf 17 of 40".to_owned()),
        (Name::Witnesses, "witness.example/w1 at 1772366700".to_owned()),
        (Name::Signer, key(1).public().to_string()),
    ];
    let steps: Vec<_> = report.steps.iter().map(|step| (step.name, step.found.clone())).collect();
    assert_eq!(steps, expected);
    assert!(report.steps.iter().all(|step| step.outcome == Outcome::Holds && step.expected == step.found));
    assert_eq!((report.signer, report.key), (Signer::Known, Some(key(2).public())));
    assert!(report.proved() && report.consistent() && report.failure().is_none());
}

#[test]
fn what_is_not_there_yet_is_said_and_allowed() {
    let report = verify(&fresh(), &known());
    assert!(report.proved(), "{report:?}");
    assert_eq!(outcome(&report, Name::Registry), Outcome::NotChecked);
    assert_eq!(outcome(&report, Name::Witnesses), Outcome::NotChecked);
    let report = verify(&settled(), &trust(1));
    assert!(report.proved() && outcome(&report, Name::Witnesses) == Outcome::NotChecked);
}

#[test]
fn a_key_in_the_bundle_proves_nothing_by_itself() {
    for bundle in [fresh(), settled()] {
        let report = verify(&bundle, &Trust::default());
        assert_eq!((report.signer, report.consistent(), report.proved()), (Signer::Unknown, true, false));
        assert_eq!(outcome(&report, Name::Signer), Outcome::NotChecked);
        let report = verify(&bundle, &trust(9));
        assert_eq!((report.signer, report.consistent(), report.proved()), (Signer::Other, true, false));
        assert_eq!(failing(&report), [Name::Signer]);
        assert_eq!(report.failure().unwrap().found, "another key");
    }
}

#[test]
fn a_trusted_key_vouches_for_those_that_come_after_it() {
    for (number, fresh_is, settled_is) in [
        (1, Signer::Known, Signer::Known),
        (2, Signer::Known, Signer::Known),
        // The third key came after the log's checkpoint; it has signed that the registry holds the log's tree.
        (3, Signer::Other, Signer::Known),
    ] {
        let all_keys = Bundle { keys: sample::keys(), ..fresh() };
        assert_eq!(verify(&all_keys, &trust(number)).signer, fresh_is, "{number}");
        assert_eq!(verify(&settled(), &trust(number)).signer, settled_is, "{number}");
    }
    let all_keys = Bundle { keys: sample::keys(), ..fresh() };
    let report = verify(&all_keys, &trust(3));
    assert_eq!(report.failure().unwrap().found, key(2).public().to_string());
}

fn pinned(checkpoint: Checkpoint, number: u8) -> Trust {
    Trust { checkpoint: Some(checkpoint.sign(&key(number)).unwrap()), ..Trust::default() }
}

#[test]
fn a_pinned_checkpoint_says_whose_key_it_was() {
    let at = |log_id: &str, size, root: &[u8]| Checkpoint { origin: sample::origin(log_id), size, root: sha256(root) };
    let other_log = at("another", 12, b"whatever");
    for (number, signer) in [(1, Signer::Known), (2, Signer::Known), (9, Signer::Other)] {
        assert_eq!(verify(&fresh(), &pinned(other_log.clone(), number)).signer, signer, "{number}");
    }
    let itself = fresh().log.checkpoint.parse().unwrap();
    let report = verify(&fresh(), &Trust { checkpoint: Some(itself), ..Trust::default() });
    assert!(report.proved(), "{report:?}");
    let no_checkpoint = Note::sign("text\n", LOG_NAME, &key(2)).unwrap();
    let report = verify(&fresh(), &Trust { checkpoint: Some(no_checkpoint), ..Trust::default() });
    assert_eq!((report.signer, report.proved()), (Signer::Other, false));

    // Two histories: the log, what is registered of it, the registry.
    for (log_id, size) in [(LOG_ID, FIRST), (LOG_ID, sample::LATER), (REGISTRY, sample::REGISTRY_SIZE)] {
        for mut trust in [pinned(at(log_id, size, b"another tree"), 2), pinned(at(log_id, size, b"another tree"), 3)] {
            trust.keys.push(key(1).public());
            let report = verify(&settled(), &trust);
            assert_eq!((report.signer, failing(&report)), (Signer::Other, vec![Name::Signer]));
            assert_eq!(report.failure().unwrap().expected, sha256(b"another tree").to_string());
            assert!(!report.proved());
        }
    }
}

#[test]
fn whoever_has_no_trusted_key_cannot_borrow_one() {
    let forge = |keys: Vec<Introduced>| {
        let mut bundle = Bundle { keys, ..fresh() };
        let note: Note = bundle.log.checkpoint.parse().unwrap();
        bundle.log.checkpoint = note.text.parse::<Checkpoint>().unwrap().sign(&key(9)).unwrap().to_string();
        bundle
    };
    let first = |public_key: PublicKey| Introduced { public_key, introduced_by: None };
    let by = |of: u8, number: u8| Introduced {
        public_key: key(number).public(),
        introduced_by: Some(Introduction::make(LOG_NAME, &key(of), key(number).public()).unwrap()),
    };
    // The forger introduces the trusted key, which anybody can.
    let report = verify(&forge(vec![first(key(9).public()), by(9, 1)]), &trust(1));
    assert_eq!((report.signer, failing(&report)), (Signer::Other, vec![Name::Signer]));
    // The forger pretends to be introduced by it.
    for second in [first(key(9).public()), by(9, 9), by(2, 9)] {
        let report = verify(&forge(vec![first(key(1).public()), second]), &trust(1));
        assert_eq!(failing(&report), [Name::Keys, Name::Signer]);
        assert!(!report.proved() && report.signer == Signer::Other);
    }
    // The forger leaves the list to the trusted key.
    let report = verify(&forge(vec![first(key(1).public())]), &trust(1));
    assert_eq!(failing(&report), [Name::Checkpoint, Name::Signer]);
    assert_eq!(report.key, None);
}

#[test]
fn every_step_fails_where_it_should() {
    type Change = fn(&mut Bundle);
    let sealed: Change = |bundle| bundle.receipt.receipt_sha256 = sha256(bundle.payload.as_bytes());
    let registry = |change: fn(&mut proof::bundle::Registered)| {
        let mut bundle = settled();
        change(bundle.registry.as_mut().unwrap());
        bundle
    };
    let with = |change: Change| {
        let mut bundle = settled();
        change(&mut bundle);
        bundle
    };
    for (what, bundle, expected) in [
        ("payload edited", with(|bundle| bundle.payload = bundle.payload.replace("93", "94")), vec![Name::Payload]),
        (
            "payload edited and hashed again",
            with(|bundle| bundle.payload = bundle.payload.replace("93", "94")),
            vec![Name::Payload],
        ),
        ("order of keys", with(|bundle| bundle.keys.swap(1, 2)), vec![Name::Keys, Name::Registry, Name::Signer]),
        ("no key", with(|bundle| bundle.keys.clear()), vec![Name::Checkpoint, Name::Keys, Name::Signer]),
        ("another log", with(|bundle| bundle.log.log_id = "another".to_owned()), vec![Name::Checkpoint]),
        ("no leaf of it", with(|bundle| bundle.log.leaf = String::new()), vec![Name::Leaf, Name::Inclusion]),
        (
            "another event's leaf, which is in the log",
            with(|bundle| {
                bundle.log.leaf = String::from_utf8(sample::leaf(7).canonical()).unwrap();
                bundle.log.index = 7;
                bundle.log.inclusion_proof = sample::LOG.inclusion(7, FIRST).unwrap();
            }),
            vec![Name::Leaf],
        ),
        (
            "a proof of the later tree",
            with(|bundle| bundle.log.inclusion_proof = sample::LOG.inclusion(INDEX, sample::LATER).unwrap()),
            vec![Name::Inclusion],
        ),
        ("no note", with(|bundle| bundle.log.checkpoint = "text\n".to_owned()), vec![Name::Checkpoint, Name::Signer]),
        ("not consistent", registry(|registry| registry.consistency_proof.clear()), vec![Name::Registry]),
        ("another leaf", registry(|registry| registry.index = 16), vec![Name::Registry]),
        (
            "an earlier tree registered",
            registry(|registry| {
                let earlier = sample::checkpoint(&sample::LOG, LOG_ID, FIRST - 1);
                registry.registered = earlier.sign(&key(2)).unwrap().to_string();
            }),
            vec![Name::Registry],
        ),
        (
            "registered in an earlier epoch",
            with(|bundle| {
                let mut later = sample::checkpoint(&sample::LOG, LOG_ID, FIRST);
                later.origin = later.origin.replace("/0", "/1");
                bundle.log.checkpoint = later.sign(&key(2)).unwrap().to_string();
            }),
            vec![Name::Registry],
        ),
        (
            "registered by a key before the log's",
            registry(|registry| {
                let later = sample::checkpoint(&sample::LOG, LOG_ID, sample::LATER);
                registry.registered = later.sign(&key(1)).unwrap().to_string();
            }),
            vec![Name::Registry],
        ),
        (
            "another log as the registry",
            registry(|registry| registry.checkpoint.clone_from(&registry.registered)),
            vec![Name::Registry],
        ),
        (
            "a bad cosignature",
            registry(|registry| {
                let mut note: Note = registry.checkpoint.parse().unwrap();
                note.signatures[1].signature[70] ^= 1;
                registry.checkpoint = note.to_string();
            }),
            vec![Name::Witnesses],
        ),
    ] {
        let mut bundle = bundle;
        let mut expected = expected;
        if what == "payload edited and hashed again" {
            sealed(&mut bundle);
            expected = vec![Name::Leaf];
        }
        let report = verify(&bundle, &known());
        assert_eq!(failing(&report), expected, "{what}: {report:#?}");
        assert!(!report.proved(), "{what}");
        for step in report.steps.iter().filter(|step| step.outcome == Outcome::Fails) {
            assert!(step.expected != step.found && !step.found.is_empty(), "{what}: {step:?}");
        }
    }
}

#[test]
fn a_payload_must_be_canonical_even_where_it_has_the_digest() {
    let mut bundle = fresh();
    bundle.payload = bundle.payload.replace(",\"org_seq\"", ", \"org_seq\"");
    bundle.receipt.receipt_sha256 = sha256(bundle.payload.as_bytes());
    let report = verify(&bundle, &trust(1));
    assert_eq!(failing(&report), [Name::Payload, Name::Leaf]);
    assert_eq!(report.failure().unwrap().expected, "canonical JSON (RFC 8785)");
}

#[test]
fn bytes_that_are_no_bundle_are_refused_with_the_place() {
    for bundle in [fresh(), settled()] {
        assert_eq!(Bundle::parse(&bundle.to_vec().unwrap()), Ok(bundle));
    }
    let text = String::from_utf8(settled().to_vec().unwrap()).unwrap();
    let refused = |text: &str| Bundle::parse(text.as_bytes()).unwrap_err().to_string();
    for (from, to, message) in [
        ("\"registry\":{", "\"registry\": {", "at byte"),
        ("receipt-bundle/v1", "receipt-bundle/v2", "format: "),
        ("\"index\":203", "\"index\":\"203\"", "log.index: "),
        ("\"index\":203", "\"index\":-1", "log.index: "),
        ("\"index\":203", "\"index\":203,\"indices\":1", "log.indices: "),
        ("\"index\":203,", "", "index"),
        ("\"org_seq\":4,", "\"org_seq\":4.5,", "numbers are integers"),
    ] {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text);
        assert!(refused(&other).contains(message), "{}", refused(&other));
    }
    assert!(refused(&format!("{text}\n")).contains("at byte"));
    assert!(refused("").contains("at byte 0"));
    assert!(
        refused(&text.replace("\"timestamps\":[{", "\"timestamps\":[{\"at\":1,")).contains("registry.timestamps[0]")
    );
    assert_eq!(Bundle::parse(&vec![b'['; (32 << 20) + 1]), Err(NotABundle::TooLong));
    assert!(Bundle::parse(&vec![b'['; 32 << 20]).is_err());

    let mut long = settled();
    long.keys = vec![long.keys[0].clone(); 257];
    let count = NotABundle::Count { list: "keys", allowed: 256, found: 257 };
    assert_eq!(Bundle::parse(&long.to_vec().unwrap()), Err(count));
    let mut long = settled();
    long.log.inclusion_proof = vec![sha256(b""); 65];
    let count = NotABundle::Count { list: "log.inclusion_proof", allowed: 64, found: 65 };
    assert_eq!(Bundle::parse(&long.to_vec().unwrap()), Err(count));
}

#[test]
fn a_report_is_json_for_whoever_shows_it() {
    let report = serde_json::to_value(verify(&fresh(), &Trust::default())).unwrap();
    let step = json!({"name": "leaf", "outcome": "holds", "expected": "leaf 203", "found": "leaf 203"});
    assert_eq!(report["steps"][2], step);
    assert_eq!((&report["steps"][6]["outcome"], &report["signer"]), (&json!("not_checked"), &json!("unknown")));
    assert_eq!(report["key"], json!(key(2).public().to_string()));
}

/// Where the texts and numbers of a document are.
fn places(value: &Value, place: String, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| places(value, format!("{place}/{name}"), into)),
        Value::Array(items) => (0..).zip(items).for_each(|(at, value)| places(value, format!("{place}/{at}"), into)),
        Value::String(_) | Value::Number(_) => into.push(place),
        _ => {}
    }
}

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(settled()).unwrap());

/// Which step is to fail when what is at this place has changed. Nothing looks into time stamps here.
fn step_of(place: &str) -> &'static [Name] {
    match place.split('/').skip(1).collect::<Vec<_>>().as_slice() {
        ["payload"] | ["receipt", "receipt_sha256"] => &[Name::Payload],
        ["receipt", ..] => &[Name::Coordinates],
        ["log", "leaf"] => &[Name::Leaf, Name::Inclusion],
        ["log", "index"] => &[Name::Leaf],
        ["log", "inclusion_proof", _] => &[Name::Inclusion],
        ["log", "log_id" | "checkpoint"] => &[Name::Checkpoint],
        ["keys", ..] => &[Name::Keys],
        ["registry", "checkpoint"] => &[Name::Registry, Name::Witnesses],
        ["registry", "timestamps", ..] | ["format"] => &[],
        ["registry", ..] => &[Name::Registry],
        _ => panic!("{place}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_changed_byte_of_any_field_fails_at_its_step(which: prop::sample::Index, at: prop::sample::Index, bit in 0..7) {
        let mut all = Vec::new();
        places(&DOCUMENT, String::new(), &mut all);
        let place = which.get(&all);
        let mut document = DOCUMENT.clone();
        let value = document.pointer_mut(place).unwrap();
        let changed = match &*value {
            Value::Number(number) => Some(json!(number.as_u64().unwrap() ^ 1 << at.index(20))),
            Value::String(text) => {
                let mut bytes = text.clone().into_bytes();
                let at = at.index(bytes.len());
                bytes[at] ^= 1_u8 << bit;
                String::from_utf8(bytes).ok().map(Value::from)
            }
            _ => None,
        };
        let Some(changed) = changed else { return Ok(()) };
        *value = changed;
        // A shape that no bundle has is refused before anything is verified.
        let Ok(bundle) = Bundle::parse(&canonical::to_vec(&document).unwrap()) else { return Ok(()) };
        let report = verify(&bundle, &known());
        let steps = step_of(place);
        prop_assert!(steps.is_empty() || steps.iter().any(|step| outcome(&report, *step) != Outcome::Holds), "{} {:#?}", place, report);
        // A cosignature that is no longer a known witness's is passed over; all else refuses the bundle.
        if !steps.is_empty() && place != "/registry/checkpoint" {
            prop_assert!(!report.proved() && !failing(&report).is_empty(), "{} {:#?}", place, report);
        }
    }
}
