//! Every setting, its default and its meaning. Nothing else reads the environment.

use crate::store::Target;
use aggregates::ids::OrgId;
use clap::{Args, ValueEnum};
use std::{
    convert::Infallible,
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

/// Where `/metrics` is unless said.
const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// Which store, and where its keys are.
#[derive(Clone, Debug, Args)]
pub struct Store {
    /// The data folder: the embedded store, evidence, keys
    #[arg(long, alias = "data-dir", env = "DEFENDABLE_DATA", value_name = "DIR", default_value = "./defendable-data")]
    pub data: PathBuf,
    /// A PostgreSQL database to use in place of the embedded store; `DATABASE_URL` is read too
    #[arg(long, env = "DEFENDABLE_DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<Secret>,
    /// The same, under the name that hosts of databases use
    #[arg(long, hide = true, env = "DATABASE_URL", hide_env_values = true)]
    plain_database_url: Option<Secret>,
    /// The database as its owner, for migrations only; the service itself connects as a role that cannot alter tables
    #[arg(long, env = "DEFENDABLE_MIGRATE_URL", value_name = "URL", hide_env_values = true)]
    pub migrate_url: Option<Secret>,
    /// How many connections to PostgreSQL each process holds at most
    #[arg(long, env = "DEFENDABLE_CONNECTIONS", value_name = "N", default_value = "12", value_parser = clap::value_parser!(u32).range(6..=1000))]
    connections: u32,
    /// The folder with the signing, token and master keys; `keys` in the data folder unless said
    #[arg(long, env = "DEFENDABLE_KEYS", value_name = "DIR")]
    keys: Option<PathBuf>,
}

impl Store {
    /// The PostgreSQL database, where one is named.
    pub fn database_url(&self) -> Option<&str> {
        self.database_url
            .as_ref()
            .or(self.plain_database_url.as_ref())
            .map(Secret::reveal)
            .filter(|url| !url.is_empty())
    }

    /// The store to open.
    pub fn target(&self) -> Target {
        match self.database_url() {
            None => Target::Embedded(self.data.clone()),
            Some(url) => Target::Postgres {
                url: url.to_owned(),
                migrate_url: self.migrate_url.as_ref().map(|url| url.reveal().to_owned()),
                connections: self.connections,
            },
        }
    }

    /// The folder with the keys.
    pub fn keys(&self) -> PathBuf {
        self.keys.clone().unwrap_or_else(|| self.data.join("keys"))
    }
}

/// How the service is run.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// Which store
    #[command(flatten)]
    pub store: Store,
    /// The address to listen on
    #[arg(long, env = "DEFENDABLE_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The address for `/metrics`, or `none`; 127.0.0.1:9464 unless said (and if that is taken, none)
    #[arg(long, env = "DEFENDABLE_METRICS_LISTEN", value_name = "ADDRESS|none")]
    metrics_listen: Option<MetricsListen>,
    /// Refuse to start on anything unsafe, and never show a sign-in link
    #[arg(long, env = "DEFENDABLE_PRODUCTION", value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1, default_missing_value = "true", default_value = "false")]
    pub production: bool,
    /// The address of this service as others reach it, for links in mails and receipts; where it listens unless said
    #[arg(long, env = "DEFENDABLE_PUBLIC_URL", value_name = "URL")]
    public_url: Option<PublicUrl>,
    /// How many threads answer requests
    #[arg(long, env = "DEFENDABLE_WORKERS", value_name = "N", default_value = "2", value_parser = clap::value_parser!(u8).range(1..))]
    pub workers: u8,
    /// Proxies whose `X-Forwarded-For` is believed, separated by commas
    #[arg(long, env = "DEFENDABLE_TRUSTED_PROXIES", value_name = "IP,…", value_delimiter = ',')]
    pub trusted_proxies: Vec<IpAddr>,
    /// How long a sign-in lasts, in hours
    #[arg(long, env = "JWT_TTL_HOURS", value_name = "HOURS", default_value = "720", value_parser = clap::value_parser!(u32).range(1..=87_600))]
    pub jwt_ttl_hours: u32,
    /// The mail server: smtps://user:password@host, or smtp:// with ?tls=required; none: no mail is sent
    #[arg(long, env = "DEFENDABLE_SMTP_URL", value_name = "URL", hide_env_values = true)]
    pub smtp_url: Option<Secret>,
    /// The sender of mails
    #[arg(long, env = "DEFENDABLE_MAIL_FROM", value_name = "MAILBOX")]
    pub mail_from: Option<String>,
    /// Where evidence files are kept: a folder or s3://bucket/prefix; `objects` in the data folder unless said
    #[arg(long, env = "DEFENDABLE_OBJECTS", value_name = "DIR|URL")]
    objects: Option<String>,
    /// The S3 service; Amazon's of the region unless said
    #[arg(long, env = "DEFENDABLE_S3_ENDPOINT", value_name = "URL")]
    pub s3_endpoint: Option<String>,
    /// The S3 region
    #[arg(long, env = "DEFENDABLE_S3_REGION", value_name = "REGION", default_value = "us-east-1")]
    pub s3_region: String,
    /// The S3 access key
    #[arg(long, env = "DEFENDABLE_S3_ACCESS_KEY_ID", value_name = "ID")]
    pub s3_access_key_id: Option<String>,
    /// The S3 secret key
    #[arg(long, env = "DEFENDABLE_S3_SECRET_ACCESS_KEY", value_name = "KEY", hide_env_values = true)]
    pub s3_secret_access_key: Option<Secret>,
    /// Requests a minute for each caller; 0: no limit
    #[arg(long, env = "DEFENDABLE_RATE_LIMIT", value_name = "N", default_value = "100")]
    pub rate_limit: u32,
    /// Evidence uploads an hour for each caller; 0: no limit
    #[arg(long, env = "DEFENDABLE_UPLOADS_PER_HOUR", value_name = "N", default_value = "50")]
    pub uploads_per_hour: u32,
    /// Attempts to sign in, in ten minutes, for each address; 0: no limit
    #[arg(long, env = "DEFENDABLE_SIGN_IN_LIMIT", value_name = "N", default_value = "5")]
    pub sign_in_limit: u32,
    /// What is logged: error, warn, info, debug or trace, also by part (`info,defendable::access=off`)
    #[arg(long, env = "DEFENDABLE_LOG", value_name = "FILTER", default_value = "info,actix_server=warn")]
    pub log: String,
    /// How it is logged
    #[arg(long, env = "DEFENDABLE_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// Where evidence files are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objects {
    /// In a folder.
    Folder(PathBuf),
    /// In an S3 bucket, under a prefix (which may be empty).
    S3 {
        /// The bucket.
        bucket: String,
        /// The prefix, without slashes at its ends.
        prefix: String,
    },
}

