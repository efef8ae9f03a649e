//! Bundles: whatever is read is written the same, and verified without a panic; none is proved without a key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proof::bundle::{Bundle, Trust, verify};

fuzz_target!(|bytes: &[u8]| {
    let Ok(bundle) = Bundle::parse(bytes) else { return };
    assert_eq!(bundle.to_vec().as_deref(), Ok(bytes));
    assert!(!verify(&bundle, &Trust::default()).proved());
    let trust = Trust { checkpoint: bundle.log.checkpoint.parse().ok(), ..Trust::default() };
    let report = verify(&bundle, &trust);
    assert_eq!(report.steps.len(), 9);
    assert!(report.consistent() || !report.proved());
});
