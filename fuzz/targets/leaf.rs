//! Leaves: what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proof::leaf::Leaf;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(leaf) = Leaf::parse_strict(bytes) {
        assert_eq!(leaf.canonical(), bytes);
    }
});
