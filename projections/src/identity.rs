//! What is shown of people, organisations, memberships and API keys. These models may never be out of date: who may do
//! what is read from them.

use crate::{
    Db, Happened, Recorded,
    event::Stamp,
    model::{self, Cell, CellKind, Column, Index, Model, ReadModel, Row, Table},
    on,
};
use aggregates::{
    identity::{
        api_key::ApiKeyEvent,
        organisation::{MembershipStatus, OrganisationEvent},
        roles::Role,
        user::UserEvent,
    },
    ids::{ApiKeyId, InvitationId, OrgId, UserId},
    personal::Sealed,
    time::Time,
};
use proof::digest::Sha256Hex;
use serde::{Deserialize, Serialize};

/// The models of this context.
pub fn models() -> Vec<Model> {
    vec![
        Model::of::<People>(),
        Model::of::<Organisations>(),
        Model::of::<Memberships>(),
        Model::of::<Invitations>(),
        Model::of::<ApiKeys>(),
    ]
}

/// One row per person: the only table with personal data, encrypted. It is read open with the person's key.
pub struct People;

/// A person.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PersonRow {
    /// Who.
    pub id: UserId,
    /// Their address; nothing once it is erased.
    pub email: Option<Sealed>,
    /// Their name.
    pub name: Option<Sealed>,
    /// When they signed up and changed.
    pub stamp: Stamp,
}

impl ReadModel for People {
    const TABLE: Table = Table { name: "people", version: 1, essential: true, columns: &[], indexes: &[] };
    type Doc = PersonRow;

    fn touches(event: &Recorded<'_>) -> Vec<Row> {
        match event.happened {
            Happened::User(_) => vec![Row::known(event.local_id())],
            _ => vec![],
        }
    }

    fn fold(_: &str, doc: Option<PersonRow>, event: &Recorded<'_>) -> Option<PersonRow> {
        let Happened::User(happened) = &event.happened else { return doc };
        let mut row =
            doc.unwrap_or_else(|| PersonRow { id: event.id(), email: None, name: None, stamp: Stamp::new(event) });
        row.stamp.touch(event);
        match happened {
            UserEvent::UserRegistered { email, name } => {
                row.email = Some(email.clone());
                row.name.clone_from(name);
            }
            UserEvent::UserRenamed { name } => row.name.clone_from(name),
            UserEvent::UserErased {} => {
                row.email = None;
                row.name = None;
            }
        }
        Some(row)
    }

    fn cells(_: &PersonRow) -> Vec<Cell> {
        vec![]
    }
}

/// One row per organisation.
pub struct Organisations;

/// An organisation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrganisationRow {
    /// Its id.
    pub id: OrgId,
    /// Its name.
    pub name: String,
    /// Its readable name, unique in the installation.
    pub slug: String,
    /// When it was founded and changed.
    pub stamp: Stamp,
}

impl ReadModel for Organisations {
    const TABLE: Table = Table { name: "organisations", version: 1, essential: true, columns: &[], indexes: &[] };
    type Doc = OrganisationRow;

    fn touches(event: &Recorded<'_>) -> Vec<Row> {
        match event.happened {
            Happened::Organisation(_) => vec![Row::known(event.local_id())],
            _ => vec![],
        }
    }

    fn fold(_: &str, doc: Option<OrganisationRow>, event: &Recorded<'_>) -> Option<OrganisationRow> {
        match (&event.happened, doc) {
            (Happened::Organisation(OrganisationEvent::OrganisationFounded { name, slug }), _) => {
                Some(OrganisationRow {
                    id: event.id(),
                    name: name.clone(),
                    slug: slug.clone(),
                    stamp: Stamp::new(event),
                })
            }
            (Happened::Organisation(_), Some(mut row)) => {
                row.stamp.touch(event);
                Some(row)
            }
            (_, doc) => doc,
        }
    }

    fn cells(_: &OrganisationRow) -> Vec<Cell> {
        vec![]
    }
}

/// One row per membership.
pub struct Memberships;

/// How a person belongs to an organisation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MembershipRow {
    /// Who.
    pub user: UserId,
    /// As what.
    pub role: Role,
    /// Whether it counts.
    pub status: MembershipStatus,
    /// When it began and changed.
    pub stamp: Stamp,
}

impl ReadModel for Memberships {
    const TABLE: Table = Table {
        name: "memberships",
        version: 1,
        essential: true,
        columns: &[
            Column { name: "user_id", kind: CellKind::Text },
            Column { name: "role", kind: CellKind::Text },
            Column { name: "status", kind: CellKind::Text },
        ],
        indexes: &[Index { columns: &["user_id"], unique: false }],
    };
    type Doc = MembershipRow;

