//! `GET /sync?since=…&timeout=0` with nothing new: what it costs to find that nothing has changed, for
//! accounts in few and in many rooms.

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
    since: String,
}

impl Worker for Poller {
    async fn step(&mut self, _: usize) -> Result<(), Failure> {
        let query = format!("timeout=0&set_presence=offline&since={}", matrix::encoded(&self.since));
        let (_, next_batch) = self.client.sync(&query).await?;
        self.since = next_batch;
        Ok(())
    }
}

pub(super) async fn measure(ground: &mut Ground) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    for rooms in ground.sizes.rooms.clone() {
        let user = ground.account_with_rooms(rooms).await?;
        let mut pollers = Vec::new();
        for _ in 0..POLLERS {
            let mut client = ground.client(&user);
            let (_, since) = client.sync("timeout=0&set_presence=offline").await?;
            pollers.push(Poller { client, since });
        }
        let name = Name { scenario: "empty-poll", shape: format!("{rooms} rooms"), unit: "syncs" };
        outcomes.push(ground.closed_loop(name, pollers, ground.bound(ground.sizes.requests)).await);
    }
    Ok(outcomes)
}
