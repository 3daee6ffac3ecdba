//! What a filled store holds: who is in it, what they may, and whose the sessions are. The bench counts on this shape
//! (`bench/load/src/population.rs` says the same).
//!
//! Called by `main`. Must never draw anything at random: the same numbers make the same store.
//!
//! | who | what |
//! |---|---|
//! | every user | the roles `developer` and `role{number % roles}` |
//! | the first 1,000 users | the role `crowd` too: with ten sessions each, 10,000 sessions have it |
//! | the last users, 1,000 sessions each | a tenth of all sessions, where there are enough |
//! | nine tenths of the sessions | ten for each user, from the first one on |
//! | the last two ninths of those | an app for each 10,000 of them: `app0`, `app1` … |
//! | realm `few` | five users with a session each, beside the others |

use std::net::IpAddr;
use std::time::Duration;

use auth::permission::Permission;
use auth::{
    ApiKey, App, AppName, AuthMethod, KeyId, Moment, Origin, RealmName, RealmRecord, Role, RoleName, Scope,
    SessionId, SessionLimits, SessionRecord, SessionToken, TokenHash, User, UserId, Username,
};

/// One ordinary user for so many sessions.
pub(crate) const SESSIONS_PER_USER: u64 = 10;
/// Sessions of a user who has many.
const MANY: u64 = 1_000;
/// Users with the role `crowd`.
const CROWD: u64 = 1_000;
/// Sessions of an app.
const SESSIONS_PER_APP: u64 = 10_000;
/// Users of the realm `few`, a session each.
pub(crate) const FEW: u64 = 5;
/// Rules of a role.
const RULES_PER_ROLE: u64 = 10;

/// How much of everything.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) sessions: u64,
    pub(crate) users: u64,
    pub(crate) roles: u64,
    pub(crate) keys: u64,
}

/// Why a part of the store cannot be made.
pub(crate) type Made<T> = Result<T, String>;

fn wrong(fault: impl ToString) -> String {
    fault.to_string()
}

impl Shape {
    /// Users with [`MANY`] sessions, who are the last ones.
    fn with_many(self) -> u64 {
        (self.sessions / SESSIONS_PER_USER / MANY).min(self.users / 10)
    }

    /// Sessions of those who have ten.
    fn ordinary(self) -> u64 {
        self.sessions - self.with_many() * MANY
    }

    /// The number of the user of a session.
    fn user_of(self, session: u64) -> u64 {
        let few_each = self.users - self.with_many();
        match session.checked_sub(self.ordinary()) {
            None => session / SESSIONS_PER_USER % few_each,
            Some(beyond) => few_each + beyond / MANY,
        }
    }

    /// The number of the app of a session.
    fn app_of(self, session: u64) -> Option<u64> {
        let first = self.ordinary() / 9 * 7;
        (session < self.ordinary() && session >= first).then(|| (session - first) / SESSIONS_PER_APP)
    }

    /// How many apps there are.
    pub(crate) fn apps(self) -> u64 {
        (self.ordinary() - self.ordinary() / 9 * 7).div_ceil(SESSIONS_PER_APP)
    }

    pub(crate) fn user(self, number: u64, now: Moment) -> Made<User> {
        let username = Username::chosen(&format!("user{number}")).map_err(wrong)?;
        let mut roles = vec!["developer".to_owned()];
        if self.roles > 0 {
            roles.push(format!("role{}", number % self.roles));
        }
        if self.roles > 0 && number < CROWD {
            roles.push("crowd".to_owned());
        }
        user(RealmName::native(), username, &roles, now)
    }

    pub(crate) fn key(self, number: u64, now: Moment) -> Made<ApiKey> {
        let username = Username::chosen(&format!("user{}", number % self.users)).map_err(wrong)?;
        let permissions = rules(number)?;
        let token = token(number ^ 1 << 62);
        Ok(ApiKey {
            id: KeyId::from_random(spread(number)),
            // The hash of no key's text: these keys are there, and nobody has them.
            hash: SessionToken::from_text(&token).ok_or("a token of no form")?.hash(),
            name: format!("key {number}"),
            user: UserId::of(&RealmName::native(), &username),
            permissions: number.is_multiple_of(2).then_some(permissions),
            expires: None,
            created: now,
        })
    }

