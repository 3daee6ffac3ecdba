//! Groups that a server gives part by part, as Active Directory does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use auth::RealmName;
use testkit::suites::FixedClock;
use tokio::runtime::Handle;

use super::*;
use crate::net::fake::{Asked, FakeServer, bind_answer, end_of_search, entry};
use crate::realm::LdapRealm;

/// Parts of the groups: what the server calls each, and what is in it.
type Parts = &'static [(&'static str, &'static [&'static str])];

/// A server that answers the searches with these parts of a user's groups, one after the other, the last one for ever.
async fn giving(parts: Parts) -> FakeServer {
    let given = AtomicUsize::new(0);
    FakeServer::start(move |number, asked| {
        let said = match asked {
            Asked::Bind => bind_answer(number, 0),
            Asked::Easy => end_of_search(number, 0),
            Asked::Search => {
                let (name, groups) = parts[given.fetch_add(1, Ordering::Relaxed).min(parts.len() - 1)];
                let groups: Vec<_> = groups.iter().map(|dn| dn.as_bytes()).collect();
                let found = entry(number, "uid=alice", &[(name, &groups)]);
                [found, end_of_search(number, 0)].concat()
            }
        };
        (said, false)
    })
    .await
}

/// The groups of a user whose entry has this part of them.
async fn groups_from(server: &FakeServer, name: &str, groups: &[&str]) -> Result<Vec<String>, String> {
    let config = format!(
        r#"{{"host":"127.0.0.1:{}","login":{{"searchBase":"dc=x"}},"groups":{{"nested":false}}}}"#,
        server.port
    );
    let settings = crate::parse(&config).unwrap();
    let corp = RealmName::parse("corp").unwrap();
    let realm = LdapRealm::new(corp, settings, Handle::current(), Arc::new(FixedClock::new()));
    let reader = Reader::Service(&realm.core.network);
    let found = realm.core.groups_of(reader, &Entry::of("uid=alice", &[(name, groups)]), "alice").await;
    let shown = |groups: Vec<Group>| groups.iter().map(|group| group.dn().to_owned()).collect();
    found.map(shown).map_err(|why| why.0.into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_read_to_the_last_one() {
    let server =
        giving(&[("memberOf;range=1-2", &["cn=b", "cn=c"]), ("memberOf;range=3-*", &["cn=d"])]).await;
    let groups = groups_from(&server, "memberOf;range=0-0", &["cn=a"]).await;
    assert_eq!(groups, Ok(["cn=a", "cn=b", "cn=c", "cn=d"].map(str::to_owned).into()));
    assert_eq!(server.requests(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_no_further_is_not_followed_for_ever() {
    const ENDLESS: [(Parts, usize); 5] = [
        // The same part again and again, with and without groups in it.
        (&[("memberOf;range=0-0", &["cn=a"])], 1),
        (&[("memberOf;range=0-0", &[])], 1),
        (&[("memberOf;range=1-1", &["cn=b"])], 2),
        // Back again.
        (&[("memberOf;range=1-9", &["cn=b"]), ("memberOf;range=5-5", &["cn=c"])], 2),
        // Further each time, and nothing in it.
        (&[("memberOf;range=1-5", &[]), ("memberOf;range=6-9", &[])], 1),
    ];
    for (parts, most) in ENDLESS {
        let server = giving(parts).await;
        let groups = groups_from(&server, "memberOf;range=0-0", &["cn=a"]).await;
        let why = "the search for groups: the server repeats a part of memberOf";
        assert_eq!(groups, Err(why.to_owned()), "{parts:?}");
        assert_eq!(server.requests(), most, "{parts:?}");
    }
}
