//! Who asks, for which organisation, and whether they may.

pub use crate::app::Caller;
use crate::http::{
    Wire,
    document::Probe,
    error::{Problem, Reply},
};
use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::{Payload, ServiceRequest},
    http::header::{self, HeaderMap, HeaderName},
};
use aggregates::{Permission, identity::roles::Role, ids::OrgId};
use std::{
    future::{Ready, ready},
    marker::PhantomData,
    net::{IpAddr, Ipv4Addr},
    ops::Deref,
};

/// The cookie that holds a browser's session.
pub const SESSION_COOKIE: &str = "defendable_session";
/// Names another organisation than the credential's, where the path names none.
pub const ORGANISATION: HeaderName = HeaderName::from_static("x-org-id");

/// What may be reached without a credential, and nothing else: whole paths, and beginnings that end
/// in `/`. The runs surface's answer under `/api/v1` too.
const PUBLIC: [&str; 16] = [
    "/auth/request",
    "/auth/verify",
    "/auth/callback",
    "/auth/accept-invite",
    "/auth/login",
    "/users/invitations/",
    "/share/",
    "/log/",
    "/.well-known/",
    "/assets/",
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/api/v1/health",
    "/api/v1/docs",
    "/api/v1/redoc",
];

/// Beginnings of the same kind that only a page of the API documentation asks for.
const PAGES: [&str; 2] = ["/api/v1/docs/", "/api/v1/redoc/"];

/// Whether a path is served without a credential.
pub(crate) fn is_public(path: &str) -> bool {
    let short = path.strip_prefix("/api/v1").unwrap_or(path);
    let is = |public: &str, path: &str| path == public || public.ends_with('/') && path.starts_with(public);
    PUBLIC.iter().any(|public| is(public, path) || is(public, short)) || PAGES.iter().any(|page| is(page, path))
}

/// Whether a path is one that machines probe: neither counted against a limit nor worth a line in the log.
pub(crate) fn is_probe(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/api/v1/healthz" | "/api/v1/readyz")
}

/// The permissions, as types for [`May`].
pub mod permission {
    use aggregates::Permission;

    /// A permission as a type.
    pub trait Needed: 'static {
        /// The permission.
        const PERMISSION: Permission;
        /// Its word in the API description.
        const WORD: &'static str;
    }

    macro_rules! needed {
        ($($(#[$doc:meta])* $name:ident $word:literal;)*) => {
            $(
                $(#[$doc])*
                #[derive(Clone, Copy, Debug)]
                pub struct $name;
                impl Needed for $name {
                    const PERMISSION: Permission = Permission::$name;
                    const WORD: &'static str = $word;
                }
            )*
        };
    }

    needed! {
        /// Read everything in the organisation.
        Read "read";
        /// Create and change records.
        Work "work";
        /// Grade, approve, verify, export.
        Judge "judge";
        /// Users, keys, settings, deletion.
        Administer "administer";
    }
}

/// A caller who may: a handler's first argument. As the first, it refuses before anything else of
/// the request is looked at, and the API description shows the permission.
///
/// # Errors
/// 401 without a credential that holds, 403 when the caller's role lacks the permission.
#[derive(Clone, Copy, Debug)]
pub struct May<P> {
    caller: Caller,
    permission: PhantomData<P>,
}

impl<P> Deref for May<P> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl<P: permission::Needed> FromRequest for May<P> {
    type Error = Problem;
    type Future = Ready<Reply<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        if Probe::is_asked(request, |findings| findings.permission = Some(P::WORD)) {
            return ready(Err(Problem::unauthorized()));
        }
        let caller = request.extensions().get::<Caller>().copied();
        ready(caller.ok_or_else(Problem::unauthorized).and_then(|caller| {
            if caller.role.may(P::PERMISSION) {
                Ok(Self { caller, permission: PhantomData })
            } else {
                Err(may_not(caller.role, P::PERMISSION, P::WORD))
            }
        }))
    }
}

fn may_not(role: Role, permission: Permission, word: &str) -> Problem {
    let able: Vec<_> = Role::ALL.into_iter().filter(|role| role.may(permission)).map(Role::as_str).collect();
    Problem::forbidden(format!("your role {} may not {word} here; {} may", role.as_str(), able.join(", ")))
}

/// The network address that a request comes from, behind the proxies that are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl FromRequest for ClientAddress {
    type Error = Problem;
    type Future = Ready<Reply<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let known = request.extensions().get::<Self>().copied();
        ready(known.ok_or_else(|| Problem::internal("the request has not passed the edge")))
    }
}

