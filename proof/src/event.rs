//! The chain of an organisation's events: each seals its payload, its circumstances and the event
//! before it.
//!
//! `hash = BLAKE3-derive_key("defendable event v1", envelope)`, the envelope being a canonical JSON
//! object of twelve fields, among them the BLAKE3 of the payload's bytes as stored and the hash of
//! the event before. Test vectors: `docs/test-vectors.md`.

mod chain;

pub use chain::{EventChain, Fault, Head};

use crate::{
    canonical::text,
    digest::{self, Blake3Hex},
};
use std::ops::Range;

/// The context of the key derivation, which sets these hashes apart from every other use of BLAKE3.
const CONTEXT: &str = "defendable event v1";

/// All that is sealed of an event.
///
/// The numbers stay within 2^53 − 1, or the canonical form is not RFC 8785; nothing here depends on
/// it, since every envelope has one form and no two have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// Who caused it.
    pub actor: &'a str,
    /// The aggregate's id.
    pub aggregate_id: &'a str,
    /// The aggregate's type.
    pub aggregate_type: &'a str,
    /// The command that caused it.
    pub command_id: &'a str,
    /// The event's name.
    pub event_type: &'a str,
    /// The version of the event's form.
    pub event_version: &'a str,
    /// The organisation whose chain it is in; `system` for events of none.
    pub org_id: &'a str,
    /// Its place in the organisation's chain, from 0 and without gaps.
    pub org_position: u64,
    /// The [`payload_digest`] of the payload's bytes as stored.
    pub payload_blake3: Blake3Hex,
    /// The hash of the organisation's event before; [`Blake3Hex::ZERO`] for the first.
    pub prev: Blake3Hex,
    /// When it was recorded: microseconds since 1970 in UTC, never before the event before.
    pub recorded_at: i64,
    /// Its place in the aggregate's own stream.
    pub sequence: u64,
}

/// The digest of a payload's bytes as stored: BLAKE3, unkeyed.
pub fn payload_digest(bytes: &[u8]) -> Blake3Hex {
    digest::blake3(bytes)
}

impl Envelope<'_> {
    /// The canonical bytes (RFC 8785): what is hashed.
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(640);
        // In the order of their names, which RFC 8785 asks for.
        string(&mut out, b"{\"actor\":", self.actor);
        string(&mut out, b",\"aggregate_id\":", self.aggregate_id);
        string(&mut out, b",\"aggregate_type\":", self.aggregate_type);
        string(&mut out, b",\"command_id\":", self.command_id);
        string(&mut out, b",\"event_type\":", self.event_type);
        string(&mut out, b",\"event_version\":", self.event_version);
        string(&mut out, b",\"org_id\":", self.org_id);
        integer(&mut out, b",\"org_position\":", self.org_position);
        digest(&mut out, b",\"payload_blake3\":\"", &self.payload_blake3);
        digest(&mut out, b"\",\"prev\":\"", &self.prev);
        out.extend_from_slice(b"\",\"recorded_at\":\"");
        moment(&mut out, self.recorded_at);
        integer(&mut out, b"\",\"sequence\":", self.sequence);
        out.push(b'}');
        out
    }

    /// The event's hash.
    pub fn seal(&self) -> Blake3Hex {
        Blake3Hex::from_bytes(blake3::derive_key(CONTEXT, &self.canonical()))
    }
}

fn string(out: &mut Vec<u8>, before: &[u8], value: &str) {
    out.extend_from_slice(before);
    text::string(out, value);
}

fn integer(out: &mut Vec<u8>, before: &[u8], value: u64) {
    out.extend_from_slice(before);
    text::integer(out, value);
}

fn digest(out: &mut Vec<u8>, before: &[u8], value: &Blake3Hex) {
    out.extend_from_slice(before);
    text::digits(out, value.as_bytes());
}

/// Writes a moment as RFC 3339 in UTC with six decimals: `2026-03-01T12:00:00.000000Z`. Years outside
/// 0000 to 9999, which RFC 3339 lacks, are written with their sign or all their digits, so that no
/// two moments look the same.
pub(crate) fn moment(out: &mut Vec<u8>, microseconds: i64) {
    const SECOND: i64 = 1_000_000;
    const DAY: i64 = 86_400 * SECOND;
    let (year, month, day) = civil(microseconds.div_euclid(DAY));
    let within = microseconds.rem_euclid(DAY);
    if year < 0 {
        out.push(b'-');
    }
    let parts = [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (within / (3600 * SECOND), 2, b':'),
        (within / (60 * SECOND) % 60, 2, b':'),
        (within / SECOND % 60, 2, b'.'),
        (within % SECOND, 6, b'Z'),
    ];
    for (number, width, after) in parts {
        text::padded(out, number.unsigned_abs(), width);
        out.push(after);
    }
}

