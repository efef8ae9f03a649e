//! The ordinary tables: what may be lost or rewritten without touching the ledger.

use super::Store;
use aggregates::identity::roles::Role;
use aggregates::ids::{ApiKeyId, Id, OrgId, UserId};
use projections::on;
use proof::digest::Sha256Hex;
use std::sync::Arc;
use uuid::Uuid;

/// The scope of the claim that an address belongs to one person.
pub const ADDRESS: &str = "the e-mail address";

/// Who a session is of, and what it may do in the organisation asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveSession {
    /// The person's role there; none when they are not an active member.
    pub role: Option<Role>,
}

impl Store {
    /// Keeps a sign-in token, by its digest, with the encrypted address that asked for it.
    pub async fn keep_sign_in(&self, token: Sha256Hex, address: &str, expires_at: i64) -> sqlx::Result<()> {
        const SQL: &str = "INSERT INTO sign_in_tokens (token_hash, address, expires_at) VALUES ($1, $2, $3)";
        on!(self.write(), pool => {
            sqlx::query(SQL).bind(token.to_string()).bind(address).bind(expires_at).execute(pool).await.map(drop)
        })
    }

    /// Takes a sign-in token: of two who try at once, one gets the address. Also clears away what has expired.
    pub async fn take_sign_in(&self, token: Sha256Hex, now: i64) -> sqlx::Result<Option<String>> {
        const TAKE: &str = "DELETE FROM sign_in_tokens WHERE token_hash = $1 RETURNING address, expires_at";
        const CLEAR: &str = "DELETE FROM sign_in_tokens WHERE expires_at <= $1";
        let taken: Option<(String, i64)> =
            on!(self.write(), pool => sqlx::query_as(TAKE).bind(token.to_string()).fetch_optional(pool).await)?;
        on!(self.write(), pool => sqlx::query(CLEAR).bind(now).execute(pool).await.map(drop))?;
        Ok(taken.filter(|(_, expires_at)| now < *expires_at).map(|(address, _)| address))
    }

    /// Begins a session; clears away the person's expired ones.
    pub async fn begin_session(
        &self,
        id: Uuid,
        user: UserId,
        org: OrgId,
        now: i64,
        expires_at: i64,
    ) -> sqlx::Result<()> {
        const CLEAR: &str = "DELETE FROM sessions WHERE user_id = $1 AND expires_at <= $2";
        const SQL: &str =
            "INSERT INTO sessions (session_id, user_id, org_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)";
        on!(self.write(), pool => {
            sqlx::query(CLEAR).bind(user.uuid().to_string()).bind(now).execute(pool).await?;
            let query = sqlx::query(SQL).bind(id.to_string()).bind(user.uuid().to_string());
            query.bind(org.on_ledger()).bind(now).bind(expires_at).execute(pool).await.map(drop)
        })
    }

    /// Ends a session: its token stops working at once, on every process.
    pub async fn end_session(&self, id: Uuid) -> sqlx::Result<()> {
        const SQL: &str = "DELETE FROM sessions WHERE session_id = $1";
        on!(self.write(), pool => sqlx::query(SQL).bind(id.to_string()).execute(pool).await.map(drop))?;
        self.inner.fresh.changed(&id.to_string());
        Ok(())
    }

    /// The session, when it has not ended, with the person's role in an organisation.
    pub async fn session(
        &self,
        id: Uuid,
        user: UserId,
        org: OrgId,
        now: i64,
    ) -> sqlx::Result<Arc<Option<LiveSession>>> {
        let (session, person) = (id.to_string(), user.uuid().to_string());
        let organisation = super::aggregate_id(org, &org.uuid().to_string());
        let key = format!("session {session} {person} {organisation}");
        // A token is read before this and has the session's own end, so an entry does not outlive the session.
        self.fresh(key, &[&session, &person, &organisation], |_| 256, self.read_session(id, user, org, now)).await
    }

    async fn read_session(&self, id: Uuid, user: UserId, org: OrgId, now: i64) -> sqlx::Result<Option<LiveSession>> {
        const SQL: &str = "SELECT m.role FROM sessions s LEFT JOIN memberships m \
             ON m.org_id = $3 AND m.id = s.user_id AND m.status = 'active' \
             WHERE s.session_id = $1 AND s.user_id = $2 AND s.expires_at > $4";
        let role: Option<Option<String>> = on!(self.read(), pool => {
            let query = sqlx::query_scalar(SQL).bind(id.to_string()).bind(user.uuid().to_string());
            query.bind(org.on_ledger()).bind(now).fetch_optional(pool).await
        })?;
        let known = |role: String| Role::ALL.into_iter().find(|known| known.as_str() == role);
        Ok(role.map(|role| LiveSession { role: role.and_then(known) }))
    }

    /// Ends every session of a person.
    pub async fn end_sessions_of(&self, user: UserId) -> sqlx::Result<()> {
        const SQL: &str = "DELETE FROM sessions WHERE user_id = $1";
        on!(self.write(), pool => sqlx::query(SQL).bind(user.uuid().to_string()).execute(pool).await.map(drop))?;
        self.inner.fresh.changed(&user.uuid().to_string());
        Ok(())
    }

