//! Moments as people read them.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{borrow::Cow, fmt};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
};

/// A moment in UTC to the second, written `2026-03-01T12:00:00Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// The second that holds the moment.
    pub fn of(moment: Timestamp) -> Self {
        Self(moment.as_microsecond().div_euclid(1_000_000))
    }

    /// The second that holds the moment, given in microseconds since 1970.
    pub fn of_microseconds(microseconds: i64) -> Self {
        Self(microseconds.div_euclid(1_000_000))
    }

    /// Seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Time {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_second(self.0) {
            Ok(moment) => write!(out, "{}", moment.strftime("%Y-%m-%dT%H:%M:%SZ")),
            Err(_) => Err(fmt::Error),
        }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map(Self::of).map_err(D::Error::custom)
    }
}

impl PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("A moment in UTC, RFC 3339, to the second"))
            .into()
    }
}

impl ToSchema for Time {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Time")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_moment_is_written_to_the_second_and_read_back() {
        let time = Time::of_microseconds(1_772_366_400_999_999);
        assert_eq!(time.to_string(), "2026-03-01T12:00:00Z");
        let json = serde_json::to_string(&time).expect("writes");
        assert_eq!(serde_json::from_str::<Time>(&json).expect("reads"), time);
    }

    #[test]
    fn a_moment_before_1970_belongs_to_the_second_that_holds_it() {
        assert_eq!(Time::of_microseconds(-1).seconds(), -1);
    }

    proptest! {
        #[test]
        fn every_second_from_1900_to_2200_is_read_back(seconds in -2_208_988_800_i64..7_258_118_400) {
            let time = Time::of_microseconds(seconds * 1_000_000);
            let text = time.to_string();
            prop_assert!(text.len() == 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T', "{}", text);
            let json = serde_json::to_string(&time).unwrap();
            prop_assert_eq!(serde_json::from_str::<Time>(&json).unwrap(), time);
        }

        #[test]
        fn moments_sort_as_texts_as_they_do_in_time(a in 0_i64..4_102_444_800, b in 0_i64..4_102_444_800) {
            let [a, b] = [a, b].map(|seconds| Time::of_microseconds(seconds * 1_000_000));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }

    #[test]
    fn other_spellings_of_a_moment_are_read_and_what_is_none_is_not() {
        let noon = Time::of_microseconds(1_772_366_400_000_000);
        for text in ["2026-03-01T12:00:00.999Z", "2026-03-01T13:00:00+01:00", "2026-03-01t12:00:00z"] {
            assert_eq!(serde_json::from_value::<Time>(text.into()).expect(text), noon);
        }
        for text in ["", "2026-03-01", "2026-03-01T12:00:00", "2026-02-30T12:00:00Z", "noon"] {
            assert!(serde_json::from_value::<Time>(text.into()).is_err(), "{text:?}");
        }
    }
}
