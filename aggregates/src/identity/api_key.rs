//! An API key: a credential for a program, with a role of its own.

use crate::{
    Decider, Demands, Fact, Fault, Permission, Refusal,
    identity::{actor::Actor, roles::Role},
    time::Time,
};
use proof::digest::Sha256Hex;
use serde::{Deserialize, Serialize};

/// The longest name of an API key, in characters.
pub const NAME_LIMIT: usize = 200;
/// What every API key begins with.
pub const SCHEME: &str = "sk-";
/// How many characters of a key are kept readable, to find it and to tell keys apart.
pub const PREFIX_LENGTH: usize = 12;

/// An API key, as its rules need to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    grant: Option<Grant>,
    revoked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Grant {
    role: Role,
    expires_at: Option<Time>,
}

impl ApiKey {
    /// The role in which the key acts at that moment; none once it is revoked or has expired.
    pub fn role_at(&self, moment: Time) -> Option<Role> {
        self.grant
            .filter(|grant| !self.revoked && grant.expires_at.is_none_or(|end| moment < end))
            .map(|grant| grant.role)
    }
}

/// What may be asked of an API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiKeyCommand {
    /// Issue it. The key itself is shown once and never comes here.
    Issue {
        /// What it is for, 1 to [`NAME_LIMIT`] characters once trimmed.
        name: String,
        /// What it may do.
        role: Role,
        /// SHA-256 of the key.
        key_hash: Sha256Hex,
        /// The key's first [`PREFIX_LENGTH`] characters, unique by the caller's claim.
        prefix: String,
        /// The first second in which it no longer works.
        expires_at: Option<Time>,
        /// Who issues it.
        issuer: Actor,
        /// The issuer's role.
        issuer_role: Role,
        /// When.
        at: Time,
    },
    /// Stop it from working, for good.
    Revoke,
}

impl Demands for ApiKeyCommand {
    fn permission(&self) -> Permission {
        Permission::Administer
    }
}

/// What happened to an API key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiKeyEvent {
    /// It was issued.
    ApiKeyIssued {
        /// What it is for.
        name: String,
        /// What it may do.
        role: Role,
        /// SHA-256 of the key.
        key_hash: Sha256Hex,
        /// The key's first characters.
        prefix: String,
        /// The first second in which it no longer works.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Time>,
    },
    /// It works no longer.
    ApiKeyRevoked {},
}

impl Fact for ApiKeyEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::ApiKeyIssued { .. } => "api_key_issued",
            Self::ApiKeyRevoked {} => "api_key_revoked",
        }
    }
}

/// Why an API key refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyRefusal {
    /// There is no such key.
    #[error("there is no such API key")]
    NotIssued,
    /// It was issued before.
    #[error("the API key is issued already")]
    AlreadyIssued,
    /// The name is empty or too long.
    #[error("an API key's name has 1 to {NAME_LIMIT} characters")]
    Name,
    /// The prefix is none of a key.
    #[error("an API key's prefix is its first {PREFIX_LENGTH} characters, beginning `{SCHEME}`")]
    Prefix,
    /// The key would never work.
    #[error("an API key expires in the future or not at all")]
    Expired,
    /// A program would hand on its own power.
    #[error("an API key is issued by a person, not by another API key")]
    ByAnotherKey,
    /// The key could do what its issuer cannot.
    #[error("an API key cannot be more powerful than the role of who issues it")]
    MorePowerful,
}

impl Refusal for ApiKeyRefusal {
    fn fault(&self) -> Fault {
        match self {
            Self::NotIssued => Fault::NotFound,
            Self::AlreadyIssued => Fault::Conflict,
            Self::ByAnotherKey | Self::MorePowerful => Fault::Forbidden,
            Self::Name => Fault::Invalid(Some("name")),
            Self::Prefix => Fault::Invalid(Some("prefix")),
            Self::Expired => Fault::Invalid(Some("expires_at")),
        }
    }
}

