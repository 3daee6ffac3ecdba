//! Every statement on the tables, in the words that SQLite and PostgreSQL share: `$1` placeholders, TEXT, BIGINT and BLOB,
//! no BOOLEAN, ON CONFLICT, RETURNING. Only the placeholders of bulk statements are the engine's own.
//!
//! Called by the writer and the readers. Must never hold a value: values are bound. What only SQLite says is in `engine.rs`,
//! `scan.rs`, `adopt.rs` and `migrations/`.

use std::sync::{Arc, LazyLock};

pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";
pub(crate) const SAVE: &str = "SAVEPOINT operation";
pub(crate) const UNDO: &str = "ROLLBACK TO SAVEPOINT operation";
pub(crate) const RELEASE: &str = "RELEASE SAVEPOINT operation";

pub(crate) const TALLY: &str = "SELECT count, seals FROM tallies WHERE name = $1";
pub(crate) const PUT_TALLY: &str = "UPDATE tallies SET count = $2, seals = $3 WHERE name = $1";

/// By key, of the newest one: the index of times is not asked.
pub(crate) const LAST_END: &str = "SELECT coalesce(max(number), 0) FROM ends";
pub(crate) const ENDED_TOKENS: &str =
    "SELECT number, token FROM ends WHERE number > $1 ORDER BY number LIMIT $2";
pub(crate) const FORGET_ENDS: &str = "\
DELETE FROM ends WHERE number IN (SELECT number FROM ends WHERE at < $1 ORDER BY at LIMIT $2) RETURNING token, seal";

pub(crate) const USERS: &str = "\
SELECT id, realm, username, canonical, roles, permissions, vouched, enabled, password, password_version, created, updated, \
seal FROM users ORDER BY id";
pub(crate) const USER_SEAL: &str = "SELECT seal FROM users WHERE id = $1";
pub(crate) const PUT_USER: &str = "\
INSERT INTO users (id, realm, username, canonical, roles, permissions, vouched, enabled, password, password_version, \
created, updated, seal) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
ON CONFLICT (id) DO UPDATE SET realm = excluded.realm, username = excluded.username, canonical = excluded.canonical, \
roles = excluded.roles, permissions = excluded.permissions, vouched = excluded.vouched, enabled = excluded.enabled, password = excluded.password, \
password_version = excluded.password_version, created = excluded.created, updated = excluded.updated, seal = excluded.seal";
pub(crate) const DELETE_USER: &str = "DELETE FROM users WHERE id = $1";

pub(crate) const ROLES: &str =
    "SELECT name, description, permissions, ui_permissions, created, updated, seal FROM roles ORDER BY name";
pub(crate) const ROLE_SEAL: &str = "SELECT seal FROM roles WHERE name = $1";
pub(crate) const PUT_ROLE: &str = "\
INSERT INTO roles (name, description, permissions, ui_permissions, created, updated, seal) \
VALUES ($1, $2, $3, $4, $5, $6, $7) \
ON CONFLICT (name) DO UPDATE SET description = excluded.description, permissions = excluded.permissions, \
ui_permissions = excluded.ui_permissions, created = excluded.created, updated = excluded.updated, seal = excluded.seal";
pub(crate) const DELETE_ROLE: &str = "DELETE FROM roles WHERE name = $1";

pub(crate) const REALMS: &str =
    "SELECT name, kind, enabled, roles, config, created, updated, seal FROM realms ORDER BY name";
pub(crate) const REALM_SEAL: &str = "SELECT seal FROM realms WHERE name = $1";
pub(crate) const PUT_REALM: &str = "\
INSERT INTO realms (name, kind, enabled, roles, config, created, updated, seal) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, enabled = excluded.enabled, roles = excluded.roles, \
config = excluded.config, created = excluded.created, updated = excluded.updated, seal = excluded.seal";
pub(crate) const DELETE_REALM: &str = "DELETE FROM realms WHERE name = $1";

pub(crate) const APPS: &str =
    "SELECT id, name, description, properties, created, updated, seal FROM apps ORDER BY id";
pub(crate) const APP_SEAL: &str = "SELECT seal FROM apps WHERE id = $1";
pub(crate) const PUT_APP: &str = "\
INSERT INTO apps (id, name, description, properties, created, updated, seal) VALUES ($1, $2, $3, $4, $5, $6, $7) \
ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description, \
properties = excluded.properties, created = excluded.created, updated = excluded.updated, seal = excluded.seal";
pub(crate) const DELETE_APP: &str = "DELETE FROM apps WHERE id = $1";