    fn touches(event: &Recorded<'_>) -> Vec<Row> {
        use OrganisationEvent::*;
        let Happened::Organisation(happened) = &event.happened else { return vec![] };
        match happened {
            MemberAdded { user, .. }
            | MemberRoleChanged { user, .. }
            | MemberDeactivated { user }
            | MemberReactivated { user }
            | MemberRemoved { user } => vec![Row::known(user.uuid())],
            OrganisationFounded { .. }
            | MemberInvited { .. }
            | InvitationWithdrawn { .. }
            | InvitationAccepted { .. }
            | SettingsChanged { .. } => vec![],
        }
    }

    fn fold(_: &str, doc: Option<MembershipRow>, event: &Recorded<'_>) -> Option<MembershipRow> {
        use OrganisationEvent::*;
        let Happened::Organisation(happened) = &event.happened else { return doc };
        if let MemberAdded { user, role } = happened {
            let status = MembershipStatus::Active;
            return Some(MembershipRow { user: *user, role: *role, status, stamp: Stamp::new(event) });
        }
        let mut row = doc?;
        row.stamp.touch(event);
        match happened {
            MemberRoleChanged { role, .. } => row.role = *role,
            MemberDeactivated { .. } => row.status = MembershipStatus::Inactive,
            MemberReactivated { .. } => row.status = MembershipStatus::Active,
            MemberRemoved { .. } => return None,
            MemberAdded { .. }
            | OrganisationFounded { .. }
            | MemberInvited { .. }
            | InvitationWithdrawn { .. }
            | InvitationAccepted { .. }
            | SettingsChanged { .. } => {}
        }
        Some(row)
    }

    fn cells(doc: &MembershipRow) -> Vec<Cell> {
        vec![Cell::text(doc.user.uuid()), Cell::text(doc.role.as_str()), Cell::text(doc.status.as_str())]
    }
}

/// One row per invitation that was not withdrawn.
pub struct Invitations;

/// An invitation into an organisation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InvitationRow {
    /// Its id.
    pub id: InvitationId,
    /// The address of the person who is asked in, sealed for them.
    pub email: Sealed,
    /// As what.
    pub role: Role,
    /// SHA-256 of the token in its link.
    pub token_hash: Sha256Hex,
    /// The first second in which it is void.
    pub expires_at: Time,
    /// When it was accepted, if it was.
    pub accepted_at: Option<Time>,
    /// When it was sent and changed.
    pub stamp: Stamp,
}

impl ReadModel for Invitations {
    const TABLE: Table = Table {
        name: "invitations",
        version: 1,
        essential: true,
        columns: &[
            Column { name: "person", kind: CellKind::Text },
            Column { name: "token_hash", kind: CellKind::Text },
        ],
        indexes: &[Index { columns: &["token_hash"], unique: true }],
    };
    type Doc = InvitationRow;

    fn touches(event: &Recorded<'_>) -> Vec<Row> {
        use OrganisationEvent::*;
        match &event.happened {
            Happened::Organisation(MemberInvited { invitation, .. }) => vec![Row::new(invitation.uuid())],
            Happened::Organisation(InvitationWithdrawn { invitation } | InvitationAccepted { invitation }) => {
                vec![Row::known(invitation.uuid())]
            }
            _ => vec![],
        }
    }

    fn fold(_: &str, doc: Option<InvitationRow>, event: &Recorded<'_>) -> Option<InvitationRow> {
        use OrganisationEvent::*;
        match (&event.happened, doc) {
            (Happened::Organisation(MemberInvited { invitation, email, role, token_hash, expires_at }), _) => {
                Some(InvitationRow {
                    id: *invitation,
                    email: email.clone(),
                    role: *role,
                    token_hash: *token_hash,
                    expires_at: *expires_at,
                    accepted_at: None,
                    stamp: Stamp::new(event),
                })
            }
            (Happened::Organisation(InvitationAccepted { .. }), Some(mut row)) => {
                row.accepted_at = Some(event.time());
                row.stamp.touch(event);
                Some(row)
            }
            (Happened::Organisation(InvitationWithdrawn { .. }), _) => None,
            (_, doc) => doc,
        }
    }

    fn cells(doc: &InvitationRow) -> Vec<Cell> {
        vec![Cell::text(doc.email.person.uuid()), Cell::text(doc.token_hash)]
    }
}

/// One row per API key.
pub struct ApiKeys;

/// An API key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiKeyRow {
    /// Its id.
    pub id: ApiKeyId,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Its first characters.
    pub prefix: String,
    /// SHA-256 of the whole key.
    pub key_hash: Sha256Hex,
    /// When it stops working.
    pub expires_at: Option<Time>,
    /// Who issued it.
    pub issued_by: String,
    /// Whether it was revoked.
    pub revoked: bool,
    /// When it was issued and changed.
    pub stamp: Stamp,
}

