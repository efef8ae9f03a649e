//! Signed notes, checkpoints, cosignatures, leaves and stand-alone proofs: the vectors of the specifications, what they
//! refuse, and that what is written is read again.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use proof::{
    checkpoint::{Checkpoint, NotACheckpoint, Origin},
    digest::{Blake3Hex, Sha256Hex, blake3, sha256},
    leaf::{Coordinates, Leaf, NotALeaf},
    merkle::{self, ProofError},
    note::{LogKey, MAX_SIGNATURES, NotAKey, Note, NoteError, PublicKey, Signature, VerifierKey, signatures},
    tile::Tiles,
    tlog_proof::{NotAProof, Policy, Refused, TlogProof},
};
use proptest::prelude::*;

/// The key and the note that Go's `sumdb/note` and C2SP show.
const VKEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const NOTE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

fn vkey() -> VerifierKey {
    VKEY.parse().unwrap()
}

fn key(seed: u8) -> LogKey {
    LogKey::from_seed([seed; 32])
}

fn log(seed: u8) -> VerifierKey {
    VerifierKey::log("log.example/1", key(seed).public()).unwrap()
}

fn witness(number: u8) -> (String, LogKey, VerifierKey) {
    let (name, key) = (format!("witness.example/{number}"), key(100 + number));
    let verifier = VerifierKey::cosigner(&name, key.public()).unwrap();
    (name, key, verifier)
}

#[test]
fn the_note_of_the_specification_is_verified_by_its_key_alone() {
    let note: Note = NOTE.parse().unwrap();
    assert_eq!(note.text, "This is an example message.\n");
    assert_eq!(note.to_string(), NOTE);
    assert_eq!(vkey().to_string(), VKEY);
    let known = [log(1), vkey()];
    let verified = note.verify(&known).unwrap();
    assert_eq!(verified.iter().map(|by| (by.key, by.time)).collect::<Vec<_>>(), [(&vkey(), None)]);
    assert_eq!(note.verify(&[log(1)]), Err(NoteError::Unknown));
    assert_eq!(note.verify(&[]), Err(NoteError::Unknown));

    let other = NOTE.replacen("example message", "exemple message", 1);
    let bad = NoteError::Bad { name: "example.com/foo".to_owned() };
    assert_eq!(other.parse::<Note>().unwrap().verify(&known), Err(bad));
}

#[test]
fn the_last_blank_line_divides_text_and_signatures() {
    let text = "One paragraph.\n\nAnother.\n\n\n";
    let note = Note::sign(text, "log.example/1", &key(1)).unwrap();
    let read: Note = note.to_string().parse().unwrap();
    assert_eq!((read.text.as_str(), &read), (text, &note));
    assert!(read.verify(&[log(1)]).is_ok());
}

/// As C2SP prints them: a note of two paragraphs, and a checkpoint with a cosignature.
const PARAGRAPHS: &str = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
const COSIGNED: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

#[test]
fn the_notes_of_the_specifications_are_read_as_they_are_written() {
    let note: Note = PARAGRAPHS.parse().unwrap();
    assert!(note.text.ends_with("sole:\n\ned è subito sera.\n"));
    assert_eq!((note.signatures.len(), note.signatures[0].signature.len()), (1, 64));
    assert_eq!(note.to_string(), PARAGRAPHS);

    let note: Note = COSIGNED.parse().unwrap();
    assert_eq!(note.to_string(), COSIGNED);
    let checkpoint: Checkpoint = note.text.parse().unwrap();
    assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!(checkpoint.to_string(), note.text);
    assert_eq!(note.signatures[1].signature[..8], 1_679_315_147_u64.to_be_bytes());
}

