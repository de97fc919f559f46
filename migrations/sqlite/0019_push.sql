-- What users have not been pushed yet, as far as it is behind: see docs/architecture.md.
-- The same tables and columns stand in the file for PostgreSQL.

-- Everything up to here was told to every pusher that does not lag behind.
INSERT INTO counters (name, value) SELECT 'push', value FROM counters WHERE name = 'position';

-- A pusher that is switched off is kept, and told nothing.
ALTER TABLE pushers ADD COLUMN enabled BOOLEAN NOT NULL DEFAULT TRUE;
-- Up to where a pusher that lags behind was told everything; null for the others.
ALTER TABLE pushers ADD COLUMN told_position INTEGER;
CREATE INDEX pushers_by_key ON pushers (app_id, pushkey);
