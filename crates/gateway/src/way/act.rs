//! Step 7, act: forwards the request to its backend, or performs an operation of our own. Spends the permission.

use std::sync::Arc;

use auth::permission::Method;
use auth::trust::{Authenticated, Authorized, Permit};
use auth::{Reason, SignFault};

use super::accept::Wire;
use super::authorize::{Allowed, Forward, Perform, note_denial};
use super::clean::{Clean, METHODS};
use super::route::Through;
use crate::answer::Answer;
use crate::cookies;
use crate::dialect::Visit;
use crate::forward_auth::vouch;
use crate::h1::Known;
use crate::house::{Backends, House, Mounted};
use crate::identity;
use crate::identity_token::IdentityToken;
use crate::query;
use crate::refusal::{Refusal, Stop};
use crate::upstream::{self, Answered, UpstreamFault};

/// Who we say we are in `Via`. Our version is nobody's business (security.md row 119).
pub(super) const VIA: &[u8] = b"Via: 1.1 doorward\r\n";

/// What was done.
pub(crate) enum Acted<'h> {
    /// We answer.
    Own(Answer),
    /// The backend has begun to answer.
    Backend(Box<Answered<'h>>),
}

/// Does what was allowed.
pub(super) async fn act<'h>(
    house: &'h House,
    allowed: Allowed<'_>,
    wire: &mut Wire<'_>,
) -> Result<Acted<'h>, Stop> {
    match allowed {
        Allowed::Forward(authorized) => {
            let (action, permit) = authorized.spend();
            match action.through {
                Through::Us(backends) => forward(house, &action, &permit, backends, wire).await,
                Through::Asker => Ok(Acted::Own(vouch(house, &action, &permit)?)),
            }
        }
        Allowed::Perform(authorized) => perform(house, authorized, wire).await.map(Acted::Own),
    }
}

async fn perform(
    house: &House,
    authorized: Authorized<Perform<'_>>,
    wire: &mut Wire<'_>,
) -> Result<Answer, Stop> {
    let (Perform { clean, below, own, .. }, permit) = authorized.spend();
    let who = permit.caller().known().map(Authenticated::identity);
    let body = wire.client.read_whole(&mut wire.body, own.body_limit()).await?;
    // Who sends his head and keeps his body back may have been shut out meanwhile.
    let now = house.kernel.clock().now();
    let permit = permit.renewed(&house.kernel.directory().present(), now).map_err(|reason| {
        note_denial(house, clean, who.as_ref(), &reason);
        Refusal::from(reason)
    })?;
    let visit = Visit { request: clean, below, body };
    own.perform(visit, permit).await.map_err(|refusal| {
        // Operations have rules beyond the permissions on their path: whose record it is, how lately he logged in. And at a public
        // door nobody has looked at the credentials before; of those that have a name in them the kernel tells.
        if let Refusal::Auth(
            reason @ (Reason::Forbidden
            | Reason::NotRecent
            | Reason::NoCredentials
            | Reason::MalformedCredentials(_)),
        ) = &refusal
        {
            note_denial(house, clean, who.as_ref(), reason);
        }
        refusal.into()
    })
}

async fn forward<'h>(
    house: &'h House,
    action: &Forward<'_>,
    permit: &Permit,
    backends: &Backends,
    wire: &mut Wire<'_>,
) -> Result<Acted<'h>, Stop> {
    let clean = action.clean;
    if clean.method() == Method::Options && hops_left(clean) == Some(0) {
        return Ok(Acted::Own(Answer::empty(204).field("Allow", METHODS)));
    }
    let mut head = wire.client.scratch();
    write_head(house, action, permit, backends, &mut head)?;
    // Safe methods may be asked again where the backend's connection died before a byte of its answer (RFC 9110 9.2.2).
    let forward = upstream::Forward {
        head: &head,
        idempotent: !matches!(clean.method(), Method::Post | Method::Patch),
        head_request: clean.method() == Method::Head,
        // The client's credentials do not go to the backend, so none of them can bind a connection to it.
        binds_connection: false,
        body_limit: u64::MAX,
        bodiless: action.mount.dialect.is_bodiless(clean.method()),
        trailers: &*house.trailers,
    };
    let clock = &**house.kernel.clock();
    let mut fault = UpstreamFault::Saturated;
    for (member, upstream) in backends.order(clock) {
        match upstream::exchange(wire.client, &mut wire.body, wire.pool, upstream, forward).await {
            Ok(answered) => {
                wire.client.keep_scratch(head);
                return Ok(Acted::Backend(Box::new(answered)));
            }
            // Nothing was sent: the next one may be asked, whatever the method.
            Err(UpstreamFault::Unreachable(why)) => {
                backends.shun(member, clock);
                fault = UpstreamFault::Unreachable(why);
            }
            Err(UpstreamFault::Saturated) => fault = UpstreamFault::Saturated,
            Err(other) => return Err(other.into()),
        }
    }
    Err(fault.into())
}