pub(crate) const KEYS: &str = "SELECT id, hash, name, user_id, permissions, expires, created, seal, used_at, used_from, used_seal FROM api_keys ORDER BY id";
pub(crate) const KEY_SEAL: &str = "SELECT seal FROM api_keys WHERE id = $1";
/// Keys never change but for their last use, so one whose id or hash is taken is refused.
pub(crate) const PUT_KEY: &str = "\
INSERT INTO api_keys (id, hash, name, user_id, permissions, expires, created, seal) \
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
pub(crate) const DELETE_KEY: &str = "DELETE FROM api_keys WHERE id = $1";

pub(crate) const INITIALISED: &str = "SELECT version, at, seal FROM installation";
pub(crate) const INITIALISED_SEAL: &str = "SELECT seal FROM installation WHERE name = $1";
pub(crate) const PUT_INITIALISED: &str = "\
INSERT INTO installation (name, version, at, seal) VALUES ($1, $2, $3, $4) \
ON CONFLICT (name) DO UPDATE SET version = excluded.version, at = excluded.at, seal = excluded.seal";

pub(crate) const KEY_RING: &str = "SELECT keys, seal FROM key_ring";
pub(crate) const KEY_RING_SEAL: &str = "SELECT seal FROM key_ring WHERE name = $1";
pub(crate) const PUT_KEY_RING: &str = "\
INSERT INTO key_ring (name, keys, seal) VALUES ($1, $2, $3) \
ON CONFLICT (name) DO UPDATE SET keys = excluded.keys, seal = excluded.seal";

pub(crate) const ATTEMPTS: &str =
    "SELECT name, failures, since, paused_until, pauses, known, last_known, seal FROM attempts ORDER BY name";
pub(crate) const FORGET_ATTEMPTS: &str = "\
DELETE FROM attempts WHERE since < $1 AND paused_until < $1 AND (last_known IS NULL OR last_known < $2)";

pub(crate) const AUDIT_HEAD: &str = "SELECT first, before, last, hash, seal FROM audit_head WHERE name = $1";
pub(crate) const PUT_AUDIT_HEAD: &str =
    "UPDATE audit_head SET first = $2, before = $3, last = $4, hash = $5, seal = $6 WHERE name = $1";
/// Two sub-queries: each finds its end by key, where one query for both would look at all lines.
pub(crate) const AUDIT_ENDS: &str =
    "SELECT (SELECT min(sequence) FROM audit) AS first, (SELECT max(sequence) FROM audit) AS last";
pub(crate) const AUDIT_FORWARDS: &str = "\
SELECT sequence, at, event, fields, hash FROM audit WHERE sequence >= $1 AND sequence <= $2 ORDER BY sequence LIMIT $3";
pub(crate) const AUDIT_BACKWARDS: &str = "\
SELECT sequence, at, event, fields, hash FROM audit WHERE sequence >= $1 AND sequence <= $2 \
ORDER BY sequence DESC LIMIT $3";
pub(crate) const AUDIT_BLOCKS: &str = "\
SELECT number, earliest, latest, marks, seal FROM audit_blocks WHERE number >= $1 AND number <= $2 ORDER BY number";
pub(crate) const PUT_AUDIT_BLOCK: &str = "\
INSERT INTO audit_blocks (number, earliest, latest, marks, seal) VALUES ($1, $2, $3, $4, $5) \
ON CONFLICT (number) DO UPDATE SET earliest = excluded.earliest, latest = excluded.latest, marks = excluded.marks, \
seal = excluded.seal";
pub(crate) const OLDEST_AUDIT: &str = "SELECT sequence, at, hash FROM audit ORDER BY sequence LIMIT $1";
pub(crate) const FORGET_AUDIT: &str = "DELETE FROM audit WHERE sequence <= $1";
pub(crate) const FORGET_AUDIT_BLOCKS: &str = "DELETE FROM audit_blocks WHERE number < $1";

/// A statement over several rows at once, in a few fixed sizes, so that each size is prepared once.
pub(crate) struct Bulk {
    /// The largest size first.
    by_size: Vec<(usize, Arc<str>)>,
}

impl Bulk {
    /// The sizes, the largest first. Larger ones gain nothing, and SQLite's planner then begins to look at all sessions
    /// instead of at those that are asked for (`tests/plans.rs`).
    pub(crate) const SIZES: [usize; 4] = [64, 16, 4, 1];

