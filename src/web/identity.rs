//! Where a sign-in or invitation link leads a browser.
//!
//! Opening the link changes nothing, so that a mail scanner which follows it does not use it up; the button on the page
//! does. The session then lives in a cookie that no script can read.

use crate::{
    app::App,
    config,
    http::{
        Wire,
        caller::{self, Caller, ClientAddress, SESSION_COOKIE},
        error::{Problem, Reply},
    },
    web::page::{Page, Text},
};
use actix_web::{
    HttpMessage, HttpRequest, HttpResponse, get,
    http::header,
    post,
    web::{Data, Form, Query, ServiceConfig},
};
use projections::identity as shown;
use serde::Deserialize;

/// Where a link leads.
const CALLBACK: &str = "/auth/callback";
const ASK_AGAIN: &str = "Ask for a new link with <code>POST /auth/request</code>, or start the service again if you run \
                         it on this machine: it prints one.";

pub(super) fn pages(config: &mut ServiceConfig) {
    config.service(open_link).service(follow_link);
}

/// What a link carries: the token of a sign-in, or of an invitation.
#[derive(Deserialize)]
struct Link {
    token: Option<String>,
    invite: Option<String>,
}

/// The button, or who is signed in.
#[get("/auth/callback")]
async fn open_link(app: Data<App>, request: HttpRequest, link: Query<Link>) -> HttpResponse {
    let caller = request.extensions().get::<Caller>().copied();
    let page = match (&link.0, caller) {
        (Link { token: Some(token), .. }, _) => button("token", token),
        (Link { invite: Some(token), .. }, _) => button("invite", token),
        (_, Some(caller)) => {
            signed_in(&app, &caller).await.unwrap_or_else(|problem| Page::refused(&problem, ASK_AGAIN))
        }
        (_, None) => Page::new(
            "You are not signed in",
            format!(
                "<p>A sign-in link ends in <code>?token=…</code>; open it whole.</p>\n<p class=\"muted\">{ASK_AGAIN}</p>"
            ),
        ),
    };
    page.answer()
}

/// Signs in: the session's cookie, and on to the page that shows who it is of.
#[post("/auth/callback")]
async fn follow_link(
    app: Data<App>,
    wire: Data<Wire>,
    client: ClientAddress,
    request: HttpRequest,
    link: Form<Link>,
) -> HttpResponse {
    match sign_in(&app, &wire, client, &request, &link).await {
        Ok(cookie) => HttpResponse::SeeOther()
            .insert_header((header::LOCATION, CALLBACK))
            .insert_header((header::SET_COOKIE, cookie))
            .finish(),
        Err(problem) => Page::refused(&problem, ASK_AGAIN).answer(),
    }
}

/// Trades the token for a session; the answer is its `Set-Cookie` (RFC 6265 §4.1).
async fn sign_in(app: &App, wire: &Wire, client: ClientAddress, request: &HttpRequest, link: &Link) -> Reply<String> {
    // Else another site could sign a visitor in as somebody of its choice.
    if !caller::is_same_origin(wire, request.headers()) {
        return Err(Problem::forbidden("the sign-in button must be pressed on this service's own page"));
    }
    wire.limits().verify(client.0)?;
    let session = match &link.invite {
        Some(invite) => app.accept_invitation(invite, None).await?.token,
        None => app.sign_in(link.token.as_deref().unwrap_or_default()).await?.token,
    };
    let seconds = u64::from(app.settings.jwt_ttl_hours) * 3_600;
    let secure = app.settings.is_https() || !config::is_loopback(&app.public_url);
    let secure = if secure { "; Secure" } else { "" };
    Ok(format!("{SESSION_COOKIE}={session}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"))
}

fn button(kind: &str, token: &str) -> Page {
    let (title, what, label) = match kind {
        "invite" => ("You are invited", "accept the invitation and sign in", "Accept and sign in"),
        _ => ("Sign in", "sign in", "Sign in"),
    };
    Page::new(
        title,
        format!(
            "<p>Press the button to {what} on this browser. The link works once, for a while.</p>\n\
             <form method=\"post\" action=\"{CALLBACK}\"><input type=\"hidden\" name=\"{kind}\" value=\"{}\">\
             <button class=\"button primary\">{label}</button></form>\n\
             <p class=\"muted\">You did not ask for it? Close this page: nothing has happened.</p>",
            Text(token)
        ),
    )
}

async fn signed_in(app: &App, caller: &Caller) -> Reply<Page> {
    let organisation = shown::organisation(app.db(), caller.org).await.map_err(crate::app::Refused::from)?;
    let organisation = organisation.ok_or_else(|| Problem::not_found("organisation"))?;
    let who = match caller.actor.user() {
        Some(user) => app.person(user).await?.email,
        None => "an API key".to_owned(),
    };
    Ok(Page::new(
        "You are signed in",
        format!(
            "<dl class=\"facts\"><dt>As</dt><dd>{}</dd><dt>For</dt><dd>{}</dd><dt>Role</dt><dd>{}</dd></dl>\n\
             <p>There is no console yet. Everything can be done with the API, also from its description: the browser \
             sends your session along.</p>\n\
             <p class=\"actions\"><a class=\"button primary\" href=\"/api/v1/docs\">Try the API</a>\
             <a class=\"button\" href=\"/api/v1/redoc\">Read about it</a></p>\n\
             <p class=\"muted\"><code>POST /auth/logout</code> signs you out.</p>",
            Text(&who),
            Text(&organisation.name),
            caller.role.as_str()
        ),
    ))
}
