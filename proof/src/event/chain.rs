//! Following a chain of events, one at a time.

use super::{Envelope, payload_digest};
use crate::digest::Blake3Hex;

/// What does not hold at an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is not next in the chain: one or more are missing before it, or it comes a second time.
    #[error("org_position is {found}, expected {expected}")]
    Position {
        /// The position after the event before's.
        expected: u64,
        /// The position as stored.
        found: u64,
    },
    /// It belongs to another organisation.
    #[error("org_id is {found:?}, expected {expected:?}")]
    Organisation {
        /// The organisation whose chain it is.
        expected: String,
        /// The organisation as stored.
        found: String,
    },
    /// It does not follow the event before.
    #[error("prev is {found}, the event before has {expected}")]
    Prev {
        /// The hash of the event before, as stored there.
        expected: Blake3Hex,
        /// The hash as this event names it.
        found: Blake3Hex,
    },
    /// Its payload is not the one that its envelope names.
    #[error("the payload's digest is {found}, the envelope has {expected}")]
    Payload {
        /// The digest in the envelope.
        expected: Blake3Hex,
        /// The digest of the payload's bytes.
        found: Blake3Hex,
    },
    /// Its hash is not its envelope's.
    #[error("hash is {found}, the envelope's is {expected}")]
    Hash {
        /// The hash of the envelope.
        expected: Blake3Hex,
        /// The hash as stored.
        found: Blake3Hex,
    },
    /// It is recorded earlier than the event before.
    #[error("recorded_at is {found} µs, before the previous event's {earliest} µs")]
    Time {
        /// When the event before was recorded, in microseconds since 1970.
        earliest: i64,
        /// When this one was.
        found: i64,
    },
}

/// Where a chain stands: what the next event must follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The position of the next event, which is the number of events so far.
    pub org_position: u64,
    /// The hash of the last event.
    pub prev: Blake3Hex,
    /// When the last event was recorded, in microseconds since 1970.
    pub earliest: i64,
}

impl Head {
    /// The head of a chain without events.
    pub const EMPTY: Self = Self { org_position: 0, prev: Blake3Hex::ZERO, earliest: i64::MIN };
}

/// Verifies one organisation's events in the order of their positions, in constant memory.
///
/// It compares each event with the one before as stored, so that one alteration is named at its own
/// place and, where it was covered up there, at the next event; it does not go on for ever.
#[derive(Debug, Clone)]
pub struct EventChain {
    org_id: String,
    head: Head,
}

impl EventChain {
    /// The chain of an organisation, from its first event.
    pub fn new(org_id: impl Into<String>) -> Self {
        Self::from(org_id, Head::EMPTY)
    }

    /// The chain of an organisation, from a head that was verified before.
    pub fn from(org_id: impl Into<String>, head: Head) -> Self {
        Self { org_id: org_id.into(), head }
    }

    /// Where the chain stands.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Takes the next event as stored: its envelope, the payload's bytes and its hash. A store that
    /// does not repeat `prev` or `payload_blake3` beside each event gives the head's and the
    /// payload's own; an alteration then shows in the hash. Returns what does not hold.
    pub fn feed(&mut self, envelope: &Envelope<'_>, payload: &[u8], hash: Blake3Hex) -> Vec<Fault> {
        let Head { org_position, prev, earliest } = self.head;
        let mut faults = Vec::new();
        if envelope.org_position != org_position {
            faults.push(Fault::Position { expected: org_position, found: envelope.org_position });
        }
        if envelope.org_id != self.org_id {
            faults.push(Fault::Organisation { expected: self.org_id.clone(), found: envelope.org_id.to_owned() });
        }
        if envelope.prev != prev {
            faults.push(Fault::Prev { expected: prev, found: envelope.prev });
        }
        let digest = payload_digest(payload);
        if envelope.payload_blake3 != digest {
            faults.push(Fault::Payload { expected: envelope.payload_blake3, found: digest });
        }
        let sealed = envelope.seal();
        if sealed != hash {
            faults.push(Fault::Hash { expected: sealed, found: hash });
        }
        if envelope.recorded_at < earliest {
            faults.push(Fault::Time { earliest, found: envelope.recorded_at });
        }
        self.head =
            Head { org_position: envelope.org_position.saturating_add(1), prev: hash, earliest: envelope.recorded_at };
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An event as a store holds it.
    #[derive(Clone)]
    struct Stored {
        texts: [String; 7],
        org_position: u64,
        payload_blake3: Blake3Hex,
        prev: Blake3Hex,
        recorded_at: i64,
        sequence: u64,
        payload: Vec<u8>,
        hash: Blake3Hex,
    }

    impl Stored {
        fn envelope(&self) -> Envelope<'_> {
            let [actor, aggregate_id, aggregate_type, command_id, event_type, event_version, org_id] = &self.texts;
            let Self { org_position, payload_blake3, prev, recorded_at, sequence, .. } = *self;
            Envelope {
                actor,
                aggregate_id,
                aggregate_type,
                command_id,
                event_type,
                event_version,
                org_id,
                org_position,
                payload_blake3,
                prev,
                recorded_at,
                sequence,
            }
        }
    }

