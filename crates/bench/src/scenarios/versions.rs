//! `GET /_matrix/client/versions`: parsing, routing and answering without a user, a room or a database. The
//! floor to which other costs are compared.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;

use super::Ground;
use crate::{
    connection::{Call, Connection, Failure},
    load::Worker,
    measure::{Name, Outcome},
};

/// Asks without an access token, which would be looked up.
struct Asker(Connection);

impl Worker for Asker {
    async fn step(&mut self, _: usize) -> Result<(), Failure> {
        let path = "/_matrix/client/versions";
        let call = Call { method: Method::GET, path, bearer: None, body: Bytes::new() };
        self.0.call(call).await?.success("versions").map(drop)
    }
}

pub(super) async fn measure(ground: &mut Ground) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    for connections in [1, 32] {
        let askers = (0..connections).map(|_| Asker(Connection::new(Arc::clone(&ground.server)))).collect();
        let shape = format!("{connections} conn");
        let name = Name { scenario: "versions", shape, unit: "requests" };
        outcomes.push(ground.closed_loop(name, askers, ground.bound(ground.sizes.requests)).await);
    }
    Ok(outcomes)
}
