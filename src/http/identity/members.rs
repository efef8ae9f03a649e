//! An organisation and its people: invitations, members and their roles, settings, erasure.

use super::{PageOf, SignedIn};
use crate::{
    app::{self, App, Refused, Terms, With},
    http::{
        body::Json,
        caller::{
            ClientAddress, May,
            permission::{Administer, Read},
        },
        error::{Problem, Reply},
        given::Given,
        headers::IfMatch,
        page::Cursor,
        path::Path,
        query::Query,
        reply::{Created, NoContent, Okay, Tagged, Written},
    },
};
use actix_web::{delete, get, patch, post, put, web::Data};
use aggregates::{
    identity::{
        address::EmailAddress,
        organisation::{MembershipStatus, Organisation, OrganisationCommand},
        roles::Role,
    },
    ids::{InvitationId, OrgId, UserId},
    time::Time,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

/// The handlers of the runs surface.
pub(super) fn runs(config: &mut ServiceConfig<'_>) {
    config
        .service(show_organisation)
        .service(show_usage)
        .service(list_members)
        .service(change_role)
        .service(deactivate_member);
    config.service(list_invitations).service(invite).service(withdraw_invitation).service(accept_invitation);
}

/// The handlers of the GRC surface.
pub(super) fn grc(config: &mut ServiceConfig<'_>) {
    config.service(show_settings).service(change_settings).service(erase_user);
}

/// The caller's organisation.
#[derive(Serialize, ToSchema)]
#[schema(as = Organisation)]
pub struct OrganisationView {
    /// Its id.
    id: OrgId,
    /// Its name.
    name: String,
    /// Its readable name, unique in the installation.
    slug: String,
    /// How many people may act in it.
    member_count: i64,
    /// How many receipts it has minted.
    receipt_count: u64,
    /// Always `free`: nothing is gated.
    plan: String,
    /// When it was founded.
    created_at: Time,
}

/// Shows the caller's organisation.
#[utoipa::path(tag = "identity", operation_id = "show_organisation")]
#[get("/org")]
pub(crate) async fn show_organisation(caller: May<Read>, app: Data<App>) -> Reply<Okay<OrganisationView>> {
    let row = projections::identity::organisation(app.db(), caller.org).await.map_err(Refused::from)?;
    let row = row.ok_or_else(|| Problem::not_found("organisation"))?;
    let members = projections::identity::member_count(app.db(), caller.org).await.map_err(Refused::from)?;
    // Receipts are numbered from 0 without gaps.
    let (receipts, _) = app.store.next_receipt(caller.org).await.map_err(Refused::from)?;
    Ok(Okay(OrganisationView {
        id: row.id,
        name: row.name,
        slug: row.slug,
        member_count: members,
        receipt_count: receipts,
        plan: "free".to_owned(),
        created_at: row.stamp.created_at,
    }))
}

/// What the caller's organisation has done.
#[derive(Serialize, ToSchema)]
pub struct Usage {
    /// How many receipts it has minted.
    receipts_lifetime: u64,
    /// How many of them in this calendar month, UTC.
    receipts_this_month: i64,
    /// The place that the next receipt will have in its chain.
    org_seq: u64,
    /// How many lanes its agent profiles have earned: three runs at honey, and none at propolis.
    earned_lanes: i64,
}

/// Shows what the caller's organisation has done.
#[utoipa::path(tag = "identity", operation_id = "show_usage")]
#[get("/org/usage")]
pub(crate) async fn show_usage(caller: May<Read>, app: Data<App>) -> Reply<Okay<Usage>> {
    // Receipts are numbered from 0 without gaps.
    let (next, _) = app.store.next_receipt(caller.org).await.map_err(Refused::from)?;
    let since = crate::outside::clock::month();
    Ok(Okay(Usage {
        receipts_lifetime: next,
        receipts_this_month: projections::ledger::minted_since(app.db(), caller.org, since)
            .await
            .map_err(Refused::from)?,
        org_seq: next,
        earned_lanes: projections::agents::earned_lanes(app.db(), caller.org).await.map_err(Refused::from)?,
    }))
}

/// A member of the organisation.
#[derive(Serialize, ToSchema)]
pub struct Member {
    /// Who.
    id: UserId,
    /// Their address; `[erased]` once it was.
    email: String,
    /// Their name.
    name: Option<String>,
    /// What they may do.
    role: Role,
    /// Whether they may do it.
    status: MembershipStatus,
    /// When they joined.
    created_at: Time,
}

impl From<app::members::Member> for Member {
    fn from(member: app::members::Member) -> Self {
        let app::members::Member { id, email, name, role, status, created_at } = member;
        Self { id, email, name, role, status, created_at }
    }
}

/// The organisation's members.
#[derive(Serialize, ToSchema)]
pub struct MemberList {
    /// The members, deactivated ones too.
    members: Vec<Member>,
    /// Where the next page begins; null on the last one.
    #[schema(value_type = Option<String>)]
    next_cursor: Option<Cursor>,
}

/// Lists the organisation's members, deactivated ones too.
#[utoipa::path(tag = "identity", operation_id = "list_members", params(PageOf))]
#[get("/org/members")]
pub(crate) async fn list_members(caller: May<Read>, app: Data<App>, page: Query<PageOf>) -> Reply<Okay<MemberList>> {
    let after = page.0.cursor.map(|cursor| cursor.key::<UserId>()).transpose()?;
    let members = app.members(&caller, after, page.0.limit.to_fetch()).await?;
    let (members, next_cursor) = page.0.limit.cut(members, |member| member.id);
    Ok(Okay(MemberList { members: members.into_iter().map(Member::from).collect(), next_cursor }))
}

/// Another role.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// What the member may do from now on.
    role: Role,
}

