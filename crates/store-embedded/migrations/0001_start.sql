-- Schema 1. Times are milliseconds since 1970-01-01T00:00:00Z, spans are milliseconds. Every `seal` is a checksum over
-- the row's other columns (src/seal.rs): a row that was damaged, or changed by hand, is refused when it is read.
CREATE TABLE sessions (
    token          BLOB   NOT NULL PRIMARY KEY, -- SHA-256 of the session token
    id             BLOB   NOT NULL UNIQUE,      -- 16 bytes, public
    user_id        BLOB   NOT NULL,             -- 16 bytes
    realm          TEXT   NOT NULL,
    scope          TEXT   NOT NULL,
    app            TEXT,
    method         TEXT   NOT NULL,
    created        BIGINT NOT NULL,
    idle_timeout   BIGINT NOT NULL,
    max_lifetime   BIGINT NOT NULL,
    guarded        BIGINT NOT NULL,             -- 0 or 1
    parent         BLOB,                        -- 16 bytes: the id of the session that it ends with
    address        TEXT   NOT NULL,
    user_agent     TEXT,
    seal           BLOB   NOT NULL,             -- over everything above; 8 bytes, as the others of this table
    last_seen      BIGINT NOT NULL,
    last_seen_seal BLOB   NOT NULL              -- over token and last_seen
) WITHOUT ROWID;

-- Which sessions have ended: added to at its end, forgotten by time. Tokens are scattered over the whole of `sessions`, so an
-- end that were noted there would write a page of 4 KiB of its own; here sixty share one. Of two ends of a session the
-- first counts, and one of a session that is not there means nothing.
CREATE TABLE ends (
    number INTEGER NOT NULL PRIMARY KEY,        -- in the order in which they were noted
    token  BLOB    NOT NULL,                    -- whose: sessions.token
    at     BIGINT  NOT NULL,
    reason TEXT    NOT NULL,
    seal   BLOB    NOT NULL                     -- 8 bytes, as those of `sessions`
);

-- Time goes on, so this is added to at its end too.
CREATE INDEX ends_by_time ON ends (at);

CREATE TABLE users (
    id               BLOB   NOT NULL PRIMARY KEY, -- 16 bytes
    realm            TEXT   NOT NULL,
    username         TEXT   NOT NULL,             -- as it is shown
    canonical        TEXT   NOT NULL,             -- as it is compared
    roles            TEXT   NOT NULL,             -- JSON: array of names
    permissions      TEXT   NOT NULL,             -- JSON: array of permissions
    vouched          TEXT   NOT NULL,             -- JSON: what his realm last said of him (src/rows/directory.rs)
    enabled          BIGINT NOT NULL,             -- 0 or 1
    password         TEXT,                        -- PHC string
    password_version BIGINT NOT NULL,
    created          BIGINT NOT NULL,
    updated          BIGINT NOT NULL,
    seal             BIGINT NOT NULL,
    UNIQUE (realm, canonical)
) WITHOUT ROWID;

CREATE TABLE roles (
    name           TEXT   NOT NULL PRIMARY KEY,
    description    TEXT   NOT NULL,
    permissions    TEXT   NOT NULL,             -- JSON: array of permissions
    ui_permissions TEXT   NOT NULL,             -- JSON: array of texts
    created        BIGINT NOT NULL,
    updated        BIGINT NOT NULL,
    seal           BIGINT NOT NULL
) WITHOUT ROWID;

