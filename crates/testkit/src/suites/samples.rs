//! Records to test stores with: each number gives one record, different from every other number's.
//!
//! Called by the suites and by the tests of the store rooms. Must never be a record that a store would be right to refuse.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use auth::{
    ApiKey, App, AppName, AttemptRecord, AuditEntry, AuthMethod, EndReason, Ended, KeyId, KeyRing, KeyState,
    Moment, Origin, PasswordHash, PrivateKey, PublicKey, RealmName, RealmRecord, Role, RoleName, Scope,
    SessionId, SessionLimits, SessionRecord, SigningKey, TokenHash, User, UserId, Username,
};

use super::clock::START;

/// Texts that have broken other people's stores (security.md case 27).
pub const HOSTILE: [&str; 12] = [
    "a\r\nended: null",
    "a\0b",
    "'); DROP TABLE sessions; --",
    "\"quotes\" and 'quotes' and `quotes`",
    "a=b&c=d;e=f",
    "\u{1}\u{1f}\u{7f}\u{85}\u{2028}",
    "\u{202e}gnirts\u{feff}",
    "%s%n%00\\0\\x00\\",
    "{\"a\":[1,2,null]}",
    "\u{1f980}\u{0301}\u{10ffff}",
    " leading and trailing ",
    "$1 ?1 :name @name",
];

/// The token hash number `number`.
#[must_use]
pub fn token(number: u64) -> TokenHash {
    let mut bytes = [0_u8; 32];
    // Spread over the key space, as real hashes are; the number itself keeps two of them apart.
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    TokenHash::from_bytes(bytes)
}

/// The session number `number`, alive, made at [`START`].
///
/// # Panics
/// Never: the names in it are valid.
#[must_use]
pub fn session(number: u64) -> SessionRecord {
    let realm = RealmName::native();
    let username =
        Username::presented(&format!("user{}", number % 1_000)).expect("a short name is a user name");
    let mut id = [0_u8; 16];
    id[..8].copy_from_slice(&number.wrapping_mul(0xd6e8_feb8_6659_fd93).to_be_bytes());
    id[8..].copy_from_slice(&number.to_be_bytes());
    let address = if number.is_multiple_of(2) {
        IpAddr::from(Ipv4Addr::from_bits(u32::try_from(number & 0xffff_ffff).unwrap_or_default()))
    } else {
        IpAddr::from(Ipv6Addr::from_bits(u128::from(number) << 64 | 1))
    };
    let user_agent =
        (!number.is_multiple_of(3)).then(|| format!("Mozilla/5.0 (X11; Linux x86_64) Test/{number}"));
    SessionRecord {
        token: token(number),
        id: SessionId::from_bytes(id),
        user: UserId::of(&realm, &username),
        realm,
        scope: Scope::new(if number.is_multiple_of(5) { "/engine" } else { "/api" }),
        app: number
            .is_multiple_of(4)
            .then(|| app_name(if number.is_multiple_of(8) { "demo" } else { "Ärzte Co" })),
        method: if number.is_multiple_of(7) { AuthMethod::Basic } else { AuthMethod::Password },
        created: START.plus(Duration::from_millis(number)),
        last_seen: START.plus(Duration::from_millis(number + 1)),
        limits: SessionLimits {
            idle_timeout: Duration::from_secs(60 * (1 + number % 30)),
            max_lifetime: Duration::from_secs(3_600 * (1 + number % 12)),
        },
        origin: Origin::new(address, user_agent.as_deref()),
        is_guarded: number % 2 == 1,
        parent: number.is_multiple_of(11).then(|| Box::new(SessionId::from_bytes([number as u8; 16]))),
        ended: None,
    }
}

/// The session number `number`, ended at `at`.
#[must_use]
pub fn ended_session(number: u64, at: Moment, reason: EndReason) -> SessionRecord {
    SessionRecord { ended: Some(Ended { at, reason }), ..session(number) }
}

/// A user of the realm `native` called `name`.
///
/// # Panics
/// If nobody can be called `name`.
#[must_use]
pub fn user(name: &str) -> User {
    let realm = RealmName::native();
    let username = Username::presented(name).expect("a user name of a test is a user name");
    User {
        id: UserId::of(&realm, &username),
        realm,
        username,
        roles: vec![role_name("search"), role_name("Ärzte & Co".replace(" & ", " ").as_str())],
        permissions: vec![permission("GET,POST:/collections/{id}/**:id=demo,test;!/collections/*/admin/**")],
        enabled: true,
        password: Some(PasswordHash::from_phc("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g")),
        vouched: auth::Vouched {
            roles: vec![role_name("search")],
            attributes: vec![auth::Attribute {
                name: Box::from("mail"),
                value: Box::from("a\"b@example.org"),
            }],
            lapsed: false,
        },
        password_version: 3,
        created: START,
        updated: START.plus(Duration::from_secs(1)),
    }
}

/// A role called `name`.
///
/// # Panics
/// If no role can be called `name`.
#[must_use]
pub fn role(name: &str) -> Role {
    Role {
        name: role_name(name),
        description: format!("What {name} may"),
        permissions: vec![permission("GET:/query/**"), permission("PATCH:/users/#ID")],
        ui_permissions: vec!["search".to_owned(), "ui:\"quoted\"".to_owned()],
        created: START,
        updated: START,
    }
}

