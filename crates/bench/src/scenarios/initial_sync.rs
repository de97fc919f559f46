//! `GET /sync` without `since`, for accounts in many rooms: what opening a client for the first time costs.

use super::Ground;
use crate::{
    clock,
    connection::Failure,
    load::Worker,
    matrix::Client,
    measure::{Name, Outcome},
};

struct Newcomer {
    client: Client,
    asked: usize,
    bytes: usize,
}

impl Worker for Newcomer {
    async fn step(&mut self, _: usize) -> Result<(), Failure> {
        // An initial sync does not wait, whatever the timeout; a different one each time keeps a server from
        // answering with a whole response that it has kept for a retry of the same request.
        self.asked += 1;
        let query = format!("timeout={}&set_presence=offline", self.asked);
        let (body, _) = self.client.sync(&query).await?;
        self.bytes = body.len();
        Ok(())
    }
}

pub(super) async fn measure(ground: &mut Ground) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    for rooms in ground.sizes.rooms.clone() {
        let user = ground.account_with_rooms(rooms).await?;
        let mut newcomer = Newcomer { client: ground.client(&user), asked: 0, bytes: 0 };
        let began = clock::now();
        newcomer.step(0).await?;
        let first_ms = clock::now().duration_since(began).as_secs_f64() * 1000.0;
        let answer_kib = newcomer.bytes as f64 / 1024.0;
        let name = Name { scenario: "initial-sync", shape: format!("{rooms} rooms"), unit: "syncs" };
        let bound = ground.bound(ground.sizes.initial_syncs);
        let mut outcome = ground.closed_loop_cold(name, vec![newcomer], bound).await;
        outcome.facts.insert("first_ms".to_owned(), first_ms);
        outcome.facts.insert("answer_kib".to_owned(), answer_kib);
        outcomes.push(outcome);
    }
    Ok(outcomes)
}
