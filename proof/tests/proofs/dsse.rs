//! Envelopes and statements.

use crate::sample::{key, receipt};
use proof::{
    canonical,
    digest::sha256,
    dsse::{DsseError, Envelope, PAYLOAD_TYPE, Signature, StatementError, pae, read_statement, statement},
};
use serde_json::{Value, json};

#[test]
fn the_encoding_that_is_signed_is_the_specifications() {
    let expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";
    assert_eq!(pae("http://example.com/HelloWorld", b"hello world"), expected);
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    // The lengths are those in bytes.
    assert_eq!(pae("é", "ü€".as_bytes()), "DSSEv1 2 é 5 ü€".as_bytes());
}

#[test]
fn an_envelope_is_read_as_it_is_written() {
    let envelope = Envelope::sign(b"{}".to_vec(), &key(1));
    let bytes = envelope.to_vec().unwrap();
    assert_eq!(canonical::check(&bytes), Ok(()));
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((&value["payload"], &value["payloadType"]), (&json!("e30="), &json!("application/vnd.in-toto+json")));
    assert_eq!(value["signatures"][0]["keyid"], json!(sha256(key(1).public().as_bytes())));
    assert_eq!(Envelope::parse(&bytes), Ok(envelope.clone()));
    assert_eq!(envelope.verify(&[key(2).public(), key(1).public()]), Ok(key(1).public()));
    assert_eq!(envelope.verify(&[key(2).public()]), Err(DsseError::Unknown));
    assert_eq!(envelope.verify(&[]), Err(DsseError::Unknown));
    assert_eq!(envelope.signatures[0].sig, key(1).sign(b"DSSEv1 28 application/vnd.in-toto+json 2 {}"));
}

#[test]
fn another_payload_type_or_signature_is_not_believed() {
    let envelope = Envelope::sign(b"{}".to_vec(), &key(1));
    let known = [key(1).public()];
    for other in [
        Envelope { payload: b"[]".to_vec(), ..envelope.clone() },
        Envelope { payload_type: "application/json".to_owned(), ..envelope.clone() },
        Envelope { signatures: vec![Signature { keyid: String::new(), sig: vec![0; 64] }], ..envelope.clone() },
        Envelope { signatures: vec![Signature { keyid: String::new(), sig: vec![] }], ..envelope.clone() },
    ] {
        assert_eq!(other.verify(&known), Err(DsseError::Unknown));
    }
    // The id of a key is a hint that anybody can write.
    let mut unnamed = envelope;
    unnamed.signatures[0].keyid = "somebody".to_owned();
    assert_eq!(unnamed.verify(&known), Ok(key(1).public()));
    assert_eq!(PAYLOAD_TYPE, unnamed.payload_type);
}

#[test]
fn what_dsse_allows_is_read_and_what_it_does_not_is_refused() {
    let parse = |value: &Value| Envelope::parse(value.to_string().as_bytes());
    let one = json!({"payload": "-_8=", "payloadType": "t", "signatures": [{"sig": "-_8"}], "more": {"a": 1}});
    let envelope = parse(&one).unwrap();
    assert_eq!((envelope.payload, &envelope.signatures[0].sig), (vec![0xfb, 0xff], &vec![0xfb, 0xff]));
    let with = |field: &str, value: Value| {
        let mut other = one.clone();
        other[field] = value;
        parse(&other)
    };
    assert_eq!(with("payload", json!("+/8")).unwrap().payload, [0xfb, 0xff]);
    assert_eq!(with("payload", json!("+_8=")), Err(DsseError::Base64("payload")));
    assert_eq!(with("payload", json!("!")), Err(DsseError::Base64("payload")));
    assert_eq!(with("signatures", json!([{"sig": "!"}])), Err(DsseError::Base64("sig")));
    assert_eq!(with("signatures", json!([])), Err(DsseError::Signatures(0)));
    assert_eq!(with("signatures", json!(vec![json!({"sig": ""}); 17])), Err(DsseError::Signatures(17)));
    assert!(matches!(with("signatures", json!({})), Err(DsseError::Shape(_))));
    assert!(matches!(with("payload", Value::Null), Err(DsseError::Shape(_))));
    assert!(matches!(parse(&json!([])), Err(DsseError::Shape(_))));
    let twice = br#"{"payload":"","payload":"","payloadType":"","signatures":[{"sig":""}]}"#;
    assert!(matches!(Envelope::parse(twice), Err(DsseError::Shape(_))));
    assert_eq!(Envelope::parse(&vec![b' '; (32 << 20) + 1]), Err(DsseError::TooLong));
}

#[test]
fn a_statement_names_the_receipt_and_holds_its_payloads_bytes() {
    let (receipt, payload) = receipt();
    let bytes = statement(&receipt, &payload).unwrap();
    assert_eq!(canonical::check(&bytes), Ok(()));
    let value: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(value["_type"], "https://in-toto.io/Statement/v1");
    let digest = json!({"sha256": receipt.receipt_sha256});
    assert_eq!(value["subject"], json!([{"name": "DCR-000004-3a7c9f2b", "digest": digest}]));
    assert_eq!(value["predicateType"], "urn:defendable:receipt:v1");
    assert_eq!(value["predicate"]["payload"]["org_seq"], 4);
    assert_eq!(value["predicate"]["receipt"]["share_url"], receipt.share_url);
    assert_eq!(read_statement(&bytes).unwrap(), (receipt, payload.as_bytes()));
}

#[test]
fn a_statement_that_says_different_things_is_refused() {
    let (receipt, payload) = receipt();
    let text = String::from_utf8(statement(&receipt, &payload).unwrap()).unwrap();
    let with = |from: &str, to: &str| {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text);
        read_statement(other.as_bytes()).map(|_| ())
    };
    assert!(matches!(with("score_100\":93", "score_100\":94"), Err(StatementError::Digest { .. })));
    assert!(matches!(with("Statement/v1", "Statement/v0.1"), Err(StatementError::Kind { field: "_type", .. })));
    assert!(matches!(with("receipt:v1", "receipt:v2"), Err(StatementError::Kind { field: "predicateType", .. })));
    let name = "\"name\":\"DCR-000004-3a7c9f2b\"";
    assert!(matches!(with(name, "\"name\":\"other\""), Err(StatementError::Kind { field: "subject", .. })));
    assert!(matches!(with("\"subject\":[", "\"subject\":[ "), Err(StatementError::Shape(_))));
    assert!(matches!(
        with(",\"predicateType\"", ",\"predicateBy\":1,\"predicateType\""),
        Err(StatementError::Shape(_))
    ));

    assert!(matches!(statement(&receipt, &payload.replace("93", "94")), Err(StatementError::Digest { .. })));
    assert!(matches!(statement(&receipt, "{ }"), Err(StatementError::Canonical(_))));
}
