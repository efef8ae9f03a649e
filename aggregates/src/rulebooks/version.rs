//! Versions of flight sheets, and which of two comes first.

use std::{fmt, str::FromStr};

/// The most numbers in a version.
const NUMBERS: usize = 4;
/// The most digits of one number.
const DIGITS: usize = 9;

/// A version: 1 to 4 numbers joined by dots, each of up to 9 digits without a zero in front. Versions are ordered number
/// by number, so that 1.10 comes after 1.9; where one is the beginning of another, it comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Vec<u32>);

/// A text that is no version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 1 to {NUMBERS} numbers joined by dots, each of up to {DIGITS} digits without a zero in front, such as 1.0"
)]
pub struct NotAVersion;

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let number = |part: &str| {
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            let in_form = digits && part.len() <= DIGITS && (part == "0" || !part.starts_with('0'));
            part.parse().ok().filter(|_| in_form).ok_or(NotAVersion)
        };
        let numbers = text.split('.').take(NUMBERS + 1).map(number).collect::<Result<Vec<u32>, _>>()?;
        if numbers.len() > NUMBERS { Err(NotAVersion) } else { Ok(Self(numbers)) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, number) in self.0.iter().enumerate() {
            write!(out, "{}{number}", if place == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn versions_are_ordered_number_by_number() {
        let ordered = ["0", "0.1", "1", "1.0", "1.0.1", "1.9", "1.10", "2", "2026.11.3", "2026.11.20", "999999999"];
        for pair in ordered.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in [
            "",
            " ",
            ".",
            "1.",
            ".1",
            "1..2",
            "01",
            "1.00",
            "v1",
            "1.0-beta",
            "-1",
            "+1",
            "1 ",
            "1.2.3.4.5",
            "1234567890",
            "١",
        ] {
            assert_eq!(text.parse::<Version>(), Err(NotAVersion), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_version_is_one_text_and_one_text_is_one_version(text in "[0-9.]{0,12}|\\PC{0,8}") {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert_eq!(version.to_string(), text);
            }
        }
    }
}
