-- Where changes come from: forges with their sealed credentials, repositories, and which project is which part of one.

-- `sealed` is empty for a forge whose credentials the server is given at every start.
CREATE TABLE forges (
    name              TEXT PRIMARY KEY,
    kind              TEXT NOT NULL,
    sealed            TEXT NOT NULL,
    redelivered_at_ms BIGINT NOT NULL DEFAULT 0,
    not_before_ms     BIGINT NOT NULL DEFAULT 0,
    trouble           TEXT,
    created_at_ms     BIGINT NOT NULL
);

-- `outside_id` is the forge's own number of it: it survives renaming. `wanted_list` grows when the open pull requests are
-- to be listed; `listed` is the mark that the newest list answers. `hook_url` is where a webhook of ours delivers to, or may:
-- it is written before the webhook is made, and `hooked` after.
CREATE TABLE repositories (
    id             TEXT PRIMARY KEY,
    forge          TEXT NOT NULL REFERENCES forges (name),
    outside_id     TEXT NOT NULL,
    name           TEXT NOT NULL,
    installation   TEXT,
    default_branch TEXT NOT NULL,
    web_url        TEXT NOT NULL,
    state          TEXT NOT NULL,
    held_reason    TEXT,
    listed_tag     TEXT,
    wanted_list    BIGINT NOT NULL DEFAULT 1,
    listed         BIGINT NOT NULL DEFAULT 0,
    listed_at_ms   BIGINT,
    not_before_ms  BIGINT NOT NULL DEFAULT 0,
    trouble        TEXT,
    hook_wanted    BIGINT NOT NULL DEFAULT 0,
    hook_url       TEXT,
    hooked         BIGINT NOT NULL DEFAULT 0,
    hook_trouble   TEXT,
    hook_not_before_ms BIGINT NOT NULL DEFAULT 0,
    created_at_ms  BIGINT NOT NULL,
    UNIQUE (forge, outside_id)
);

-- `root` is the project's directory in the repository, empty for all of it; `settings` is what the operator says of it.
CREATE TABLE project_repositories (
    project_id    TEXT PRIMARY KEY REFERENCES projects (id) ON DELETE CASCADE,
    repository_id TEXT NOT NULL REFERENCES repositories (id),
    root          TEXT NOT NULL,
    settings      TEXT NOT NULL
);
CREATE INDEX project_repositories_by_repository ON project_repositories (repository_id);

ALTER TABLE projects ADD COLUMN paused BIGINT NOT NULL DEFAULT 0;
