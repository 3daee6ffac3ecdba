//! The roles that exist from the first start on (`fusion.md`, "Users, realms, roles": "Built-in roles").
//!
//! Called when a store is new, and by the command line's help. Must never grant the gateway's own administration to another
//! role than `admin`: that list is [`ADMINISTRATION`], and a test holds every role against it.
//!
//! | role | may | may not |
//! |---|---|---|
//! | `admin` | everything | |
//! | `developer` | everything behind the gateway, read and change the own user | administration |
//! | `search` | run queries and query pipelines, send signals, list collections, the own user | everything else |
//! | `readonly` | read everything behind the gateway, the own user | administration, changes |
//!
//! Refined against the brief contract: "the own user" is `GET,PATCH:/users/#ID` for all three, so that everybody can change the
//! own password; *which fields* of the own user one may change is the operation's rule, not a path's.

use super::Permission;

/// A role that exists from the first start on.
struct BuiltIn {
    name: &'static str,
    description: &'static str,
    /// Method lists with patterns, in the text form.
    permissions: &'static [&'static str],
    /// Whether [`ADMINISTRATION`] is excepted from each of the permissions.
    without_administration: bool,
}

/// The administration of the gateway itself, which only `admin` has. Below the mount.
pub const ADMINISTRATION: [&str; 8] = [
    "/users/**",
    "/roles/**",
    "/realm-configs/**",
    "/api-keys/**",
    "/sessions/**",
    "/audit/**",
    "/explain/**",
    "/oauth2/**",
];

/// What each but `admin` may do with the own user.
const OWN_USER: &str = "GET,PATCH:/users/#ID";

const ROLES: [BuiltIn; 4] = [
    BuiltIn {
        name: "admin",
        description: "Everything, the administration of the gateway included",
        permissions: &["*:/**"],
        without_administration: false,
    },
    BuiltIn {
        name: "developer",
        description: "Everything behind the gateway, but not its administration",
        permissions: &["*:/**"],
        without_administration: true,
    },
    BuiltIn {
        name: "search",
        description: "Run queries and send signals",
        permissions: &[
            "GET,POST:/query-pipelines/*/collections/*/**",
            "GET,POST:/query/**",
            "GET,POST:/signals/**",
            "GET,POST:/collections/*/query-profiles/**",
            "GET:/collections",
        ],
        without_administration: true,
    },
    BuiltIn {
        name: "readonly",
        description: "Read everything behind the gateway, change nothing",
        permissions: &["GET,HEAD,OPTIONS:/**"],
        without_administration: true,
    },
];

/// The names of the built-in roles, the mightiest first.
pub fn names() -> impl Iterator<Item = &'static str> {
    ROLES.iter().map(|role| role.name)
}

/// The description and the permissions of a built-in role; `None` for every other name.
#[must_use]
pub fn builtin(name: &str) -> Option<(&'static str, Vec<Permission>)> {
    let role = ROLES.iter().find(|role| role.name == name)?;
    let mut texts: Vec<String> = Vec::new();
    for text in role.permissions {
        // Exceptions only where a pattern could reach the administration at all.
        let exceptions = if role.without_administration && text.ends_with(":/**") {
            format!(":!{}", ADMINISTRATION.join(";!"))
        } else {
            String::new()
        };
        texts.push(format!("{text}{exceptions}"));
    }
    if role.without_administration {
        texts.push(OWN_USER.to_owned());
    }
    // Each of them reads (a test sees to it); one that did not would grant nothing.
    Some((role.description, texts.iter().filter_map(|text| text.parse().ok()).collect()))
}