#[test]
fn a_text_that_is_no_note_is_refused() {
    let line = NOTE.rsplit_once("\n\n").unwrap().1;
    for (text, error) in [
        ("", NoteError::Unended),
        ("text", NoteError::Unended),
        ("text\n", NoteError::Unsigned),
        ("text\n\n", NoteError::Unsigned),
        ("\n\n", NoteError::Unsigned),
        (&NOTE[..NOTE.len() - 1], NoteError::Unended),
        (line, NoteError::Unsigned),
        (&format!("text\n{line}"), NoteError::Unsigned),
        (&format!("te\txt\n\n{line}"), NoteError::Control),
        (&format!("text\r\n\r\n{line}"), NoteError::Control),
        (&format!("te\0xt\n\n{line}"), NoteError::Control),
        (&format!("{NOTE}\n"), NoteError::Unsigned),
        (&format!("text\n\n{line}\n\n"), NoteError::Unsigned),
        (&format!("text\n\n{line}more\n"), NoteError::Line),
        (&NOTE.replace("\u{2014} ", "- "), NoteError::Line),
        (&NOTE.replace("\u{2014} ", "\u{2014}"), NoteError::Line),
        (&NOTE.replace("\u{2014} ", "\u{2014}  "), NoteError::Name),
        (&NOTE.replace("example.com/foo", "example.com+foo"), NoteError::Name),
        (&NOTE.replace("example.com/foo", "example.com\u{a0}foo"), NoteError::Name),
        (&NOTE.replace("example.com/foo Uw", "Uw"), NoteError::Line),
        (&NOTE.replace("aQM=", "aQN="), NoteError::Line),
        (&NOTE.replace("aQM=", "aQM"), NoteError::Line),
        (&NOTE.replace("aQM=", "aQM= "), NoteError::Line),
        ("text\n\n\u{2014} name AAAAAA==\n", NoteError::Line),
        ("text\n\n\u{2014} name \n", NoteError::Line),
        ("text\n\n\u{2014} name\n", NoteError::Line),
        (&format!("text\n\n{}", line.repeat(MAX_SIGNATURES + 1)), NoteError::TooMany),
        (&format!("{}\n\n{line}", "x".repeat(1 << 20)), NoteError::TooLong),
    ] {
        assert_eq!(text.parse::<Note>(), Err(error), "{}", text.escape_debug().take(200).collect::<String>());
    }
    assert_eq!(format!("\n\n{line}").parse::<Note>().unwrap().text, "\n");
    assert_eq!("text\n\n\u{2014} name AAAAAAA=\n".parse::<Note>().unwrap().signatures[0].signature, [0]);
    assert_eq!(Note::sign("text", "name", &key(1)), Err(NoteError::Unended));
    assert_eq!(Note::sign("te\u{1}xt\n", "name", &key(1)), Err(NoteError::Control));
    for name in ["", "a b", "a+b", "a\nb", "a\u{2003}b", "a\u{7}b"] {
        assert_eq!(Note::sign("text\n", name, &key(1)), Err(NoteError::Name));
    }
}

#[test]
fn a_known_keys_bad_signature_refuses_the_note_and_those_of_others_do_not() {
    let mut note = Note::sign("text\n", "log.example/1", &key(1)).unwrap();
    for number in 0..20 {
        let (name, key, _) = witness(number);
        note.signatures.push(note.cosign(&name, &key, 1_772_366_400).unwrap());
    }
    // Of a kind that is not known here (ML-DSA-44), and bytes that are no signature of any kind.
    note.signatures.push(Signature { name: "newer.example".to_owned(), id: [6; 4], signature: vec![1; 2428] });
    note.signatures.push(Signature { name: "log.example/1".to_owned(), id: [9; 4], signature: vec![1] });
    let note: Note = note.to_string().parse().unwrap();
    assert_eq!(note.signatures.len(), 23);
    let known: Vec<_> = [log(1)].into_iter().chain((0..20).map(|number| witness(number).2)).collect();
    assert_eq!(note.verify(&known).unwrap().len(), 21);
    assert_eq!(note.verify(&[log(1)]).unwrap().len(), 1);

    for which in 0..21 {
        let mut bad = note.clone();
        let last = bad.signatures[which].signature.len() - 1;
        bad.signatures[which].signature[last] ^= 1;
        let name = bad.signatures[which].name.clone();
        assert_eq!(bad.verify(&known), Err(NoteError::Bad { name: name.clone() }));
        bad.signatures[which].signature.pop();
        assert_eq!(bad.verify(&known), Err(NoteError::Bad { name }));
        let others: Vec<_> = known.iter().filter(|key| key.name() != bad.signatures[which].name).cloned().collect();
        assert_eq!(bad.verify(&others).unwrap().len(), 20);
    }
}