impl Decider for ApiKey {
    const TYPE: &'static str = "api_key";
    type Command = ApiKeyCommand;
    type Event = ApiKeyEvent;
    type Refusal = ApiKeyRefusal;

    fn decide(&self, command: ApiKeyCommand) -> Result<Vec<ApiKeyEvent>, ApiKeyRefusal> {
        match command {
            ApiKeyCommand::Issue { .. } if self.grant.is_some() => Err(ApiKeyRefusal::AlreadyIssued),
            ApiKeyCommand::Issue { name, role, key_hash, prefix, expires_at, issuer, issuer_role, at } => {
                let name = name.trim();
                if matches!(issuer, Actor::ApiKey(_)) {
                    return Err(ApiKeyRefusal::ByAnotherKey);
                }
                if !issuer_role.covers(role) {
                    return Err(ApiKeyRefusal::MorePowerful);
                }
                if !(1..=NAME_LIMIT).contains(&name.chars().count()) {
                    return Err(ApiKeyRefusal::Name);
                }
                if !prefix.starts_with(SCHEME) || prefix.len() != PREFIX_LENGTH {
                    return Err(ApiKeyRefusal::Prefix);
                }
                if expires_at.is_some_and(|end| end <= at) {
                    return Err(ApiKeyRefusal::Expired);
                }
                let name = name.to_owned();
                Ok(vec![ApiKeyEvent::ApiKeyIssued { name, role, key_hash, prefix, expires_at }])
            }
            ApiKeyCommand::Revoke if self.grant.is_none() => Err(ApiKeyRefusal::NotIssued),
            ApiKeyCommand::Revoke if self.revoked => Ok(vec![]),
            ApiKeyCommand::Revoke => Ok(vec![ApiKeyEvent::ApiKeyRevoked {}]),
        }
    }

