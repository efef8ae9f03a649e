//! Mail.

use super::chance;
use aggregates::identity::address::EmailAddress;
use futures::future::{BoxFuture, FutureExt};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, MultiPart},
};
use std::time::Duration;

/// How long one mail may take from connecting to the server's answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends mails.
pub trait Mailer: Send + Sync {
    /// Whether mails go anywhere.
    fn is_configured(&self) -> bool;

    /// Hands the mail over; done when the mail server has taken it.
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), MailError>>;
}

/// A mail to one person, as plain text and as HTML. It may carry a credential, so it has no form for logs.
#[derive(Clone)]
pub struct Mail {
    /// To whom.
    pub to: EmailAddress,
    /// What it is about.
    pub subject: String,
    /// What it says.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// Why a mail is not on its way.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// No mail server is configured.
    #[error("no mail server is configured")]
    Unconfigured,
    /// The configured server's address cannot be used.
    #[error("the mail server's address is not a URL such as `smtps://user:password@mail.example.com`")]
    Url(#[source] lettre::transport::smtp::Error),
    /// The sender or recipient has an address that mail cannot carry.
    #[error("the e-mail address cannot be used in a mail")]
    Address,
    /// The mail cannot be put together.
    #[error("the mail cannot be put together")]
    Message(#[from] lettre::error::Error),
    /// The server could not be reached in time, or did not take the mail.
    #[error("the mail server did not take the mail")]
    Server(#[from] lettre::transport::smtp::Error),
}

impl Mail {
    /// The mail with a sign-in link that works once, for so many minutes.
    pub fn sign_in(to: EmailAddress, link: &str, minutes: u32) -> Self {
        Self::with_link(
            to,
            "Sign in to Defendable",
            "Open this link to sign in to Defendable:",
            link,
            &format!("It works once and for {minutes} minutes."),
            "You did not ask to sign in? Then leave this mail alone: without the link nobody gets in.",
        )
    }

    /// The mail with an invitation into an organisation that works once, for so many days.
    pub fn invitation(to: EmailAddress, organisation: &str, link: &str, days: u32) -> Self {
        Self::with_link(
            to,
            "You are invited to Defendable",
            &format!("You are invited to work with {organisation} on Defendable. Open this link to come in:"),
            link,
            &format!("It works once and for {days} days."),
            "You know nobody there? Then leave this mail alone: nothing happens without you.",
        )
    }

    fn with_link(to: EmailAddress, subject: &str, request: &str, link: &str, validity: &str, otherwise: &str) -> Self {
        let [shown, asked] = [link, request].map(escaped);
        Self {
            to,
            subject: subject.to_owned(),
            text: format!("{request}\n\n{link}\n\n{validity}\n\n{otherwise}\n"),
            html: format!(
                "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{subject}</title>\
                 <body style=\"font:16px/1.5 system-ui,sans-serif;max-width:34em;margin:2em auto;padding:0 1em\">\
                 <p>{asked}</p>\
                 <p><a href=\"{shown}\">{shown}</a></p>\
                 <p>{validity}</p>\
                 <p>{otherwise}</p>\
                 </body></html>"
            ),
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// No mail server: every mail is refused, and the caller says what to do without.
#[derive(Clone, Copy, Debug)]
pub struct Unconfigured;

impl Mailer for Unconfigured {
    fn is_configured(&self) -> bool {
        false
    }

    fn send(&self, _: Mail) -> BoxFuture<'_, Result<(), MailError>> {
        async { Err(MailError::Unconfigured) }.boxed()
    }
}

/// A mail server, spoken to over SMTP.
#[derive(Clone)]
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// The server behind the URL (`smtps://…`, `smtp://…?tls=required`, or `smtp://…` in clear),
    /// and whom its mails come from, such as `Defendable <sign-in@example.com>`.
    pub fn new(url: &str, from: &str) -> Result<Self, MailError> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(MailError::Url)?
            .timeout(Some(PATIENCE))
            .build();
        Ok(Self { transport, from: from.parse().map_err(|_| MailError::Address)? })
    }
}

impl Mailer for Smtp {
    fn is_configured(&self) -> bool {
        true
    }

    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), MailError>> {
        async move {
            let to = Mailbox::new(None, mail.to.as_str().parse().map_err(|_| MailError::Address)?);
            let message = Message::builder()
                .from(self.from.clone())
                .to(to)
                .subject(mail.subject)
                // Made here, since the library's own would tell this machine's name.
                .message_id(Some(format!("<{}@{}>", chance::uuid(), self.from.email.domain())))
                .multipart(MultiPart::alternative_plain_html(mail.text, mail.html))?;
            self.transport.send(message).await?;
            Ok(())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::TcpListener,
        task::JoinHandle,
    };

    /// A mail server for one connection that answers every recipient so; gives what was said to it.
    async fn server(recipient: &'static str) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let url = format!("smtp://{}", listener.local_addr().expect("an address"));
        let talk = async move {
            let (socket, _) = listener.accept().await.expect("a client");
            let (read, mut write) = socket.into_split();
            let (mut lines, mut heard, mut in_data) = (BufReader::new(read).lines(), String::new(), false);
            write.write_all(b"220 test\r\n").await.expect("greets");
            while let Ok(Some(line)) = lines.next_line().await {
                heard += &line;
                heard.push('\n');
                let answer = match line.split([' ', ':']).next().unwrap_or_default() {
                    _ if in_data && line != "." => continue,
                    "." => "250 taken",
                    "EHLO" | "MAIL" => "250 ok",
                    "RCPT" => recipient,
                    "DATA" => "354 go on",
                    "QUIT" => "221 bye",
                    _ => "500 what?",
                };
                in_data = line == "DATA";
                if write.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                    break;
                }
            }
            heard
        };
        (url, tokio::spawn(talk))
    }

    fn sign_in() -> Mail {
        let link = "https://grc.example.com/auth/callback?token=abc&x=\"<";
        Mail::sign_in("ada@example.com".parse().expect("an address"), link, 30)
    }

    #[test]
    fn the_sign_in_mail_says_how_long_its_link_works_and_quotes_it() {
        let mail = sign_in();
        assert!(mail.text.contains("\nhttps://grc.example.com/auth/callback?token=abc&x=\"<\n"));
        assert!(mail.html.contains("href=\"https://grc.example.com/auth/callback?token=abc&amp;x=&quot;&lt;\""));
        assert!(mail.text.contains("once and for 30 minutes") && mail.html.contains("once and for 30 minutes"));
    }

    #[test]
    fn the_invitation_says_by_whom_and_quotes_what_others_wrote() {
        let to = "bob@example.net".parse().expect("an address");
        let mail = Mail::invitation(to, "<b>A & B</b>", "https://grc.example.com/auth/callback?invite=abc", 7);
        assert!(mail.text.contains("with <b>A & B</b> on") && mail.text.contains("\nhttps://grc.example.com/"));
        assert!(mail.html.contains("with &lt;b&gt;A &amp; B&lt;/b&gt; on") && !mail.html.contains("<b>"));
        assert!(mail.text.contains("once and for 7 days") && mail.html.contains("once and for 7 days"));
        assert_eq!(mail.subject, "You are invited to Defendable");
    }

    #[tokio::test]
    async fn a_mail_reaches_the_server_in_both_forms() {
        let (url, heard) = server("250 ok").await;
        let smtp = Smtp::new(&url, "Defendable <sign-in@grc.example.com>").expect("a mailer");
        assert!(smtp.is_configured());
        smtp.send(sign_in()).await.expect("is taken");
        drop(smtp);
        let heard = heard.await.expect("a conversation");
        for part in [
            "MAIL FROM:<sign-in@grc.example.com>",
            "RCPT TO:<ada@example.com>",
            "From: Defendable <sign-in@grc.example.com>",
            "To: ada@example.com",
            "Subject: Sign in to Defendable",
            "Date: ",
            "@grc.example.com>",
            "multipart/alternative",
            "text/plain",
            "text/html",
        ] {
            assert!(heard.contains(part), "{part} is not in {heard}");
        }
    }

    #[tokio::test]
    async fn a_mail_that_the_server_refuses_is_an_error() {
        let (url, _heard) = server("550 no such user").await;
        let smtp = Smtp::new(&url, "sign-in@example.com").expect("a mailer");
        assert!(matches!(smtp.send(sign_in()).await, Err(MailError::Server(_))));
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let url = format!("smtp://{}", listener.local_addr().expect("an address"));
        drop(listener);
        let smtp = Smtp::new(&url, "sign-in@example.com").expect("a mailer");
        assert!(matches!(smtp.send(sign_in()).await, Err(MailError::Server(_))));
    }

    #[tokio::test]
    async fn without_a_server_every_mail_is_refused() {
        assert!(!Unconfigured.is_configured());
        assert!(matches!(Unconfigured.send(sign_in()).await, Err(MailError::Unconfigured)));
    }

    #[test]
    fn a_setting_that_cannot_work_is_refused_at_start() {
        assert!(matches!(Smtp::new("mail.example.com", "a@example.com"), Err(MailError::Url(_))));
        assert!(matches!(Smtp::new("http://mail.example.com", "a@example.com"), Err(MailError::Url(_))));
        assert!(matches!(Smtp::new("smtps://mail.example.com", "nobody"), Err(MailError::Address)));
    }
}
