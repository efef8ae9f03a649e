//! Session tokens: JWTs that this service signs and reads itself. A token only names a session;
//! whether the session still stands is looked up at each request.

use super::keys::Keys;
use aggregates::{
    ids::{OrgId, UserId},
    time::Time,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Whom the tokens are for.
const AUDIENCE: &str = "defendable";
/// How far the clocks of two processes may differ before one refuses the other's new token, in seconds.
const SKEW: i64 = 60;

/// Signs and reads session tokens.
#[derive(Clone)]
pub struct Tokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    /// Which key it is, so that a token of another one is told apart before its signature is.
    kid: String,
    issuer: String,
    lifetime: i64,
}

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The session's id.
    pub id: Uuid,
    /// Who is signed in.
    pub user: UserId,
    /// For which organisation, where the request names no other.
    pub org: OrgId,
    /// The first second in which the token is void.
    pub expires_at: Time,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    org: OrgId,
    jti: Uuid,
    iat: i64,
    nbf: i64,
    exp: i64,
}

/// Why a token is no credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token, or says too little or the wrong kind of thing.
    #[error("the token is malformed")]
    Malformed,
    /// It is signed in another way, or not at all.
    #[error("the token is signed with an algorithm that is not accepted")]
    Algorithm,
    /// It names another key.
    #[error("the token names an unknown key")]
    Key,
    /// Somebody else made or changed it.
    #[error("the token's signature is wrong")]
    Signature,
    /// Another service issued it.
    #[error("the token is from another issuer")]
    Issuer,
    /// It is for another service.
    #[error("the token is for another audience")]
    Audience,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time is not come.
    #[error("the token is not valid yet")]
    NotYet,
}

impl Tokens {
    /// Tokens of this issuer (the service's public address), valid for so many hours.
    pub fn new(keys: &Keys, issuer: impl Into<String>, hours: u32) -> Self {
        let key = keys.token().as_bytes();
        let kid = blake3::derive_key("defendable 2026 session tokens: name of the key", key);
        Self {
            signing: EncodingKey::from_secret(key),
            verifying: DecodingKey::from_secret(key),
            kid: hex::encode(&kid[..8]),
            issuer: issuer.into(),
            lifetime: i64::from(hours) * 3600,
        }
    }

    /// A token for the session, and what it says.
    pub fn issue(&self, id: Uuid, user: UserId, org: OrgId, now: Time) -> Result<(String, Session), TokenError> {
        let iat = now.seconds();
        let exp = iat + self.lifetime;
        let claims =
            Claims { iss: self.issuer.clone(), aud: AUDIENCE.into(), sub: user, org, jti: id, iat, nbf: iat, exp };
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::HS256) };
        let token = jsonwebtoken::encode(&header, &claims, &self.signing).map_err(|_| TokenError::Malformed)?;
        Ok((token, Session { id, user, org, expires_at: at(exp) }))
    }

    /// What a token says, if it is one of ours and valid now.
    pub fn read(&self, token: &str, now: Time) -> Result<Session, TokenError> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp", "nbf"]);
        // The library would read the system clock; ours is compared below.
        validation.validate_exp = false;
        let read = jsonwebtoken::decode::<Claims>(token, &self.verifying, &validation).map_err(|error| match error
            .kind()
        {
            ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
            ErrorKind::InvalidSignature => TokenError::Signature,
            ErrorKind::InvalidIssuer => TokenError::Issuer,
            ErrorKind::InvalidAudience => TokenError::Audience,
            _ => TokenError::Malformed,
        })?;
        let (claims, now) = (read.claims, now.seconds());
        if read.header.kid.as_deref() != Some(self.kid.as_str()) {
            return Err(TokenError::Key);
        }
        if now >= claims.exp {
            return Err(TokenError::Expired);
        }
        if now < claims.nbf.saturating_sub(SKEW) {
            return Err(TokenError::NotYet);
        }
        Ok(Session { id: claims.jti, user: claims.sub, org: claims.org, expires_at: at(claims.exp) })
    }
}

