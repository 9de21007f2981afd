-- Text ids, integer times in milliseconds since 1970, JSON as text: the subset that SQLite and PostgreSQL share.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE projects (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    created_at_ms BIGINT NOT NULL
);

-- What each project has sent: a tree may name only such blobs, or a digest would be a key to other people's files.
CREATE TABLE blobs_sent (
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    digest     TEXT NOT NULL,
    PRIMARY KEY (project_id, digest)
);

CREATE TABLE previews (
    id                 TEXT PRIMARY KEY,
    project_id         TEXT NOT NULL REFERENCES projects (id),
    namespace          TEXT NOT NULL,
    environment        TEXT NOT NULL,
    origin             TEXT NOT NULL,
    current_deployment TEXT,
    keep               BIGINT NOT NULL,
    created_at_ms      BIGINT NOT NULL,
    expires_at_ms      BIGINT,
    UNIQUE (project_id, namespace)
);

CREATE TABLE deployments (
    id              TEXT PRIMARY KEY,
    preview_id      TEXT NOT NULL REFERENCES previews (id) ON DELETE CASCADE,
    sequence        BIGINT NOT NULL,
    state           TEXT NOT NULL,
    environment     TEXT NOT NULL,
    trust           TEXT NOT NULL,
    source          TEXT NOT NULL,
    rebuild         BIGINT NOT NULL,
    plan            TEXT,
    artifact        TEXT,
    reused_build_of TEXT,
    failure         TEXT,
    attempts        BIGINT NOT NULL DEFAULT 0,
    not_before_ms   BIGINT NOT NULL DEFAULT 0,
    lease_boot      TEXT,
    announced       BIGINT NOT NULL DEFAULT 0,
    created_at_ms   BIGINT NOT NULL,
    finished_at_ms  BIGINT,
    UNIQUE (preview_id, sequence)
);
CREATE INDEX deployments_by_state ON deployments (state);

CREATE TABLE phases (
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    position      BIGINT NOT NULL,
    name          TEXT NOT NULL,
    started_at_ms BIGINT NOT NULL,
    millis        BIGINT,
    PRIMARY KEY (deployment_id, position)
);

-- The same input is never built twice: what was built, by the digest of everything that went in.
CREATE TABLE builds (
    project_id    TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    key           TEXT NOT NULL,
    trust         TEXT NOT NULL,
    artifact      TEXT NOT NULL,
    deployment_id TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (project_id, key, trust)
);

-- Written before the instance is made; `wanted` is awake, asleep, stopped (starts on request) or gone (only its log is left).
CREATE TABLE instances (
    id              TEXT PRIMARY KEY,
    deployment_id   TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    service         TEXT NOT NULL,
    wanted          TEXT NOT NULL,
    asleep          BIGINT NOT NULL DEFAULT 0,
    port            BIGINT,
    restarts        BIGINT NOT NULL DEFAULT 0,
    not_before_ms   BIGINT NOT NULL DEFAULT 0,
    rest_at_ms      BIGINT,
    started_at_ms   BIGINT,
    created_at_ms   BIGINT NOT NULL,
    UNIQUE (deployment_id, service)
);

-- One label, one owner: an alias belongs to a preview, a pinned host to a deployment, a tombstone to nobody.
CREATE TABLE hosts (
    label         TEXT PRIMARY KEY,
    kind          TEXT NOT NULL,
    preview_id    TEXT REFERENCES previews (id) ON DELETE CASCADE,
    deployment_id TEXT REFERENCES deployments (id) ON DELETE CASCADE
);
CREATE INDEX hosts_by_preview ON hosts (preview_id);

CREATE TABLE hosts_gone (
    label TEXT PRIMARY KEY,
    project TEXT NOT NULL,
    namespace TEXT NOT NULL,
    at_ms BIGINT NOT NULL
);

-- `''` in a column of the scope means "any". Values are sealed, secret or not.
CREATE TABLE variables (
    project     TEXT NOT NULL,
    namespace   TEXT NOT NULL,
    environment TEXT NOT NULL,
    name        TEXT NOT NULL,
    secret      BIGINT NOT NULL,
    sealed      TEXT NOT NULL,
    PRIMARY KEY (project, namespace, environment, name)
);

CREATE TABLE deployment_variables (
    deployment_id TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    name          TEXT NOT NULL,
    sealed        TEXT NOT NULL,
    PRIMARY KEY (deployment_id, name)
);

CREATE TABLE events (
    sequence   BIGINT PRIMARY KEY,
    at_ms      BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    project    TEXT,
    namespace  TEXT,
    deployment TEXT,
    detail     TEXT NOT NULL
);