#[test]
fn a_cosignature_says_when_and_is_no_logs_signature() {
    let note =
        Note::sign("origin\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", "log.example/1", &key(1)).unwrap();
    let (name, key, verifier) = witness(1);
    let line = note.cosign(&name, &key, 1_772_366_400).unwrap();
    assert_eq!(line.signature.len(), 72);
    assert_eq!(&line.signature[..8], 1_772_366_400_u64.to_be_bytes());
    // What the specification has signed, written out.
    let message = format!("cosignature/v1\ntime 1772366400\n{}", note.text);
    assert_eq!(line.signature[8..], key.sign(message.as_bytes()));

    let cosigned = Note { signatures: signatures(&format!("{line}\n")).unwrap(), ..note };
    let known = [verifier.clone()];
    assert_eq!(cosigned.verify(&known).unwrap()[0].time, Some(1_772_366_400));
    for at in 0..72 {
        let mut other = cosigned.clone();
        other.signatures[0].signature[at] ^= 1;
        assert_eq!(other.verify(&known), Err(NoteError::Bad { name: name.clone() }), "byte {at}");
    }
    // No later second is written, nor believed.
    let last = (1 << 63) - 1;
    let at = |time: u64| {
        let message = format!("cosignature/v1\ntime {time}\n{}", cosigned.text);
        let signature = [time.to_be_bytes().as_slice(), &key.sign(message.as_bytes())].concat();
        let line = Signature { signature, ..cosigned.signatures[0].clone() };
        Note { signatures: vec![line], ..cosigned.clone() }
    };
    assert_eq!(at(last).verify(&known).unwrap()[0].time, Some(last));
    assert_eq!(at(last + 1).verify(&known), Err(NoteError::Bad { name: name.clone() }));
    assert_eq!(cosigned.cosign(&name, &key, last + 1), Err(NoteError::Time));

    let as_log = VerifierKey::log(&name, key.public()).unwrap();
    assert_ne!(as_log.id(), verifier.id());
    assert_eq!(cosigned.verify(&[as_log]), Err(NoteError::Unknown));
    assert_eq!(signatures(""), Err(NoteError::Line));
    assert_eq!(signatures(&format!("{line}\n\n")), Err(NoteError::Line));
}

#[test]
fn keys_are_read_as_they_are_written() {
    let (_, _, cosigner) = witness(1);
    for verifier in [log(1), cosigner] {
        assert_eq!(verifier.to_string().parse(), Ok(verifier));
    }
    let public = key(1).public();
    assert_eq!(public.to_string().parse(), Ok(public));
    assert_eq!(serde_json::from_str::<PublicKey>(&format!("\"{public}\"")).unwrap(), public);
    assert_eq!("AAAA".parse::<PublicKey>(), Err(NotAKey::Public));
    for (text, error) in [
        ("", NotAKey::Verifier),
        ("example.com/foo", NotAKey::Verifier),
        ("example.com/foo+530d903a", NotAKey::Verifier),
        (&VKEY.replace("foo", "f o"), NotAKey::Verifier),
        (&VKEY[15..], NotAKey::Verifier),
        (&VKEY[..VKEY.len() - 4], NotAKey::Verifier),
        (&VKEY.replace("530d903a", "530D903A"), NotAKey::Id),
        (&VKEY.replace("530d903a", "530d903b"), NotAKey::Id),
        (&VKEY.replace("530d903a", "0x530d903a"), NotAKey::Id),
        (&VKEY.replace("/foo", "/bar"), NotAKey::Id),
        (&VKEY.replace("Aeky", "Beky"), NotAKey::Algorithm(5)),
        (&VKEY.replace("Aeky", "Acky"), NotAKey::Id),
    ] {
        assert_eq!(text.parse::<VerifierKey>(), Err(error), "{text}");
    }
    // The neutral point is a key under which every message has the same signature: it verifies none.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    assert!(!PublicKey::from_bytes(neutral).verify(b"anything", &signature));
}

