//! One file per section of the settings file, and the names of all keys. `settings.rs` calls these. None of them may know
//! another section's keys; what concerns two sections is checked in `checks.rs`.

pub(crate) mod attribute_headers;
pub(crate) mod audit;
pub(crate) mod checks;
pub(crate) mod identity_token;
pub(crate) mod listen;
pub(crate) mod login;
pub(crate) mod logs;
pub(crate) mod mount;
pub(crate) mod no_refresh;
pub(crate) mod ovirt;
pub(crate) mod own;
pub(crate) mod path;
pub(crate) mod realm;
pub(crate) mod route;
pub(crate) mod upstream;

/// The keys at the top of the file.
pub(crate) const TOP_KEYS: &[&str] = &[
    "listen",
    "data",
    "workers",
    "trusted_proxies",
    "admin",
    "issuer",
    "signing_algorithm",
    "login",
    "log",
    "audit",
    "mount",
    "realm",
];

/// Those of them that are one table each.
pub(crate) const TOP_TABLES: &[&str] = &["login", "log", "audit"];

/// Every section's name as it is written, with its keys.
pub(crate) const SECTIONS: &[(&str, &[&str])] = &[
    ("the top of the file", TOP_KEYS),
    ("listen = [{ … }]", listen::KEYS),
    ("[login]", login::KEYS),
    ("[log]", logs::KEYS),
    ("[audit]", audit::KEYS),
    ("[[mount]]", mount::KEYS),
    ("[[mount.route]]", route::KEYS),
    ("identity_token = { … }", identity_token::KEYS),
    ("[[realm]]", realm::KEYS),
];

/// The section into which `key` belongs, if any knows it.
pub(crate) fn home_of(key: &str) -> Option<&'static str> {
    SECTIONS.iter().find(|(_, keys)| keys.contains(&key)).map(|(section, _)| *section)
}