/// Gives a member another role. The last admin keeps theirs, and nobody takes the role of admin from themself.
#[utoipa::path(tag = "identity", operation_id = "change_member_role", params(("user_id" = UserId, Path, description = "The member")), request_body = NewRole)]
#[put("/org/members/{user_id}/role")]
pub(crate) async fn change_role(
    caller: May<Administer>,
    given: Given,
    app: Data<App>,
    path: Path<(UserId,)>,
    body: Json<NewRole>,
) -> Reply<Written<Okay<Member>>> {
    let (Path((user,)), Json(new, digest)) = (path, body);
    let command = OrganisationCommand::ChangeRole { user, role: new.role, by: caller.actor };
    let done = organisation(&app, &caller, &given.with(&digest), command).await?;
    Ok(done.map(Okay(app.member(&caller, user).await?.into())))
}

/// Ends what a member may do in the organisation: their tokens stop working for it at once. The last admin stays.
#[utoipa::path(tag = "identity", operation_id = "deactivate_member", params(("user_id" = UserId, Path, description = "The member")))]
#[delete("/org/members/{user_id}")]
pub(crate) async fn deactivate_member(
    caller: May<Administer>,
    given: Given,
    app: Data<App>,
    path: Path<(UserId,)>,
) -> Reply<Written<NoContent>> {
    let command = OrganisationCommand::DeactivateMember { user: path.0.0 };
    Ok(organisation(&app, &caller, &given.bare(), command).await?.map(NoContent))
}

/// An invitation.
#[derive(Serialize, ToSchema)]
pub struct Invitation {
    /// Its id.
    id: InvitationId,
    /// Who is asked in; `[erased]` once the address was.
    email: String,
    /// As what.
    role: Role,
    /// The first second in which it is void.
    expires_at: Time,
    /// When it was accepted; null while it was not.
    accepted_at: Option<Time>,
    /// When it was made.
    created_at: Time,
}

impl From<app::members::Invitation> for Invitation {
    fn from(invitation: app::members::Invitation) -> Self {
        let app::members::Invitation { id, email, role, expires_at, accepted_at, created_at } = invitation;
        Self { id, email, role, expires_at, accepted_at, created_at }
    }
}

/// The organisation's invitations.
#[derive(Serialize, ToSchema)]
pub struct InvitationList {
    /// The invitations.
    invites: Vec<Invitation>,
    /// Where the next page begins; null on the last one.
    #[schema(value_type = Option<String>)]
    next_cursor: Option<Cursor>,
}

