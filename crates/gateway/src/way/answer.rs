//! Step 8, answer: writes our own answer or relays the backend's, and says whether the connection can go on. Decides
//! nothing: what is answered was settled before.

use super::accept::{Peer, Wire};
use super::act::{self, Acted, VIA};
use super::authenticate::Settled;
use super::clean::Clean;
use super::record::Record;
use crate::answer::{Answer, phrase};
use crate::h1::{Client, FieldRef, HeadFault, Known, ResponseHead, Reuse, members};
use crate::house::{House, Mounted};
use crate::identity;
use crate::journal::RequestLine;
use crate::refusal::{Refusal, Stop};
use crate::upstream::{self, Answered, Outcome};

/// What follows on the connection.
pub(crate) type Next = Reuse;

/// What the answer is to, and what the client is told along with it.
pub(super) struct Told<'t> {
    /// The request, if it came that far.
    pub(super) clean: Option<&'t Clean<'t>>,
    /// What became of sessions.
    pub(super) settled: Settled,
}

impl Told<'_> {
    /// Writes the fields that tell the client, in his dialect's words. Before all others: some clients read the first
    /// `Set-Cookie` only. Says whether one is among them.
    fn write(&self, mount: Option<&Mounted>, out: &mut Vec<u8>) -> bool {
        let mut sets = false;
        if let (Some(clean), Some(mount)) = (self.clean, mount) {
            let mut field = |name: &str, value: &str| {
                sets |= Known::classify(name.as_bytes()) == Known::SetCookie;
                act::field(out, name.as_bytes(), value.as_bytes());
            };
            mount.dialect.settle(clean, &self.settled, &mut field);
        }
        sets
    }
}

/// Sends the answer.
pub(super) async fn send(
    house: &House,
    told: &Told<'_>,
    acted: Result<Acted<'_>, Stop>,
    wire: Wire<'_>,
    record: &mut Record<'_>,
) -> Next {
    let answer = match acted {
        Ok(Acted::Own(answer)) => answer,
        Ok(Acted::Backend(answered)) => return relay(house, told, *answered, wire, record).await,
        Err(Stop::Gone) => {
            record.reason_id = Some("client_gone");
            wire.client.close();
            return Reuse::Close;
        }
        Err(Stop::Refused(refusal)) => {
            record.refused(&refusal);
            if refusal.ends_connection() {
                wire.client.close();
            }
            let dialect = record.mount.map_or(house.fallback(), |mount| &*mount.dialect);
            dialect.refuse(&refusal, told.clean)
        }
    };
    let head_only = record.is_head();
    own(house, told, &answer, head_only, wire, record).await
}

/// Answers a head that cannot be read, and writes that down. The connection ends after it.
pub(crate) async fn unreadable(house: &House, peer: Peer, fault: HeadFault, client: &mut Client) {
    client.close();
    let refusal = Refusal::from(fault);
    let answer = house.fallback().refuse(&refusal, None);
    let mut out = client.scratch();
    write_own(&answer, false, &house.date(), client.connection_field(), &mut out, |_| {});
    // Whether the client still listens changes nothing: the connection ends here.
    let _ = client.write(&out).await;
    if house.journal.wants_requests() {
        house.journal.request(&RequestLine::unreadable(
            peer.address.ip(),
            answer.status(),
            refusal.reason_id(),
        ));
    }
}

async fn own(
    house: &House,
    told: &Told<'_>,
    answer: &Answer,
    head_only: bool,
    wire: Wire<'_>,
    record: &mut Record<'_>,
) -> Next {
    let Wire { client, body, .. } = wire;
    record.status = answer.status();
    let mut out = client.scratch();
    let connection = client.connection_field_after(&body);
    write_own(answer, head_only, &house.date(), connection, &mut out, |out| {
        told.write(record.mount, out);
    });
    let sent = client.write(&out).await;
    client.keep_scratch(out);
    if sent.is_err() {
        return Reuse::Close;
    }
    if !head_only && answer.may_have_body() {
        record.bytes_down = answer.body().len() as u64;
    }
    client.settle(body).await
}

fn write_own(
    answer: &Answer,
    head_only: bool,
    date: &str,
    connection: &[u8],
    out: &mut Vec<u8>,
    first: impl FnOnce(&mut Vec<u8>),
) {
    use std::io::Write as _;

    // Writing to a Vec cannot fail.
    let _ = write!(out, "HTTP/1.1 {} {}\r\n", answer.status(), phrase(answer.status()));
    first(out);
    for (name, value) in answer.fields() {
        act::field(out, name.as_bytes(), value.as_bytes());
    }
    if answer.may_have_body() {
        let _ = write!(out, "Content-Length: {}\r\n", answer.body().len());
    }
    // It is data, not a page (security.md rows 31 and 103).
    act::field(out, b"Cache-Control", answer.cache_control().as_bytes());
    out.extend_from_slice(b"X-Content-Type-Options: nosniff\r\n");
    act::field(out, b"Date", date.as_bytes());
    out.extend_from_slice(connection);
    out.extend_from_slice(b"\r\n");
    if !head_only && answer.may_have_body() {
        out.extend_from_slice(answer.body());
    }
}

