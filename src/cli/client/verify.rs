//! `defendable verify`: a receipt, with its share link and without an account, and not on the service's word alone.

use super::{Api, show};
use crate::{cli::Failure, config::Remote};
use clap::Args;
use proof::{
    canonical,
    digest::{Sha256Hex, sha256},
    receipt::{self, Row},
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use std::str::FromStr;

/// Which receipt.
#[derive(Debug, Args)]
pub struct Verify {
    /// Which service
    #[command(flatten)]
    pub remote: Remote,
    /// The share token, or the link that ends in it
    #[arg(value_name = "TOKEN|URL", allow_hyphen_values = true)]
    pub receipt: Shared,
}

/// A receipt's share token, and the service that its link names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    service: Option<String>,
    token: String,
}

impl Shared {
    /// The token.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// The service to ask, without a credential: that of --api, else that of the link, else the usual one.
    pub(super) fn service(&self, remote: &Remote) -> Result<Api, Failure> {
        if let Some(service) = remote.option().or(self.service.as_deref()) {
            return Api::anyone(service);
        }
        let last = super::credentials::load().ok().flatten().map(|profile| profile.api_base_url);
        Api::anyone(&remote.service(last.as_deref()))
    }
}

impl FromStr for Shared {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (service, token) = match ["/share/", "/r/"].iter().find_map(|mark| text.rsplit_once(mark)) {
            Some((service, token)) => {
                let token = token.split(['?', '#']).next().unwrap_or(token).trim_end_matches('/');
                (Some(service), token.strip_suffix("/pdf").unwrap_or(token))
            }
            None => (None, text),
        };
        let is_plain = |found: u8| found.is_ascii_alphanumeric() || found == b'_' || found == b'-';
        if token.is_empty() || !token.bytes().all(is_plain) {
            return Err(
                "give a share token (letters, digits, `-` and `_`), or a link that ends in /share/ or /r/ and one",
            );
        }
        let service = service.filter(|service| service.starts_with("https://") || service.starts_with("http://"));
        Ok(Self { service: service.map(str::to_owned), token: token.to_owned() })
    }
}

/// What the service says of a receipt, as far as it is held against the payload.
#[derive(Deserialize)]
struct Said {
    receipt_id: String,
    org_seq: u64,
    parent_hash: Sha256Hex,
    receipt_sha256: Sha256Hex,
    verified: bool,
    chain_consistent: bool,
    payload: Box<RawValue>,
}

/// What was found here.
struct Found {
    /// The SHA-256 of the payload's canonical form; none where it has no such form.
    payload_sha256: Option<Sha256Hex>,
    /// Whether that is the receipt's.
    matches: bool,
    /// Whether the payload names the receipt's own number, name and parent.
    coordinates_agree: bool,
}

impl Found {
    /// Computes it from the payload alone.
    fn of(said: &Said) -> Self {
        let value = canonical::parse_strict(said.payload.get().as_bytes()).ok();
        let Some(payload) = value.and_then(|value| canonical::to_vec(&value).ok()) else {
            return Self { payload_sha256: None, matches: false, coordinates_agree: false };
        };
        let row = Row {
            org_seq: said.org_seq,
            receipt_sha256: said.receipt_sha256,
            parent_hash: said.parent_hash,
            receipt_id: &said.receipt_id,
            payload: &payload,
        };
        Self {
            payload_sha256: Some(sha256(&payload)),
            matches: receipt::verified(&row),
            coordinates_agree: receipt::agrees(&row),
        }
    }
}

pub(in crate::cli) async fn run(Verify { remote, receipt }: &Verify) -> Result<(), Failure> {
    let api = receipt.service(remote)?;
    let bytes = api.get_bytes(&["share", receipt.token()]).await?;
    let (said, mut shown): (Said, Value) = (api.parse(&bytes)?, api.parse(&bytes)?);
    let found = Found::of(&said);
    shown["local"] = json!({
        "payload_sha256": found.payload_sha256.map(|hash| hash.to_string()),
        "matches": found.matches,
        "coordinates_agree": found.coordinates_agree,
    });
    let faults: Vec<_> = [
        (found.matches, "the SHA-256 of its payload, computed here, is not the one it was sealed with"),
        (found.coordinates_agree, "its payload names another number, name or parent"),
        (said.verified, "the service says that the payload is not the one that was sealed"),
        (said.chain_consistent, "the service says that it does not follow the receipt before it"),
    ]
    .into_iter()
    .filter_map(|(holds, fault)| (!holds).then_some(fault))
    .collect();
    show::record(remote, &shown, |shown| {
        let end = if faults.is_empty() {
            "\n\nVerified: the SHA-256 of its canonical payload, computed here, is the one it was sealed with; and the service \
             says that it follows the receipt before it."
        } else {
            ""
        };
        format!("{}{end}", told(shown))
    })?;
    if faults.is_empty() { Ok(()) } else { Err(format!("NOT VERIFIED: {}", faults.join("; ")).into()) }
}