impl ClientAddress {
    /// The peer, or, when that is a trusted proxy, the last address of `X-Forwarded-For` that is none.
    pub(crate) fn of(request: &ServiceRequest, proxies: &[IpAddr]) -> Self {
        let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        if !proxies.contains(&peer) {
            return Self(peer);
        }
        let values = request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        let hops = hops.into_iter().rev().map_while(|hop| hop.parse().ok());
        Self(hops.into_iter().find(|hop| !proxies.contains(hop)).unwrap_or(peer))
    }
}

/// Who asks; nobody where the request carries no credential.
///
/// # Errors
/// 401 for a credential that does not hold, 404 for an organisation that is not the caller's, 403
/// for a browser's request from another site's page.
pub(crate) async fn identify(wire: &Wire, request: &ServiceRequest) -> Reply<Option<Caller>> {
    let Some(credential) = credential(wire, request)? else { return Ok(None) };
    let caller = match wanted(request) {
        Ok(wanted) => wire.application().identify(&credential, wanted).await?,
        // Even that the organisation's name is none is told only to somebody who has signed in.
        Err(problem) => wire.application().identify(&credential, None).await.and(Err(problem))?,
    };
    Ok(Some(caller))
}

fn credential(wire: &Wire, request: &ServiceRequest) -> Reply<Option<String>> {
    if let Some(value) = request.headers().get(header::AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok().and_then(|value| value.split_once(' ')).unwrap_or_default();
        let token = token.trim();
        return if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
            Ok(Some(token.to_owned()))
        } else {
            Err(Problem::unauthorized())
        };
    }
    let Some(session) = session(request) else { return Ok(None) };
    if !request.method().is_safe() && !is_same_origin(wire, request.headers()) {
        return Err(Problem::forbidden("a change with the session cookie must come from this service's own pages"));
    }
    Ok(Some(session.to_owned()))
}

/// The value of the session cookie (RFC 6265 §5.4: `name=value` pairs with `; ` between them).
fn session(request: &ServiceRequest) -> Option<&str> {
    let values = request.headers().get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find_map(|(name, value)| (name == SESSION_COOKIE && !value.is_empty()).then_some(value))
}

/// Whether a request comes from one of this service's own pages, as its browser says (RFC 6454 §7).
pub(crate) fn is_same_origin(wire: &Wire, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else { return false };
    if let Some(ours) = &wire.origin {
        return origin.eq_ignore_ascii_case(ours);
    }
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    host.is_some() && host == text(header::HOST)
}

/// The organisation that the request names, in its path or else in `X-Org-Id`.
fn wanted(request: &ServiceRequest) -> Reply<Option<OrgId>> {
    let in_path = request.path().strip_prefix("/api/v1/orgs/").and_then(|rest| rest.split('/').next());
    let in_header = || request.headers().get(ORGANISATION).map(|value| value.to_str().unwrap_or_default());
    let Some(text) = in_path.filter(|text| !text.is_empty()).or_else(in_header) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Problem::not_found("organisation"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn little_is_public() {
        for path in
            ["/auth/verify", "/api/v1/auth/login", "/share/x", "/api/v1/share/x/pdf", "/healthz", "/api/v1/health"]
        {
            assert!(is_public(path), "{path}");
        }
        for path in
            ["/auth/me", "/share", "/runs", "/healthz/x", "/api/v1/orgs/share/", "/health", "/docs", "/api/v10/share/x"]
        {
            assert!(!is_public(path), "{path}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_may_say_who_it_speaks_for() {
        let proxy: IpAddr = [10, 0, 0, 1].into();
        let request = |peer: &str| {
            let request = TestRequest::default().insert_header(("x-forwarded-for", "1.1.1.1, 203.0.113.9, 10.0.0.1"));
            request.peer_addr(peer.parse().unwrap()).to_srv_request()
        };
        assert_eq!(ClientAddress::of(&request("10.0.0.1:9"), &[proxy]).0, IpAddr::from([203, 0, 113, 9]));
        assert_eq!(ClientAddress::of(&request("192.0.2.1:9"), &[proxy]).0, IpAddr::from([192, 0, 2, 1]));
    }
}
