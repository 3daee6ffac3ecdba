//! An answer that the gateway gives itself. Made by destinations and dialects, written by the way's answer step.

use std::borrow::Cow;
use std::time::Duration;

/// An answer of our own: small, whole, in memory.
#[derive(Debug)]
pub struct Answer {
    status: u16,
    fields: Vec<(Cow<'static, str>, String)>,
    body: Vec<u8>,
    /// How long anybody may keep it; nobody may where there is nothing.
    kept: Option<Duration>,
}

impl Answer {
    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, fields: Vec::new(), body: Vec::new(), kept: None }
    }

    /// An answer with this body of this media type.
    #[must_use]
    pub fn with_body(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self {
            status,
            fields: vec![(Cow::Borrowed("Content-Type"), content_type.to_owned())],
            body,
            kept: None,
        }
    }

    /// The same answer, which is for everybody and which everybody may keep for so long, in whole seconds (RFC 9111 section
    /// 5.2.2). Others are about one client at one time, and nobody keeps them.
    #[must_use]
    pub fn kept_by_everybody(self, time: Duration) -> Self {
        Self { kept: Some(time), ..self }
    }

    /// Adds a field. A value that is not a field value (RFC 9110 section 5.5) is left out: what we answer may never
    /// become a second answer.
    #[must_use]
    pub fn field(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        debug_assert!(crate::h1::is_token(name.as_bytes()));
        if crate::h1::is_field_value(value.as_bytes()) {
            self.fields.push((name, value));
        }
        self
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The fields, in order, without those that the answer step adds.
    #[must_use]
    pub fn fields(&self) -> Vec<(&str, &str)> {
        self.fields.iter().map(|(name, value)| (&**name, &**value)).collect()
    }

    /// What `Cache-Control` says of it (security.md row 31).
    pub(crate) fn cache_control(&self) -> String {
        match self.kept {
            None => "no-store".to_owned(),
            Some(time) => format!("public, max-age={}", time.as_secs()),
        }
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether the status allows a body at all: after a 204 or a 304, the next bytes are the next answer (RFC 9112
    /// section 6.3).
    pub(crate) fn may_have_body(&self) -> bool {
        !matches!(self.status, 204 | 304)
    }
}

/// The reason phrase of a status code; nobody reads it, every HTTP/1.1 answer has one.
#[must_use]
pub const fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        303 => "See Other",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asvs_31_nobody_keeps_an_answer_that_does_not_say_so() {
        assert_eq!(Answer::empty(200).cache_control(), "no-store");
        let kept = Answer::empty(200).kept_by_everybody(Duration::from_millis(300_999));
        assert_eq!(kept.cache_control(), "public, max-age=300");
    }

    #[test]
    fn a_value_cannot_become_a_second_answer() {
        let answer = Answer::empty(200).field("X-A", "a\r\nSet-Cookie: b=c").field("X-B", "b");
        assert_eq!(answer.fields(), [("X-B", "b")]);
    }
}
