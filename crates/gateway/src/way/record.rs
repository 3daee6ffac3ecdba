//! Step 9, record: what is written down of the request. Cannot fail it.

use std::borrow::Cow;

use auth::trust::Caller;
use auth::{KeyId, Moment, SessionId};

use super::accept::Arrived;
use super::clean::{Clean, path_of};
use crate::house::{House, Mounted};
use crate::journal::RequestLine;
use crate::refusal::Refusal;

/// What is known of the request so far.
pub(crate) struct Record<'r> {
    house: &'r House,
    arrived: &'r Arrived,
    began: Moment,
    wanted: bool,
    pub(super) mount: Option<&'r Mounted>,
    pub(super) action: &'static str,
    pub(super) status: u16,
    pub(super) reason_id: Option<&'static str>,
    pub(super) bytes_up: u64,
    pub(super) bytes_down: u64,
    detail: Option<String>,
    user: Option<Box<str>>,
    session: Option<SessionId>,
    key: Option<KeyId>,
}

impl<'r> Record<'r> {
    /// Begins the record of a request.
    pub(super) fn begin(house: &'r House, arrived: &'r Arrived) -> Self {
        let wanted = house.journal.wants_requests();
        let began = if wanted { house.kernel.clock().now() } else { Moment::default() };
        Self {
            house,
            arrived,
            began,
            wanted,
            mount: None,
            action: "refuse",
            status: 0,
            reason_id: None,
            bytes_up: 0,
            bytes_down: 0,
            detail: None,
            user: None,
            session: None,
            key: None,
        }
    }

    /// Whether an answer has no body, whatever it says: also where nothing else of the request can be trusted.
    pub(super) fn is_head(&self) -> bool {
        self.arrived.head.method() == b"HEAD"
    }

    /// Notes who asks.
    pub(super) fn known(&mut self, caller: &Caller) {
        if let Some(known) = caller.known().filter(|_| self.wanted) {
            self.user = Some(known.account().id_text.clone());
            self.session = known.session().map(|session| session.id);
            self.key = known.key().map(|compiled| compiled.key.id);
        }
    }

    /// Notes why not.
    pub(super) fn refused(&mut self, refusal: &Refusal) {
        self.reason_id = Some(refusal.reason_id());
        if self.wanted {
            self.detail = refusal.detail();
        }
    }

    /// Writes it down.
    pub(super) fn write(self, clean: Option<&Clean<'_>>) {
        if !self.wanted {
            return;
        }
        let took = self.house.kernel.clock().now().since(self.began);
        let raw = String::from_utf8_lossy(path_of(&self.arrived.head));
        let came = String::from_utf8_lossy(self.arrived.head.method());
        let method = clean.map_or(&*came, |clean| clean.method().as_str());
        self.house.journal.request(&RequestLine {
            method,
            path: &told(clean.map_or(&*raw, Clean::path)),
            client: clean.map_or_else(|| self.arrived.peer.address.ip(), Clean::client),
            status: self.status,
            mount: self.mount.map(|mount| &*mount.path),
            action: self.action,
            user: self.user.as_deref(),
            session: self.session,
            key: self.key,
            reason_id: self.reason_id,
            detail: self.detail.as_deref(),
            bytes_up: self.bytes_up,
            bytes_down: self.bytes_down,
            took,
        });
    }
}

/// A path as it is written down: without the parameters of its segments, in which clients that cannot keep cookies carry
/// session tokens (security.md row 16). `;…` stands for them.
pub(super) fn told(path: &str) -> Cow<'_, str> {
    let parameters = |segment: &str| {
        let escaped = segment.as_bytes().windows(3).position(|three| three.eq_ignore_ascii_case(b"%3b"));
        segment.find(';').into_iter().chain(escaped).min()
    };
    if path.split('/').all(|segment| parameters(segment).is_none()) {
        return Cow::Borrowed(path);
    }
    let segments = path.split('/').map(|segment| match parameters(segment) {
        Some(place) => format!("{};…", &segment[..place]),
        None => segment.to_owned(),
    });
    Cow::Owned(segments.collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asvs_16_parameters_of_a_path_are_not_written_down() {
        assert!(matches!(told("/api/collections/a%2Cb"), Cow::Borrowed(_)));
        for (path, shown) in [
            ("/api/session;jsessionid=canary", "/api/session;…"),
            ("/a;x=canary/b/c%3By=canary;z/d", "/a;…/b/c;…/d"),
            ("/%3bcanary/;canary", "/;…/;…"),
            ("/\u{e4}\u{1f980};canary", "/\u{e4}\u{1f980};…"),
        ] {
            assert_eq!(told(path), shown);
        }
    }
}
