//! `POST /keys/signatures/upload`

use serde_json::{Value, json};

use super::{Signer, next};
use crate::world::{Client, World, on_each_engine};

const PATH: &str = "v3/keys/signatures/upload";

async fn upload(world: &World, client: &Client, of: &Client, name: &str, key: &Value) -> Value {
    let body = json!({ (of.user_id.as_str()): { (name): key } });
    world.post_as(client, PATH, body).await.ok()["failures"].clone()
}

#[tokio::test]
async fn device_that_the_user_signed_is_shown_so_to_everybody() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let keys = world.upload_device_keys(&alice, &Signer::new(9)).await;
        world.upload_cross_keys(&alice, [1, 2, 3]).await;
        let since = next(&world.sync(&alice, "").await);
        let own = Signer::new(2);
        let signed = own.sign(keys.clone(), &alice.user_id, &own.public());
        assert_eq!(upload(&world, &alice, &alice, &alice.device_id, &signed).await, json!({}));
        let changed = &world.sync(&alice, &since).await["device_lists"]["changed"];
        assert_eq!(*changed, json!([alice.user_id]));
        for viewer in [&alice, &bob] {
            let shown = world.query(viewer, &[&alice]).await;
            let shown = &shown["device_keys"][&alice.user_id][&alice.device_id];
            assert_eq!(shown["signatures"], signed["signatures"]);
        }
        let other = world.upload_device_keys(&alice, &Signer::new(8)).await;
        let shown = world.query(&alice, &[&alice]).await;
        let shown = &shown["device_keys"][&alice.user_id][&alice.device_id];
        assert_eq!(shown["signatures"], other["signatures"], "other keys are not signed");
    })
    .await;
}

#[tokio::test]
async fn signature_on_somebody_else_is_shown_to_who_made_it_only() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let carol = world.register("carol").await;
        world.upload_cross_keys(&alice, [1, 2, 3]).await;
        let theirs = world.upload_cross_keys(&bob, [4, 5, 6]).await;
        let since = next(&world.sync(&alice, "").await);
        let (signer, master) = (Signer::new(3), Signer::new(4).public());
        let signed = signer.sign(theirs["master_key"].clone(), &alice.user_id, &signer.public());
        assert_eq!(upload(&world, &alice, &bob, &master, &signed).await, json!({}));
        let shown = world.query(&alice, &[&bob]).await;
        assert_eq!(shown["master_keys"][&bob.user_id]["signatures"], signed["signatures"]);
        for viewer in [&bob, &carol] {
            let shown = world.query(viewer, &[&bob]).await;
            assert_eq!(shown["master_keys"][&bob.user_id]["signatures"], json!({}));
        }
        let changed = &world.sync(&alice, &since).await["device_lists"]["changed"];
        assert_eq!(*changed, json!([bob.user_id]), "the signer's other devices look again");
    })
    .await;
}

#[tokio::test]
async fn master_key_is_signed_by_a_device() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let device = Signer::new(9);
        world.upload_device_keys(&alice, &device).await;
        let keys = world.upload_cross_keys(&alice, [1, 2, 3]).await;
        let signed = device.sign(keys["master_key"].clone(), &alice.user_id, &alice.device_id);
        assert_eq!(upload(&world, &alice, &alice, &Signer::new(1).public(), &signed).await, json!({}));
        let shown = world.query(&alice, &[&alice]).await;
        assert_eq!(shown["master_keys"][&alice.user_id]["signatures"], signed["signatures"]);
    })
    .await;
}

#[tokio::test]
async fn signatures_that_are_not_good_are_named_and_not_kept() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let keys = world.upload_device_keys(&alice, &Signer::new(9)).await;
    world.upload_cross_keys(&alice, [1, 2, 3]).await;
    let theirs = world.upload_device_keys(&bob, &Signer::new(8)).await;
    let own = Signer::new(2);
    let mut changed = own.sign(keys.clone(), &alice.user_id, &own.public());
    changed["algorithms"] = json!([]);
    let wrong_key = Signer::new(3).sign(keys.clone(), &alice.user_id, &own.public());
    let of_other = own.sign(theirs, &alice.user_id, &own.public());
    for (of, name, key, errcode) in [
        (&alice, alice.device_id.as_str(), &changed, "M_INVALID_PARAM"),
        (&alice, alice.device_id.as_str(), &wrong_key, "M_INVALID_SIGNATURE"),
        (&alice, "NONE", &wrong_key, "M_NOT_FOUND"),
        (&bob, bob.device_id.as_str(), &of_other, "M_NOT_FOUND"),
        (&alice, alice.device_id.as_str(), &json!([]), "M_BAD_JSON"),
    ] {
        let failures = upload(&world, &alice, of, name, key).await;
        assert_eq!(failures[&of.user_id][name]["errcode"], errcode);
    }
    let shown = world.query(&alice, &[&alice]).await;
    assert_eq!(shown["device_keys"][&alice.user_id][&alice.device_id]["signatures"], keys["signatures"]);
}