    fn new(before: &str, width: usize, after: &str) -> Self {
        let statement = |size| (size, Arc::from(format!("{before}{}{after}", placeholders(size, width))));
        Self { by_size: Self::SIZES.into_iter().map(statement).collect() }
    }

    /// Cuts `rows` into pieces, each with the statement for just so many rows.
    pub(crate) fn pieces<'a, T>(&'a self, mut rows: &'a [T]) -> impl Iterator<Item = (Arc<str>, &'a [T])> {
        std::iter::from_fn(move || {
            let (size, statement) = self.by_size.iter().find(|(size, _)| *size <= rows.len())?;
            let (piece, rest) = rows.split_at(*size);
            rows = rest;
            Some((Arc::clone(statement), piece))
        })
    }
}

/// `(?,?),(?,?)` for two rows of two columns. PostgreSQL would write `$1` and so on; SQLite takes those for names, and searches
/// all of them for each value that is bound: a fifth of the cost of an insert.
fn placeholders(rows: usize, width: usize) -> String {
    let row = format!("({})", vec!["?"; width].join(","));
    vec![row; rows].join(",")
}

pub(crate) static INSERT_SESSIONS: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT INTO sessions (token, id, user_id, realm, scope, app, method, created, idle_timeout, max_lifetime, guarded, \
         parent, address, user_agent, seal, last_seen, last_seen_seal) VALUES ",
        17,
        "",
    )
});

pub(crate) static INSERT_ENDS: LazyLock<Bulk> =
    LazyLock::new(|| Bulk::new("INSERT INTO ends (number, token, at, reason, seal) VALUES ", 5, ""));

pub(crate) static DELETE_SESSIONS: LazyLock<Bulk> =
    LazyLock::new(|| Bulk::new("DELETE FROM sessions WHERE token IN (VALUES ", 1, ") RETURNING seal"));

pub(crate) static TOUCH_SESSIONS: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "WITH touches (token, last_seen, last_seen_seal) AS (VALUES ",
        3,
        ") UPDATE sessions SET last_seen = touches.last_seen, last_seen_seal = touches.last_seen_seal \
         FROM touches WHERE sessions.token = touches.token AND sessions.last_seen < touches.last_seen",
    )
});

pub(crate) static NOTE_KEY_USES: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "WITH uses (id, used_at, used_from, used_seal) AS (VALUES ",
        4,
        ") UPDATE api_keys SET used_at = uses.used_at, used_from = uses.used_from, used_seal = uses.used_seal \
         FROM uses WHERE api_keys.id = uses.id AND (api_keys.used_at IS NULL OR api_keys.used_at < uses.used_at)",
    )
});

pub(crate) static INSERT_AUDIT: LazyLock<Bulk> =
    LazyLock::new(|| Bulk::new("INSERT INTO audit (sequence, at, event, fields, hash) VALUES ", 5, ""));

pub(crate) static PUT_ATTEMPTS: LazyLock<Bulk> = LazyLock::new(|| {
    Bulk::new(
        "INSERT INTO attempts (name, failures, since, paused_until, pauses, known, last_known, seal) VALUES ",
        8,
        " ON CONFLICT (name) DO UPDATE SET failures = excluded.failures, since = excluded.since, \
         paused_until = excluded.paused_until, pauses = excluded.pauses, known = excluded.known, \
         last_known = excluded.last_known, seal = excluded.seal",
    )
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_placeholders() {
        assert_eq!(placeholders(1, 1), "(?)");
        assert_eq!(placeholders(2, 3), "(?,?,?),(?,?,?)");
    }

    #[test]
    fn pieces_cover_every_row_once_and_in_order() {
        let bulk = Bulk::new("", 1, "");
        for length in [0, 1, 3, 4, 5, 63, 255, 256, 257, 1_024, 1_365] {
            let rows: Vec<usize> = (0..length).collect();
            let pieces: Vec<_> = bulk.pieces(&rows).collect();
            assert!(pieces.iter().all(|(text, piece)| text.matches('?').count() == piece.len()));
            assert_eq!(pieces.iter().flat_map(|(_, piece)| piece.iter().copied()).collect::<Vec<_>>(), rows);
        }
    }

    #[test]
    fn the_largest_statement_stays_below_the_engines_limit() {
        assert!(Bulk::SIZES[0] * 16 < 32_766, "sqlite.org/limits.html, 9");
    }
}