/// A realm called `name`.
///
/// # Panics
/// If no realm can be called `name`.
#[must_use]
pub fn realm(name: &str) -> RealmRecord {
    RealmRecord {
        name: RealmName::parse(name).expect("a realm name of a test is a realm name"),
        kind: Box::from("native"),
        enabled: true,
        roles: vec![role_name("search"), role_name("editor")],
        config: Box::from(r#"{"maxThreads":4,"note":"Ä \" '"}"#),
        created: START,
        updated: START.plus(Duration::from_secs(2)),
    }
}

/// An app with the id `id`.
///
/// # Panics
/// If no app can have it.
#[must_use]
pub fn app(id: &str) -> App {
    App {
        id: app_name(id),
        name: format!("The app \"{id}\""),
        description: "Searches & finds".to_owned(),
        properties: Box::from(r#"{"collections":["demo"],"nested":{"a":null}}"#),
        created: START,
        updated: START.plus(Duration::from_secs(3)),
    }
}

/// The API key number `number`, of the user `alice`. Every other one has permissions of its own, every third one an end.
#[must_use]
pub fn api_key(number: u64) -> ApiKey {
    let mut id = [0_u8; 16];
    id[..8].copy_from_slice(&number.wrapping_mul(0xd6e8_feb8_6659_fd93).to_be_bytes());
    id[8..].copy_from_slice(&number.to_be_bytes());
    ApiKey {
        id: KeyId::from_bytes(id),
        hash: token(number),
        name: format!("nightly import {number}"),
        user: user("alice").id,
        permissions: number.is_multiple_of(2).then(|| vec![permission("POST:/collections/*/docs")]),
        expires: number.is_multiple_of(3).then(|| START.plus(Duration::from_secs(60 * number))),
        created: START.plus(Duration::from_millis(number)),
    }
}

/// The audit line number `number`: a login, a denial and an end in turn, `number` seconds after [`START`], of four users from
/// seven addresses, each with a session of its own.
#[must_use]
pub fn audit_entry(number: u64) -> AuditEntry {
    let event = ["login", "denied", "session_ended"][(number % 3) as usize];
    let fields = [
        ("user.id", format!("user{}", number % 4)),
        ("user.name", format!("Number {}", number % 4)),
        ("client.address", format!("192.0.2.{}", number % 7)),
        ("session.id", format!("session{number}")),
    ];
    AuditEntry {
        at: START.plus(Duration::from_secs(number)),
        event: Cow::Borrowed(event),
        fields: fields.map(|(name, value)| (Cow::Borrowed(name), value.into_boxed_str())).into(),
    }
}

/// Login attempts of `key`: three failures, one pause, two known addresses.
#[must_use]
pub fn attempts(key: &str) -> AttemptRecord {
    AttemptRecord {
        key: Box::from(key),
        failures: 3,
        since: START,
        paused_until: START.plus(Duration::from_secs(30)),
        pauses: 1,
        known: vec![
            (IpAddr::from([192, 0, 2, 1]), START),
            (IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]), START.plus(Duration::from_secs(5))),
        ],
    }
}

/// The ring number `number` of three signing keys, in all their states and of both algorithms. Nothing can be signed with them.
///
/// # Panics
/// Never: the keys of it are a ring.
#[must_use]
pub fn key_ring(number: u8) -> KeyRing {
    let key = |place: u8, public, state| SigningKey {
        id: format!("key_{number}-{place}").into_boxed_str(),
        private: PrivateKey::from_pkcs8(&[number, 0, b'"', 0xff, place]).expect("a few bytes are a document"),
        public,
        created: START.plus(Duration::from_secs(u64::from(place))),
        state,
    };
    let until = START.plus(Duration::from_secs(86_400));
    let keys = vec![
        key(0, PublicKey::P256 { x: [number; 32], y: [0xff; 32] }, KeyState::Current),
        key(1, PublicKey::Ed25519 { x: [number; 32] }, KeyState::Next),
        key(2, PublicKey::Ed25519 { x: [0; 32] }, KeyState::Retired { until }),
    ];
    KeyRing::new(keys).expect("one is current, one is next")
}

fn app_name(name: &str) -> AppName {
    AppName::parse(name).expect("an app name of a test is an app name")
}

fn role_name(name: &str) -> RoleName {
    RoleName::parse(name).expect("a role name of a test is a role name")
}

fn permission(text: &str) -> auth::permission::Permission {
    text.parse().expect("a permission of a test is a permission")
}

/// Everything a store keeps of a user, to be compared: `User` itself is not comparable, and its password does not print.
#[must_use]
pub fn facts_of_user(user: &User) -> String {
    format!(
        "{user:?} shown {:?} canonical {:?} password {:?}",
        user.username.shown(),
        user.username.canonical(),
        user.password.as_ref().map(PasswordHash::expose)
    )
}

/// Everything a store keeps of a role, to be compared.
#[must_use]
pub fn facts_of_role(role: &Role) -> String {
    format!("{role:?}")
}

/// Everything a store keeps of signing keys, to be compared: private ones do not print.
#[must_use]
pub fn facts_of_key_ring(ring: &KeyRing) -> String {
    let private: Vec<&[u8]> = ring.keys().iter().map(|key| key.private.expose()).collect();
    format!("{ring:?} private {private:?}")
}

/// Everything a store keeps of an API key, to be compared: its hash does not print.
#[must_use]
pub fn facts_of_key(key: &ApiKey) -> String {
    format!("{key:?} hash {:?}", key.hash.as_bytes())
}
