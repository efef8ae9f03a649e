//! Identifiers: UUIDv7, written as a TypeID (`run_01k…`) on the runs surface and as a UUID on the
//! GRC surface. Both forms are read everywhere.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{borrow::Cow, fmt, hash::Hash, marker::PhantomData, str::FromStr};
use type_safe_id::{DynamicType, TypeSafeId};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};
use uuid::Uuid;

/// What an identifier is of.
pub trait Kind:
    Copy + Clone + fmt::Debug + PartialEq + Eq + PartialOrd + Ord + Hash + Default + Send + Sync + 'static
{
    /// The prefix of the TypeID.
    const PREFIX: &'static str;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $alias:ident = $kind:ident $prefix:literal;)*) => {
        /// The kinds of identifier.
        pub mod kinds {
            $(
                $(#[$doc])*
                #[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
                pub struct $kind;
                impl super::Kind for $kind {
                    const PREFIX: &'static str = $prefix;
                }
            )*
        }
        $($(#[$doc])* pub type $alias = Id<kinds::$kind>;)*
    };
}

kinds! {
    /// An organisation.
    OrgId = Org "org";
    /// A person.
    UserId = User "usr";
    /// An invitation into an organisation.
    InvitationId = Invitation "inv";
    /// An API key.
    ApiKeyId = ApiKey "key";
    /// A project.
    ProjectId = Project "prj";
    /// A flight sheet.
    SheetId = Sheet "fs";
    /// An agent profile.
    AgentProfileId = AgentProfile "agt";
    /// A run.
    RunId = Run "run";
    /// A piece of evidence.
    EvidenceId = Evidence "evd";
    /// A submission.
    SubmissionId = Submission "sub";
    /// A check.
    CheckId = Check "chk";
    /// An incident.
    IncidentId = Incident "inc";
}

/// An identifier of one kind.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id<K>(Uuid, PhantomData<K>);

impl<K: Kind> Id<K> {
    /// The identifier with these bits.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// Its bits.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl OrgId {
    /// The organisation of what belongs to no organisation: the built-in library, sign-ups.
    pub const SYSTEM: Self = Self::from_uuid(Uuid::nil());

    /// The organisation's name on the ledger: `system`, or its UUID.
    pub fn on_ledger(self) -> String {
        if self == Self::SYSTEM { "system".to_owned() } else { self.uuid().to_string() }
    }
}

/// How many characters of base32 follow the prefix.
const SUFFIX: usize = 26;

/// A text that is no identifier of the kind asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an id of the form `{0}_…` (26 characters after the underscore) or a UUID")]
pub struct NotAnId(&'static str);

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = DynamicType::new(K::PREFIX).map_err(|_| fmt::Error)?;
        write!(out, "{}", TypeSafeId::from_type_and_uuid(prefix, self.0))
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        // The parser of TypeIDs panics on some texts with long prefixes, so it is only asked about our own.
        let suffix = text.strip_prefix(K::PREFIX).and_then(|rest| rest.strip_prefix('_'));
        if suffix.is_some_and(|suffix| suffix.len() == SUFFIX && suffix.is_ascii()) {
            let id = text.parse::<TypeSafeId<DynamicType>>().map_err(|_| NotAnId(K::PREFIX))?;
            return Ok(Self::from_uuid(id.uuid()));
        }
        Uuid::try_parse(text).map(Self::from_uuid).map_err(|_| NotAnId(K::PREFIX))
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl<K: Kind> PartialSchema for Id<K> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some(format!("An id: `{}_` and 26 characters of base32 (a UUID is read too)", K::PREFIX)))
            .pattern(Some(format!(
                "^({}_[0-7][0-9a-hjkmnp-tv-z]{{25}}|[0-9a-fA-F]{{8}}(-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}})$",
                K::PREFIX
            )))
            .examples([serde_json::json!(format!("{}_01k3v7q9d8f6zr2m4n5p6q7r8s", K::PREFIX))])
            .into()
    }
}

impl<K: Kind> ToSchema for Id<K> {
    fn name() -> Cow<'static, str> {
        let kind = std::any::type_name::<K>().rsplit("::").next().unwrap_or(K::PREFIX);
        Cow::Owned(format!("{kind}Id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_forms_are_read_and_another_prefix_is_not() {
        let uuid = Uuid::from_u128(0x0190_a5b4_c3d2_7e1f_8a9b_0c1d_2e3f_4a5b);
        let id = RunId::from_uuid(uuid);
        assert!(id.to_string().starts_with("run_01"));
        assert_eq!(id.to_string().len(), "run_".len() + 26);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(uuid.to_string().parse(), Ok(id));
        assert!(id.to_string().parse::<ProjectId>().is_err());
        assert!("../etc/passwd".parse::<RunId>().is_err());
    }

    #[test]
    fn the_system_has_a_name_and_an_organisation_its_uuid() {
        assert_eq!(OrgId::SYSTEM.on_ledger(), "system");
        assert_eq!(OrgId::from_uuid(Uuid::from_u128(1)).on_ledger(), "00000000-0000-0000-0000-000000000001");
    }

    proptest! {
        #[test]
        fn an_id_is_read_back_from_every_form(bits: u128) {
            let id = EvidenceId::from_uuid(Uuid::from_u128(bits));
            let text = id.to_string();
            prop_assert_eq!(text.parse(), Ok(id));
            prop_assert_eq!(id.uuid().to_string().parse(), Ok(id));
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(&json, &format!("\"{text}\""));
            prop_assert_eq!(serde_json::from_str::<EvidenceId>(&json).unwrap(), id);
            prop_assert!(text.parse::<RunId>().is_err(), "of another kind");
        }

        #[test]
        fn ids_sort_as_texts_as_they_do_as_bits(a: u128, b: u128) {
            let [a, b] = [a, b].map(|bits| RunId::from_uuid(Uuid::from_u128(bits)));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }

        #[test]
        fn any_text_is_an_id_or_none_and_breaks_nothing(text in "\\PC{0,40}|run_[0-9a-z]{24,28}") {
            if let Ok(id) = text.parse::<RunId>() {
                prop_assert_eq!(id.to_string().parse(), Ok(id));
            }
        }
    }
}