    fn evolve(&mut self, event: &ApiKeyEvent) {
        match event {
            ApiKeyEvent::ApiKeyIssued { role, expires_at, .. } => {
                self.grant = Some(Grant { role: *role, expires_at: *expires_at });
            }
            ApiKeyEvent::ApiKeyRevoked {} => self.revoked = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ApiKeyCommand::*, ApiKeyEvent::*, *};
    use crate::{
        ids::{ApiKeyId, UserId},
        testing::given,
    };
    use proof::digest::sha256;

    fn second(number: i64) -> Time {
        Time::of_microseconds(number * 1_000_000)
    }

    fn issued(name: &str, role: Role, expires_at: Option<Time>) -> ApiKeyEvent {
        let key_hash = sha256(b"sk-abcdefghijkl");
        ApiKeyIssued { name: name.into(), role, key_hash, prefix: "sk-abcdefghi".into(), expires_at }
    }

    /// The command of an admin to issue a viewer's key, changed by the closure.
    fn issue(change: impl FnOnce(&mut Wanted)) -> ApiKeyCommand {
        let mut wanted = Wanted {
            name: "ci".into(),
            role: Role::Viewer,
            prefix: "sk-abcdefghi".into(),
            expires_at: None,
            issuer: Actor::User(UserId::default()),
            issuer_role: Role::Admin,
        };
        change(&mut wanted);
        let Wanted { name, role, prefix, expires_at, issuer, issuer_role } = wanted;
        let key_hash = sha256(b"sk-abcdefghijkl");
        Issue { name, role, key_hash, prefix, expires_at, issuer, issuer_role, at: second(100) }
    }

    struct Wanted {
        name: String,
        role: Role,
        prefix: String,
        expires_at: Option<Time>,
        issuer: Actor,
        issuer_role: Role,
    }

    #[test]
    fn a_key_is_issued_once() {
        given::<ApiKey>([]).when(issue(|key| key.name = " ci ".into())).then([issued("ci", Role::Viewer, None)]);
        given::<ApiKey>([issued("ci", Role::Viewer, None)]).when(issue(|_| ())).refused(ApiKeyRefusal::AlreadyIssued);
    }

    #[test]
    fn its_name_has_1_to_200_characters() {
        for name in ["", " ", &"ä".repeat(201)] {
            given::<ApiKey>([]).when(issue(|key| key.name = name.into())).refused(ApiKeyRefusal::Name);
        }
        let longest = "ä".repeat(200);
        given::<ApiKey>([]).when(issue(|key| key.name = longest.clone())).then([issued(&longest, Role::Viewer, None)]);
    }

    #[test]
    fn its_prefix_is_12_characters_of_a_key() {
        for prefix in ["sk-abcdefgh", "sk-abcdefghij", "pk-abcdefghi", ""] {
            given::<ApiKey>([]).when(issue(|key| key.prefix = prefix.into())).refused(ApiKeyRefusal::Prefix);
        }
    }

    #[test]
    fn it_expires_in_the_future_or_not_at_all() {
        for end in [99, 100] {
            given::<ApiKey>([]).when(issue(|key| key.expires_at = Some(second(end)))).refused(ApiKeyRefusal::Expired);
        }
        let end = Some(second(101));
        given::<ApiKey>([]).when(issue(|key| key.expires_at = end)).then([issued("ci", Role::Viewer, end)]);
    }

    #[test]
    fn it_is_no_more_powerful_than_its_issuer() {
        for issuer_role in Role::ALL {
            for role in Role::ALL {
                let answer = given::<ApiKey>([]).when(issue(|key| {
                    key.role = role;
                    key.issuer_role = issuer_role;
                }));
                if issuer_role == role || issuer_role == Role::Admin || role == Role::Viewer {
                    answer.then([issued("ci", role, None)]);
                } else {
                    answer.refused(ApiKeyRefusal::MorePowerful);
                }
            }
        }
    }

    #[test]
    fn it_is_issued_by_no_other_key() {
        given::<ApiKey>([])
            .when(issue(|key| key.issuer = Actor::ApiKey(ApiKeyId::default())))
            .refused(ApiKeyRefusal::ByAnotherKey);
    }

    #[test]
    fn it_is_revoked_and_revoking_it_again_changes_nothing() {
        let key = issued("ci", Role::Viewer, None);
        given::<ApiKey>([key.clone()]).when(Revoke).then([ApiKeyRevoked {}]);
        given::<ApiKey>([key, ApiKeyRevoked {}]).when(Revoke).then([]);
        given::<ApiKey>([]).when(Revoke).refused(ApiKeyRefusal::NotIssued);
    }

    #[test]
    fn it_acts_in_its_role_until_it_expires_or_is_revoked() {
        let role = |events: Vec<ApiKeyEvent>, moment| given::<ApiKey>(events).0.role_at(second(moment));
        let lasting = issued("ci", Role::Analyst, None);
        let ending = issued("ci", Role::Analyst, Some(second(200)));
        assert_eq!(role(vec![], 0), None);
        assert_eq!(role(vec![lasting.clone()], 1_000_000), Some(Role::Analyst));
        assert_eq!(role(vec![lasting, ApiKeyRevoked {}], 0), None);
        assert_eq!(role(vec![ending.clone()], 199), Some(Role::Analyst));
        assert_eq!(role(vec![ending], 200), None);
    }

    #[test]
    fn only_an_admin_issues_and_revokes() {
        assert_eq!(issue(|_| ()).permission(), Permission::Administer);
        assert_eq!(Revoke.permission(), Permission::Administer);
    }

    #[test]
    fn an_event_is_stored_under_its_own_name() {
        for event in [issued("ci", Role::Viewer, None), ApiKeyRevoked {}] {
            let json = serde_json::to_value(&event).expect("writes");
            assert!(json.get(event.name()).is_some(), "{json}");
        }
    }
}
