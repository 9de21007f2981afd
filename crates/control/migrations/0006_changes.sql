-- From what a forge tells to deployments: deliveries, the pull requests and branches they are about, and what came of each.

-- As it came, until it has been worked on; then only that it came, for as long as it may come again.
CREATE TABLE deliveries (
    forge          TEXT NOT NULL,
    delivery       TEXT NOT NULL,
    event          TEXT NOT NULL,
    body           TEXT NOT NULL,
    received_at_ms BIGINT NOT NULL,
    done_at_ms     BIGINT,
    outcome        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (forge, delivery)
);
CREATE INDEX deliveries_by_done ON deliveries (done_at_ms, received_at_ms);

-- Pull requests (`pull/12`) and branches (`branch/main`) that are followed. `wanted_look` grows when something was heard of
-- it; `looked` is the mark that the newest truth answers. `missed` counts how often it was not found while its repository was.
CREATE TABLE heads (
    repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    head          TEXT NOT NULL,
    namespace     TEXT NOT NULL,
    truth         TEXT,
    over          BIGINT NOT NULL DEFAULT 0,
    wanted_look   BIGINT NOT NULL DEFAULT 1,
    looked        BIGINT NOT NULL DEFAULT 0,
    looked_at_ms  BIGINT,
    missed        BIGINT NOT NULL DEFAULT 0,
    not_before_ms BIGINT NOT NULL DEFAULT 0,
    attempts      BIGINT NOT NULL DEFAULT 0,
    trouble       TEXT,
    PRIMARY KEY (repository_id, head),
    UNIQUE (repository_id, namespace)
);

-- What each project makes of a head: what its base branch says, what follows from it, and the commit that was deployed
-- for it last. The deployment and `deployed` are written together, so that a commit is deployed once.
CREATE TABLE verdicts (
    repository_id TEXT NOT NULL,
    head          TEXT NOT NULL,
    project_id    TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    basis         TEXT NOT NULL,
    verdict       TEXT,
    deployed      TEXT,
    PRIMARY KEY (repository_id, head, project_id),
    FOREIGN KEY (repository_id, head) REFERENCES heads (repository_id, head) ON DELETE CASCADE
);

-- A stranger's commits that somebody who may write has approved.
CREATE TABLE approvals (
    repository_id TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    number        BIGINT NOT NULL,
    commit_sha    TEXT NOT NULL,
    by_login      TEXT NOT NULL,
    at_ms         BIGINT NOT NULL,
    PRIMARY KEY (repository_id, number, commit_sha)
);

-- What people asked for in comments, by buttons and labels. Done in the transaction of its effect, then answered at the
-- forge with a reaction where there is a comment to react to.
CREATE TABLE commands (
    repository_id  TEXT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    id             TEXT NOT NULL,
    head           TEXT NOT NULL,
    project        TEXT NOT NULL,
    word           TEXT NOT NULL,
    author         TEXT NOT NULL,
    comment        TEXT,
    received_at_ms BIGINT NOT NULL,
    done_at_ms     BIGINT,
    not_before_ms  BIGINT NOT NULL DEFAULT 0,
    attempts       BIGINT NOT NULL DEFAULT 0,
    reaction       TEXT,
    notice         TEXT,
    PRIMARY KEY (repository_id, id)
);
CREATE INDEX commands_by_head ON commands (repository_id, head);

-- What was heard of a repository and is to be confirmed; how often asking about it failed in a row; whether somebody has
-- said that its sudden loss of pull requests is right.
ALTER TABLE repositories ADD COLUMN said_name TEXT;
ALTER TABLE repositories ADD COLUMN said_gone BIGINT NOT NULL DEFAULT 0;
ALTER TABLE repositories ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE repositories ADD COLUMN drop_accepted BIGINT NOT NULL DEFAULT 0;

-- Where the source of a deployment comes from, when it has to be fetched; there is no tree before it has been.
ALTER TABLE deployments ADD COLUMN revision TEXT;
ALTER TABLE deployments ADD COLUMN tree TEXT;
UPDATE deployments SET tree = source;
ALTER TABLE deployments DROP COLUMN source;
ALTER TABLE deployments RENAME COLUMN tree TO source;
