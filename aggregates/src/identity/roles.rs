//! The one table of who may do what.

use crate::Permission;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A role in an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Admin,
    /// Reads everything and judges: grades, approves, verifies, exports.
    Auditor,
    /// Reads everything and works: creates, submits, audits, mints.
    Analyst,
    /// Reads everything.
    Viewer,
}

impl Role {
    /// Every role, the most powerful first.
    pub const ALL: [Self; 4] = [Self::Admin, Self::Auditor, Self::Analyst, Self::Viewer];

    /// Whether the role has the permission. Handlers, commands and the documentation all read this table.
    pub const fn may(self, permission: Permission) -> bool {
        use Permission::{Administer, Judge, Read, Work};
        // No role has `Service`: only the service itself gives such commands.
        match self {
            Self::Admin => matches!(permission, Read | Work | Judge | Administer),
            Self::Auditor => matches!(permission, Read | Judge),
            Self::Analyst => matches!(permission, Read | Work),
            Self::Viewer => matches!(permission, Read),
        }
    }

    /// Whether the role may do everything that the other may.
    pub fn covers(self, other: Self) -> bool {
        use Permission::{Administer, Judge, Read, Work};
        [Read, Work, Judge, Administer].into_iter().all(|permission| self.may(permission) || !other.may(permission))
    }

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Auditor => "auditor",
            Self::Analyst => "analyst",
            Self::Viewer => "viewer",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Permission::*;

    #[test]
    fn the_table_is_the_one_of_the_wire() {
        let table = [
            (Role::Viewer, [true, false, false, false]),
            (Role::Analyst, [true, true, false, false]),
            (Role::Auditor, [true, false, true, false]),
            (Role::Admin, [true, true, true, true]),
        ];
        for (role, expected) in table {
            assert_eq!([Read, Work, Judge, Administer].map(|permission| role.may(permission)), expected, "{role:?}");
            assert!(!role.may(Service), "{role:?}");
        }
    }

    #[test]
    fn a_role_covers_those_that_may_no_more_than_it() {
        use Role::*;
        let covered = |role: Role| Role::ALL.map(|other| role.covers(other));
        assert_eq!(covered(Admin), [true; 4]);
        assert_eq!(covered(Auditor), [false, true, false, true], "an auditor cannot work");
        assert_eq!(covered(Analyst), [false, false, true, true], "an analyst cannot judge");
        assert_eq!(covered(Viewer), [false, false, false, true]);
    }
}
