//! Which mounts the session cookies of which mounts come to. A client sends a cookie to every path below its own (RFC 6265
//! section 5.1.4), whatever is mounted there, and takes one for any path from whoever answers (section 5.3).
//!
//! Made once with the house; asked for each `Cookie` that is forwarded and each `Set-Cookie` that comes back. Must never let a
//! session come to a backend, or a backend's cookie to a mount that would take it for a session.

use auth::path::{below_mount, normalise};

use crate::h1::trim;
use crate::house::Mount;

/// The path of cookies that clients send everywhere.
const HOST: &str = "/";

/// The longest value of an attribute that clients look at, in bytes (RFC 6265bis section 5.6).
const LONGEST_PATH: usize = 1_024;

/// The session cookies of all mounts.
pub(crate) struct SessionCookies(Vec<SessionCookie>);

/// A name that counts below a path.
#[derive(PartialEq, Eq)]
struct SessionCookie {
    name: Box<str>,
    path: Box<str>,
}

impl SessionCookies {
    /// Those of these mounts.
    pub(crate) fn of<'m>(mounts: impl IntoIterator<Item = &'m Mount>) -> Self {
        let mut all = Self(Vec::new());
        for Mount { path, dialect, .. } in mounts {
            all.add(dialect.session_cookie(), path);
            for name in dialect.cookies_of_the_host() {
                all.add(name, HOST);
            }
        }
        all
    }

    fn add(&mut self, name: &str, path: &str) {
        let cookie = SessionCookie { name: Box::from(name), path: Box::from(path) };
        if !name.is_empty() && !self.0.contains(&cookie) {
            self.0.push(cookie);
        }
    }

    /// The names of those that clients send to a mount: its own, and those of mounts whose paths enclose its path.
    pub(crate) fn sent_to(&self, mount: &str) -> Vec<Box<str>> {
        let sent = self.0.iter().filter(|cookie| below_mount(mount, &cookie.path).is_some());
        let mut names: Vec<_> = sent.map(|cookie| cookie.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Whether a backend's `Set-Cookie`, in an answer to a request for the path `asked`, could make a client show some mount what
    /// that mount takes for a session. Where clients read such a field differently, each of the readings counts. `Domain` is not
    /// looked at: this host is in every domain that a client lets it set cookies for.
    pub(crate) fn could_be_set_by(&self, set_cookie: &[u8], asked: &str) -> bool {
        let mut pieces = set_cookie.split(|&byte| byte == b';').map(halves);
        let (name, _) = pieces.next().unwrap_or_default();
        let name = visible(name);
        // Browsers send a cookie without a name as its bare value, which can look like ours (RFC 6265bis section 5.6).
        if name.is_empty() {
            return true;
        }
        if !self.0.iter().any(|cookie| cookie.name.as_bytes() == name) {
            return false;
        }
        let (mut is_stated, mut is_clear) = (false, true);
        for (attribute, path) in pieces.filter(|(attribute, _)| is_path(visible(attribute))) {
            let readings = [path, visible(path), unquoted(visible(path))];
            if readings.iter().any(|path| path.starts_with(b"/") && self.has_within_reach(name, path)) {
                return true;
            }
            // What does not begin with a slash is no path (RFC 6265 section 5.2.4), nor is what is too long.
            is_stated = true;
            is_clear &= is_path(attribute) && path.starts_with(b"/") && path.len() <= LONGEST_PATH;
        }
        !(is_stated && is_clear) && self.has_within_reach(name, default_path(asked).as_bytes())
    }

    /// Whether some request of a mount that has a session cookie of this name would come with a cookie of this path.
    fn has_within_reach(&self, name: &[u8], path: &[u8]) -> bool {
        // No request whose path begins so is let in.
        let Ok(path) = normalise(path) else { return true };
        let path = match path.trim_end_matches('/') {
            "" => HOST,
            path => path,
        };
        let meets = |own: &str| below_mount(own, path).is_some() || below_mount(path, own).is_some();
        self.0.iter().any(|cookie| cookie.name.as_bytes() == name && meets(&cookie.path))
    }
}

/// The path of a cookie without one (RFC 6265 section 5.1.4): up to the last slash of what was asked for.
fn default_path(asked: &str) -> &str {
    match asked.rfind('/') {
        None | Some(0) => HOST,
        Some(last) => &asked[..last],
    }
}

/// Name and value of a piece.
fn halves(piece: &[u8]) -> (&[u8], &[u8]) {
    let at = piece.iter().position(|&byte| byte == b'=').unwrap_or(piece.len());
    (trim(&piece[..at]), trim(piece.get(at + 1..).unwrap_or_default()))
}

fn is_path(attribute: &[u8]) -> bool {
    attribute.eq_ignore_ascii_case(b"path")
}

/// Without the quotes that some clients take off.
fn unquoted(text: &[u8]) -> &[u8] {
    match text {
        [b'"', inner @ .., b'"'] => inner,
        text => text,
    }
}

/// Without what is no visible ASCII at its ends: some clients trim every blank of Unicode.
fn visible(text: &[u8]) -> &[u8] {
    let Some(first) = text.iter().position(u8::is_ascii_graphic) else { return &[] };
    let last = text.iter().rposition(u8::is_ascii_graphic).unwrap_or(first);
    &text[first..=last]
}

#[cfg(test)]
#[path = "session_cookies_tests.rs"]
mod tests;
