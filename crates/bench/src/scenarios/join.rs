//! `POST /rooms/{roomId}/join` by many users, one after the other, into one room that grows meanwhile; then all its members,
//! as a client asks for them.

use std::sync::Arc;

use super::Ground;
use crate::{
    connection::Failure,
    load::Worker,
    matrix::{Account, Client, encoded},
    measure::{Name, Outcome},
};

/// How often the members are asked for.
const LISTS: usize = 100;

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

/// Who looks at the list of members.
struct Reader {
    client: Client,
    path: String,
}

impl Worker for Reader {
    async fn step(&mut self, _: usize) -> Result<(), Failure> {
        self.client.get("members", &self.path).await.map(drop)
    }
}

pub(super) async fn measure(ground: &mut Ground) -> Result<Vec<Outcome>, Failure> {
    let joins = ground.sizes.joins;
    let creator = ground.accounts.apart().await?;
    let users = ground.accounts.crowd(joins).await?;
    let room_id = ground.public_room(&creator).await?;
    let path = format!("/_matrix/client/v3/rooms/{}/members", encoded(&room_id));
    let joiner = Joiner { client: ground.client(&creator), users, room_id };
    let name = Name { scenario: "join", shape: format!("{joins} users"), unit: "joins" };
    let joined = ground.closed_loop_cold(name, vec![joiner], ground.bound(joins)).await;
    let reader = Reader { client: ground.client(&creator), path };
    let name = Name { scenario: "members", shape: format!("{} members", joins + 1), unit: "lists" };
    let listed = ground.closed_loop(name, vec![reader], ground.bound(LISTS)).await;
    Ok(vec![joined, listed])
}
