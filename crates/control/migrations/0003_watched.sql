-- Until when somebody works on the preview; said again and again by whoever does, so that it ends with him.
ALTER TABLE previews ADD COLUMN watched_until_ms BIGINT;
