-- Until when somebody works on the preview; said again and again by whoever does, so that it ends with him.
ALTER TABLE previews ADD COLUMN watched_until_ms BIGINT;

-- The directory of this machine over which its development server runs, instead of its source.
ALTER TABLE deployments ADD COLUMN live_directory TEXT;
