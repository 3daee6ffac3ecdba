//! One connection to one server: binds and searches, each within its time.
//!
//! Made by `server.rs`. Must never bind with an empty name or an empty password, follow a referral, or live on after it was
//! dropped.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ldap3::asn1::PL;
use ldap3::controls::{Control, ControlType, PagedResults, RawControl};
use ldap3::{DerefAliases, Ldap, LdapError, LdapResult, Scope, SearchOptions};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use super::entry::Entry;
use super::fault::{Fault, FaultKind};
use super::relay::{Line, relay};
use super::transport::{Channel, Secured};
use super::{MOST_AT_ONCE, MOST_PAGES, MOST_SEARCH_BYTES, PAGE};
use crate::words::policy::POLICY_CONTROL;
use crate::words::verdicts::said;

/// Result codes (RFC 4511 appendix A).
const SIZE_LIMIT_EXCEEDED: u32 = 4;
const BUSY: u32 = 51;
const UNAVAILABLE: u32 = 52;

/// One connection. Closed when dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    ldap: Ldap,
    driver: AbortHandle,
    line: Arc<Line>,
    certificate: Option<Vec<u8>>,
    /// It did not answer, and is not to be used any more.
    is_spent: AtomicBool,
    /// A server keeps the place of one paged search per connection.
    paging: Mutex<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // It may be in the middle of a write that the server never takes.
        self.driver.abort();
    }
}

/// What is searched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search<'a> {
    pub(crate) base: &'a str,
    pub(crate) scope: Scope,
    pub(crate) filter: &'a str,
    pub(crate) attributes: &'a [&'a str],
    /// Entries that are wanted at the most. With more, [`Found::is_cut`] says so.
    pub(crate) most: usize,
}

/// What a search found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) entries: Vec<Entry>,
    /// There is more.
    pub(crate) is_cut: bool,
    /// How the server ended it; success where it was cut.
    pub(crate) result: LdapResult,
}

impl<'a> Search<'a> {
    /// Something easy of the same part of the directory: whether its base is there. A server whose database hangs does not
    /// answer that, either.
    fn easy(self) -> Self {
        Self { scope: Scope::Base, filter: "(objectClass=*)", attributes: &["1.1"], most: 1, ..self }
    }
}

impl Connection {
    /// Has the office drive it.
    pub(crate) fn over(secured: Secured, office: &Handle) -> Self {
        let Secured { channel, certificate, driven, ldap, reader } = secured;
        let line = Arc::new(Line::default());
        let seen = Arc::clone(&line);
        let driver = office.spawn(auth::breathing(async move {
            // How it ended is told to those who wait for an answer. One task: when ldap3 panics, the relay ends, too.
            let _ = match channel {
                Channel::Plain(server) => tokio::join!(driven.drive(), relay(server, reader, &seen)),
                Channel::Tls(server) => tokio::join!(driven.drive(), relay(server, reader, &seen)),
            };
        }));
        let (driver, is_spent) = (driver.abort_handle(), AtomicBool::new(false));
        Self { ldap, driver, line, certificate, is_spent, paging: Mutex::new(()) }
    }