/// The signed word about who asks, for a backend that gets one.
///
/// # Errors
/// Where nothing can be signed: a backend that is used to be told never takes a request for one of nobody.
pub(crate) fn identity_token(
    house: &House,
    identity: &IdentityToken,
    known: &Authenticated,
) -> Result<Arc<str>, Refusal> {
    let directory = house.kernel.directory().present();
    let now = house.kernel.clock().now();
    house.signatory.identity_token(known, &directory, identity.audience(), now).map_err(|fault| {
        Refusal::Internal(match fault {
            SignFault::NoKeys => "identity token: there are no signing keys",
            SignFault::Unreadable(_) => "identity token: the signing key cannot be read",
            SignFault::System => "identity token: the system could not sign",
            SignFault::TooLong(_) => "identity token: too long for a header field",
        })
    })
}

fn hops_left(clean: &Clean<'_>) -> Option<u32> {
    std::str::from_utf8(clean.only(Known::MaxForwards)?).ok()?.parse().ok()
}

/// Writes the request as the backend will see it, without framing: what the client sent, less what was removed, then
/// what only we may say.
///
/// # Errors
/// Where what only we may say cannot be said.
fn write_head(
    house: &House,
    action: &Forward<'_>,
    permit: &Permit,
    backends: &Backends,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let directory = house.kernel.directory().present();
    let known = permit.caller().known();
    let token = match (action.identity, known) {
        (Some(identity), Some(known)) => Some((identity, identity_token(house, identity, known)?)),
        _ => None,
    };
    let Forward { clean, mount, below, .. } = action;
    out.extend_from_slice(clean.method().as_str().as_bytes());
    out.push(b' ');
    let path = if mount.strip { below } else { clean.path() };
    write_target(path, clean.query(), mount.dialect.credential_parameters(), out);
    out.extend_from_slice(b" HTTP/1.1\r\n");
    // HTTP/1.1 cannot do without (RFC 9112 section 3.2); a client of HTTP/1.0 that names no host asks for whatever is there.
    let host = clean.asked_host().unwrap_or_else(|| backends.authority());
    field(out, b"Host", host.as_bytes());
    write_fields(clean, mount, directory.asserting_fields(), out);
    if clean.head.lists(Known::Te, b"trailers") {
        out.extend_from_slice(b"TE: trailers\r\nConnection: TE\r\n");
    }
    write_forwarded(clean, out);
    if let Some(known) = known {
        let mut tell = |name: &str, value: &str| tell(out, name, value);
        mount.dialect.identify(known, &mut tell);
    }
    if let Some((identity, token)) = token {
        identity.write(&token, out);
    }
    out.extend_from_slice(VIA);
    Ok(())
}

/// Writes path and query, less the credentials in the query: they were for us (security.md row 16). A query that held
/// nothing else goes with its `?`.
fn write_target(path: &str, query: Option<&[u8]>, credentials: &[&str], out: &mut Vec<u8>) {
    out.extend_from_slice(path.as_bytes());
    if let Some(query) = query {
        let before = out.len();
        out.push(b'?');
        if !query::without_credentials(query, credentials, out) {
            out.truncate(before);
        }
    }
}

/// Copies the client's fields that survived, less the credentials: they were for us.
fn write_fields(clean: &Clean<'_>, mount: &Mounted, asserting: &[Box<str>], out: &mut Vec<u8>) {
    let credentials = mount.dialect.credential_fields();
    let is_sessions = |cookie: &[u8]| mount.session_cookies.iter().any(|name| name.as_bytes() == cookie);
    let is_bodiless = mount.dialect.is_bodiless(clean.method());
    for one in clean.fields() {
        if !asserting.is_empty() && asserting.iter().any(|name| identity::is_spelled_as(one.name, name)) {
            continue;
        }
        if credentials.iter().any(|name| identity::is_spelled_as(one.name, name)) {
            continue;
        }
        match one.known {
            Known::Host | Known::Authorization | Known::XApiKey => {}
            Known::Expect if is_bodiless || !clean.head.expects_continue() => {}
            Known::Other if one.name.eq_ignore_ascii_case(b"apikey") => {}
            Known::MaxForwards if clean.method() == Method::Options => {
                if let Some(hops) = hops_left(clean) {
                    field(out, one.name, hops.saturating_sub(1).to_string().as_bytes());
                }
            }
            Known::Cookie => {
                let before = out.len();
                out.extend_from_slice(one.name);
                out.extend_from_slice(b": ");
                if cookies::without(one.value, is_sessions, out) {
                    out.extend_from_slice(b"\r\n");
                } else {
                    out.truncate(before);
                }
            }
            _ => field(out, one.name, one.value),
        }
    }
}

