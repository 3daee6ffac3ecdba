//! The signed word about who asks, for backends that verify it themselves: to which backends it goes, in which field.
//!
//! Made by the wiring of the settings, written by the way's act step. Must never hold a token: who signs remembers them.

use auth::Audience;

/// What carries credentials everywhere; a token in it is written as RFC 6750 section 2.1 has it.
const AUTHORIZATION: &str = "Authorization";

/// That backends are told who it is in a signed token, for whom it is signed, and in which field it stands.
#[derive(Clone, Debug)]
pub struct IdentityToken {
    field: Box<str>,
    audience: Audience,
    is_for_askers: bool,
}

/// What a route says of the mount's identity token.
#[derive(Clone, Debug, Default)]
pub enum RouteIdentity {
    /// Nothing: what the mount has.
    #[default]
    AsMount,
    /// Its backends get none.
    Off,
    /// Its backends get this one.
    Token(IdentityToken),
}

impl IdentityToken {
    /// A token for `audience` in this field: `Authorization` says `Bearer` before it, any other holds it alone.
    #[must_use]
    pub fn new(field: &str, audience: Audience) -> Self {
        Self { field: Box::from(field), audience, is_for_askers: false }
    }

    /// The same, which proxies get as well that ask about a request for such a backend.
    #[must_use]
    pub fn for_askers(self, is_for_askers: bool) -> Self {
        Self { is_for_askers, ..self }
    }

    /// Whether proxies get it that ask.
    pub(crate) fn is_for_askers(&self) -> bool {
        self.is_for_askers
    }

    /// The field's name.
    pub(crate) fn field(&self) -> &str {
        &self.field
    }

    /// For whom it is signed.
    pub(crate) fn audience(&self) -> &Audience {
        &self.audience
    }

    /// The field's name, where no client may send a field of this name. `None` for the one that clients show their own
    /// credentials in: no backend gets that from them anyway.
    pub(crate) fn own_name(&self) -> Option<&str> {
        (!self.is_authorization()).then_some(&*self.field)
    }

    /// Writes the field.
    pub(crate) fn write(&self, token: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(self.field.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(self.scheme().as_bytes());
        // Three runs of base64url with dots between them (RFC 7515 section 7.1).
        out.extend_from_slice(token.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// The field's value.
    pub(crate) fn value(&self, token: &str) -> String {
        format!("{}{token}", self.scheme())
    }

    fn scheme(&self) -> &'static str {
        if self.is_authorization() { "Bearer " } else { "" }
    }

    fn is_authorization(&self) -> bool {
        self.field.eq_ignore_ascii_case(AUTHORIZATION)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn in_field(field: &str) -> IdentityToken {
        IdentityToken::new(field, Audience::new("a", Duration::from_secs(60)).unwrap())
    }

    #[test]
    fn authorization_says_bearer_and_others_hold_the_token_alone() {
        for (field, line) in
            [("Authorization", "Authorization: Bearer a.b.c\r\n"), ("X-Who", "X-Who: a.b.c\r\n")]
        {
            let mut out = Vec::new();
            in_field(field).write("a.b.c", &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), line);
        }
    }

    #[test]
    fn the_field_is_ours_alone_unless_clients_need_it() {
        assert_eq!(in_field("authorization").own_name(), None);
        assert_eq!(in_field("X-Who").own_name(), Some("X-Who"));
    }
}
