//! `POST /keys/query`

use serde_json::json;

use super::Signer;
use crate::world::{World, client, on_each_engine};

#[tokio::test]
async fn devices_are_shown_with_their_names_and_only_those_that_are_asked_for() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let more = json!({ "device_id": "PHONE", "initial_device_display_name": "my phone" });
        let phone = client(&world.login("alice", more).await);
        world.upload_device_keys(&alice, &Signer::new(1)).await;
        let keys = world.upload_device_keys(&phone, &Signer::new(2)).await;
        let all = world.query(&bob, &[&alice, &bob]).await["device_keys"].clone();
        assert_eq!(all[&alice.user_id].as_object().unwrap().len(), 2);
        assert_eq!(all[&bob.user_id], json!({}), "who has no keys is there all the same");
        let query = json!({ "device_keys": { (alice.user_id.as_str()): ["PHONE", "NONE"] } });
        let some = world.post_as(&bob, "v3/keys/query", query).await.ok();
        let mut expected = keys;
        expected["unsigned"] = json!({ "device_display_name": "my phone" });
        assert_eq!(some["device_keys"][&alice.user_id], json!({ "PHONE": expected }));
    })
    .await;
}

#[tokio::test]
async fn key_for_signing_others_is_shown_to_its_owner_only() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let keys = world.upload_cross_keys(&alice, [1, 2, 3]).await;
        let own = world.query(&alice, &[&alice]).await;
        assert_eq!(own["user_signing_keys"][&alice.user_id]["keys"], keys["user_signing_key"]["keys"]);
        let others = world.query(&bob, &[&alice]).await;
        assert_eq!(others["master_keys"][&alice.user_id]["keys"], keys["master_key"]["keys"]);
        assert_eq!(others["self_signing_keys"][&alice.user_id]["keys"], keys["self_signing_key"]["keys"]);
        assert_eq!(others.get("user_signing_keys"), None);
    })
    .await;
}

#[tokio::test]
async fn closed_account_has_no_keys() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        world.upload_device_keys(&alice, &Signer::new(9)).await;
        world.upload_cross_keys(&alice, [1, 2, 3]).await;
        let identifier = json!({ "type": "m.id.user", "user": "alice" });
        let auth = json!({ "type": "m.login.password", "identifier": identifier, "password": "password" });
        world.post_as(&alice, "v3/account/deactivate", json!({ "auth": auth })).await.ok();
        let shown = world.query(&bob, &[&alice]).await;
        assert_eq!(shown, json!({ "device_keys": { (alice.user_id.as_str()): {} } }));
    })
    .await;
}

#[tokio::test]
async fn devices_must_be_a_list_and_unknown_users_have_none() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let bad = json!({ "device_keys": { (alice.user_id.as_str()): { "device_id": "x" } } });
    assert_eq!(world.post_as(&alice, "v3/keys/query", bad).await.error(), (400, "M_BAD_JSON"));
    let nobody = json!({ "device_keys": { "@nobody:parvis.test": [] } });
    let answer = world.post_as(&alice, "v3/keys/query", nobody).await.ok();
    assert_eq!(answer["device_keys"], json!({ "@nobody:parvis.test": {} }));
}