    fn chain(length: u64) -> Vec<Stored> {
        let mut prev = Blake3Hex::ZERO;
        let event = |position: u64| {
            let payload = format!(r#"{{"position":{position}}}"#).into_bytes();
            let texts = ["usr_1", "run_1", "run", "cmd_1", "RunOpened", "1.0", "org_1"].map(str::to_owned);
            let mut event = Stored {
                texts,
                org_position: position,
                payload_blake3: payload_digest(&payload),
                prev,
                recorded_at: 1_772_366_400_000_000 + position as i64 / 2,
                sequence: position + 1,
                payload,
                hash: Blake3Hex::ZERO,
            };
            event.hash = event.envelope().seal();
            prev = event.hash;
            event
        };
        (0..length).map(event).collect()
    }

    /// The places of the faults, and the faults.
    fn faults(events: &[Stored]) -> Vec<(usize, Fault)> {
        let mut chain = EventChain::new("org_1");
        let feed = |(index, event): (usize, &Stored)| {
            let faults = chain.feed(&event.envelope(), &event.payload, event.hash);
            faults.into_iter().map(|fault| (index, fault)).collect::<Vec<_>>()
        };
        events.iter().enumerate().flat_map(feed).collect()
    }

    #[test]
    fn a_chain_as_sealed_holds_from_its_beginning_and_from_any_head() {
        let events = chain(6);
        assert_eq!(faults(&events), []);
        let mut first = EventChain::new("org_1");
        for event in &events[..3] {
            first.feed(&event.envelope(), &event.payload, event.hash);
        }
        let mut second = EventChain::from("org_1", first.head());
        for event in &events[3..] {
            assert_eq!(second.feed(&event.envelope(), &event.payload, event.hash), []);
        }
        assert_eq!(second.head().org_position, 6);
    }

    #[test]
    fn a_payload_is_covered_by_the_envelope_and_the_envelope_by_the_next_event() {
        let mut events = chain(6);
        events[2].payload = b"{}".to_vec();
        let digest = payload_digest(b"{}");
        let fault = Fault::Payload { expected: events[2].payload_blake3, found: digest };
        assert_eq!(faults(&events), [(2, fault)]);

        events[2].payload_blake3 = digest;
        let sealed = events[2].envelope().seal();
        assert_eq!(faults(&events), [(2, Fault::Hash { expected: sealed, found: events[2].hash })]);

        let found = events[2].hash;
        events[2].hash = sealed;
        assert_eq!(faults(&events), [(3, Fault::Prev { expected: sealed, found })]);
    }

    #[test]
    fn a_missing_event_is_named_once() {
        let mut events = chain(6);
        let (before, removed) = (events[1].hash, events.remove(2).hash);
        let gap = Fault::Position { expected: 2, found: 3 };
        assert_eq!(faults(&events), [(2, gap), (2, Fault::Prev { expected: before, found: removed })]);
    }

    #[test]
    fn swapped_inserted_moved_and_backdated_events_are_named() {
        let mut swapped = chain(6);
        swapped.swap(2, 3);
        assert_eq!(faults(&swapped).iter().map(|(index, _)| *index).collect::<Vec<_>>(), [2, 2, 3, 3, 4, 4]);

        let mut inserted = chain(6);
        inserted.insert(3, inserted[2].clone());
        assert!(faults(&inserted).contains(&(3, Fault::Position { expected: 3, found: 2 })));

        let mut moved = chain(6);
        moved[2].texts[6] = "org_2".to_owned();
        let fault = Fault::Organisation { expected: "org_1".to_owned(), found: "org_2".to_owned() };
        assert!(faults(&moved).contains(&(2, fault)));

        let mut backdated = chain(6);
        let earliest = backdated[1].recorded_at;
        backdated[2].recorded_at = earliest - 1;
        backdated[2].hash = backdated[2].envelope().seal();
        assert!(faults(&backdated).contains(&(2, Fault::Time { earliest, found: earliest - 1 })));
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_caught_at_its_event(
            victim in 0_usize..6, field in 0_usize..13, at: prop::sample::Index, bit in 0_u32..7,
        ) {
            let mut events = chain(6);
            let event = &mut events[victim];
            let flipped = |digest: Blake3Hex| {
                let mut bytes = *digest.as_bytes();
                bytes[at.index(32)] ^= 1 << bit;
                Blake3Hex::from_bytes(bytes)
            };
            match field {
                0..7 => {
                    let mut text = std::mem::take(&mut event.texts[field]).into_bytes();
                    let at = at.index(text.len());
                    text[at] ^= 1 << bit;
                    event.texts[field] = String::from_utf8(text).unwrap();
                }
                7 => { let at = at.index(event.payload.len()); event.payload[at] ^= 1 << bit; }
                8 => event.org_position ^= 1 << at.index(64),
                9 => event.sequence ^= 1 << at.index(64),
                10 => event.recorded_at ^= 1 << at.index(64),
                11 => event.payload_blake3 = flipped(event.payload_blake3),
                _ => event.hash = flipped(event.hash),
            }
            prop_assert_eq!(faults(&events).first().map(|(index, _)| *index), Some(victim));
        }
    }
}
