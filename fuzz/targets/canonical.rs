//! Canonical JSON: what is found to be canonical is what is written of its value, and the strict reader reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proof::canonical::{check, from_slice_strict, members, parse_strict, to_vec};

fuzz_target!(|bytes: &[u8]| {
    let strict = parse_strict(bytes);
    let _ = from_slice_strict::<Vec<Option<String>>>(bytes);
    let _ = members(bytes, ["org_seq", "parent_hash", "receipt_id"]);
    match check(bytes) {
        // U+0000 and a byte order mark are canonical, and refused where callers send them.
        Ok(()) => assert!(strict.is_err() || strict.is_ok_and(|value| to_vec(&value).as_deref() == Ok(bytes))),
        Err(_) => assert!(strict.is_err() || strict.is_ok_and(|value| to_vec(&value).as_deref() != Ok(bytes))),
    }
});
