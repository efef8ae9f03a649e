//! The one clock.

use aggregates::time::Time;
use jiff::Timestamp;

/// Microseconds since 1970, UTC: how the ledger notes when something was recorded.
pub fn microseconds() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system clock")]
    let moment = Timestamp::now();
    moment.as_microsecond()
}

/// The current second: how commands and the wire say when.
pub fn now() -> Time {
    Time::of_microseconds(microseconds())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_readings_are_of_one_clock() {
        let before = microseconds();
        let second = now().seconds();
        assert!(before.div_euclid(1_000_000) <= second && second <= microseconds().div_euclid(1_000_000));
        assert!(before > 1_700_000_000_000_000, "in microseconds");
    }
}