/// Lists the organisation's invitations, the newest first.
#[utoipa::path(tag = "identity", operation_id = "list_invitations", params(PageOf))]
#[get("/org/invites")]
pub(crate) async fn list_invitations(
    caller: May<Administer>,
    app: Data<App>,
    page: Query<PageOf>,
) -> Reply<Okay<InvitationList>> {
    let before = page.0.cursor.map(|cursor| cursor.key::<InvitationId>()).transpose()?;
    let invitations = app.invitations(&caller, before, page.0.limit.to_fetch()).await?;
    let (invitations, next_cursor) = page.0.limit.cut(invitations, |invitation| invitation.id);
    Ok(Okay(InvitationList { invites: invitations.into_iter().map(Invitation::from).collect(), next_cursor }))
}

/// Whom to ask in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    /// The address.
    #[schema(example = "grace@example.com")]
    email: String,
    /// As what.
    role: Role,
}

/// An invitation that was just made.
#[derive(Serialize, ToSchema)]
pub struct MadeInvitation {
    /// The invitation.
    #[serde(flatten)]
    invitation: Invitation,
    /// The link to hand over, shown this once: it works once, for 7 days. Null in the answer to a repeat.
    invite_url: Option<String>,
    /// Whether the link was mailed now.
    sent: bool,
}

/// Asks somebody in. The link is answered, and mailed where a mail server is configured.
#[utoipa::path(tag = "identity", operation_id = "invite_member", request_body = NewInvitation)]
#[post("/org/invites")]
pub(crate) async fn invite(
    caller: May<Administer>,
    given: Given,
    app: Data<App>,
    wire: Data<crate::http::Wire>,
    body: Json<NewInvitation>,
) -> Reply<Written<Created<MadeInvitation>>> {
    let Json(new, digest) = body;
    let address: EmailAddress =
        new.email.parse().map_err(|error| Problem::invalid(format!("email: {error}")).at("email"))?;
    if app.mailer.is_configured() {
        // Nobody gets more mail from us in this way than by signing in.
        wire.limits().sign_in(address.as_str())?;
    }
    let invited = app.invite(&caller, &given.with(&digest), &address, new.role).await?;
    Ok(Written {
        position: invited.position,
        replayed: invited.replayed,
        reply: Created {
            location: "/org/invites".to_owned(),
            body: MadeInvitation {
                invitation: invited.invitation.into(),
                invite_url: invited.link,
                sent: invited.sent,
            },
        },
    })
}

/// Takes an invitation back that nobody has accepted: its link stops working at once.
#[utoipa::path(tag = "identity", operation_id = "withdraw_invitation", params(("invite_id" = InvitationId, Path, description = "The invitation")))]
#[delete("/org/invites/{invite_id}")]
pub(crate) async fn withdraw_invitation(
    caller: May<Administer>,
    given: Given,
    app: Data<App>,
    path: Path<(InvitationId,)>,
) -> Reply<Written<NoContent>> {
    let command = OrganisationCommand::WithdrawInvitation { id: path.0.0 };
    Ok(organisation(&app, &caller, &given.bare(), command).await?.map(NoContent))
}

/// The token of an invitation.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptedInvitation {
    /// What follows `invite=` in the link.
    token: String,
    /// How the person is called, at most 200 characters. Who has a name keeps it.
    #[schema(nullable = false, max_length = 200, example = "Grace Hopper")]
    name: Option<String>,
}

/// Trades the token of an invitation for a membership and a session; who is new signs up with it. The token works once.
#[utoipa::path(tag = "identity", operation_id = "accept_invitation", request_body = AcceptedInvitation)]
#[post("/auth/accept-invite")]
pub(crate) async fn accept_invitation(
    app: Data<App>,
    wire: Data<crate::http::Wire>,
    client: ClientAddress,
    body: Json<AcceptedInvitation>,
) -> Reply<Okay<SignedIn>> {
    wire.limits().verify(client.0)?;
    Ok(Okay(app.accept_invitation(&body.0.token, body.0.name.as_deref()).await?.into()))
}

/// How the organisation is set up.
#[derive(Serialize, ToSchema)]
pub struct Settings {
    /// Whether somebody may approve a run that they submitted themselves. Until an admin sets it, that is so only
    /// while the organisation has one active member.
    allow_self_approval: bool,
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    /// Whether somebody may approve a run that they submitted themselves.
    #[schema(nullable = false, example = false)]
    allow_self_approval: Option<bool>,
}

