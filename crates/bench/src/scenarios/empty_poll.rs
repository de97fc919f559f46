//! `GET /sync?since=…&timeout=0` with nothing new: what it costs to find that nothing has changed, for
//! accounts in few and in many rooms.

use serde_json::json;

use super::Ground;
use crate::{
    connection::Failure,
    load::Worker,
    matrix::{self, Client},
    measure::{Name, Outcome},
};

/// Devices that poll at the same time. They belong to one account: what is measured is the account's rooms.
const POLLERS: usize = 8;

struct Poller {
    client: Client,
    /// Query parameters that stay the same.
    query: String,
    since: String,
}

impl Worker for Poller {
    async fn step(&mut self, _: usize) -> Result<(), Failure> {
        let since = matrix::encoded(&self.since);
        let (_, next_batch) = self.client.sync(&format!("{}&since={since}", self.query)).await?;
        self.since = next_batch;
        Ok(())
    }
}

pub(super) async fn measure(ground: &mut Ground) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    for rooms in ground.sizes.rooms.clone() {
        let user = ground.account_with_rooms(rooms).await?;
        let mut pollers = Vec::new();
        for n in 0..POLLERS {
            pollers.push(poller(ground.client(&user), n).await?);
        }
        let name = Name { scenario: "empty-poll", shape: format!("{rooms} rooms"), unit: "syncs" };
        outcomes.push(ground.closed_loop(name, pollers, ground.bound(ground.sizes.requests)).await);
    }
    Ok(outcomes)
}

/// Each with a filter of its own: a server may answer requests that are alike, at the same time, together.
async fn poller(mut client: Client, n: usize) -> Result<Poller, Failure> {
    let filter = matrix::serialised(&json!({ "room": { "timeline": { "limit": 10 + n } } }));
    let filter_id = client.upload_filter(filter).await?;
    let query = format!("timeout=0&set_presence=offline&filter={}", matrix::encoded(&filter_id));
    let (_, since) = client.sync(&query).await?;
    Ok(Poller { client, query, since })
}
