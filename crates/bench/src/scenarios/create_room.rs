//! `POST /createRoom` with a preset and a name: seven or eight events, an answer only when all are there.

use serde_json::json;

use super::Ground;
use crate::{
    connection::Failure,
    load::Worker,
    matrix::{self, Client},
    measure::{Name, Outcome},
};

struct Creator(Client);

impl Worker for Creator {
    async fn step(&mut self, n: usize) -> Result<(), Failure> {
        let name = format!("Project {n}");
        let body = matrix::serialised(&json!({ "preset": "private_chat", "name": name }));
        self.0.create_room(&body).await.map(drop)
    }
}

pub(super) async fn measure(ground: &mut Ground) -> Result<Vec<Outcome>, Failure> {
    let user = ground.accounts.apart().await?;
    let name = Name { scenario: "create-room", shape: "1 user".to_owned(), unit: "rooms" };
    let bound = ground.bound(ground.sizes.create_rooms);
    Ok(vec![ground.closed_loop(name, vec![Creator(ground.client(&user))], bound).await])
}
