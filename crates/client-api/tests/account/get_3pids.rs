//! `get_3pids`

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn nobody_has_addresses_or_phone_numbers() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    assert_eq!(world.get_as(&alice, "v3/account/3pid").await.ok(), json!({ "threepids": [] }));
}