impl Serve {
    /// The address of this service as others reach it, without a slash at its end; `listening` is where it listens.
    pub fn public_url(&self, listening: &str) -> String {
        self.public_url.as_ref().map_or(listening, |url| &url.0).trim_end_matches('/').to_owned()
    }

    /// The origin of browsers' requests, where the public address is known.
    pub(crate) fn origin(&self) -> Option<String> {
        let (scheme, rest) = self.public_url.as_ref()?.0.split_once("://")?;
        Some(format!("{scheme}://{}", rest.split('/').next().unwrap_or(rest)))
    }

    /// Whether browsers reach the service over TLS only, so that its cookies are `Secure`.
    pub fn is_https(&self) -> bool {
        self.public_url.as_ref().is_some_and(|url| url.0.starts_with("https://"))
    }

    /// Where `/metrics` is, and whether somebody asked for that address.
    pub(crate) fn metrics_address(&self) -> Option<(SocketAddr, bool)> {
        match self.metrics_listen {
            None => Some((METRICS, false)),
            Some(MetricsListen(address)) => address.map(|address| (address, true)),
        }
    }

    /// Where evidence files are kept.
    pub fn objects(&self) -> Objects {
        match self.objects.as_deref().map(|place| (place, place.strip_prefix("s3://"))) {
            None => Objects::Folder(self.store.data.join("objects")),
            Some((folder, None)) => Objects::Folder(folder.into()),
            Some((_, Some(place))) => {
                let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
                Objects::S3 { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() }
            }
        }
    }

    /// Whether a sign-in link may be shown in an answer, as far as settings decide it: in development
    /// mode and listening on loopback. The request must also have come without forwarding headers.
    pub fn may_show_links(&self) -> bool {
        !self.production && self.listen.ip().is_loopback()
    }