impl ReadModel for ApiKeys {
    const TABLE: Table = Table {
        name: "api_keys",
        version: 1,
        essential: true,
        columns: &[Column { name: "prefix", kind: CellKind::Text }],
        indexes: &[Index { columns: &["prefix"], unique: false }],
    };
    type Doc = ApiKeyRow;

    fn touches(event: &Recorded<'_>) -> Vec<Row> {
        match event.happened {
            Happened::ApiKey(_) => vec![Row::known(event.local_id())],
            _ => vec![],
        }
    }

    fn fold(_: &str, doc: Option<ApiKeyRow>, event: &Recorded<'_>) -> Option<ApiKeyRow> {
        match (&event.happened, doc) {
            (Happened::ApiKey(ApiKeyEvent::ApiKeyIssued { name, role, key_hash, prefix, expires_at }), _) => {
                Some(ApiKeyRow {
                    id: event.id(),
                    name: name.clone(),
                    role: *role,
                    prefix: prefix.clone(),
                    key_hash: *key_hash,
                    expires_at: *expires_at,
                    issued_by: event.actor.to_owned(),
                    revoked: false,
                    stamp: Stamp::new(event),
                })
            }
            (Happened::ApiKey(ApiKeyEvent::ApiKeyRevoked {}), Some(mut row)) => {
                row.revoked = true;
                row.stamp.touch(event);
                Some(row)
            }
            (_, doc) => doc,
        }
    }

    fn cells(doc: &ApiKeyRow) -> Vec<Cell> {
        vec![Cell::text(&doc.prefix)]
    }
}

/// A person, with their wrapped key when there still is one.
pub async fn person(db: &Db, user: UserId) -> sqlx::Result<Option<(PersonRow, Option<Vec<u8>>)>> {
    const SQL: &str = "SELECT p.doc, k.wrapped FROM people p LEFT JOIN person_keys k ON k.user_id = p.id \
                       WHERE p.org_id = 'system' AND p.id = $1";
    let row: Option<(String, Option<Vec<u8>>)> =
        on!(db, pool => sqlx::query_as(SQL).bind(user.uuid().to_string()).fetch_optional(pool).await)?;
    row.map(|(doc, key)| Ok((model::read(&doc)?, key))).transpose()
}

/// An organisation.
pub async fn organisation(db: &Db, org: OrgId) -> sqlx::Result<Option<OrganisationRow>> {
    const SQL: &str = "SELECT doc FROM organisations WHERE org_id = $1";
    let doc: Option<String> =
        on!(db, pool => sqlx::query_scalar(SQL).bind(org.on_ledger()).fetch_optional(pool).await)?;
    doc.as_deref().map(model::read).transpose()
}

/// The organisations that a person belongs to and may act in, the oldest membership first.
pub async fn memberships(db: &Db, user: UserId) -> sqlx::Result<Vec<(OrgId, Role)>> {
    const SQL: &str = "SELECT org_id, doc FROM memberships WHERE user_id = $1 AND status = 'active' ORDER BY position";
    let rows: Vec<(String, String)> =
        on!(db, pool => sqlx::query_as(SQL).bind(user.uuid().to_string()).fetch_all(pool).await)?;
    rows.iter()
        .map(|(org, doc)| {
            let org = org.parse().map_err(|error: aggregates::ids::NotAnId| sqlx::Error::Decode(error.into()))?;
            Ok((org, model::read::<MembershipRow>(doc)?.role))
        })
        .collect()
}

/// A member as they are listed: the membership, the person behind it, and the person's wrapped key while there is one.
pub type MemberRow = (MembershipRow, Option<PersonRow>, Option<Vec<u8>>);

/// The organisation's members, deactivated ones too, those who were known first at the front.
pub async fn members(db: &Db, org: OrgId, after: Option<UserId>, limit: i64) -> sqlx::Result<Vec<MemberRow>> {
    // Every id is after the empty text.
    let after = after.map_or(String::new(), |user| user.uuid().to_string());
    select_members(db, "m.id > $2 ORDER BY m.id LIMIT $3", org, after, limit).await
}

/// A member of the organisation.
pub async fn member(db: &Db, org: OrgId, user: UserId) -> sqlx::Result<Option<MemberRow>> {
    Ok(select_members(db, "m.id = $2 LIMIT $3", org, user.uuid().to_string(), 1).await?.pop())
}

