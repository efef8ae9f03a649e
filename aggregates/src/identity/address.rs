//! E-mail addresses as people sign in with them.

use std::{fmt, str::FromStr};

/// The longest address, in characters.
pub const LIMIT: usize = 320;

/// An e-mail address: trimmed and lowercase, so that one person is one address. Personal: it never
/// goes into an event but sealed, and is looked up by an HMAC.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

/// A text that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an e-mail address has the form name@example.com, without spaces and of at most {LIMIT} characters")]
pub struct NotAnAddress;

impl EmailAddress {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the last `@`: how an organisation is called that somebody founds by signing up.
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl FromStr for EmailAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let text = text.trim().to_lowercase();
        let is_one_line_word = !text.chars().any(|character| character.is_whitespace() || character.is_control());
        match text.rsplit_once('@') {
            Some((name, domain))
                if !name.is_empty() && domain.contains('.') && is_one_line_word && text.chars().count() <= LIMIT =>
            {
                Ok(Self(text))
            }
            _ => Err(NotAnAddress),
        }
    }
}

/// Not the address itself: logs hold no personal data.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("EmailAddress(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_person_is_one_address() {
        let address: EmailAddress = "  Ada@Example.COM ".parse().expect("an address");
        assert_eq!((address.as_str(), address.domain()), ("ada@example.com", "example.com"));
    }

    #[test]
    fn the_domain_stands_behind_the_last_at_sign() {
        let address: EmailAddress = "\"a@b\"@example.com".parse().expect("an address");
        assert_eq!(address.domain(), "example.com");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let too_long = format!("{}@example.com", "a".repeat(309));
        for text in [
            "",
            "ada",
            "ada@example",
            "@example.com",
            "a.b@",
            "ada@exa mple.com",
            "a\nBcc: b@c.d",
            "a\0@b.c",
            &too_long,
        ] {
            assert_eq!(text.parse::<EmailAddress>(), Err(NotAnAddress), "{text:?}");
        }
    }

    #[test]
    fn a_log_does_not_show_it() {
        let address: EmailAddress = "ada@example.com".parse().expect("an address");
        assert!(!format!("{address:?}").contains("ada"));
    }

    proptest! {
        #[test]
        fn an_address_reads_back_as_itself(text in "\\PC{0,20}@\\PC{0,20}") {
            if let Ok(address) = text.parse::<EmailAddress>() {
                prop_assert_eq!(address.as_str().parse(), Ok(address.clone()));
            }
        }
    }
}