    /// What `--production` refuses, each with what to do about it; empty when the settings are safe.
    /// What only the store knows (that it is connected to as its owner) is refused there.
    pub fn unsafe_settings(&self) -> Vec<String> {
        let loopback_or = |url: &str, scheme: &str| url.starts_with(scheme) || is_loopback(url);
        let mut found = Vec::new();
        let mut refuse = |is_unsafe: bool, what: &str| {
            if is_unsafe {
                found.push(what.to_owned());
            }
        };
        refuse(
            !self.is_https(),
            "DEFENDABLE_PUBLIC_URL must be an https:// address: links in mails and receipts point to it",
        );
        refuse(self.smtp_url.is_none(), "DEFENDABLE_SMTP_URL must name a mail server: nobody could sign in");
        refuse(
            self.smtp_url.as_ref().is_some_and(|url| {
                let url = url.reveal();
                !loopback_or(url, "smtps://") && !url.contains("tls=required")
            }),
            "DEFENDABLE_SMTP_URL must use TLS (smtps://, or smtp:// with ?tls=required): mails carry sign-in links",
        );
        refuse(self.mail_from.is_none(), "DEFENDABLE_MAIL_FROM must name the sender of mails");
        refuse(self.rate_limit == 0, "DEFENDABLE_RATE_LIMIT must not be 0");
        refuse(self.uploads_per_hour == 0, "DEFENDABLE_UPLOADS_PER_HOUR must not be 0");
        refuse(self.sign_in_limit == 0, "DEFENDABLE_SIGN_IN_LIMIT must not be 0: links and passwords could be guessed");
        refuse(
            self.metrics_address().is_some_and(|(address, _)| !address.ip().is_loopback()),
            "DEFENDABLE_METRICS_LISTEN must be a loopback address or none: figures are served without a credential",
        );
        refuse(
            matches!(self.objects(), Objects::S3 { .. })
                && self.s3_endpoint.as_ref().is_some_and(|url| !loopback_or(url, "https://")),
            "DEFENDABLE_S3_ENDPOINT must be an https:// address: evidence travels to it",
        );
        found
    }
}

/// Whether a URL names this machine.
pub(crate) fn is_loopback(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|name| host.strip_prefix(name).is_some_and(|port| port.is_empty() || port.starts_with(':')))
}

/// Where a client command finds the service unless said.
const SERVICE: &str = "http://127.0.0.1:8080";

/// Which service a client command asks, for which organisation, and how it answers.
#[derive(Clone, Debug, Args)]
pub struct Remote {
    /// The address of the service; DEFENDABLE_API unless said, else that of the last sign-in, else http://127.0.0.1:8080
    #[arg(long, global = true, value_name = "URL")]
    api: Option<PublicUrl>,
    /// The same from the environment, which a link to a service goes before
    #[arg(long, global = true, hide = true, env = "DEFENDABLE_API", value_name = "URL")]
    usual_api: Option<PublicUrl>,
    /// The organisation to act for, where a person belongs to several
    #[arg(long, global = true, env = "DEFENDABLE_ORG", value_name = "ID")]
    pub org: Option<OrgId>,
    /// Answer with JSON
    #[arg(long, global = true)]
    pub json: bool,
}

impl Remote {
    /// The address that the option gives, without a slash at its end.
    pub fn option(&self) -> Option<&str> {
        self.api.as_ref().map(|url| url.0.trim_end_matches('/'))
    }

    /// The address that was given, by option or environment, without a slash at its end.
    pub fn named(&self) -> Option<&str> {
        self.option().or_else(|| self.usual_api.as_ref().map(|url| url.0.trim_end_matches('/')))
    }

    /// The address of the service: the given one, else that of the last sign-in, else the default.
    pub fn service(&self, last: Option<&str>) -> String {
        self.named().or(last).unwrap_or(SERVICE).trim_end_matches('/').to_owned()
    }
}

/// The credential in `DEFENDABLE_TOKEN`: a session's token or an API key. There is no option for it, since the command
/// lines of a machine can be read by all its users.
pub fn token() -> Option<Secret> {
    of_environment("DEFENDABLE_TOKEN").map(Secret)
}

/// The folder with what a sign-in on the command line saved: `DEFENDABLE_HOME`, else `.defendable` in the home folder;
/// none where neither is known.
pub fn home() -> Option<PathBuf> {
    let in_home = || of_environment("HOME").map(|home| PathBuf::from(home).join(".defendable"));
    of_environment("DEFENDABLE_HOME").map(PathBuf::from).or_else(in_home)
}

#[allow(clippy::disallowed_methods, reason = "this is the one file that reads the environment")]
fn of_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A setting that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("…")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MetricsListen(Option<SocketAddr>);