async fn select_members(db: &Db, which: &str, org: OrgId, id: String, limit: i64) -> sqlx::Result<Vec<MemberRow>> {
    let sql = format!(
        "SELECT m.doc, p.doc, k.wrapped FROM memberships m \
         LEFT JOIN people p ON p.org_id = 'system' AND p.id = m.id \
         LEFT JOIN person_keys k ON k.user_id = m.id WHERE m.org_id = $1 AND {which}"
    );
    let rows: Vec<(String, Option<String>, Option<Vec<u8>>)> = on!(db, pool => {
        sqlx::query_as(&sql).bind(org.on_ledger()).bind(id).bind(limit).fetch_all(pool).await
    })?;
    rows.into_iter()
        .map(|(member, person, key)| Ok((model::read(&member)?, person.as_deref().map(model::read).transpose()?, key)))
        .collect()
}

/// How many people may act in the organisation.
pub async fn member_count(db: &Db, org: OrgId) -> sqlx::Result<i64> {
    const SQL: &str = "SELECT count(*) FROM memberships WHERE org_id = $1 AND status = 'active'";
    on!(db, pool => sqlx::query_scalar(SQL).bind(org.on_ledger()).fetch_one(pool).await)
}

/// The organisation's invitations, the newest first, each with the wrapped key of who is asked in while there is one.
pub async fn invitations(
    db: &Db,
    org: OrgId,
    before: Option<InvitationId>,
    limit: i64,
) -> sqlx::Result<Vec<(InvitationRow, Option<Vec<u8>>)>> {
    const SQL: &str = "SELECT i.doc, k.wrapped FROM invitations i LEFT JOIN person_keys k ON k.user_id = i.person \
                       WHERE i.org_id = $1 AND i.id < $2 ORDER BY i.id DESC LIMIT $3";
    // Every id is before `g`.
    let before = before.map_or("g".to_owned(), |id| id.uuid().to_string());
    let rows: Vec<(String, Option<Vec<u8>>)> = on!(db, pool => {
        sqlx::query_as(SQL).bind(org.on_ledger()).bind(before).bind(limit).fetch_all(pool).await
    })?;
    rows.into_iter().map(|(doc, key)| Ok((model::read(&doc)?, key))).collect()
}

/// The invitation with this token, with its organisation: the token is the credential, so this query finds the
/// organisation instead of being told it.
pub async fn invitation_by_token(db: &Db, token_hash: Sha256Hex) -> sqlx::Result<Option<(OrgId, InvitationRow)>> {
    const SQL: &str = "SELECT org_id, doc FROM invitations WHERE token_hash = $1";
    let row: Option<(String, String)> =
        on!(db, pool => sqlx::query_as(SQL).bind(token_hash.to_string()).fetch_optional(pool).await)?;
    row.map(|(org, doc)| {
        let org = org.parse().map_err(|error: aggregates::ids::NotAnId| sqlx::Error::Decode(error.into()))?;
        Ok((org, model::read(&doc)?))
    })
    .transpose()
}

/// The API keys with this prefix, with their organisations: the key is the credential, so this query finds the
/// organisation instead of being told it.
pub async fn api_keys_by_prefix(db: &Db, prefix: &str) -> sqlx::Result<Vec<(OrgId, ApiKeyRow)>> {
    const SQL: &str = "SELECT org_id, doc FROM api_keys WHERE prefix = $1";
    let rows: Vec<(String, String)> = on!(db, pool => sqlx::query_as(SQL).bind(prefix).fetch_all(pool).await)?;
    rows.iter()
        .map(|(org, doc)| {
            let org = org.parse().map_err(|error: aggregates::ids::NotAnId| sqlx::Error::Decode(error.into()))?;
            Ok((org, model::read(doc)?))
        })
        .collect()
}

/// An API key.
pub async fn api_key(db: &Db, org: OrgId, id: ApiKeyId) -> sqlx::Result<Option<ApiKeyRow>> {
    const SQL: &str = "SELECT doc FROM api_keys WHERE org_id = $1 AND id = $2";
    let doc: Option<String> = on!(db, pool => {
        sqlx::query_scalar(SQL).bind(org.on_ledger()).bind(id.uuid().to_string()).fetch_optional(pool).await
    })?;
    doc.as_deref().map(model::read).transpose()
}

/// The organisation's API keys, the newest first.
pub async fn api_keys(db: &Db, org: OrgId, before: Option<ApiKeyId>, limit: i64) -> sqlx::Result<Vec<ApiKeyRow>> {
    const SQL: &str = "SELECT doc FROM api_keys WHERE org_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    // Every id is before `g`.
    let before = before.map_or("g".to_owned(), |id| id.uuid().to_string());
    let docs: Vec<String> = on!(db, pool => {
        sqlx::query_scalar(SQL).bind(org.on_ledger()).bind(before).bind(limit).fetch_all(pool).await
    })?;
    docs.iter().map(|doc| model::read(doc)).collect()
}