    /// Whether it is known to have ended, or to be of no use.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_spent.load(Ordering::Relaxed) || self.driver.is_finished()
    }

    /// It did not answer: nobody begins anything on it any more.
    pub(crate) fn give_up(&self) {
        self.is_spent.store(true, Ordering::Relaxed);
    }

    /// The server's certificate (DER), where there is TLS.
    pub(crate) fn certificate(&self) -> Option<&[u8]> {
        self.certificate.as_deref()
    }

    /// A simple bind, which replaces whoever the connection was bound as.
    ///
    /// # Errors
    /// [`Fault`], for an empty name or password without asking: that would be an anonymous bind, which servers let in.
    pub(crate) async fn bind(
        &self,
        name: &str,
        password: &str,
        limit: Duration,
    ) -> Result<LdapResult, Fault> {
        if name.is_empty() || password.is_empty() {
            return Err(Fault::new(FaultKind::Declined, "a bind without a name or a password is never sent"));
        }
        let mut ldap = self.ldap.clone();
        // A server that knows it says with its answer why somebody is not let in.
        ldap.with_controls(RawControl { ctype: POLICY_CONTROL.to_owned(), crit: false, val: None });
        let _asking = self.line.ask();
        let answered = tokio::time::timeout(limit, ldap.simple_bind(name, password)).await;
        let result = answered.map_err(|_| too_late("bind", limit))?;
        able(result.map_err(|error| self.fault(&error))?)
    }

    /// A search; in pages where the server gives no more than some at a time.
    pub(crate) async fn search(&self, search: Search<'_>, limit: Duration) -> Result<Found, Fault> {
        let ask = u32::try_from(search.most.saturating_add(1)).unwrap_or(u32::MAX).min(MOST_AT_ONCE);
        let found = self.ask(search, SearchSize::Limit(ask), limit).await?;
        if found.result.rc != SIZE_LIMIT_EXCEEDED {
            return Ok(cut(found, search.most));
        }
        if found.entries.len() > search.most || search.most < MOST_AT_ONCE as usize {
            return Ok(cut(Found { result: success(found.result), is_cut: true, ..found }, search.most));
        }
        self.search_in_pages(search, limit).await
    }

    async fn search_in_pages(&self, search: Search<'_>, limit: Duration) -> Result<Found, Fault> {
        let _one_at_a_time = self.paging.lock().await;
        let mut entries = Vec::new();
        let mut room = MOST_SEARCH_BYTES;
        let mut cookie = Vec::new();
        for _ in 0..MOST_PAGES {
            let page = self.ask(search, SearchSize::Page(cookie), limit).await?;
            let bytes: usize = page.entries.iter().map(Entry::bytes).sum();
            room = room.checked_sub(bytes).ok_or_else(too_large)?;
            entries.extend(page.entries);
            cookie = next_page(&page.result.ctrls)?;
            if cookie.is_empty() || page.result.rc != 0 || entries.len() > search.most {
                let is_cut = !cookie.is_empty();
                return Ok(cut(Found { entries, is_cut, result: page.result }, search.most));
            }
        }
        Err(Fault::new(FaultKind::Improper, format!("the server has no end of pages: {MOST_PAGES} so far")))
    }

    /// One search as the protocol knows it. The time limit is for the whole of it, and not, as ldap3's, for each entry.
    async fn ask(&self, search: Search<'_>, size: SearchSize, limit: Duration) -> Result<Found, Fault> {
        let _asking = self.line.ask();
        let mut asked = pin!(self.ask_patiently(search, size));
        let answered = match tokio::time::timeout(limit / 2, &mut asked).await {
            Ok(answered) => answered,
            Err(_) => self.wait_on(asked, search.easy(), limit).await,
        };
        let mut found = answered?;
        found.result = able(found.result)?;
        Ok(found)
    }

    /// Waits for an answer that is half too late, and asks the server something easy meanwhile: one search that takes long, of
    /// somebody's many groups perhaps, is not a server that does not answer.
    async fn wait_on(
        &self,
        mut asked: Pin<&mut impl Future<Output = Result<Found, Fault>>>,
        easy: Search<'_>,
        limit: Duration,
    ) -> Result<Found, Fault> {
        let before = self.line.heard();
        let waiting = async {
            tokio::select! {
                answered = &mut asked => answered,
                _ = self.ask_patiently(easy, SearchSize::Limit(1)) => asked.await,
            }
        };
        match tokio::time::timeout(limit - limit / 2, waiting).await {
            Ok(answered) => answered,
            Err(_) if self.line.heard() == before => Err(too_late("search", limit)),
            Err(_) => Err(Fault::new(FaultKind::Slow, format!("one search took longer than {limit:?}"))),
        }
    }

    async fn ask_patiently(&self, search: Search<'_>, size: SearchSize) -> Result<Found, Fault> {
        let mut ldap = self.ldap.clone();
        let mut options = SearchOptions::new().deref(DerefAliases::Never);
        let most = match size {
            SearchSize::Limit(most) => {
                options = options.sizelimit(i32::try_from(most).unwrap_or(i32::MAX));
                most as usize
            }
            SearchSize::Page(cookie) => {
                ldap.with_controls(PagedResults { size: PAGE, cookie });
                usize::try_from(PAGE).unwrap_or(usize::MAX)
            }
        };
        ldap.with_search_options(options);
        let Search { base, scope, filter, attributes, .. } = search;
        // Without adapters: those keep the number of every search for as long as the connection lives.
        let mut stream = ldap
            .streaming_search(base, scope, filter, attributes.to_vec())
            .await
            .map_err(|error| self.fault(&error))?;
        let mut entries = Vec::new();
        let mut room = MOST_SEARCH_BYTES;
        while let Some(found) = stream.next().await.map_err(|error| self.fault(&error))? {
            let Some(entry) = Entry::read(found) else { continue };
            if entries.len() == most {
                let why = format!("the server sent more entries than the {most} that were asked for");
                return Err(Fault::new(FaultKind::Improper, why));
            }
            room = room.checked_sub(entry.bytes()).ok_or_else(too_large)?;
            entries.push(entry);
        }
        Ok(Found { entries, is_cut: false, result: stream.finish().await })
    }

    /// Why an operation came to nothing: what the server said, where that ended the connection.
    fn fault(&self, error: &LdapError) -> Fault {
        self.line.fault().unwrap_or_else(|| Fault::of_operation(error))
    }
}

