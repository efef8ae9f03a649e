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

/// The first second of the current calendar month, UTC.
pub fn month() -> Time {
    let now = now().to_string();
    // `2026-03-17T…`: what follows the month is the same in every first second.
    let first = now.get(..8).map(|month| format!("{month}01T00:00:00Z"));
    first.and_then(|first| first.parse::<Timestamp>().ok()).map_or_else(Time::default, Time::of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_on_its_first_day() {
        let month = month().to_string();
        assert_eq!(month.get(7..), Some("-01T00:00:00Z"));
        assert_eq!(month.get(..7), now().to_string().get(..7));
    }

    #[test]
    fn both_readings_are_of_one_clock() {
        let before = microseconds();
        let second = now().seconds();
        assert!(before.div_euclid(1_000_000) <= second && second <= microseconds().div_euclid(1_000_000));
        assert!(before > 1_700_000_000_000_000, "in microseconds");
    }
}