fn at(seconds: i64) -> Time {
    Time::of_microseconds(seconds.saturating_mul(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::{chance, keys::tests::keys};
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const NOW: i64 = 1_800_000_000;
    const HERE: &str = "https://grc.example.com";

    fn tokens(keys: &Keys) -> Tokens {
        Tokens::new(keys, HERE, 720)
    }

    fn token(tokens: &Tokens) -> (String, Session) {
        tokens.issue(chance::uuid(), chance::id(), chance::id(), at(NOW)).expect("issues")
    }

    fn part(value: &Value) -> String {
        BASE64.encode(value.to_string())
    }

    fn parts(token: &str) -> [Value; 2] {
        let mut parts = token.split('.');
        [(); 2].map(|()| {
            let part = BASE64.decode(parts.next().expect("a part")).expect("base64url");
            serde_json::from_slice(&part).expect("JSON")
        })
    }

    /// A token with these parts, signed with the key by HMAC-SHA-256 whatever its header says.
    fn signed(key: &[u8], header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", part(header), part(claims));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &EncodingKey::from_secret(key), Algorithm::HS256);
        format!("{message}.{}", signature.expect("signs"))
    }

    /// A token that this service issued, with its header or claims changed and signed with its own key.
    fn changed(change: impl FnOnce(&mut Value, &mut Value)) -> Result<Session, TokenError> {
        let keys = keys();
        let tokens = tokens(&keys);
        let [mut header, mut claims] = parts(&token(&tokens).0);
        change(&mut header, &mut claims);
        tokens.read(&signed(keys.token().as_bytes(), &header, &claims), at(NOW))
    }

    #[test]
    fn a_token_says_what_it_was_issued_for() {
        let tokens = tokens(&keys());
        let (token, session) = token(&tokens);
        assert_eq!(tokens.read(&token, at(NOW)), Ok(session));
        assert_eq!(session.expires_at, at(NOW + 30 * 24 * 3600));
        let [header, claims] = parts(&token);
        assert_eq!((&header["alg"], &header["typ"]), (&json!("HS256"), &json!("JWT")));
        assert!(header["kid"].is_string());
        let mut names: Vec<_> = claims.as_object().expect("claims").keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["aud", "exp", "iat", "iss", "jti", "nbf", "org", "sub"], "and nothing personal");
        assert!(changed(|_, _| ()).is_ok(), "signed by hand without a change");
    }

    #[test]
    fn a_token_is_void_from_its_last_second_on() {
        let tokens = Tokens::new(&keys(), HERE, 1);
        let (token, _) = token(&tokens);
        assert!(tokens.read(&token, at(NOW + 3599)).is_ok());
        assert_eq!(tokens.read(&token, at(NOW + 3600)), Err(TokenError::Expired));
    }

    #[test]
    fn a_token_is_not_valid_before_its_time_but_clocks_may_differ_a_little() {
        assert!(changed(|_, claims| claims["nbf"] = json!(NOW + 60)).is_ok());
        assert_eq!(changed(|_, claims| claims["nbf"] = json!(NOW + 61)), Err(TokenError::NotYet));
    }

    #[test]
    fn a_token_that_is_not_signed_is_refused() {
        let tokens = tokens(&keys());
        let [mut header, claims] = parts(&token(&tokens).0);
        for none in ["none", "None", "NONE", ""] {
            header["alg"] = json!(none);
            let message = format!("{}.{}", part(&header), part(&claims));
            for unsigned in [format!("{message}."), message.clone(), format!("{message}.AAAA")] {
                assert_eq!(tokens.read(&unsigned, at(NOW)), Err(TokenError::Malformed), "{unsigned}");
            }
        }
        header["alg"] = json!("HS256");
        let unsigned = format!("{}.{}.", part(&header), part(&claims));
        assert_eq!(tokens.read(&unsigned, at(NOW)), Err(TokenError::Signature));
    }

    #[test]
    fn a_token_that_names_another_algorithm_is_refused_whatever_its_signature() {
        for algorithm in ["RS256", "ES256", "PS256", "EdDSA", "HS384", "HS512"] {
            assert_eq!(
                changed(|header, _| header["alg"] = json!(algorithm)),
                Err(TokenError::Algorithm),
                "{algorithm}"
            );
        }
    }

    #[test]
    fn a_token_of_another_key_is_refused() {
        assert_eq!(changed(|header, _| header["kid"] = json!("0000000000000000")), Err(TokenError::Key));
        assert_eq!(changed(|header, _| header["kid"] = Value::Null), Err(TokenError::Key));
        let foreign = token(&tokens(&keys())).0;
        assert_eq!(tokens(&keys()).read(&foreign, at(NOW)), Err(TokenError::Signature));
    }

    #[test]
    fn a_forged_token_is_refused() {
        let keys = keys();
        let tokens = tokens(&keys);
        let (token, _) = token(&tokens);
        let [header, mut claims] = parts(&token);
        let signature = token.rsplit('.').next().expect("a signature");
        claims["sub"] = json!(chance::id::<aggregates::ids::kinds::User>());
        let forged = format!("{}.{}.{signature}", part(&header), part(&claims));
        assert_eq!(tokens.read(&forged, at(NOW)), Err(TokenError::Signature));
        assert_eq!(tokens.read(&signed(b"guessed", &header, &claims), at(NOW)), Err(TokenError::Signature));
        assert_eq!(tokens.read(&signed(b"", &header, &claims), at(NOW)), Err(TokenError::Signature));
    }

    #[test]
    fn a_token_from_or_for_somebody_else_is_refused() {
        assert_eq!(changed(|_, claims| claims["iss"] = json!("https://evil.example")), Err(TokenError::Issuer));
        assert_eq!(changed(|_, claims| claims["aud"] = json!("another")), Err(TokenError::Audience));
    }

    #[test]
    fn a_token_that_leaves_something_out_or_has_a_wrong_type_is_refused() {
        for name in ["iss", "aud", "sub", "org", "jti", "iat", "nbf", "exp"] {
            assert!(
                changed(|_, claims| drop(claims.as_object_mut().and_then(|claims| claims.remove(name)))).is_err(),
                "{name}"
            );
            assert!(changed(|_, claims| claims[name] = json!([true])).is_err(), "{name}");
        }
        assert_eq!(changed(|_, claims| claims["sub"] = json!("run_01")), Err(TokenError::Malformed));
    }

    #[test]
    fn no_text_is_a_token() {
        let tokens = tokens(&keys());
        proptest!(|(text in "[A-Za-z0-9_.-]{0,200}|\\PC*")| prop_assert!(tokens.read(&text, at(NOW)).is_err()));
    }
}
