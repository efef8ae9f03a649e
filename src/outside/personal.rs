//! Personal texts: sealed under a key per person, so that dropping the key erases them wherever
//! they stand, on the ledger and in every backup of it.

use super::{
    chance,
    keys::{Keys, Secret},
};
use aggregates::{identity::address::EmailAddress, ids::UserId, personal::Sealed};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use proof::digest::Sha256Hex;

/// What is shown in the place of a personal text once its person's key is gone.
pub const ERASED: &str = "[erased]";

const NONCE: usize = 24;

/// A text or key that could not be sealed, or does not open: another person, another field,
/// another key, or changed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PersonalError {
    /// Too long to be sealed.
    #[error("the personal text is too long to be encrypted")]
    TooLong,
    /// It was not sealed for this person and field with this key, or it was changed.
    #[error("the personal data does not open: it was changed, or belongs to another person, field or key")]
    Unreadable,
}

/// The text, sealed under the person's key for this person and field alone: moved to another
/// field or person it does not open.
pub fn seal(key: &Secret, person: UserId, field: &str, text: &str) -> Result<Sealed, PersonalError> {
    let nonce = chance::bytes();
    let ciphertext = encrypt(key, &nonce, text.as_bytes(), &bound_to(person, field))?;
    Ok(Sealed { person, nonce: hex::encode(nonce), ciphertext: hex::encode(ciphertext) })
}

/// The text of a sealed field, or [`ERASED`] when the person's key is gone.
pub fn open(key: Option<&Secret>, field: &str, sealed: &Sealed) -> Result<String, PersonalError> {
    let Some(key) = key else {
        return Ok(ERASED.to_owned());
    };
    let mut nonce = [0; NONCE];
    hex::decode_to_slice(&sealed.nonce, &mut nonce).map_err(|_| PersonalError::Unreadable)?;
    let ciphertext = hex::decode(&sealed.ciphertext).map_err(|_| PersonalError::Unreadable)?;
    let text = decrypt(key, &nonce, &ciphertext, &bound_to(sealed.person, field))?;
    String::from_utf8(text).map_err(|_| PersonalError::Unreadable)
}

/// The person's key as it is stored: encrypted under the master key.
pub fn wrap(keys: &Keys, person: UserId, key: &Secret) -> Result<Vec<u8>, PersonalError> {
    let nonce: [u8; NONCE] = chance::bytes();
    let ciphertext = encrypt(keys.wrapping(), &nonce, key.as_bytes(), person.uuid().as_bytes())?;
    Ok([nonce.as_slice(), &ciphertext].concat())
}

/// The person's key out of its stored form.
pub fn unwrap(keys: &Keys, person: UserId, wrapped: &[u8]) -> Result<Secret, PersonalError> {
    let (nonce, ciphertext) = wrapped.split_first_chunk::<NONCE>().ok_or(PersonalError::Unreadable)?;
    let key = decrypt(keys.wrapping(), nonce, ciphertext, person.uuid().as_bytes())?;
    key.try_into().map(Secret::from_bytes).map_err(|_| PersonalError::Unreadable)
}

/// The address that asked to sign in, while nobody may be known by it yet: encrypted under the
/// installation's key and tied to its sign-in token, in hexadecimal.
pub fn seal_address(keys: &Keys, token: Sha256Hex, address: &EmailAddress) -> Result<String, PersonalError> {
    let nonce: [u8; NONCE] = chance::bytes();
    let ciphertext = encrypt(keys.sign_ins(), &nonce, address.as_str().as_bytes(), token.as_bytes())?;
    Ok(hex::encode(nonce) + &hex::encode(ciphertext))
}

/// The address that asked for the sign-in token with this digest.
pub fn open_address(keys: &Keys, token: Sha256Hex, sealed: &str) -> Result<EmailAddress, PersonalError> {
    let bytes = hex::decode(sealed).map_err(|_| PersonalError::Unreadable)?;
    let (nonce, ciphertext) = bytes.split_first_chunk::<NONCE>().ok_or(PersonalError::Unreadable)?;
    let address = decrypt(keys.sign_ins(), nonce, ciphertext, token.as_bytes())?;
    let address = String::from_utf8(address).map_err(|_| PersonalError::Unreadable)?;
    address.parse().map_err(|_| PersonalError::Unreadable)
}

/// What a ciphertext is tied to: the person's 16 bytes and the field's name.
fn bound_to(person: UserId, field: &str) -> Vec<u8> {
    [person.uuid().as_bytes(), field.as_bytes()].concat()
}

