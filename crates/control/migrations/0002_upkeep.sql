-- When something was last used, so that what nobody uses can go; how long previews live; why a deployment waits.

ALTER TABLE blobs_sent ADD COLUMN used_at_ms BIGINT NOT NULL DEFAULT 0;

ALTER TABLE builds ADD COLUMN used_at_ms BIGINT NOT NULL DEFAULT 0;
UPDATE builds SET used_at_ms = created_at_ms;

-- Seconds from the newest deployment on; empty is for ever.
ALTER TABLE previews ADD COLUMN ttl_seconds BIGINT;

ALTER TABLE deployments ADD COLUMN waiting TEXT;