    /// Keeps a person's wrapped key.
    pub async fn keep_person_key(&self, user: UserId, wrapped: &[u8]) -> sqlx::Result<()> {
        const SQL: &str = "INSERT INTO person_keys (user_id, wrapped) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        on!(self.write(), pool => {
            sqlx::query(SQL).bind(user.uuid().to_string()).bind(wrapped).execute(pool).await.map(drop)
        })
    }

    /// A person's wrapped key, while there is one.
    pub async fn person_key(&self, user: UserId) -> sqlx::Result<Option<Vec<u8>>> {
        const SQL: &str = "SELECT wrapped FROM person_keys WHERE user_id = $1";
        on!(self.read(), pool => sqlx::query_scalar(SQL).bind(user.uuid().to_string()).fetch_optional(pool).await)
    }

    /// Drops a person's key: what was encrypted under it can never be read again.
    pub async fn drop_person_key(&self, user: UserId) -> sqlx::Result<()> {
        const SQL: &str = "DELETE FROM person_keys WHERE user_id = $1";
        on!(self.write(), pool => sqlx::query(SQL).bind(user.uuid().to_string()).execute(pool).await.map(drop))
    }

    /// Drops the keys of all who were erased: the ledger's erasures, replayed over keys that came back with a restore, or
    /// that a crash left behind.
    pub async fn drop_keys_of_the_erased(&self) -> sqlx::Result<()> {
        // A person has an address as long as they are not erased; sealed, it is an object.
        const SQL: &str = "DELETE FROM person_keys WHERE user_id IN \
             (SELECT id FROM people WHERE org_id = 'system' AND doc LIKE '%\"email\":null%')";
        on!(self.write(), pool => sqlx::query(SQL).execute(pool).await.map(drop))
    }

    /// Who holds a claim.
    pub async fn holder(&self, org: OrgId, scope: &str, key: &str) -> sqlx::Result<Option<String>> {
        const SQL: &str = "SELECT holder FROM claims WHERE org_id = $1 AND scope = $2 AND key = $3";
        on!(self.read(), pool => {
            sqlx::query_scalar(SQL).bind(org.on_ledger()).bind(scope).bind(key).fetch_optional(pool).await
        })
    }

    /// Who has the address with this keyed digest.
    pub async fn user_by_address(&self, hmac: &str) -> sqlx::Result<Option<UserId>> {
        let holder = self.holder(OrgId::SYSTEM, ADDRESS, hmac).await?;
        Ok(holder.and_then(|holder| Uuid::try_parse(&holder).ok()).map(Id::from_uuid))
    }

    /// Takes an address from a person who was erased.
    pub async fn free_address(&self, hmac: &str, user: UserId) -> sqlx::Result<()> {
        const SQL: &str =
            "DELETE FROM claims WHERE org_id = 'system' AND scope = 'the e-mail address' AND key = $1 AND holder = $2";
        on!(self.write(), pool => {
            sqlx::query(SQL).bind(hmac).bind(user.uuid().to_string()).execute(pool).await.map(drop)
        })
    }

    /// An API key was used; `minute` is when, in seconds, cut to the minute.
    pub async fn used_api_key(&self, key: ApiKeyId, minute: i64) -> sqlx::Result<()> {
        const SQL: &str = "INSERT INTO api_key_uses (key_id, last_used) VALUES ($1, $2) \
             ON CONFLICT (key_id) DO UPDATE SET last_used = excluded.last_used";
        on!(self.write(), pool => {
            sqlx::query(SQL).bind(key.uuid().to_string()).bind(minute).execute(pool).await.map(drop)
        })
    }

    /// When an API key was used last, in seconds since 1970, cut to the minute.
    pub async fn api_key_used(&self, key: ApiKeyId) -> sqlx::Result<Option<i64>> {
        const SQL: &str = "SELECT last_used FROM api_key_uses WHERE key_id = $1";
        on!(self.read(), pool => sqlx::query_scalar(SQL).bind(key.uuid().to_string()).fetch_optional(pool).await)
    }

    /// Counts one use of a limit that all processes share, and says how many there were in its window.
    pub async fn count_use(&self, key: &str, window: i64) -> sqlx::Result<i64> {
        const CLEAR: &str = "DELETE FROM limit_uses WHERE key = $1 AND window_start < $2";
        const SQL: &str = "INSERT INTO limit_uses (key, window_start, uses) VALUES ($1, $2, 1) \
             ON CONFLICT (key, window_start) DO UPDATE SET uses = limit_uses.uses + 1 RETURNING uses";
        on!(self.write(), pool => {
            sqlx::query(CLEAR).bind(key).bind(window).execute(pool).await?;
            sqlx::query_scalar(SQL).bind(key).bind(window).fetch_one(pool).await
        })
    }
}
