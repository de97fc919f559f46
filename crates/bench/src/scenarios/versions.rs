//! `GET /_matrix/client/versions`: parsing, routing and answering without a user, a room or a database. The
//! floor to which other costs are compared.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Method;

use super::Ground;
use crate::{
    clock,
    connection::{Call, Connection, Failure},
    load::Worker,
    measure::{Meter, Name, Outcome, Samples},
};

/// The pause between two requests of the shape that has pauses: that of the wake-ups of sliding sync.
const APART: Duration = Duration::from_millis(25);
/// Most requests of that shape.
const MOST_APART: usize = 400;

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
    outcomes.push(apart(ground).await?);
    Ok(outcomes)
}

/// One request after another, with a pause before each: every thread that has a part in it sleeps when it comes, and the
/// processor has forgotten what it worked with. So it is when a server has little to do.
async fn apart(ground: &Ground) -> Result<Outcome, Failure> {
    let mut asker = Asker(Connection::new(Arc::clone(&ground.server)));
    asker.step(0).await?;
    let meter = Meter::start(&ground.watch).await;
    let mut samples = Samples::default();
    let mut active = Duration::ZERO;
    for number in 0..ground.sizes.requests.min(MOST_APART) {
        tokio::time::sleep(APART).await;
        let began = clock::now();
        asker.step(number).await?;
        let took = clock::now().duration_since(began);
        samples.succeeded(took);
        active += took;
    }
    let shape = format!("1 conn, {} ms apart", APART.as_millis());
    Ok(meter.finish(Name { scenario: "versions", shape, unit: "requests" }, samples, active).await)
}