/// Shows how the organisation is set up.
#[utoipa::path(tag = "identity", operation_id = "show_settings", params(("org_id" = String, Path, description = "The organisation")))]
#[get("/orgs/{org_id}/settings")]
pub(crate) async fn show_settings(
    caller: May<Read>,
    app: Data<App>,
    _org: Path<(OrgId,)>,
) -> Reply<Tagged<Okay<Settings>>> {
    let now = app.current::<Organisation>(caller.org, &caller.org.uuid().to_string()).await?;
    let settings = Settings { allow_self_approval: now.state.allows_self_approval() };
    Ok(Tagged { revision: now.sequence.unsigned_abs(), reply: Okay(settings) })
}

/// Changes how the organisation is set up.
#[utoipa::path(tag = "identity", operation_id = "change_settings", params(("org_id" = String, Path, description = "The organisation")), request_body = SettingsChange)]
#[patch("/orgs/{org_id}/settings")]
pub(crate) async fn change_settings(
    caller: May<Administer>,
    if_match: IfMatch,
    app: Data<App>,
    _org: Path<(OrgId,)>,
    body: Json<SettingsChange>,
) -> Reply<Written<Okay<Settings>>> {
    let terms = Terms { once: None, revision: if_match.0.map(|revision| revision as i64) };
    let command = OrganisationCommand::ChangeSettings { allow_self_approval: body.0.allow_self_approval };
    let done =
        app.execute::<Organisation>(&caller, &terms, &caller.org.uuid().to_string(), command, With::default()).await?;
    let settings = Settings { allow_self_approval: done.state.state.allows_self_approval() };
    Ok(Written { position: done.position, replayed: done.replayed, reply: Okay(settings) })
}

/// What erasing a person came to.
#[derive(Serialize, ToSchema)]
pub struct Erasure {
    /// Who was erased: what they did stays under this id.
    user_id: uuid::Uuid,
    /// What still holds their address.
    kept: Vec<Kept>,
}

/// A record that keeps what it sealed.
#[derive(Serialize, ToSchema)]
pub struct Kept {
    /// What sort of record: always `receipt`.
    record: String,
    /// Its name.
    id: String,
    /// Why it keeps the address.
    why: String,
}

/// Erases a member's personal data for good: no read, rebuild or backup of the ledger shows it again, their sessions
/// and their membership end, and their address may sign up anew, as a new person. Receipts keep the address of who
/// approved; the answer lists them. Somebody who may act in another organisation too is refused with 409.
#[utoipa::path(tag = "identity", operation_id = "erase_user", params(("org_id" = String, Path, description = "The organisation"), ("user_id" = UserId, Path, description = "The member")))]
#[post("/orgs/{org_id}/users/{user_id}/erase")]
pub(crate) async fn erase_user(
    caller: May<Administer>,
    app: Data<App>,
    path: Path<(OrgId, UserId)>,
) -> Reply<Written<Okay<Erasure>>> {
    let Path((_, user)) = path;
    let erased = app.erase(&caller, user).await?;
    let why = "a receipt names who approved it; its hash, and with it the chain, would not hold without";
    let kept = |id| Kept { record: "receipt".to_owned(), id, why: why.to_owned() };
    let kept = erased.receipts.into_iter().map(kept).collect();
    let reply = Okay(Erasure { user_id: user.uuid(), kept });
    Ok(Written { position: erased.position, replayed: false, reply })
}

/// A command on the caller's organisation that was carried out.
struct Recorded {
    position: i64,
    replayed: bool,
}

impl Recorded {
    fn map<R>(self, reply: R) -> Written<R> {
        Written { position: self.position, replayed: self.replayed, reply }
    }
}

async fn organisation(app: &App, caller: &app::Caller, terms: &Terms, command: OrganisationCommand) -> Reply<Recorded> {
    let id = caller.org.uuid().to_string();
    let done = app.execute::<Organisation>(caller, terms, &id, command, With::default()).await?;
    Ok(Recorded { position: done.position, replayed: done.replayed })
}