/// Tells the backend who asked us, over what, and for which host; the hops before a trusted proxy as it told them.
fn write_forwarded(clean: &Clean<'_>, out: &mut Vec<u8>) {
    use std::io::Write as _;

    out.extend_from_slice(b"X-Forwarded-For: ");
    if clean.peer_trusted() {
        for hops in clean.head.values(Known::XForwardedFor).filter(|hops| !hops.is_empty()) {
            out.extend_from_slice(hops);
            out.extend_from_slice(b", ");
        }
    }
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{}", clean.peer.address.ip().to_canonical());
    let proto: &[u8] = if clean.secure() { b"https" } else { b"http" };
    out.extend_from_slice(b"\r\nX-Forwarded-Proto: ");
    out.extend_from_slice(proto);
    out.extend_from_slice(b"\r\n");
    if let Some(host) = clean.host() {
        field(out, b"X-Forwarded-Host", host.as_bytes());
    }
}

pub(super) fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Writes an identity field.
fn tell(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    show(value, out);
    out.extend_from_slice(b"\r\n");
}

/// What an identity field says of this.
pub(crate) fn shown(value: &str) -> String {
    let mut out = Vec::new();
    show(value, &mut out);
    // Visible ASCII, and blanks within.
    String::from_utf8(out).unwrap_or_default()
}

/// Writes the value of an identity field. Names may be any text: bytes that no field value can hold, or that a reader would
/// trim off, are percent-encoded, so that no name becomes another header or another name (security.md case 27).
fn show(value: &str, out: &mut Vec<u8>) {
    let last = value.len().saturating_sub(1);
    for (at, &byte) in value.as_bytes().iter().enumerate() {
        match byte {
            0x21..=0x24 | 0x26..=0x7e => out.push(byte),
            b' ' if at != 0 && at != last => out.push(byte),
            _ => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                out.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use auth::KeyText;

    use super::*;

    #[test]
    fn asvs_16_the_backend_sees_no_credential_of_the_query() {
        let target = |query: Option<&str>| {
            let mut out = Vec::new();
            write_target("/api/x", query.map(str::as_bytes), &["apiKey"], &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(target(Some("apiKey=CANARY")), "/api/x");
        assert_eq!(target(Some("a=%20+1&api%4Bey=CANARY&apikey=b")), "/api/x?a=%20+1&apikey=b");
        // Where no dialect reads keys from the query, what is one in each of its bytes' spellings.
        let elsewhere = |query: &str| {
            let mut out = Vec::new();
            write_target("/x", Some(query.as_bytes()), &[], &mut out);
            String::from_utf8(out).unwrap()
        };
        let key = KeyText::from_random(&[0xa5; 32]).expose().to_owned();
        for name in ["apiKey", "apikey", "APIKEY", "api%4bey"] {
            let spelled = key.replace('d', "%64");
            assert_eq!(elsewhere(&format!("{name}={key}")), "/x");
            assert_eq!(
                elsewhere(&format!("a&{name}={spelled}&b=1&{name}=mine")),
                format!("/x?a&b=1&{name}=mine")
            );
        }
        for own in ["apiKey=b&c", "apiKey", "apiKey=dwk", "key=dwk_1", "a=apiKey=dwk_1", "q=dwk_1"] {
            assert_eq!(elsewhere(own), format!("/x?{own}"));
        }
        // What held no credential stays as it came, an empty query included.
        assert_eq!(target(Some("")), "/api/x?");
        assert_eq!(target(None), "/api/x");
    }

    #[test]
    fn case_27_no_name_becomes_another_header() {
        proptest::proptest!(|(value in "\\PC*|[\\x00-\\x7f]*")| {
            let mut out = Vec::new();
            tell(&mut out, "x-user", &value);
            proptest::prop_assert!(crate::h1::is_field_value(&out[8..out.len() - 2]));
            proptest::prop_assert_eq!(out.iter().filter(|&&b| b == b'\n').count(), 1);
        });
    }
}
