//! A person, as far as signing in needs one. What the person may do lies with the organisations.
//!
//! Users live in the `system` organisation, since one person may belong to several.

use crate::{Decider, Demands, Fact, Fault, Permission, Refusal, ids::UserId, personal::Sealed};
use serde::{Deserialize, Serialize};

/// A person, as the rules need to know one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Who it is, from registration on.
    id: Option<UserId>,
    erased: bool,
}

impl User {
    /// Whether the person is registered and not erased.
    pub const fn is_known(&self) -> bool {
        self.id.is_some() && !self.erased
    }
}

/// What may be asked of a person's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserCommand {
    /// Register a person; that nobody else has the address is the caller's claim.
    Register {
        /// The record's own id.
        id: UserId,
        /// The e-mail address, sealed for this person.
        email: Sealed,
        /// The name, sealed for this person.
        name: Option<Sealed>,
    },
    /// Change the name.
    Rename {
        /// The new name, sealed for this person; none takes it away.
        name: Option<Sealed>,
    },
    /// Erase what is known of the person. The caller drops the person's key with it.
    Erase,
}

impl Demands for UserCommand {
    fn permission(&self) -> Permission {
        match self {
            // A person signs up and renames themself, whatever the role; the service does it for them.
            Self::Register { .. } | Self::Rename { .. } => Permission::Service,
            Self::Erase => Permission::Administer,
        }
    }
}

/// What happened to a person's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserEvent {
    /// The person was registered.
    UserRegistered {
        /// The e-mail address. Personal.
        email: Sealed,
        /// The name. Personal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Sealed>,
    },
    /// The name changed.
    UserRenamed {
        /// The new name, if any. Personal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Sealed>,
    },
    /// The person's key was dropped: no sealed field about them opens any more.
    UserErased {},
}

impl Fact for UserEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::UserRegistered { .. } => "user_registered",
            Self::UserRenamed { .. } => "user_renamed",
            Self::UserErased {} => "user_erased",
        }
    }
}

/// Why a person's record refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserRefusal {
    /// There is no such person.
    #[error("there is no such user")]
    NotRegistered,
    /// The person was registered before.
    #[error("the user is registered already")]
    AlreadyRegistered,
    /// The person was erased.
    #[error("the user's personal data was erased, and nothing can be added to it")]
    Erased,
    /// The address is sealed for somebody else, so that erasing this person would leave it readable.
    #[error("the e-mail address is sealed for another person")]
    EmailOfAnother,
    /// The name is sealed for somebody else, so that erasing this person would leave it readable.
    #[error("the name is sealed for another person")]
    NameOfAnother,
}

impl Refusal for UserRefusal {
    fn fault(&self) -> Fault {
        match self {
            Self::NotRegistered => Fault::NotFound,
            Self::AlreadyRegistered | Self::Erased => Fault::Conflict,
            Self::EmailOfAnother => Fault::Invalid(Some("email")),
            Self::NameOfAnother => Fault::Invalid(Some("name")),
        }
    }
}

impl Decider for User {
    const TYPE: &'static str = "user";
    type Command = UserCommand;
    type Event = UserEvent;
    type Refusal = UserRefusal;

    fn decide(&self, command: UserCommand) -> Result<Vec<UserEvent>, UserRefusal> {
        use {UserCommand::*, UserEvent::*};
        let of_another = |name: &Option<Sealed>, id| name.as_ref().is_some_and(|name| name.person != id);
        match (command, self.id) {
            (Register { .. }, Some(_)) => Err(UserRefusal::AlreadyRegistered),
            (Register { id, email, .. }, None) if email.person != id => Err(UserRefusal::EmailOfAnother),
            (Register { id, name, .. }, None) if of_another(&name, id) => Err(UserRefusal::NameOfAnother),
            (Register { email, name, .. }, None) => Ok(vec![UserRegistered { email, name }]),
            (Rename { .. } | Erase, None) => Err(UserRefusal::NotRegistered),
            (Erase, Some(_)) if self.erased => Ok(vec![]),
            (Erase, Some(_)) => Ok(vec![UserErased {}]),
            (Rename { .. }, Some(_)) if self.erased => Err(UserRefusal::Erased),
            (Rename { name }, Some(id)) if of_another(&name, id) => Err(UserRefusal::NameOfAnother),
            (Rename { name }, Some(_)) => Ok(vec![UserRenamed { name }]),
        }
    }

