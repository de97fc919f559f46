//! Other servers that could not be reached, and when each is to be tried again.

use crate::{error::StorageError, statement::statements, store::Store, write_set::WriteSet};

statements! {
    PUT_FAILING_SERVER(rows of 4, key 1) =
        "INSERT INTO failing_servers (server_name, failing_since_ts, retry_ts, interval_ms) VALUES {rows}
         ON CONFLICT (server_name) DO UPDATE SET failing_since_ts = excluded.failing_since_ts,
             retry_ts = excluded.retry_ts, interval_ms = excluded.interval_ms";
    DELETE_FAILING_SERVER = "DELETE FROM failing_servers WHERE server_name = $1";
    FAILING_SERVERS = "SELECT server_name, failing_since_ts, retry_ts, interval_ms FROM failing_servers";
}

/// A server that could not be reached. Times are in milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingServer {
    /// Which.
    pub server_name: String,
    /// Since when.
    pub failing_since_ts: i64,
    /// When it may be tried again.
    pub retry_ts: i64,
    /// How long it was left in peace the last time, in milliseconds.
    pub interval_ms: i64,
}

impl WriteSet {
    /// Notes that a server could not be reached.
    pub fn put_failing_server(&mut self, server: &FailingServer) {
        let FailingServer { server_name, failing_since_ts, retry_ts, interval_ms } = server;
        let times = [failing_since_ts, retry_ts, interval_ms].map(|time| (*time).into());
        self.write(&PUT_FAILING_SERVER, [server_name.as_str().into()].into_iter().chain(times).collect());
    }

    /// Forgets that a server could not be reached.
    pub fn delete_failing_server(&mut self, server_name: &str) {
        self.write(&DELETE_FAILING_SERVER, vec![server_name.into()]);
    }
}

impl Store {
    /// All servers that could not be reached the last time.
    pub async fn failing_servers(&self) -> Result<Vec<FailingServer>, StorageError> {
        let rows = self.engine.fetch(&FAILING_SERVERS, Vec::new()).await?;
        let servers = rows.iter().map(|row| {
            Ok(FailingServer {
                server_name: row.text(0)?,
                failing_since_ts: row.int(1)?,
                retry_ts: row.int(2)?,
                interval_ms: row.int(3)?,
            })
        });
        servers.collect()
    }
}
