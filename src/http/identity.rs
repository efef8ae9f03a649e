//! Signing in and out, and who the caller is; API keys. Who belongs to an organisation lies in [`members`].

pub mod members;

use crate::{
    app::{
        self, App, Refused,
        identity::{LinkSent, Person},
    },
    http::{
        body::Json,
        caller::{
            ClientAddress, May,
            permission::{Administer, Read},
        },
        error::{Problem, Reply},
        given::Given,
        page::{Page, PageOf},
        path::Path,
        query::Query,
        reply::{Created, NoContent, Okay, Written},
    },
};
use actix_web::{HttpRequest, delete, get, post, web::Data};
use aggregates::{
    identity::{
        address::EmailAddress,
        api_key::{ApiKey, ApiKeyCommand},
        roles::Role,
    },
    ids::{ApiKeyId, OrgId, UserId},
    time::Time,
};
use projections::{event::Stamp, identity::ApiKeyRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

/// The handlers of the runs surface.
pub fn runs(config: &mut ServiceConfig<'_>) {
    config.service(request_link).service(verify_link).service(me).service(logout);
    members::runs(config);
}

/// The handlers of the GRC surface.
pub fn grc(config: &mut ServiceConfig<'_>) {
    config.service(list_keys).service(issue_key).service(revoke_key);
    members::grc(config);
}

/// Whom to send a sign-in link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    /// The address.
    #[schema(example = "ada@example.com")]
    email: String,
}

/// A link is on its way.
#[derive(Serialize, ToSchema)]
pub struct SignInRequested {
    /// Always true.
    ok: bool,
    /// Whether it was mailed.
    sent: bool,
    /// The link itself: only in development mode, when no mail server is configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    dev_link: Option<String>,
}

/// Asks for a sign-in link by mail.
#[utoipa::path(tag = "identity", operation_id = "request_sign_in", request_body = SignInRequest)]
#[post("/auth/request")]
pub(crate) async fn request_link(
    app: Data<App>,
    wire: Data<crate::http::Wire>,
    client: ClientAddress,
    request: HttpRequest,
    body: Json<SignInRequest>,
) -> Reply<Okay<SignInRequested>> {
    let address: EmailAddress = body.0.email.parse().map_err(|_| {
        Problem::invalid("email: an address has a part before the @ and a domain with a dot behind it").at("email")
    })?;
    wire.limits().sign_in(address.as_str())?;
    let forwarded = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];
    let may_show = app.settings.may_show_links()
        && client.0.is_loopback()
        && !forwarded.iter().any(|name| request.headers().contains_key(*name));
    let (sent, dev_link) = match app.send_link(&address, may_show).await? {
        LinkSent::Mailed => (true, None),
        LinkSent::Shown(link) => (false, Some(link)),
    };
    Ok(Okay(SignInRequested { ok: true, sent, dev_link }))
}

/// The token of a sign-in link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInToken {
    /// What follows `token=` in the link.
    token: String,
}

/// A session has begun.
#[derive(Serialize, ToSchema)]
pub struct SignedIn {
    /// To be sent as `Authorization: Bearer …`.
    access_token: String,
    /// Always `bearer`.
    token_type: String,
    /// Who signed in.
    user: SignedInUser,
}

impl From<app::identity::SignedIn> for SignedIn {
    fn from(app::identity::SignedIn { token, person, org }: app::identity::SignedIn) -> Self {
        let Person { id, email, name, .. } = person;
        Self {
            access_token: token,
            token_type: "bearer".to_owned(),
            user: SignedInUser { id, email, org_id: org, name },
        }
    }
}

/// Who signed in.
#[derive(Serialize, ToSchema)]
pub struct SignedInUser {
    /// Their id.
    id: UserId,
    /// Their address.
    email: String,
    /// The organisation that they act for unless they name another.
    org_id: OrgId,
    /// Their name.
    name: Option<String>,
}

/// Trades the token of a sign-in link for a session. The token works once.
#[utoipa::path(tag = "identity", operation_id = "verify_sign_in", request_body = SignInToken)]
#[post("/auth/verify")]
pub(crate) async fn verify_link(
    app: Data<App>,
    wire: Data<crate::http::Wire>,
    client: ClientAddress,
    body: Json<SignInToken>,
) -> Reply<Okay<SignedIn>> {
    wire.limits().verify(client.0)?;
    Ok(Okay(app.sign_in(&body.0.token).await?.into()))
}

/// The caller.
#[derive(Serialize, ToSchema)]
pub struct Me {
    /// The person's or the API key's id.
    id: String,
    /// Their address; of an API key, `api-key`.
    email: String,
    /// Their name; of an API key, its name.
    name: Option<String>,
    /// The organisation that they act for.
    org_id: OrgId,
    /// Its name.
    org_name: String,
    /// What they may do in it.
    role: Role,
    /// Whether they may do everything in it.
    is_admin: bool,
    /// When they signed up or were issued.
    created_at: Time,
}

/// Shows who the caller is.
#[utoipa::path(tag = "identity", operation_id = "who_am_i")]
#[get("/auth/me")]
pub(crate) async fn me(caller: May<Read>, app: Data<App>) -> Reply<Okay<Me>> {
    let organisation = projections::identity::organisation(app.db(), caller.org).await.map_err(Refused::from)?;
    let organisation = organisation.ok_or_else(|| Problem::not_found("organisation"))?;
    let (email, name, created_at) = match caller.actor.user() {
        Some(user) => {
            let person = app.person(user).await?;
            (person.email, person.name, person.created_at)
        }
        None => ("api-key".to_owned(), None, organisation.stamp.created_at),
    };
    Ok(Okay(Me {
        id: caller.actor.to_string(),
        email,
        name,
        org_id: caller.org,
        org_name: organisation.name,
        role: caller.role,
        is_admin: caller.role == Role::Admin,
        created_at,
    }))
}

