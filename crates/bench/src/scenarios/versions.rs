//! `GET /_matrix/client/versions`: parsing, routing and answering without a user, a room or a database. The
//! floor to which other costs are compared.

use super::Ground;
use crate::{
    connection::Failure,
    load::Worker,
    matrix::Client,
    measure::{Name, Outcome},
};

struct Asker(Client);

impl Worker for Asker {
    async fn step(&mut self, _: usize) -> Result<(), Failure> {
        self.0.get("/_matrix/client/versions").await.map(drop)
    }
}

pub(super) async fn measure(ground: &mut Ground) -> Result<Vec<Outcome>, Failure> {
    let user = ground.accounts.crowd(1).await?;
    let mut outcomes = Vec::new();
    for connections in [1, 32] {
        let askers = user.iter().cycle().take(connections).map(|user| Asker(ground.client(user))).collect();
        let shape = format!("{connections} conn");
        let name = Name { scenario: "versions", shape, unit: "request" };
        outcomes.push(ground.closed_loop(name, askers, ground.bound(ground.sizes.requests)).await);
    }
    Ok(outcomes)
}
