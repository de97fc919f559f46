//! `POST /rooms/{roomId}/join` by many users, one after the other, into one room that grows meanwhile.

use std::sync::Arc;

use super::Ground;
use crate::{
    connection::Failure,
    load::Worker,
    matrix::{Account, Client},
    measure::{Name, Outcome},
};

struct Joiner {
    client: Client,
    users: Vec<Arc<Account>>,
    room_id: String,
}

impl Worker for Joiner {
    async fn step(&mut self, n: usize) -> Result<(), Failure> {
        let Some(user) = self.users.get(n) else {
            return Err(Failure::Unexpected("no user is left to join".to_owned()));
        };
        self.client.act_as(user);
        self.client.join(&self.room_id).await
    }
}

pub(super) async fn measure(ground: &mut Ground) -> Result<Vec<Outcome>, Failure> {
    let joins = ground.sizes.joins;
    let creator = ground.accounts.apart().await?;
    let users = ground.accounts.crowd(joins).await?;
    let room_id = ground.public_room(&creator).await?;
    let joiner = Joiner { client: ground.client(&creator), users, room_id };
    let name = Name { scenario: "join", shape: format!("{joins} users"), unit: "joins" };
    Ok(vec![ground.closed_loop_cold(name, vec![joiner], ground.bound(joins)).await])
}
