//! The table of rooms: who may use whom, and which crates from outside stay outside.
//!
//! Called by the checks of `cargo xtask rooms`. This is DESIGN.md part 2 as data; it must never be widened without a
//! decision record in `docs/decisions/`.

/// The rooms that a room may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MayUse {
    /// These and no others.
    Only(&'static [&'static str]),
    /// Every room but these: for the binary, which connects them.
    AllBut(&'static [&'static str]),
}

impl MayUse {
    /// Whether an edge to `room` is allowed.
    pub(crate) fn allows(self, room: &str) -> bool {
        match self {
            Self::Only(rooms) => rooms.contains(&room),
            Self::AllBut(rooms) => !rooms.contains(&room),
        }
    }
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The room's name, or the beginning of a family's names when it ends in `-`.
    name: &'static str,
    /// The rooms it may use.
    pub(crate) may_use: MayUse,
    /// Crates from outside that it may not depend on.
    pub(crate) must_not_use: &'static [&'static str],
}

/// What speaks HTTP. Rooms that must not know HTTP must not be able to name it.
const HTTP: &[&str] =
    &["hyper", "hyper-util", "http", "http-body", "http-body-util", "httparse", "h2", "axum"];

/// What the kernel must not know: HTTP, TLS, stored bytes.
const OUTSIDE_OF_KERNEL: &[&str] = &[
    "hyper",
    "hyper-util",
    "http",
    "http-body",
    "http-body-util",
    "httparse",
    "h2",
    "axum",
    "sqlx",
    "rustls",
    "tokio-rustls",
];

/// The table. The first row whose name fits is the room's.
const RULES: &[Rule] = &[
    Rule { name: "auth", may_use: MayUse::Only(&[]), must_not_use: OUTSIDE_OF_KERNEL },
    Rule { name: "config", may_use: MayUse::Only(&["auth"]), must_not_use: &[] },
    Rule { name: "realm-", may_use: MayUse::Only(&["auth"]), must_not_use: HTTP },
    Rule { name: "store-", may_use: MayUse::Only(&["auth"]), must_not_use: HTTP },
    Rule { name: "signer", may_use: MayUse::Only(&["auth"]), must_not_use: HTTP },
    Rule { name: "gateway", may_use: MayUse::Only(&["auth", "config"]), must_not_use: &["sqlx", "argon2"] },
    Rule { name: "api", may_use: MayUse::Only(&["auth", "gateway"]), must_not_use: &["sqlx", "argon2"] },
    Rule {
        name: "dialects",
        may_use: MayUse::Only(&["auth", "gateway", "api"]),
        must_not_use: &["sqlx", "argon2"],
    },
    Rule { name: "pages", may_use: MayUse::Only(&["auth", "api"]), must_not_use: &["sqlx", "argon2"] },
    Rule { name: "testkit", may_use: MayUse::Only(&["auth"]), must_not_use: &[] },
    Rule { name: "doorward", may_use: MayUse::AllBut(&["testkit"]), must_not_use: &[] },
    Rule { name: "xtask", may_use: MayUse::Only(&[]), must_not_use: &[] },
];

/// The row of a room, if the table has one.
pub(crate) fn rule_of(room: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| {
        if rule.name.ends_with('-') {
            room.len() > rule.name.len() && room.starts_with(rule.name)
        } else {
            room == rule.name
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_found_by_their_first_word() {
        assert_eq!(rule_of("realm-ldap").unwrap().may_use, MayUse::Only(&["auth"]));
        assert_eq!(rule_of("store-valkey").unwrap().must_not_use, HTTP);
        assert!(rule_of("realm-").is_none());
        assert!(rule_of("cellar").is_none());
    }

    #[test]
    fn the_kernel_stands_alone_and_the_binary_sees_everything_but_the_testkit() {
        assert!(!rule_of("auth").unwrap().may_use.allows("config"));
        let binary = rule_of("doorward").unwrap().may_use;
        assert!(binary.allows("realm-native") && !binary.allows("testkit"));
    }

    #[test]
    fn no_realm_and_no_store_may_name_another() {
        for room in ["realm-ldap", "store-embedded"] {
            for other in ["realm-native", "store-postgres", "gateway"] {
                assert!(!rule_of(room).unwrap().may_use.allows(other), "{room} -> {other}");
            }
        }
    }
}
