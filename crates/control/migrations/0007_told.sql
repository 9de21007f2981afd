-- What forges and subscribers have been told.

-- One thing that is shown at a forge: `message` is what it is to show, `digest` is of what it was told last; they differ
-- while it is to be told. `begun` says that it may be there although its `outside_id` is not known.
CREATE TABLE told (
    repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    key           TEXT NOT NULL,
    head          TEXT NOT NULL,
    message       TEXT NOT NULL,
    outside_id    TEXT,
    digest        TEXT,
    refused       TEXT,
    begun         BIGINT NOT NULL DEFAULT 0,
    attempts      BIGINT NOT NULL DEFAULT 0,
    told_at_ms    BIGINT NOT NULL DEFAULT 0,
    not_before_ms BIGINT NOT NULL DEFAULT 0,
    trouble       TEXT,
    PRIMARY KEY (repository_id, key)
);
CREATE INDEX told_by_head ON told (repository_id, head);

-- What has happened to a project lately is looked for all the time.
CREATE INDEX events_by_project ON events (project, sequence);

-- Who is told what happens. `cursor` is the event up to which sendings have been written. `project` is empty for all of
-- them, and so are `kinds`.
CREATE TABLE subscribers (
    id            TEXT PRIMARY KEY,
    url           TEXT NOT NULL,
    sealed        TEXT NOT NULL,
    kinds         TEXT NOT NULL,
    project       TEXT NOT NULL,
    paused        BIGINT NOT NULL DEFAULT 0,
    cursor        BIGINT NOT NULL,
    attempts      BIGINT NOT NULL DEFAULT 0,
    not_before_ms BIGINT NOT NULL DEFAULT 0,
    trouble       TEXT,
    created_at_ms BIGINT NOT NULL
);

CREATE TABLE sendings (
    subscriber_id TEXT NOT NULL REFERENCES subscribers (id) ON DELETE CASCADE,
    sequence      BIGINT NOT NULL,
    kind          TEXT NOT NULL,
    at_ms         BIGINT NOT NULL,
    body          TEXT NOT NULL,
    state         TEXT NOT NULL,
    wanted_at_ms  BIGINT NOT NULL,
    attempts      BIGINT NOT NULL DEFAULT 0,
    status        BIGINT,
    trouble       TEXT,
    done_at_ms    BIGINT,
    PRIMARY KEY (subscriber_id, sequence)
);
CREATE INDEX sendings_by_state ON sendings (subscriber_id, state, sequence);
