-- A service can have several instances: each is one replica of it, numbered from 1. What was there is the first.

CREATE TABLE instances_numbered (
    id              TEXT PRIMARY KEY,
    deployment_id   TEXT NOT NULL REFERENCES deployments (id) ON DELETE CASCADE,
    service         TEXT NOT NULL,
    replica         BIGINT NOT NULL,
    wanted          TEXT NOT NULL,
    asleep          BIGINT NOT NULL DEFAULT 0,
    port            BIGINT,
    restarts        BIGINT NOT NULL DEFAULT 0,
    not_before_ms   BIGINT NOT NULL DEFAULT 0,
    rest_at_ms      BIGINT,
    started_at_ms   BIGINT,
    created_at_ms   BIGINT NOT NULL,
    UNIQUE (deployment_id, service, replica)
);

INSERT INTO instances_numbered
    (id, deployment_id, service, replica, wanted, asleep, port, restarts, not_before_ms, rest_at_ms, started_at_ms, created_at_ms)
SELECT id, deployment_id, service, 1, wanted, asleep, port, restarts, not_before_ms, rest_at_ms, started_at_ms, created_at_ms
FROM instances;

DROP TABLE instances;
ALTER TABLE instances_numbered RENAME TO instances;
