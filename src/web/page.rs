//! The frame of every page: its head, its headers, and text made safe to show.

use crate::http::error::{Code, Problem, Surface};
use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use std::fmt;

/// The one style sheet.
pub(super) const STYLE: &str = include_str!("assets/app.css");
const FRAME: &str = include_str!("assets/frame.html");

/// What a page may do: show itself with our style sheet, and send its forms to us.
const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; \
                      base-uri 'none'";

/// A page.
#[derive(Debug)]
pub struct Page {
    /// The status it is answered with.
    pub status: StatusCode,
    /// What it says first; also the window's title. Plain text.
    pub title: &'static str,
    /// The rest, as HTML: texts from elsewhere go through [`Text`].
    pub body: String,
}

impl Page {
    /// A page that shows something.
    pub fn new(title: &'static str, body: impl Into<String>) -> Self {
        Self { status: StatusCode::OK, title, body: body.into() }
    }

    /// A page that says why not, and what to do next (as HTML).
    pub fn refused(problem: &Problem, next: &str) -> Self {
        let title = match problem.code() {
            Code::Unauthorized => "This link no longer works",
            Code::RateLimited => "Too many attempts",
            Code::Forbidden => "That did not come from here",
            Code::Internal | Code::Unavailable => "That did not work, and it is our fault",
            _ => "That did not work",
        };
        let why = match problem.code() {
            Code::Unauthorized => {
                "A link works once and for a while: half an hour to sign in, longer for an invitation."
            }
            _ => problem.detail(),
        };
        let body = format!("<p>{}</p>\n<p class=\"muted\">{next}</p>", Text(why));
        Self { status: problem.code().status(Surface::Grc), title, body }
    }

    /// The answer.
    ///
    /// Its `Referrer-Policy` lets a form name its origin to us, by which we know our own pages' requests; to others,
    /// nothing is told.
    pub fn answer(&self) -> HttpResponse {
        HttpResponse::build(self.status)
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((header::REFERRER_POLICY, "same-origin"))
            .body(FRAME.replace("{title}", &Text(self.title).to_string()).replace("{body}", &self.body))
    }
}

/// Plain text, written so that HTML shows it as it is, also in an attribute.
#[derive(Debug)]
pub struct Text<'a>(pub &'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| match letter {
            '&' => out.write_str("&amp;"),
            '<' => out.write_str("&lt;"),
            '>' => out.write_str("&gt;"),
            '"' => out.write_str("&quot;"),
            '\'' => out.write_str("&#39;"),
            letter => fmt::Write::write_char(out, letter),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_become_markup() {
        assert_eq!(Text(r#""><script a='1'>&amp;"#).to_string(), "&quot;&gt;&lt;script a=&#39;1&#39;&gt;&amp;amp;");
        assert_eq!(Text("Zoë {title}").to_string(), "Zoë {title}");
    }
}
