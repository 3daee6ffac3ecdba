//! Step 8, answer: writes our own answer or relays the backend's, and says whether the connection can go on. Decides
//! nothing: what is answered was settled before.

use super::accept::{Peer, Wire};
use super::act::{self, Acted, VIA};
use super::authenticate::Settled;
use super::clean::Clean;
use super::record::Record;
use crate::answer::{Answer, phrase};
use crate::h1::{Client, HeadFault, Known, ResponseHead, Reuse, members};
use crate::house::{House, Mount};
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
    /// `Set-Cookie` only.
    fn write(&self, mount: Option<&Mount>, out: &mut Vec<u8>) {
        if let (Some(clean), Some(mount)) = (self.clean, mount) {
            let mut field = |name: &str, value: &str| act::field(out, name.as_bytes(), value.as_bytes());
            mount.dialect.settle(clean, &self.settled, &mut field);
        }
    }
}

/// Sends the answer.
pub(super) async fn send(
    house: &House,
    told: &Told<'_>,
    acted: Result<Acted, Stop>,
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
    write_own(answer, head_only, &house.date(), connection, &mut out, |out| told.write(record.mount, out));
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
    answered: Answered,
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
/// hop-by-hop fields, and less a cookie that would take the place of ours.
fn write_backends(
    house: &House,
    head: &ResponseHead,
    told: &Told<'_>,
    mount: Option<&Mount>,
    out: &mut Vec<u8>,
) {
    use std::io::Write as _;

    let _ = write!(out, "HTTP/1.1 {} ", head.status());
    out.extend_from_slice(head.reason());
    out.extend_from_slice(b"\r\n");
    told.write(mount, out);
    let session_cookie = mount.map_or("", |mount| mount.dialect.session_cookie()).as_bytes();
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
            Known::SetCookie => !sets(one.value, session_cookie),
            _ => named.is_empty() || !named.iter().any(|name| name.eq_ignore_ascii_case(one.name)),
        };
        if passes {
            act::field(out, one.name, one.value);
        }
    }
    // Whoever has a clock and forwards an answer without a date adds one (RFC 9110 section 6.6.1).
    if !dated {
        act::field(out, b"Date", house.date().as_bytes());
    }
    out.extend_from_slice(VIA);
}

fn sets(value: &[u8], cookie: &[u8]) -> bool {
    let name = value.split(|&b| b == b'=' || b == b';').next().unwrap_or_default();
    let name = crate::h1::trim(name);
    // Browsers send a cookie without a name as its bare value, which can look like ours (RFC 6265bis section 5.6).
    name.is_empty() || name == cookie
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
