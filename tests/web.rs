//! What a browser gets: the pages, their headers and the session's cookie.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;
use reqwest::{Response, redirect::Policy};
use support::*;

fn browser() -> reqwest::Client {
    reqwest::Client::builder().redirect(Policy::none()).build().unwrap()
}

/// A sign-in link that the service has given out, and its token.
async fn link(service: &Service) -> (String, String) {
    let asked = service.anonymous().post("/auth/request").json(json!({"email": "zoë<b>@example.org"})).await.ok();
    let link = asked["dev_link"].as_str().unwrap().to_owned();
    let token = link.split_once("token=").unwrap().1.to_owned();
    (link, token)
}

async fn press(service: &Service, token: &str, origin: &str) -> Response {
    send(service, format!("token={token}"), origin).await
}

async fn send(service: &Service, body: String, origin: &str) -> Response {
    let form = browser().post(format!("{}/auth/callback", service.url())).body(body).header("origin", origin);
    form.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
}

async fn a_link_signs_a_browser_in_when_its_button_is_pressed(store: Store) {
    let service = Service::start(store).await;
    let (link, token) = link(&service).await;
    for _ in 0..2 {
        // A mail scanner, then the person: opening does not use the link up.
        let page = browser().get(&link).send().await.unwrap();
        assert_eq!(page.status(), 200);
        let policy = header(&page, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("script-src") && header(&page, "set-cookie").is_empty());
        assert_eq!(header(&page, "cache-control"), "no-store");
        assert!(page.text().await.unwrap().contains(&format!("value=\"{token}\"")));
    }

    let pressed = press(&service, &token, &service.url()).await;
    assert_eq!((pressed.status().as_u16(), header(&pressed, "location")), (303, "/auth/callback"));
    let cookie = header(&pressed, "set-cookie").to_owned();
    let (session, attributes) = cookie.split_once("; ").unwrap();
    assert!(session.starts_with("defendable_session="), "{cookie}");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=2592000"] {
        assert!(attributes.split("; ").any(|found| found == attribute), "{cookie}");
    }

    let shown = browser().get(format!("{}/auth/callback", service.url())).header("cookie", session);
    let shown = shown.send().await.unwrap().text().await.unwrap();
    assert!(shown.contains("zoë&lt;b&gt;@example.org"), "{shown}");
    assert!(!shown.contains(session.split_once('=').unwrap().1), "the page shows the session");
    let me = service.anonymous().with("cookie", session).get("/auth/me").await.ok();
    assert_eq!(me["email"], "zoë<b>@example.org");

    let again = press(&service, &token, &service.url()).await;
    assert_eq!((again.status().as_u16(), header(&again, "set-cookie")), (401, ""));
    assert!(again.text().await.unwrap().contains("no longer works"));
}

async fn another_site_cannot_press_the_button(store: Store) {
    let service = Service::start(store).await;
    let (_, token) = link(&service).await;
    for origin in ["https://evil.example", "null"] {
        let pressed = press(&service, &token, origin).await;
        assert_eq!((pressed.status().as_u16(), header(&pressed, "set-cookie")), (403, ""));
    }
    assert_eq!(press(&service, &token, &service.url()).await.status(), 303, "the link was used up");
}

async fn an_invitation_is_accepted_when_its_button_is_pressed(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let invitation = json!({"email": "bo@example.org", "role": "viewer"});
    let invited = ada.post("/org/invites").json(invitation).await.created();
    let link = invited["invite_url"].as_str().unwrap();
    let page = browser().get(link).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("You are invited") && page.contains("name=\"invite\""), "{page}");
    let (_, token) = link.split_once("invite=").unwrap();
    let pressed = send(&service, format!("invite={token}"), &service.url()).await;
    assert_eq!(pressed.status(), 303);
    let session = header(&pressed, "set-cookie").split_once(';').unwrap().0.to_owned();
    let me = service.anonymous().with("cookie", &session).get("/auth/me").await.ok();
    assert_eq!((&me["email"], &me["org_id"]), (&json!("bo@example.org"), &json!(ada.org_id())));
}

async fn a_token_in_a_page_stays_a_text(store: Store) {
    let service = Service::start(store).await;
    let url = format!("{}/auth/callback?token=%22%3E%3Cscript%3E", service.url());
    let page = browser().get(url).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("&quot;&gt;&lt;script&gt;") && !page.contains("<script"), "{page}");
}

async fn behind_https_the_cookie_is_secure(store: Store) {
    let public = "https://grc.example.org";
    let service = Service::start_with(store, &[("DEFENDABLE_PUBLIC_URL", public)]).await;
    let (_, token) = link(&service).await;
    assert_eq!(press(&service, &token, &service.url()).await.status(), 403, "that is not the public address");
    let pressed = press(&service, &token, public).await;
    assert!(header(&pressed, "set-cookie").ends_with("; Secure"));
}

async fn the_pages_on_the_api_are_there_for_everybody(store: Store) {
    let service = Service::start(store).await;
    let anonymous = service.anonymous();
    for page in ["/api/v1/docs", "/api/v1/redoc"] {
        let reply = anonymous.get(page).await;
        assert_eq!(reply.status, StatusCode::OK, "{page}: {reply}");
        let text = String::from_utf8(reply.body.clone()).unwrap();
        assert!(!text.contains("src=\"http") && !text.contains("href=\"http"), "{page} loads from elsewhere: {text}");
    }
    assert_eq!(anonymous.get("/healthz").await.ok()["status"], "healthy");
}

on_both_stores!(
    the_pages_on_the_api_are_there_for_everybody,
    a_link_signs_a_browser_in_when_its_button_is_pressed,
    an_invitation_is_accepted_when_its_button_is_pressed,
    another_site_cannot_press_the_button,
    a_token_in_a_page_stays_a_text,
    behind_https_the_cookie_is_secure,
);