/// The moment that [`moment`] writes so; nothing when the text is none of the years 0000 to 9999.
pub(crate) fn parse_moment(text: &str) -> Option<i64> {
    let number = |range: Range<usize>| {
        let digits = text.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<i64>().ok())?
    };
    let days = days(number(0..4)?, number(5..7)?, number(8..10)?);
    let minutes = (days * 24 + number(11..13)?) * 60 + number(14..16)?;
    let microseconds = (minutes * 60 + number(17..19)?) * 1_000_000 + number(20..26)?;
    // What is no date, no time or has other signs between its numbers is written otherwise.
    let mut written = Vec::with_capacity(text.len());
    moment(&mut written, microseconds);
    (written == text.as_bytes()).then_some(microseconds)
}

/// The number of days from 1970-01-01 to a day of the proleptic Gregorian calendar: the reverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day
        - 1
        - 719_468
}

/// Year, month (1 to 12) and day (1 to 31) of the proleptic Gregorian calendar, of a number of days
/// since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    // Counted from 0000-03-01, so that the leap day is a year's last and months repeat a pattern of
    // 153 days in five; a cycle of the calendar is 400 years, which are 146,097 days.
    let days = days + 719_468;
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (cycle * 400 + year + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn written(microseconds: i64) -> String {
        let mut out = Vec::new();
        moment(&mut out, microseconds);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn moments_are_written_with_six_decimals() {
        // Seconds from `date -u -d … +%s`.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00"),
            (951_782_400, "2000-02-29T00:00:00"),
            (951_868_799, "2000-02-29T23:59:59"),
            (951_868_800, "2000-03-01T00:00:00"),
            (1_772_366_400, "2026-03-01T12:00:00"),
            (4_107_542_399, "2100-02-28T23:59:59"),
            (4_107_542_400, "2100-03-01T00:00:00"),
            (-2_203_891_200, "1900-03-01T00:00:00"),
            (253_402_300_799, "9999-12-31T23:59:59"),
            (-62_167_219_200, "0000-01-01T00:00:00"),
        ] {
            assert_eq!(written(seconds * 1_000_000), format!("{text}.000000Z"));
            assert_eq!(written(seconds * 1_000_000 + 7), format!("{text}.000007Z"));
        }
        assert_eq!(written(-1), "1969-12-31T23:59:59.999999Z");
        assert!(written(i64::MAX).starts_with("294247-01-10T"));
        assert!(written(i64::MIN).starts_with("-290308-12-21T"));
    }

    prop_compose! {
        fn texts()(texts in prop::array::uniform7(any::<String>())) -> [String; 7] {
            texts
        }
    }

    proptest! {
        #[test]
        fn an_envelope_is_what_the_oracle_makes_of_its_fields(
            texts in texts(), position in 0..(1_u64 << 53), sequence in 0..(1_u64 << 53),
            bytes: [u8; 32], recorded_at in -62_167_219_200_000_000_i64..253_402_300_800_000_000,
        ) {
            let [actor, aggregate_id, aggregate_type, command_id, event_type, event_version, org_id] = &texts;
            let (payload_blake3, prev) = (payload_digest(&bytes), Blake3Hex::from_bytes(bytes));
            let envelope = Envelope {
                actor, aggregate_id, aggregate_type, command_id, event_type, event_version, org_id,
                org_position: position, payload_blake3, prev, recorded_at, sequence,
            };
            let fields = json!({
                "sequence": sequence, "recorded_at": written(recorded_at), "prev": prev, "actor": actor,
                "payload_blake3": payload_blake3, "org_position": position, "org_id": org_id,
                "event_version": event_version, "event_type": event_type, "command_id": command_id,
                "aggregate_type": aggregate_type, "aggregate_id": aggregate_id,
            });
            let canonical = envelope.canonical();
            prop_assert_eq!(&canonical, &serde_json_canonicalizer::to_vec(&fields).unwrap());
            let hash = blake3::Hasher::new_derive_key("defendable event v1").update(&canonical).finalize();
            prop_assert_eq!(envelope.seal().to_string(), hash.to_string());
        }
    }
}
