//! What a database must forget that was restored from a backup, and how it is noticed that one was.
//!
//! The world goes on after a backup is made: keys are given away, places in the stream are told to clients, and
//! other servers hear of numbers. A store that is put back to the backup knows nothing of that.

use crate::{Position, error::StorageError, statement::statements, store::Store, write_set::WriteSet};

statements! {
    SIGN_OF_LIFE = "SELECT value FROM counters WHERE name = 'alive'";
    PUT_SIGN_OF_LIFE =
        "INSERT INTO counters (name, value) VALUES ('alive', $1)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    PUT_RESTORED_AT =
        "INSERT INTO counters (name, value) SELECT 'restored', value FROM counters WHERE name = 'position'
         ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    SKIP_POSITIONS = "UPDATE counters SET value = value + $1 WHERE name = 'position'";
}

/// How many positions are left out at a restore: more than any server gives between a backup and its end.
const SKIPPED_POSITIONS: i64 = 100_000_000;
/// How many numbers of each list of devices are left out.
const SKIPPED_STREAM_IDS: i64 = 1_000_000;

impl WriteSet {
    /// Notes that a server works on this store, at a time in milliseconds since the epoch.
    pub fn put_sign_of_life(&mut self, now: i64) {
        self.write(&PUT_SIGN_OF_LIFE, vec![now.into()]);
    }

    /// Forgets what may have been given to others since the backup: one-time keys count as claimed, and lists of
    /// devices go on with numbers that nobody has heard of. Nobody else may work on the store.
    pub fn void_what_was_given(&mut self, now: i64) {
        self.void_one_time_keys(now);
        self.skip_stream_ids(SKIPPED_STREAM_IDS);
    }

    /// As [`void_what_was_given`](Self::void_what_was_given); and has the stream go on behind every position that
    /// was given since the backup. The store must be opened anew afterwards.
    pub fn begin_after_restore(&mut self, now: i64) {
        self.void_what_was_given(now);
        self.write(&PUT_RESTORED_AT, Vec::new());
        self.write(&SKIP_POSITIONS, vec![SKIPPED_POSITIONS.into()]);
    }
}

impl Store {
    /// When a server last said that it works on this store, in milliseconds since the epoch.
    pub async fn sign_of_life(&self) -> Result<Option<i64>, StorageError> {
        let row = self.engine.fetch_one(&SIGN_OF_LIFE, Vec::new()).await?;
        row.map(|row| row.int(0)).transpose()
    }

    /// Whether a position was given before a restore and leads to nothing any more: what was there is lost.
    pub fn is_void(&self, position: Position) -> bool {
        self.restored_at.is_some_and(|at| position > at && position.0 <= at.0 + SKIPPED_POSITIONS)
    }
}
