//! The one source of ids and of randomness: the operating system's.

use super::clock;
use aggregates::ids::{Id, Kind};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::sync::{LazyLock, Mutex, PoisonError};
use uuid::{ContextV7, Timestamp, Uuid};

/// The counter that keeps ids of one process in order within a millisecond.
static ORDER: LazyLock<Mutex<ContextV7>> = LazyLock::new(|| Mutex::new(ContextV7::new()));

/// A UUIDv7; those of one process sort in the order in which they were made.
pub fn uuid() -> Uuid {
    let now = clock::microseconds();
    let seconds = u64::try_from(now.div_euclid(1_000_000)).unwrap_or(0);
    let nanoseconds = u32::try_from(now.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    let order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    Uuid::new_v7(Timestamp::from_unix(&*order, seconds, nanoseconds))
}

/// A new id.
pub fn id<K: Kind>() -> Id<K> {
    Id::from_uuid(uuid())
}

/// Random bytes, fit for keys.
///
/// The process ends where the operating system has none: no secret could be made, and no
/// caller could do anything better.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Err(error) = getrandom::fill(&mut bytes) {
        tracing::error!(%error, "the operating system gives no random bytes");
        std::process::abort();
    }
    bytes
}

/// The token of a receipt's share link: 24 characters of `[A-Za-z0-9]`, 142 bits.
pub fn share_token() -> String {
    const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const LENGTH: usize = 24;
    let mut token = String::with_capacity(LENGTH);
    while token.len() < LENGTH {
        // Six bits name 64 characters; leaving out the two that there are not keeps the rest alike.
        let drawn = bytes::<LENGTH>().into_iter().filter_map(|byte| ALPHABET.get(usize::from(byte & 0x3f)));
        token.extend(drawn.take(LENGTH - token.len()).map(|byte| char::from(*byte)));
    }
    token
}

/// The token of a sign-in or invitation link: 32 random bytes in base64url, 43 characters.
pub fn sign_in_token() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<32>())
}

/// An API key: `sk-` and 32 random bytes in base64url, 46 characters.
pub fn api_key() -> String {
    format!("{}{}", aggregates::identity::api_key::SCHEME, URL_SAFE_NO_PAD.encode(bytes::<32>()))
}

/// The random end of a receipt's id: 8 hexadecimal digits.
pub fn receipt_suffix() -> String {
    hex::encode(bytes::<4>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aggregates::ids::RunId;
    use std::collections::BTreeSet;

    #[test]
    fn ids_sort_in_the_order_in_which_they_are_made() {
        let ids: Vec<RunId> = (0..10_000).map(|_| id()).collect();
        assert!(ids.is_sorted_by(|one, next| one < next));
        assert!(ids.iter().all(|id| id.uuid().get_version_num() == 7));
    }

    #[test]
    fn an_id_carries_the_time_of_the_one_clock() {
        let before = u64::try_from(clock::microseconds() / 1_000_000).expect("after 1970");
        let (seconds, _) = uuid().get_timestamp().expect("a time").to_unix();
        assert!((before..=before + 2).contains(&seconds));
    }

    #[test]
    fn tokens_have_their_form_and_never_repeat() {
        let all = |make: fn() -> String, length: usize, allowed: fn(u8) -> bool| {
            let made: BTreeSet<String> = (0..1_000).map(|_| make()).collect();
            assert_eq!(made.len(), 1_000);
            assert!(made.iter().all(|token| token.len() == length && token.bytes().all(allowed)), "{made:?}");
        };
        let base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        all(share_token, 24, |byte| byte.is_ascii_alphanumeric());
        all(sign_in_token, 43, base64url);
        all(api_key, 46, base64url);
        assert!(api_key().starts_with("sk-"));
        assert!(receipt_suffix().len() == 8 && hex::decode(receipt_suffix()).is_ok());
    }

    #[test]
    fn a_share_token_uses_every_character() {
        let seen: BTreeSet<char> = (0..1_000).flat_map(|_| share_token().chars().collect::<Vec<_>>()).collect();
        assert_eq!(seen.len(), 62);
    }
}