/// A shared receipt, for people.
pub(super) fn told(receipt: &Value) -> String {
    show::facts(&[
        ("Receipt", show::field(receipt, "receipt_id")),
        ("Number", show::field(receipt, "org_seq")),
        ("Minted", show::field(receipt, "created_at")),
        ("Organisation", show::field(receipt, "payload.organization.name")),
        ("Run", show::field(receipt, "payload.run.title")),
        ("Flight sheet", show::field(receipt, "payload.flight_sheet.name")),
        ("Outcome", show::field(receipt, "payload.verdict.outcome")),
        ("Severity", show::field(receipt, "payload.verdict.severity")),
        ("Incident", show::field(receipt, "payload.incident.title")),
        ("Approved by", show::field(receipt, "payload.ownership.final_authority")),
        ("Parent", show::field(receipt, "parent_hash")),
        ("SHA-256", show::field(receipt, "receipt_sha256")),
        ("Computed here", show::field(receipt, "local.payload_sha256")),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(service: Option<&str>, token: &str) -> Shared {
        Shared { service: service.map(str::to_owned), token: token.to_owned() }
    }

    #[test]
    fn a_token_is_found_in_what_people_paste() {
        let token = "kQ8vN2xJ7pR4tW1mZ9bL3cF6";
        let host = Some("https://grc.example.org/base");
        for (given, expected) in [
            (token.to_owned(), shared(None, token)),
            (format!(" {token}\n"), shared(None, token)),
            (format!("https://grc.example.org/base/share/{token}"), shared(host, token)),
            (format!("https://grc.example.org/base/share/{token}/pdf"), shared(host, token)),
            (format!("https://grc.example.org/base/r/{token}/?a=b#c"), shared(host, token)),
            (format!("grc.example.org/r/{token}"), shared(None, token)),
        ] {
            assert_eq!(given.parse(), Ok(expected), "{given}");
        }
        for given in ["", "https://grc.example.org/share/", "https://grc.example.org/x", "a b", "../ledger", "ü"] {
            assert!(given.parse::<Shared>().is_err(), "{given}");
        }
    }

    fn said(payload: &str, receipt_sha256: Sha256Hex) -> Said {
        Said {
            receipt_id: "DCR-000000-0a1b2c3d".into(),
            org_seq: 0,
            parent_hash: Sha256Hex::ZERO,
            receipt_sha256,
            verified: true,
            chain_consistent: true,
            payload: RawValue::from_string(payload.to_owned()).unwrap(),
        }
    }

    #[test]
    fn the_service_is_not_believed() {
        let zeros = "0".repeat(64);
        let payload =
            format!(r#"{{"org_seq":0,"parent_hash":"{zeros}","receipt_id":"DCR-000000-0a1b2c3d","verdict":"pass"}}"#);
        let sealed = sha256(payload.as_bytes());
        let honest = Found::of(&said(&payload, sealed));
        assert!(honest.matches && honest.coordinates_agree);
        // A proxy may have written it differently; what it says is the same.
        let spaced = Found::of(&said(&payload.replace(',', " , "), sealed));
        assert!(spaced.matches && spaced.coordinates_agree);
        let edited = Found::of(&said(&payload.replace("pass", "fail"), sealed));
        assert!(!edited.matches && edited.coordinates_agree);
        let moved = payload.replace("0a1b2c3d", "00000000");
        let moved = Found::of(&said(&moved, sha256(moved.as_bytes())));
        assert!(moved.matches && !moved.coordinates_agree);
        for none in ["\"no object\"", r#"{"a":1,"a":2}"#] {
            let none = Found::of(&said(none, sealed));
            assert!(!none.matches && !none.coordinates_agree);
        }
    }
}