#[test]
fn a_key_that_signs_is_not_shown() {
    let seed = [0x5a; 32];
    let shown = format!("{:?}", LogKey::from_seed(seed));
    assert_eq!(shown, format!("LogKey({})", LogKey::from_seed(seed).public()));
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: "ledger.example/log/7f3a/0".to_owned(), size: 70_000, root: sha256(b"root") }
}

#[test]
fn a_checkpoint_is_three_lines() {
    let text = checkpoint().to_string();
    assert_eq!(text, "ledger.example/log/7f3a/0\n70000\nSBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=\n");
    assert_eq!(text.parse(), Ok(checkpoint()));
    let with = |from: &str, to: &str| text.replacen(from, to, 1).parse::<Checkpoint>();
    assert_eq!(with("70000", "18446744073709551615").unwrap().size, u64::MAX);
    assert_eq!(with("70000", "0").unwrap().size, 0);
    for size in ["070000", "", "-1", "+1", "1e3", "00", "18446744073709551616", " 70000", "70000 ", "0x1", "٧"] {
        assert_eq!(with("70000", size), Err(NotACheckpoint::Size), "{size}");
    }
    for root in
        ["", "SBNJ", "SBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7J=", "SBNJTRN-FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I="]
    {
        assert_eq!(with("SBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=", root), Err(NotACheckpoint::Root), "{root}");
    }
    assert_eq!(with("ledger.example/log/7f3a/0", ""), Err(NotACheckpoint::Origin));
    assert_eq!(with("ledger", "led\tger"), Err(NotACheckpoint::Origin));
    assert_eq!(text.trim_end().parse::<Checkpoint>(), Err(NotACheckpoint::Lines));
    assert_eq!("origin\n1\n".parse::<Checkpoint>(), Err(NotACheckpoint::Lines));
    assert_eq!("".parse::<Checkpoint>(), Err(NotACheckpoint::Lines));
    assert_eq!(format!("{text}extension\n").parse::<Checkpoint>(), Err(NotACheckpoint::Extension));
    assert_eq!(format!("{text}\n").parse::<Checkpoint>(), Err(NotACheckpoint::Extension));

    let spaced = Checkpoint { origin: "two words".to_owned(), ..checkpoint() };
    assert_eq!(spaced.sign(&key(1)), Err(NoteError::Name));
}

#[test]
fn an_origin_names_installation_log_and_epoch() {
    let origin: Origin = "ledger.example:8443/team/log/7f3a/12".parse().unwrap();
    assert_eq!(
        (origin.log_name.as_str(), origin.log_id.as_str(), origin.epoch),
        ("ledger.example:8443/team", "7f3a", 12)
    );
    assert_eq!(origin.to_string(), "ledger.example:8443/team/log/7f3a/12");
    for text in ["", "a/log/b", "a/log/b/", "a/log/b/01", "a/log//1", "/log/b/1", "a/lag/b/1", "log/b/1", "a/log/b/x"] {
        assert!(text.parse::<Origin>().is_err(), "{text}");
    }
}

