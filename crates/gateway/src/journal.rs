//! What is written down of a request. The sink is the binary's; it may drop a line, it may not fail or hold a request.

use std::net::IpAddr;
use std::time::Duration;

/// One request, answered.
#[derive(Debug)]
pub struct RequestLine<'a> {
    /// The method as sent.
    pub method: &'a str,
    /// The path as sent, without the query (credentials travel in queries). Bytes that are not UTF-8 are replaced.
    pub path: &'a str,
    /// The client's address.
    pub client: IpAddr,
    /// The status code; 0 where the client left before one was sent.
    pub status: u16,
    /// The mount, if it reached one.
    pub mount: Option<&'a str>,
    /// What was done: `forward`, `session.create` …
    pub action: &'static str,
    /// The user's id, if he was known.
    pub user: Option<&'a str>,
    /// The session's public id, if he came with one.
    pub session: Option<auth::SessionId>,
    /// The API key's public id, if he came with one.
    pub key: Option<auth::KeyId>,
    /// Why not, if not.
    pub reason_id: Option<&'static str>,
    /// More about why not.
    pub detail: Option<&'a str>,
    /// Bytes of the request's body that were forwarded.
    pub bytes_up: u64,
    /// Bytes of the answer's body.
    pub bytes_down: u64,
    /// From the whole head to the end of the answer.
    pub took: Duration,
}

impl RequestLine<'static> {
    /// The line for a head that could not be read: nothing of it is repeated.
    pub(crate) fn unreadable(client: IpAddr, status: u16, reason_id: &'static str) -> Self {
        Self {
            method: "-",
            path: "-",
            client,
            status,
            mount: None,
            action: "refuse",
            user: None,
            session: None,
            key: None,
            reason_id: Some(reason_id),
            detail: None,
            bytes_up: 0,
            bytes_down: 0,
            took: Duration::ZERO,
        }
    }
}

/// Writes requests down.
pub trait Journal: Send + Sync {
    /// Whether lines are wanted at all; asked before one is made.
    fn wants_requests(&self) -> bool;
    /// Takes a line. Must return at once.
    fn request(&self, line: &RequestLine<'_>);
}