enum SearchSize {
    /// So many, and no more.
    Limit(u32),
    /// The page that this stands for; the first where it is empty.
    Page(Vec<u8>),
}

/// The cookie of the next page; empty where there is none.
fn next_page(controls: &[Control]) -> Result<Vec<u8>, Fault> {
    let page = controls.iter().find(|Control(kind, _)| matches!(kind, Some(ControlType::PagedResults)));
    let Some(Control(_, RawControl { val: Some(value), .. })) = page else { return Ok(Vec::new()) };
    // Not with ldap3's reader, which panics over what it cannot read.
    let read = || {
        let (_, tag) = ldap3::asn1::parse_tag(value).ok()?;
        let [_, cookie] = <[_; 2]>::try_from(tag.expect_constructed()?).ok()?;
        if let PL::P(cookie) = cookie.payload { Some(cookie) } else { None }
    };
    read().ok_or_else(|| Fault::new(FaultKind::Broken, "a page of a search cannot be read"))
}

fn cut(mut found: Found, most: usize) -> Found {
    if found.entries.len() > most {
        found.entries.truncate(most);
        found.is_cut = true;
    }
    found
}

fn success(result: LdapResult) -> LdapResult {
    LdapResult { rc: 0, ..result }
}

/// A server that is busy or going down is like one that does not answer.
fn able(result: LdapResult) -> Result<LdapResult, Fault> {
    match result.rc {
        BUSY | UNAVAILABLE => Err(Fault::new(FaultKind::Declined, said(&result))),
        _ => Ok(result),
    }
}

fn too_large() -> Fault {
    Fault::new(FaultKind::TooLarge, format!("a search found more than {MOST_SEARCH_BYTES} bytes"))
}

fn too_late(what: &str, limit: Duration) -> Fault {
    Fault::new(FaultKind::TooLate, format!("no answer to a {what} within {limit:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn controls(value: Option<&[u8]>) -> Vec<Control> {
        let value = value.map(<[u8]>::to_vec);
        let raw = RawControl { ctype: "1.2.840.113556.1.4.319".to_owned(), crit: false, val: value };
        vec![Control(Some(ControlType::PagedResults), raw)]
    }

    #[test]
    fn the_next_page_is_what_the_server_says() {
        assert_eq!(next_page(&[]), Ok(vec![]));
        assert_eq!(next_page(&controls(None)), Ok(vec![]));
        assert_eq!(next_page(&controls(Some(b"\x30\x05\x02\x01\x00\x04\x00"))), Ok(vec![]));
        assert_eq!(next_page(&controls(Some(b"\x30\x07\x02\x01\x00\x04\x02ab"))), Ok(b"ab".to_vec()));
        for odd in [
            &b""[..],
            b"\x30",
            b"\x30\x00",
            b"\x04\x00",
            b"\x30\x05\x02\x01\x00\x30\x00",
            b"\x30\x03\x02\x01\x00",
        ] {
            assert!(next_page(&controls(Some(odd))).is_err(), "{odd:?}");
        }
    }
}