async fn relay(
    house: &House,
    told: &Told<'_>,
    answered: Answered<'_>,
    wire: Wire<'_>,
    record: &mut Record<'_>,
) -> Next {
    let Wire { client, body, .. } = wire;
    record.status = answered.head().status();
    let mut out = client.scratch();
    write_backends(house, answered.head(), told, record.mount, &mut out);
    let relayed = upstream::relay(client, answered, body, out).await;
    record.bytes_up = relayed.bytes_up;
    record.bytes_down = relayed.bytes_down;
    let (next, reason_id) = match relayed.outcome {
        Outcome::Complete { reuse: true } => (Reuse::Keep, None),
        Outcome::Complete { reuse: false } => (Reuse::Close, None),
        Outcome::BackendBroke => (Reuse::Close, Some("backend_broke")),
        Outcome::ClientGone => (Reuse::Close, Some("client_gone")),
    };
    record.reason_id = reason_id;
    next
}

/// Writes the head of a backend's answer as the client will see it, without framing: what the backend sent, less
/// hop-by-hop fields, cookies that some mount would take for a session's, and credentials of the client's.
fn write_backends(
    house: &House,
    head: &ResponseHead,
    told: &Told<'_>,
    mount: Option<&Mounted>,
    out: &mut Vec<u8>,
) {
    use std::io::Write as _;

    let _ = write!(out, "HTTP/1.1 {} ", head.status());
    out.extend_from_slice(head.reason());
    out.extend_from_slice(b"\r\n");
    let is_for_nobody_else = told.write(mount, out);
    let asked = told.clean.map_or("/", Clean::path);
    let credentials = mount.map_or(&[][..], |mount| mount.dialect.credential_fields());
    let named: smallvec::SmallVec<[&[u8]; 4]> = head.values(Known::Connection).flat_map(members).collect();
    let trailers = told.clean.is_some_and(|clean| clean.head.lists(Known::Te, b"trailers"));
    let mut dated = false;
    for one in head.fields() {
        dated |= one.name.eq_ignore_ascii_case(b"date");
        let passes = match one.known {
            Known::Connection
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::TransferEncoding
            | Known::ContentLength
            | Known::Te
            | Known::Upgrade => false,
            Known::Trailer => trailers,
            Known::SetCookie => !house.session_cookies.could_be_set_by(one.value, asked),
            _ if is_for_nobody_else && says_who_keeps_it(one) => false,
            Known::Other if is_old_set_cookie(one) => false,
            _ if credentials.iter().any(|name| identity::is_spelled_as(one.name, name)) => false,
            _ => named.is_empty() || !named.iter().any(|name| name.eq_ignore_ascii_case(one.name)),
        };
        if passes {
            act::field(out, one.name, one.value);
        }
    }
    // What gives somebody his session is for nobody else (security.md row 31).
    if is_for_nobody_else {
        out.extend_from_slice(b"Cache-Control: no-store\r\n");
    }
    // Whoever has a clock and forwards an answer without a date adds one (RFC 9110 section 6.6.1).
    if !dated {
        act::field(out, b"Date", house.date().as_bytes());
    }
    out.extend_from_slice(VIA);
}

/// Whether a field tells caches what they may do with the answer. For those that stand before others it has other names (RFC 9213
/// section 2.1 and what was there before it), and there they count more than `Cache-Control`.
fn says_who_keeps_it(one: FieldRef<'_>) -> bool {
    const OTHERS: [&[u8]; 5] =
        [b"expires", b"pragma", b"surrogate-control", b"edge-control", b"x-accel-expires"];
    const CACHE_CONTROL: &[u8] = b"cache-control";
    let ending = &one.name[one.name.len().saturating_sub(CACHE_CONTROL.len())..];
    ending.eq_ignore_ascii_case(CACHE_CONTROL)
        || OTHERS.iter().any(|name| one.name.eq_ignore_ascii_case(name))
}

/// `Set-Cookie2` (RFC 2965): no browser reads it, but clients in Java do, several cookies in one field.
fn is_old_set_cookie(one: FieldRef<'_>) -> bool {
    one.name.eq_ignore_ascii_case(b"set-cookie2")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_have_no_body_send_none_and_keep_their_fields() {
        for (status, has_body) in [(204, false), (304, false), (200, true), (412, true)] {
            let answer = Answer::with_body(status, "text/plain", b"BODY".to_vec()).field("ETag", "\"1f\"");
            let mut out = Vec::new();
            write_own(&answer, false, "now", b"", &mut out, |_| {});
            let text = String::from_utf8(out).unwrap();
            assert!(text.contains("\r\nETag: \"1f\"\r\n"), "{text}");
            assert_eq!(text.contains("Content-Length"), has_body, "{text}");
            assert_eq!(text.ends_with("\r\n\r\nBODY"), has_body, "{text}");
            assert_eq!(text.ends_with("\r\n\r\n"), !has_body, "{text}");
        }
    }
}