    /// The session of this number, and its token; those beyond the last are of the realm `few`.
    pub(crate) fn session(self, number: u64, now: Moment) -> Made<(SessionRecord, String)> {
        let (realm, name) = match number.checked_sub(self.sessions) {
            None => (RealmName::native(), format!("user{}", self.user_of(number))),
            Some(few) => (few_realm()?, format!("user{few}")),
        };
        let username = Username::presented(&name).map_err(wrong)?;
        let token = token(number);
        let app = self.app_of(number).map(|app| AppName::parse(&format!("app{app}")).map_err(wrong));
        let bytes = number.to_be_bytes();
        let record = SessionRecord {
            token: hash(&token)?,
            id: SessionId::from_random(spread(number)),
            user: UserId::of(&realm, &username),
            realm,
            scope: Scope::new("/api"),
            app: app.transpose()?,
            method: AuthMethod::Password,
            created: now,
            last_seen: now,
            limits: SessionLimits {
                idle_timeout: Duration::from_secs(4 * 3_600),
                max_lifetime: Duration::from_secs(8 * 3_600),
            },
            origin: Origin::new(
                IpAddr::from([10, bytes[5], bytes[6], bytes[7]]),
                Some("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko"),
            ),
            is_guarded: false,
            parent: None,
            ended: None,
        };
        Ok((record, token))
    }
}

/// A role of ten rules; `crowd` has some, too.
pub(crate) fn role(name: &str, number: u64, now: Moment) -> Made<Role> {
    Ok(Role {
        name: RoleName::parse(name).map_err(wrong)?,
        description: "filled for measurements".to_owned(),
        permissions: rules(number)?,
        ui_permissions: Vec::new(),
        created: now,
        updated: now,
    })
}

pub(crate) fn app(number: u64, now: Moment) -> Made<App> {
    Ok(App {
        id: AppName::parse(&format!("app{number}")).map_err(wrong)?,
        name: format!("App {number}"),
        description: String::new(),
        properties: "{}".into(),
        created: now,
        updated: now,
    })
}

pub(crate) fn realm(now: Moment) -> Made<RealmRecord> {
    Ok(RealmRecord {
        name: few_realm()?,
        kind: "native".into(),
        enabled: true,
        roles: Vec::new(),
        config: "{}".into(),
        created: now,
        updated: now,
    })
}

pub(crate) fn few_user(number: u64, now: Moment) -> Made<User> {
    let username = Username::chosen(&format!("user{number}")).map_err(wrong)?;
    user(few_realm()?, username, &["developer".to_owned()], now)
}

fn few_realm() -> Made<RealmName> {
    RealmName::parse("few").map_err(wrong)
}

fn rules(number: u64) -> Made<Vec<Permission>> {
    let rule = |rule: u64| format!("GET,POST:/collections/c{number}-{rule}/**").parse().map_err(wrong);
    (0..RULES_PER_ROLE).map(rule).collect()
}

fn user(realm: RealmName, username: Username, roles: &[String], now: Moment) -> Made<User> {
    Ok(User {
        id: UserId::of(&realm, &username),
        realm,
        username,
        roles: roles.iter().map(|name| RoleName::parse(name).map_err(wrong)).collect::<Made<_>>()?,
        permissions: Vec::new(),
        enabled: true,
        password: None,
        vouched: auth::Vouched::default(),
        password_version: 1,
        created: now,
        updated: now,
    })
}

fn hash(token: &str) -> Made<TokenHash> {
    Ok(SessionToken::from_text(token).ok_or("a token of no form")?.hash())
}

/// A token that is easy to make again: what is measured does not depend on its being secret.
fn token(number: u64) -> String {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let text = format!("{mixed:016x}{number:016x}");
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// The bytes of an id: spread evenly, as those that are drawn.
fn spread(number: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id[8..].copy_from_slice(&number.wrapping_mul(0xd134_2543_de82_ef95).to_be_bytes());
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_sessions_have_the_shape_that_the_bench_counts_on() {
        let shape = Shape { sessions: 1_000_000, users: 100_000, roles: 1_000, keys: 1_000 };
        assert_eq!((shape.with_many(), shape.ordinary(), shape.apps()), (100, 900_000, 20));
        assert_eq!((shape.user_of(0), shape.user_of(9), shape.user_of(10)), (0, 0, 1));
        assert_eq!((shape.user_of(899_999), shape.user_of(900_000)), (89_999, 99_900));
        assert_eq!((shape.user_of(900_999), shape.user_of(999_999)), (99_900, 99_999));
        assert_eq!((shape.app_of(699_999), shape.app_of(700_000)), (None, Some(0)));
        assert_eq!((shape.app_of(899_999), shape.app_of(900_000)), (Some(19), None));
    }

    #[test]
    fn small_stores_have_no_user_with_many() {
        let shape = Shape { sessions: 100, users: 10, roles: 0, keys: 0 };
        assert_eq!((shape.with_many(), shape.user_of(99)), (0, 9));
        let now = Moment::from_millis(1);
        let (record, token) = shape.session(100, now).unwrap();
        assert_eq!((record.realm.as_str(), token.len()), ("few", 36));
    }
}