-- Realms that do not stand in the settings.
CREATE TABLE realms (
    name    TEXT   NOT NULL PRIMARY KEY,
    kind    TEXT   NOT NULL,
    enabled BIGINT NOT NULL,                    -- 0 or 1
    roles   TEXT   NOT NULL,                    -- JSON: array of names
    config  TEXT   NOT NULL,                    -- JSON: object
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    seal    BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE apps (
    id          TEXT   NOT NULL PRIMARY KEY,
    name        TEXT   NOT NULL,
    description TEXT   NOT NULL,
    properties  TEXT   NOT NULL,                -- JSON: object
    created     BIGINT NOT NULL,
    updated     BIGINT NOT NULL,
    seal        BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE api_keys (
    id          BLOB   NOT NULL PRIMARY KEY,    -- 16 bytes, public
    hash        BLOB   NOT NULL UNIQUE,         -- SHA-256 of the key
    name        TEXT   NOT NULL,
    user_id     BLOB   NOT NULL,                -- 16 bytes
    permissions TEXT,                           -- JSON: array of permissions; NULL: all that the user may
    expires     BIGINT,
    created     BIGINT NOT NULL,
    seal        BIGINT NOT NULL
) WITHOUT ROWID;

-- One row once the installation is set up.
CREATE TABLE installation (
    name    TEXT   NOT NULL PRIMARY KEY,        -- always 'initialised'
    version TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    seal    BIGINT NOT NULL
) WITHOUT ROWID;

-- One row once there are keys to sign with.
CREATE TABLE key_ring (
    name TEXT   NOT NULL PRIMARY KEY,           -- always 'keys'
    keys TEXT   NOT NULL,                       -- JSON: array of keys, the private ones too (src/rows/key_ring.rs)
    seal BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE attempts (
    name         TEXT   NOT NULL PRIMARY KEY,   -- whose attempts these are
    failures     BIGINT NOT NULL,
    since        BIGINT NOT NULL,
    paused_until BIGINT NOT NULL,
    pauses       BIGINT NOT NULL,
    known        TEXT   NOT NULL,               -- JSON: array of [address, time]
    last_known   BIGINT,                        -- the latest time in `known`
    seal         BIGINT NOT NULL
) WITHOUT ROWID;

-- The audit log: added to at its end, forgotten from its beginning, never changed. It has no index: an index by user or
-- address is written at a random place for each line, and the larger the log, the slower every login. `audit_blocks` says
-- instead which pieces of it are worth reading.
CREATE TABLE audit (
    sequence INTEGER NOT NULL PRIMARY KEY,      -- 1, 2, 3 …
    at       BIGINT  NOT NULL,
    event    TEXT    NOT NULL,
    fields   TEXT    NOT NULL,                  -- JSON: object of texts
    hash     BLOB    NOT NULL                   -- SHA-256 over the line before's and over this line
);

-- What is in each 1,024 lines.
CREATE TABLE audit_blocks (
    number   INTEGER NOT NULL PRIMARY KEY,      -- the lines' sequence / 1024
    earliest BIGINT  NOT NULL,
    latest   BIGINT  NOT NULL,
    marks    BLOB    NOT NULL,                  -- Bloom filter of events and fields (src/audit/block.rs)
    seal     BIGINT  NOT NULL
);

-- One row: between which lines the log lies.
CREATE TABLE audit_head (
    name   TEXT   NOT NULL PRIMARY KEY,         -- always 'head'
    first  BIGINT NOT NULL,                     -- the oldest line that is kept; last + 1: none is
    before BLOB   NOT NULL,                     -- hash of the line before it
    last   BIGINT NOT NULL,                     -- the newest line; 0: there never was one
    hash   BLOB   NOT NULL,                     -- hash of the newest line
    seal   BIGINT NOT NULL
) WITHOUT ROWID;

INSERT INTO audit_head (name, first, before, last, hash, seal)
VALUES ('head', 1, zeroblob(32), 0, zeroblob(32), 2804541434473509472);

-- How many rows a table has, and all their seals combined: a row that vanished or came from nowhere is noticed.
CREATE TABLE tallies (
    name  TEXT   NOT NULL PRIMARY KEY,
    count BIGINT NOT NULL,
    seals BIGINT NOT NULL
) WITHOUT ROWID;

INSERT INTO tallies (name, count, seals)
VALUES ('api_keys', 0, 0), ('apps', 0, 0), ('ends', 0, 0), ('installation', 0, 0), ('key_ring', 0, 0), ('realms', 0, 0),
    ('roles', 0, 0), ('sessions', 0, 0), ('users', 0, 0);