/// Ends the caller's session: its token stops working at once.
#[utoipa::path(tag = "identity", operation_id = "sign_out")]
#[post("/auth/logout")]
pub(crate) async fn logout(caller: May<Read>, app: Data<App>) -> Reply<NoContent> {
    app.sign_out(&caller).await?;
    Ok(NoContent)
}

/// An API key, without the key itself.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct ApiKeyView {
    /// Its id.
    id: uuid::Uuid,
    /// The organisation.
    org_id: uuid::Uuid,
    /// Its name.
    name: String,
    /// What it may do.
    role: Role,
    /// Its first characters.
    key_prefix: String,
    /// When it stops working.
    expires_at: Option<Time>,
    /// When it was used last, to the minute.
    last_used_at: Option<Time>,
    /// Whether it was revoked.
    revoked: bool,
    /// When it was issued.
    created_at: Time,
    /// When it was last changed.
    updated_at: Time,
    /// How often it was changed, from 1.
    revision: i64,
}

/// A key to issue.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// Its name, 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200, example = "pipeline")]
    name: String,
    /// What it may do: no more than who issues it.
    role: Role,
    /// When it stops working; never, when left out.
    #[schema(nullable = false)]
    expires_at: Option<Time>,
}

/// An API key that was issued.
#[derive(Serialize, ToSchema)]
pub struct IssuedApiKey {
    /// The key's record.
    #[serde(flatten)]
    key: ApiKeyView,
    /// The key itself, shown this once; null in the answer to a repeat.
    secret: Option<String>,
}

/// The organisation of the path; whose it is was settled before.
type Org = (OrgId,);

fn view(org: OrgId, row: ApiKeyRow, last_used: Option<i64>) -> ApiKeyView {
    ApiKeyView {
        id: row.id.uuid(),
        org_id: org.uuid(),
        name: row.name,
        role: row.role,
        key_prefix: row.prefix,
        expires_at: row.expires_at,
        last_used_at: last_used.map(|seconds| Time::of_microseconds(seconds * 1_000_000)),
        revoked: row.revoked,
        created_at: row.stamp.created_at,
        updated_at: row.stamp.updated_at,
        revision: row.stamp.revision,
    }
}

/// Lists the organisation's API keys, the newest first.
#[utoipa::path(tag = "identity", operation_id = "list_api_keys", params(("org_id" = String, Path, description = "The organisation"), PageOf))]
#[get("/orgs/{org_id}/api-keys")]
pub(crate) async fn list_keys(
    caller: May<Administer>,
    app: Data<App>,
    _org: Path<Org>,
    page: Query<PageOf>,
) -> Reply<Okay<Page<ApiKeyView>>> {
    let before = page.0.cursor.map(|cursor| cursor.key::<ApiKeyId>()).transpose()?;
    let rows = projections::identity::api_keys(app.db(), caller.org, before, page.0.limit.to_fetch()).await;
    let mut views = Vec::new();
    for row in rows.map_err(Refused::from)? {
        let used = app.store.api_key_used(row.id).await.map_err(Refused::from)?;
        views.push(view(caller.org, row, used));
    }
    Ok(Okay(Page::of(views, page.0.limit, |key| ApiKeyId::from_uuid(key.id))))
}

/// Issues an API key; the key itself is shown this once.
#[utoipa::path(tag = "identity", operation_id = "issue_api_key", params(("org_id" = String, Path, description = "The organisation")), request_body = NewApiKey)]
#[post("/orgs/{org_id}/api-keys")]
pub(crate) async fn issue_key(
    caller: May<Administer>,
    given: Given,
    app: Data<App>,
    _org: Path<Org>,
    body: Json<NewApiKey>,
) -> Reply<Written<Created<IssuedApiKey>>> {
    let Json(new, digest) = body;
    let (done, secret) = app.issue_key(&caller, &given.with(&digest), new.name, new.role, new.expires_at).await?;
    let id: ApiKeyId = done.id.parse().map_err(|_| Problem::internal("an API key's stream has no id"))?;
    let row = projections::identity::api_key(app.db(), caller.org, id).await.map_err(Refused::from)?;
    let row = row.ok_or_else(|| Problem::not_found("API key"))?;
    // As it was issued: a repeat may come when it is revoked.
    let stamp = Stamp { updated_at: row.stamp.created_at, revision: 1, ..row.stamp };
    let key = view(caller.org, ApiKeyRow { revoked: false, stamp, ..row }, None);
    Ok(Written {
        position: done.position,
        replayed: done.replayed,
        reply: Created {
            location: format!("/api/v1/orgs/{}/api-keys/{}", caller.org.uuid(), id.uuid()),
            body: IssuedApiKey { key, secret: (!done.replayed).then_some(secret) },
        },
    })
}

/// Revokes an API key: it stops working at once.
#[utoipa::path(tag = "identity", operation_id = "revoke_api_key", params(("org_id" = String, Path, description = "The organisation"), ("key_id" = ApiKeyId, Path, description = "The key")))]
#[delete("/orgs/{org_id}/api-keys/{key_id}")]
pub(crate) async fn revoke_key(
    caller: May<Administer>,
    given: Given,
    app: Data<App>,
    path: Path<(OrgId, ApiKeyId)>,
) -> Reply<Written<NoContent>> {
    let Path((_, key)) = path;
    let id = key.uuid().to_string();
    let done =
        app.execute::<ApiKey>(&caller, &given.bare(), &id, ApiKeyCommand::Revoke, crate::app::With::default()).await?;
    Ok(Written { position: done.position, replayed: done.replayed, reply: NoContent })
}
