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
    address        TEXT   NOT NULL,
    user_agent     TEXT,
    seal           BLOB   NOT NULL,             -- over everything above; 8 bytes, as the others of this table
    last_seen      BIGINT NOT NULL,
    last_seen_seal BLOB   NOT NULL,             -- over token and last_seen
    ended_at       BIGINT,
    end_reason     TEXT,
    end_seal       BLOB                         -- over token, ended_at and end_reason
) WITHOUT ROWID;

CREATE INDEX sessions_by_end ON sessions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE users (
    id               BLOB   NOT NULL PRIMARY KEY, -- 16 bytes
    realm            TEXT   NOT NULL,
    username         TEXT   NOT NULL,             -- as it is shown
    canonical        TEXT   NOT NULL,             -- as it is compared
    roles            TEXT   NOT NULL,             -- JSON: array of names
    permissions      TEXT   NOT NULL,             -- JSON: array of permissions
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

-- One row once the installation is set up.
CREATE TABLE installation (
    name    TEXT   NOT NULL PRIMARY KEY,        -- always 'initialised'
    version TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    seal    BIGINT NOT NULL
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

-- How many rows a table has, and all their seals combined: a row that vanished or came from nowhere is noticed.
CREATE TABLE tallies (
    name  TEXT   NOT NULL PRIMARY KEY,
    count BIGINT NOT NULL,
    seals BIGINT NOT NULL
) WITHOUT ROWID;

INSERT INTO tallies (name, count, seals)
VALUES ('installation', 0, 0), ('roles', 0, 0), ('sessions', 0, 0), ('users', 0, 0);
