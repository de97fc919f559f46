//! What people of several organisations can do together, each with a homeserver of its own.

use std::time::Duration;

use bytes::Bytes;
use parvis_peers::{Limits, PeerError};
use parvis_testkit::{Engine, Network};
use ruma::server_name;

use crate::on_each_engine;

const SHORT: Limits = Limits { timeout: Duration::from_secs(20), max_bytes: 1 << 20, despite_back_off: true };

async fn ask(network: &Network, from: &str) -> Result<u16, PeerError> {
    let request = http::Request::get("/_matrix/client/versions").body(Bytes::new()).unwrap();
    let answer = network.transport(from).exchange(server_name!("b.test"), request, SHORT).await?;
    Ok(answer.status().as_u16())
}

#[tokio::test]
async fn homeservers_reach_each_other_until_the_wire_is_cut() {
    on_each_engine(async |engine: Engine| {
        let mut network = Network::start(&engine, &["a.test", "b.test"]).await;
        let alice = network.user("alice", "a.test").await;
        assert_eq!(alice.id, "@alice:a.test");
        assert_eq!(ask(&network, "a.test").await.unwrap(), 200);
        network.cut("a.test", "b.test");
        assert!(ask(&network, "a.test").await.unwrap_err().is_silence());
        network.mend("a.test", "b.test");
        network.stop("b.test").await;
        assert!(ask(&network, "a.test").await.unwrap_err().is_silence());
        network.run("b.test").await;
        assert_eq!(ask(&network, "a.test").await.unwrap(), 200);
    })
    .await;
}
