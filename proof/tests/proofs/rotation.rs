//! The replacement of keys.

use crate::sample::{LOG_NAME, key, keys};
use proof::{
    canonical,
    rotation::{Introduced, Introduction, RotationError, walk},
};
use serde_json::json;

#[test]
fn each_key_introduces_the_next() {
    assert_eq!(walk(LOG_NAME, &keys()), Ok(()));
    assert_eq!(walk(LOG_NAME, &keys()[..1]), Ok(()));
    let statement = json!({
        "format": "defendable.log-key/v1", "log_name": LOG_NAME,
        "public_key": key(2).public(), "replaces": key(1).public(),
    });
    let introduction = keys()[1].introduced_by.clone().unwrap();
    assert_eq!(introduction.statement, canonical::to_string(&statement).unwrap());
    assert!(key(1).public().verify(introduction.statement.as_bytes(), &introduction.signature));
}

#[test]
fn a_broken_walk_is_named_with_its_place() {
    assert_eq!(walk(LOG_NAME, &[]), Err(RotationError::Count(0)));
    assert_eq!(walk(LOG_NAME, &vec![keys()[0].clone(); 257]), Err(RotationError::Count(257)));
    assert_eq!(walk(LOG_NAME, &keys()[1..]), Err(RotationError::Order { index: 0 }));
    let mut two_first = keys();
    two_first[2].introduced_by = None;
    assert_eq!(walk(LOG_NAME, &two_first), Err(RotationError::Order { index: 2 }));

    let other = |field, expected: String, found: String| Err(RotationError::Other { index: 1, field, expected, found });
    let key_of = |number: u8| key(number).public().to_string();
    let (name, another) = (LOG_NAME.to_owned(), "another.example".to_owned());
    assert_eq!(walk(&another, &keys()), other("log_name", another.clone(), name));
    let skipped = [keys()[0].clone(), keys()[2].clone()];
    assert_eq!(walk(LOG_NAME, &skipped), other("replaces", key_of(1), key_of(2)));
    let mut replaced = keys();
    replaced[1].public_key = key(9).public();
    assert_eq!(walk(LOG_NAME, &replaced), other("public_key", key_of(9), key_of(2)));

    // By somebody who has not the old key.
    let own = Introduction::make(LOG_NAME, &key(9), key(9).public()).unwrap();
    let statement =
        own.statement.replace(&format!("\"replaces\":\"{}", key_of(9)), &format!("\"replaces\":\"{}", key_of(1)));
    let forged = Introduction { signature: key(9).sign(statement.as_bytes()), statement };
    let forged = [keys()[0].clone(), Introduced { public_key: key(9).public(), introduced_by: Some(forged) }];
    assert_eq!(walk(LOG_NAME, &forged), Err(RotationError::Signature { index: 1 }));
}

#[test]
fn a_statement_has_one_form() {
    for (from, to) in [
        ("{", "{ "),
        ("log-key/v1", "log-key/v2"),
        ("\"log_name\"", "\"extra\":1,\"log_name\""),
        ("\"format\":\"defendable.log-key/v1\",", ""),
    ] {
        let mut keys = keys();
        let statement = keys[1].introduced_by.clone().unwrap().statement.replacen(from, to, 1);
        let signature = key(1).sign(statement.as_bytes());
        keys[1].introduced_by = Some(Introduction { statement, signature });
        assert!(matches!(walk(LOG_NAME, &keys), Err(RotationError::Statement { index: 1, .. })), "{to}");
    }
}