fn encrypt(key: &Secret, nonce: &[u8; NONCE], msg: &[u8], aad: &[u8]) -> Result<Vec<u8>, PersonalError> {
    XChaCha20Poly1305::new(key.as_bytes().into())
        .encrypt(XNonce::from_slice(nonce), Payload { msg, aad })
        .map_err(|_| PersonalError::TooLong)
}

fn decrypt(key: &Secret, nonce: &[u8; NONCE], msg: &[u8], aad: &[u8]) -> Result<Vec<u8>, PersonalError> {
    XChaCha20Poly1305::new(key.as_bytes().into())
        .decrypt(XNonce::from_slice(nonce), Payload { msg, aad })
        .map_err(|_| PersonalError::Unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::keys::tests::keys;
    use proptest::prelude::*;

    const UNREADABLE: PersonalError = PersonalError::Unreadable;

    #[test]
    fn a_field_opens_under_its_own_key_only_and_is_erased_without_one() {
        let (key, person) = (Secret::random(), chance::id());
        let sealed = seal(&key, person, "email", "ada@example.com").expect("seals");
        assert_eq!(open(Some(&key), "email", &sealed).as_deref(), Ok("ada@example.com"));
        assert_eq!(open(Some(&Secret::random()), "email", &sealed), Err(UNREADABLE));
        assert_eq!(open(None, "email", &sealed).as_deref(), Ok("[erased]"));
    }

    #[test]
    fn a_field_moved_or_changed_does_not_open() {
        let (key, person) = (Secret::random(), chance::id());
        let sealed = seal(&key, person, "email", "ada@example.com").expect("seals");
        let opened = |sealed: &Sealed, field: &str| open(Some(&key), field, sealed);
        assert_eq!(opened(&sealed, "name"), Err(UNREADABLE));
        assert_eq!(opened(&Sealed { person: chance::id(), ..sealed.clone() }, "email"), Err(UNREADABLE));
        for broken in ["", "zz", "00", &"00".repeat(24)] {
            assert_eq!(opened(&Sealed { nonce: broken.into(), ..sealed.clone() }, "email"), Err(UNREADABLE));
            assert_eq!(opened(&Sealed { ciphertext: broken.into(), ..sealed.clone() }, "email"), Err(UNREADABLE));
        }
    }

    #[test]
    fn equal_texts_are_not_seen_to_be_equal() {
        let (key, person) = (Secret::random(), chance::id());
        let [one, other] = [(); 2].map(|()| seal(&key, person, "name", "Ada").expect("seals"));
        assert!(one.nonce != other.nonce && one.ciphertext != other.ciphertext);
    }

    #[test]
    fn a_key_is_wrapped_for_its_person_under_its_master() {
        let (keys, key, person) = (keys(), Secret::random(), chance::id());
        let wrapped = wrap(&keys, person, &key).expect("wraps");
        assert_eq!(unwrap(&keys, person, &wrapped), Ok(key));
        assert_eq!(unwrap(&keys, chance::id(), &wrapped), Err(UNREADABLE));
        assert_eq!(unwrap(&self::keys(), person, &wrapped), Err(UNREADABLE));
        for broken in [&[], &wrapped[..20], &wrapped[..wrapped.len() - 1]] {
            assert_eq!(unwrap(&keys, person, broken), Err(UNREADABLE));
        }
    }

    #[test]
    fn the_address_of_a_pending_sign_in_opens_for_its_token_under_its_master() {
        let (keys, address) = (keys(), "ada@example.com".parse::<EmailAddress>().expect("an address"));
        let [token, other] = [b"one", b"two"].map(|token| proof::digest::sha256(token));
        let sealed = seal_address(&keys, token, &address).expect("seals");
        assert!(!sealed.contains(&hex::encode("ada")));
        assert_eq!(open_address(&keys, token, &sealed), Ok(address));
        assert_eq!(open_address(&keys, other, &sealed), Err(UNREADABLE));
        assert_eq!(open_address(&self::keys(), token, &sealed), Err(UNREADABLE));
        assert_eq!(open_address(&keys, token, "zz"), Err(UNREADABLE));
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in any::<String>(), field in "[a-z_]{1,20}") {
            let key = Secret::random();
            let sealed = seal(&key, chance::id(), &field, &text).expect("seals");
            prop_assert_eq!(open(Some(&key), &field, &sealed), Ok(text));
        }
    }
}
