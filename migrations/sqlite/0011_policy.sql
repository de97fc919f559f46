-- What the organisation has set, and every change of it. The newest change of a setting is what holds.
-- The same tables and columns stand in the file for PostgreSQL; docs/architecture.md describes them.

CREATE TABLE policy_changes (
    change_sn BIGINT PRIMARY KEY NOT NULL,
    changed_ts BIGINT NOT NULL,
    author TEXT NOT NULL,
    setting TEXT NOT NULL,
    old_value TEXT,
    new_value TEXT
);
CREATE INDEX policy_changes_by_setting ON policy_changes (setting, change_sn);