    fn evolve(&mut self, event: &UserEvent) {
        match event {
            UserEvent::UserRegistered { email, .. } => self.id = Some(email.person),
            UserEvent::UserRenamed { .. } => {}
            UserEvent::UserErased {} => self.erased = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{UserCommand::*, UserEvent::*, *};
    use crate::testing::given;
    use uuid::Uuid;

    fn person(number: u128) -> UserId {
        UserId::from_uuid(Uuid::from_u128(number))
    }

    fn sealed(number: u128, text: &str) -> Sealed {
        Sealed { person: person(number), nonce: "00".repeat(24), ciphertext: hex::encode(text) }
    }

    fn registered() -> UserEvent {
        UserRegistered { email: sealed(1, "ada@example.com"), name: None }
    }

    fn register(email: Sealed, name: Option<Sealed>) -> UserCommand {
        Register { id: person(1), email, name }
    }

    #[test]
    fn a_person_is_registered_with_an_address_and_perhaps_a_name() {
        given::<User>([]).when(register(sealed(1, "ada@example.com"), None)).then([registered()]);
        let (email, name) = (sealed(1, "ada@example.com"), Some(sealed(1, "Ada")));
        given::<User>([]).when(register(email.clone(), name.clone())).then([UserRegistered { email, name }]);
    }

    #[test]
    fn a_person_is_registered_once_even_after_erasure() {
        let again = || register(sealed(1, "ada@example.com"), None);
        given::<User>([registered()]).when(again()).refused(UserRefusal::AlreadyRegistered);
        given::<User>([registered(), UserErased {}]).when(again()).refused(UserRefusal::AlreadyRegistered);
    }

    #[test]
    fn what_is_personal_is_sealed_for_that_very_person() {
        let ada = || sealed(1, "ada@example.com");
        given::<User>([]).when(register(sealed(2, "ada@example.com"), None)).refused(UserRefusal::EmailOfAnother);
        given::<User>([]).when(register(ada(), Some(sealed(2, "Ada")))).refused(UserRefusal::NameOfAnother);
        given::<User>([registered()]).when(Rename { name: Some(sealed(2, "Ada")) }).refused(UserRefusal::NameOfAnother);
    }

    #[test]
    fn a_name_is_given_and_taken_away() {
        let name = Some(sealed(1, "Ada"));
        given::<User>([registered()]).when(Rename { name: name.clone() }).then([UserRenamed { name }]);
        given::<User>([registered()]).when(Rename { name: None }).then([UserRenamed { name: None }]);
    }

    #[test]
    fn an_erased_person_is_erased_once_and_gets_no_new_name() {
        given::<User>([registered()]).when(Erase).then([UserErased {}]);
        given::<User>([registered(), UserErased {}]).when(Erase).then([]);
        given::<User>([registered(), UserErased {}]).when(Rename { name: None }).refused(UserRefusal::Erased);
    }

    #[test]
    fn nobody_is_renamed_or_erased_before_being_registered() {
        given::<User>([]).when(Rename { name: None }).refused(UserRefusal::NotRegistered);
        given::<User>([]).when(Erase).refused(UserRefusal::NotRegistered);
    }

    #[test]
    fn a_person_is_known_between_registration_and_erasure() {
        assert!(!given::<User>([]).0.is_known());
        assert!(given::<User>([registered()]).0.is_known());
        assert!(!given::<User>([registered(), UserErased {}]).0.is_known());
    }

    #[test]
    fn an_admin_erases_and_the_service_does_the_rest() {
        assert_eq!(Erase.permission(), Permission::Administer);
        assert_eq!(Rename { name: None }.permission(), Permission::Service);
        assert_eq!(register(sealed(1, "a@b.c"), None).permission(), Permission::Service);
    }

    #[test]
    fn an_event_is_stored_under_its_own_name() {
        for event in [registered(), UserRenamed { name: None }, UserErased {}] {
            let json = serde_json::to_value(&event).expect("writes");
            assert!(json.get(event.name()).is_some(), "{json}");
        }
    }
}
