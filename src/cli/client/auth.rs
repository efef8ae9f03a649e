//! `defendable auth`

use super::{Api, credentials, show};
use crate::{
    cli::{Failure, Group, say},
    config,
    outside::clock,
};
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

/// Signing in and out.
#[derive(Debug, Subcommand)]
pub enum Auth {
    /// Have a sign-in link sent
    Login {
        /// Your address
        #[arg(long, short, value_name = "ADDRESS")]
        email: String,
    },
    /// Trade the token of a sign-in link for a session, and save that
    Verify {
        /// The link, or what follows `token=` in it
        #[arg(value_name = "TOKEN|LINK", allow_hyphen_values = true)]
        token: String,
    },
    /// Show who is signed in; exit code 2 when nobody is
    Status,
    /// End the session, and forget it
    Logout,
}

pub(in crate::cli) async fn run(Group { remote, command }: &Group<Auth>) -> Result<(), Failure> {
    match command {
        Auth::Login { email } => login(remote, email).await,
        Auth::Verify { token } => verify(remote, token).await,
        Auth::Status => status(remote).await,
        Auth::Logout => logout(remote).await,
    }
}

/// The service to sign in to.
fn service(remote: &config::Remote) -> Result<Api, Failure> {
    // A profile that cannot be read is replaced by signing in.
    let last = credentials::load().ok().flatten();
    Api::anyone(&remote.service(last.as_ref().map(|profile| profile.api_base_url.as_str())))
}

async fn login(remote: &config::Remote, email: &str) -> Result<(), Failure> {
    let api = service(remote)?;
    let sent = api.send_json(Method::POST, &["auth", "request"], &json!({ "email": email })).await?;
    show::record(remote, &sent, |sent| {
        let named = remote.named().map(|url| format!(" --api {url}")).unwrap_or_default();
        match sent["dev_link"].as_str() {
            Some(link) => format!(
                "No mail server is set up, so here is the link:\n  {}\nSign in with\n  defendable auth verify{named} {}",
                show::field(sent, "dev_link"),
                token_of(link)
            ),
            None => {
                format!("A sign-in link is on its way to {email}. Sign in with\n  defendable auth verify{named} LINK")
            }
        }
    })
}

async fn verify(remote: &config::Remote, token: &str) -> Result<(), Failure> {
    let api = service(remote)?;
    let body = json!({ "token": token_of(token) });
    let signed_in = api.send_json(Method::POST, &["auth", "verify"], &body).await?;
    let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let jwt = of(&signed_in["access_token"]);
    if jwt.is_empty() {
        return Err(format!("{} gave no session; is it a Defendable service?", api.base()).into());
    }
    let user = &signed_in["user"];
    let profile = credentials::Profile {
        api_base_url: api.base().to_owned(),
        jwt,
        user_email: of(&user["email"]),
        user_id: of(&user["id"]),
        org_id: of(&user["org_id"]),
        signed_in_at: clock::now().to_string(),
    };
    let file = credentials::save(&profile)?;
    let shown = json!({ "api": api.base(), "signed_in": true, "user": user });
    show::record(remote, &shown, |shown| {
        let email = show::field(shown, "user.email");
        format!("Signed in to {} as {email}; the session is kept in {}.", api.base(), file.display())
    })
}

/// The token of a link, or what was given, if that is the token.
fn token_of(given: &str) -> &str {
    let behind = given.rsplit_once("token=").map_or(given, |(_, token)| token);
    behind.split(['&', '#']).next().unwrap_or(behind).trim()
}

async fn status(remote: &config::Remote) -> Result<(), Failure> {
    let asked = async {
        let api = Api::signed_in(remote)?;
        let me = api.get(&["auth", "me"], &[]).await?;
        Ok::<_, Failure>((api, me))
    };
    match asked.await {
        Ok((api, mut me)) => {
            me["signed_in"] = true.into();
            me["api"] = api.base().into();
            show::record(remote, &me, |me| {
                show::facts(&[
                    ("Service", show::field(me, "api")),
                    ("Signed in as", show::field(me, "email")),
                    ("Name", show::field(me, "name")),
                    ("Organisation", show::field(me, "org_name")),
                    ("Organisation id", show::field(me, "org_id")),
                    ("Role", show::field(me, "role")),
                ])
            })
        }
        Err(failure) => {
            if remote.json && failure.code == 2 {
                say(show::json(&json!({ "signed_in": false }))?);
            }
            Err(failure)
        }
    }
}

async fn logout(remote: &config::Remote) -> Result<(), Failure> {
    let Some(profile) = credentials::load().ok().flatten() else {
        credentials::forget()?;
        return show::record(remote, &json!({ "signed_in": false }), |_| "Nobody was signed in.".to_owned());
    };
    let ended = match Api::anyone(&profile.api_base_url) {
        Ok(api) => api.with_bearer(profile.jwt).post(&["auth", "logout"]).await.map(|_| ()),
        Err(failure) => Err(failure),
    };
    credentials::forget()?;
    // A session that the service does not know any more has ended.
    let still = ended.err().filter(|failure| failure.status != Some(401));
    let shown = json!({ "signed_in": false, "session_ended": still.is_none() });
    show::record(remote, &shown, |_| match &still {
        None => format!("Signed out of {}.", profile.api_base_url),
        Some(failure) => format!(
            "The session is forgotten here, but {} was not told, so it lasts until it expires: {}",
            profile.api_base_url, failure.sentence
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_its_token_at_its_end() {
        for given in
            ["abc-_1", "http://127.0.0.1:8080/auth/callback?token=abc-_1", "https://x/?token=abc-_1&a=b", " abc-_1\n"]
        {
            assert_eq!(token_of(given), "abc-_1", "{given}");
        }
    }
}