impl FromStr for MetricsListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self(None)),
            text => text.parse().map(|address| Self(Some(address))).map_err(|error| format!("{error}; or say `none`")),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct PublicUrl(String);

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
        let plain = rest.bytes().all(|byte| byte.is_ascii_graphic()) && !rest.contains(['?', '#', '@']);
        if rest.is_empty() || rest.starts_with('/') || !plain {
            return Err("give http:// or https://, a host and perhaps a path, without ?, # or @");
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Command, FromArgMatches};

    fn command() -> Command {
        Serve::augment_args(Command::new("serve"))
    }

    fn settings(arguments: &[&str]) -> Serve {
        let arguments = std::iter::once("serve").chain(arguments.iter().copied());
        Serve::from_arg_matches(&command().try_get_matches_from(arguments).unwrap()).unwrap()
    }

    /// The table of docs/settings.md.
    fn table() -> String {
        let mut table = String::from("| variable | option of `serve` | default | meaning |\n|---|---|---|---|\n");
        for argument in command().get_arguments() {
            let (Some(variable), Some(option)) = (argument.get_env(), argument.get_long()) else { continue };
            let option = if argument.is_hide_set() { String::new() } else { format!("`--{option}`") };
            let default: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
            let default = if default.is_empty() { String::new() } else { format!("`{}`", default.join(",")) };
            let meaning = argument.get_help().map(ToString::to_string).unwrap_or_default();
            table += &format!("| `{}` | {option} | {default} | {meaning} |\n", variable.to_string_lossy());
        }
        table
    }

    #[test]
    fn the_page_on_settings_has_them_all() {
        let page = include_str!("../docs/settings.md");
        let (_, found) = page.split_once("<!-- settings -->\n").unwrap();
        assert_eq!(found, table(), "put this table into docs/settings.md:\n{}", table());
    }

    #[test]
    fn nothing_needs_to_be_said() {
        let settings = settings(&[]);
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.store.data, PathBuf::from("./defendable-data"));
        assert_eq!(settings.objects(), Objects::Folder("./defendable-data/objects".into()));
        assert_eq!(settings.public_url("http://127.0.0.1:8080"), "http://127.0.0.1:8080");
        assert!(settings.may_show_links() && !settings.is_https());
    }

    #[test]
    fn production_names_each_unsafe_setting() {
        let bare = settings(&["--production"]).unsafe_settings();
        for name in ["DEFENDABLE_PUBLIC_URL", "DEFENDABLE_SMTP_URL", "DEFENDABLE_MAIL_FROM"] {
            assert!(bare.iter().any(|found| found.starts_with(name)), "{name}: {bare:?}");
        }
        let safe = [
            "--production",
            "--public-url=https://grc.example.org",
            "--smtp-url=smtps://mail.example.org",
            "--mail-from=grc@example.org",
        ];
        assert_eq!(settings(&safe).unsafe_settings(), Vec::<String>::new());
        for more in [
            "--public-url=http://grc.example.org",
            "--smtp-url=smtp://mail.example.org",
            "--smtp-url=smtp://localhost.example.org",
            "--sign-in-limit=0",
            "--rate-limit=0",
            "--uploads-per-hour=0",
            "--metrics-listen=0.0.0.0:9464",
        ] {
            let (name, _) = more.split_once('=').unwrap();
            let rest: Vec<_> = safe.into_iter().filter(|safe| !safe.starts_with(name)).chain([more]).collect();
            let found = settings(&rest).unsafe_settings();
            assert_eq!(found.len(), 1, "{more}: {found:?}");
        }
    }

    #[test]
    fn a_client_asks_the_service_that_is_named_else_the_last_else_the_default() {
        let remote = |arguments: &[&str]| {
            let command = Remote::augment_args(Command::new("runs"));
            let matches = command.try_get_matches_from(["runs"].iter().chain(arguments));
            Remote::from_arg_matches(&matches.unwrap()).unwrap()
        };
        assert_eq!(remote(&[]).service(None), "http://127.0.0.1:8080");
        assert_eq!(remote(&[]).service(Some("https://last.example.org")), "https://last.example.org");
        let named = remote(&["--api=https://grc.example.org/"]);
        assert_eq!(named.service(Some("https://last.example.org")), "https://grc.example.org");
    }

    #[test]
    fn a_secret_is_not_printed() {
        let settings = settings(&["--smtp-url=smtps://me:hunter2@mail.example.org"]);
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn where_objects_are() {
        let objects = settings(&["--objects=s3://bucket/a/b/"]).objects();
        assert_eq!(objects, Objects::S3 { bucket: "bucket".into(), prefix: "a/b".into() });
    }
}