fn leaf(receipt: bool) -> Leaf {
    let coordinates = Coordinates {
        org_seq: 4,
        parent_hash: sha256(b"before"),
        receipt_id: "DCR-000004-3a7c9f2b".to_owned(),
        receipt_sha256: sha256(b"payload"),
    };
    Leaf {
        org_position: 18_204,
        hash: blake3(b"event"),
        recorded_at: 1_772_366_400_123_456,
        receipt: receipt.then_some(coordinates),
    }
}

#[test]
fn a_leaf_is_canonical_json() {
    let (event, before, payload) = (blake3(b"event"), sha256(b"before"), sha256(b"payload"));
    assert_eq!(
        String::from_utf8(leaf(false).canonical()).unwrap(),
        format!(r#"{{"hash":"{event}","org_position":18204,"recorded_at":"2026-03-01T12:00:00.123456Z"}}"#)
    );
    let text = String::from_utf8(leaf(true).canonical()).unwrap();
    assert_eq!(
        text,
        format!(
            r#"{{"hash":"{event}","org_position":18204,"receipt":{{"org_seq":4,"parent_hash":"{before}","receipt_id":"DCR-000004-3a7c9f2b","receipt_sha256":"{payload}"}},"recorded_at":"2026-03-01T12:00:00.123456Z"}}"#
        )
    );
    assert_eq!(Leaf::parse_strict(text.as_bytes()), Ok(leaf(true)));
    assert_eq!(leaf(true).hash(), merkle::leaf(text.as_bytes()));
    for (from, to) in [
        ("18204", "18204.0"),
        ("18204", "\"18204\""),
        ("18204", "9007199254740992"),
        ("18204", "-1"),
        (",\"recorded_at\"", ", \"recorded_at\""),
        ("\"org_seq\":4,", ""),
        ("\"org_seq\":4,", "\"org_seq\":4,\"other\":1,"),
        ("\"recorded_at\"", "\"recorded_by\":1,\"recorded_at\""),
        (".123456Z", ".123Z"),
        (".123456Z", ".123456+00:00"),
        ("T12", "T24"),
        ("T12", " 12"),
        ("2026-03-01", "2026-02-29"),
        ("2026-03-01", "2026-13-01"),
        ("2026-03-01", "12026-3-01"),
        ("12:00:00", "12:00:60"),
        (event.to_string().as_str(), &event.to_string()[1..]),
        (event.to_string().as_str(), &event.to_string().to_uppercase()),
    ] {
        let other = text.replacen(from, to, 1);
        assert!(matches!(Leaf::parse_strict(other.as_bytes()), Err(NotALeaf::Shape(_))), "{other}");
    }
    let without = text.replace(&text[text.find("{\"org_seq").unwrap()..=text.find("},").unwrap()], "null");
    assert!(without.contains("\"receipt\":null"), "{without}");
    assert!(Leaf::parse_strict(without.as_bytes()).is_err());
    assert_eq!(Leaf::parse_strict(&[b' '; 65_536]), Err(NotALeaf::TooLong));
}

/// A log of seven entries, the proof of the sixth, and whom to believe.
fn proved() -> (TlogProof, Policy) {
    let entries: Vec<_> = (0..7).map(|index| merkle::leaf(format!("entry {index}").as_bytes())).collect();
    let mut tiles = Tiles::new();
    tiles.append(0, &entries).unwrap();
    let checkpoint = Checkpoint { origin: "log.example/1".to_owned(), size: 7, root: tiles.root(7).unwrap() };
    let mut note = checkpoint.sign(&key(1)).unwrap();
    for number in 0..3 {
        let (name, key, _) = witness(number);
        note.signatures.push(note.cosign(&name, &key, 1_772_366_400).unwrap());
    }
    let proof = TlogProof { extra: None, index: 5, hashes: tiles.inclusion(5, 7).unwrap(), checkpoint: note };
    let policy = Policy { logs: vec![log(1)], witnesses: (0..4).map(|number| witness(number).2).collect(), quorum: 3 };
    (proof, policy)
}

#[test]
fn a_proof_stands_alone() {
    let (proof, policy) = proved();
    let text = proof.to_string();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nindex 5\n"), "{text}");
    let (head, checkpoint) = text.split_once("\n\n").unwrap();
    assert_eq!(head.lines().count(), 2 + proof.hashes.len());
    assert_eq!(checkpoint, proof.checkpoint.to_string());
    assert_eq!(text.parse(), Ok(proof.clone()));
    assert_eq!(proof.verify(b"entry 5", &policy).unwrap().size, 7);

    let with_extra = TlogProof { extra: Some(b"more".to_vec()), ..proof };
    assert!(with_extra.to_string().contains("@v1\nextra bW9yZQ==\nindex 5\n"));
    assert_eq!(with_extra.to_string().parse(), Ok(with_extra));
}

#[test]
fn a_proof_is_believed_only_with_log_witnesses_and_entry() {
    let (proof, policy) = proved();
    assert!(matches!(proof.verify(b"entry 4", &policy), Err(Refused::Inclusion(ProofError::Root { .. }))));
    let other = TlogProof { index: 4, ..proof.clone() };
    assert!(matches!(other.verify(b"entry 5", &policy), Err(Refused::Inclusion(_))));

    let with = |policy: Policy| proof.verify(b"entry 5", &policy);
    let unknown = VerifierKey::log("log.example/2", key(1).public()).unwrap();
    let origin = "log.example/1".to_owned();
    assert_eq!(with(Policy { logs: vec![unknown], ..policy.clone() }), Err(Refused::Origin(origin)));
    assert_eq!(with(Policy { logs: vec![log(2)], ..policy.clone() }), Err(Refused::Unsigned));
    let alone = Policy { logs: vec![log(2)], witnesses: vec![], quorum: 0 };
    assert_eq!(with(alone), Err(Refused::Note(NoteError::Unknown)));
    let quorum = Refused::Quorum { expected: 4, found: 3 };
    assert_eq!(with(Policy { quorum: 4, ..policy.clone() }), Err(quorum));
    let twice = vec![policy.witnesses[0].clone(); 3];
    assert_eq!(with(Policy { witnesses: twice, ..policy.clone() }), Err(Refused::Quorum { expected: 3, found: 1 }));

    let mut same_witness = proof.clone();
    let again = same_witness.checkpoint.cosign("witness.example/0", &witness(0).1, 1_772_366_401).unwrap();
    same_witness.checkpoint.signatures.truncate(2);
    same_witness.checkpoint.signatures.push(again);
    assert_eq!(same_witness.verify(b"entry 5", &policy), Err(Refused::Quorum { expected: 3, found: 1 }));
    let mut bad = proof.clone();
    bad.checkpoint.signatures[2].signature[20] ^= 1;
    let name = "witness.example/1".to_owned();
    assert_eq!(bad.verify(b"entry 5", &policy), Err(Refused::Note(NoteError::Bad { name })));
}

#[test]
fn a_text_that_is_no_proof_is_refused() {
    let text = proved().0.to_string();
    let hash = text.lines().nth(2).unwrap();
    for (from, to, error) in [
        ("@v1", "@v2", NotAProof::Header),
        ("c2sp", "\nc2sp", NotAProof::Header),
        ("index 5\n", "", NotAProof::Index),
        ("index 5", "index 05", NotAProof::Index),
        ("index 5", "index -5", NotAProof::Index),
        ("index 5", "index  5", NotAProof::Index),
        ("index 5", "index 18446744073709551616", NotAProof::Index),
        ("index 5", "extra", NotAProof::Index),
        ("index 5", "extra !\nindex 5", NotAProof::Extra),
        ("index 5", "extra bW9yZQ==\nextra bW9yZQ==\nindex 5", NotAProof::Index),
        ("index 5", "index 5\nextra bW9yZQ==", NotAProof::Hashes),
        (hash, "AAAA", NotAProof::Hashes),
        (hash, &hash[1..], NotAProof::Hashes),
        (hash, &vec![hash; 65].join("\n"), NotAProof::Hashes),
        ("\n\n", "\n", NotAProof::Hashes),
        ("\n\n\u{2014}", "\n\u{2014}", NotAProof::Note(NoteError::Unsigned)),
    ] {
        assert_eq!(text.replacen(from, to, 1).parse::<TlogProof>(), Err(error), "{from} {to}");
    }
    assert_eq!(text.trim_end().parse::<TlogProof>(), Err(NotAProof::Note(NoteError::Unended)));
}

proptest! {
    #[test]
    fn a_note_that_is_signed_is_read_and_verified(
        text in "([ -~é\u{2014}]{0,20}\n){1,5}", name in "[!-*,-~é]{1,20}", seed: [u8; 32], time in 0..1_u64 << 63, at: prop::sample::Index, bit in 0..7,
    ) {
        let key = LogKey::from_seed(seed);
        let mut note = Note::sign(text, &name, &key).unwrap();
        note.signatures.push(note.cosign(&name, &key, time).unwrap());
        let known = [VerifierKey::log(&name, key.public()).unwrap(), VerifierKey::cosigner(&name, key.public()).unwrap()];
        let read: Note = note.to_string().parse().unwrap();
        prop_assert_eq!(&read, &note);
        let times: Vec<_> = read.verify(&known).unwrap().iter().map(|by| by.time).collect();
        prop_assert_eq!(times, [None, Some(time)]);

        let mut bytes = note.text.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        if let Ok(text) = String::from_utf8(bytes) {
            let bad = Note { text, ..note }.verify(&known).map(|_| ());
            prop_assert_eq!(bad, Err(NoteError::Bad { name }));
        }
    }

    #[test]
    fn what_is_read_is_written_so(at: prop::sample::Index, character: char, how in 0..3) {
        for original in [NOTE.to_owned(), proved().0.to_string(), checkpoint().to_string(), VKEY.to_owned()] {
            let mut characters: Vec<_> = original.chars().collect();
            let at = at.index(characters.len());
            match how {
                0 => characters[at] = character,
                1 => characters.insert(at, character),
                _ => { characters.remove(at); }
            }
            let text: String = characters.into_iter().collect();
            if let Ok(note) = text.parse::<Note>() {
                prop_assert_eq!(note.to_string(), text.as_str());
            }
            if let Ok(proof) = text.parse::<TlogProof>() {
                prop_assert_eq!(proof.to_string(), text.as_str());
            }
            if let Ok(checkpoint) = text.parse::<Checkpoint>() {
                prop_assert_eq!(checkpoint.to_string(), text.as_str());
            }
            if let Ok(key) = text.parse::<VerifierKey>() {
                prop_assert_eq!(key.to_string(), text.as_str());
            }
        }
    }

    #[test]
    fn a_leaf_that_is_written_is_read_again(
        org_position in 0..1_u64 << 53, hash: [u8; 32], recorded_at in -62_167_219_200_000_000..253_402_300_800_000_000_i64,
        receipt in prop::option::of((0..1_u64 << 53, any::<[u8; 32]>(), any::<String>(), any::<[u8; 32]>())),
    ) {
        let receipt = receipt.map(|(org_seq, parent, receipt_id, sha256)| Coordinates {
            org_seq,
            parent_hash: Sha256Hex::from_bytes(parent),
            receipt_id,
            receipt_sha256: Sha256Hex::from_bytes(sha256),
        });
        let leaf = Leaf { org_position, hash: Blake3Hex::from_bytes(hash), recorded_at, receipt };
        let bytes = leaf.canonical();
        prop_assert_eq!(proof::canonical::check(&bytes), Ok(()));
        prop_assert_eq!(Leaf::parse_strict(&bytes), Ok(leaf));
    }
}
