//! `POST /keys/device_signing/upload`

use serde_json::{Value, json};

use super::{Signer, cross_keys};
use crate::world::{Client, World, on_each_engine};

const PATH: &str = "v3/keys/device_signing/upload";

/// The body with proof that alice asks.
fn proved(mut body: Value, session: &str) -> Value {
    body["auth"] = json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": "alice" },
        "password": "password",
        "session": session,
    });
    body
}

async fn alice(world: &World) -> Client {
    world.register("alice").await
}

#[tokio::test]
async fn first_keys_and_the_same_keys_need_no_proof_and_others_do() {
    on_each_engine(async |world: World| {
        let alice = alice(&world).await;
        let keys = cross_keys(&alice, [1, 2, 3]);
        let master = json!({ "master_key": keys["master_key"] });
        assert_eq!(world.post_as(&alice, PATH, master.clone()).await.ok(), json!({}));
        assert_eq!(world.post_as(&alice, PATH, master).await.ok(), json!({}), "the same key");
        let asked = world.post_as(&alice, PATH, keys.clone()).await;
        assert_eq!(asked.status, 401, "more keys: {}", asked.body);
        assert!(asked.body["flows"].is_array());
        world.post_as(&alice, PATH, proved(keys.clone(), &asked.text("session"))).await.ok();
        assert_eq!(world.post_as(&alice, PATH, keys).await.ok(), json!({}), "all the same");

        let others = cross_keys(&alice, [4, 5, 6]);
        let asked = world.post_as(&alice, PATH, others.clone()).await;
        assert_eq!(asked.status, 401);
        let shown = world.query(&alice, &[&alice]).await;
        assert_ne!(shown["master_keys"][&alice.user_id]["keys"], others["master_key"]["keys"]);
        world.post_as(&alice, PATH, proved(others.clone(), &asked.text("session"))).await.ok();
        let shown = world.query(&alice, &[&alice]).await;
        assert_eq!(shown["master_keys"][&alice.user_id]["keys"], others["master_key"]["keys"]);
        assert_eq!(shown["self_signing_keys"][&alice.user_id]["keys"], others["self_signing_key"]["keys"]);
    })
    .await;
}

#[tokio::test]
async fn of_first_keys_that_come_at_once_one_are_the_first() {
    on_each_engine(async |world: World| {
        let alice = alice(&world).await;
        let mut uploads = Vec::new();
        for seed in 0..10 {
            let (world, alice) = (world.handle(), alice.clone());
            let keys = cross_keys(&alice, [3 * seed + 1, 3 * seed + 2, 3 * seed + 3]);
            uploads.push(tokio::spawn(async move { world.post_as(&alice, PATH, keys).await.status }));
        }
        let mut outcomes = Vec::new();
        for upload in uploads {
            outcomes.push(upload.await.unwrap());
        }
        outcomes.sort_unstable();
        assert_eq!((outcomes[0], outcomes[1], outcomes[9]), (200, 401, 401), "{outcomes:?}");
    })
    .await;
}

#[tokio::test]
async fn keys_that_another_master_key_signed_go_with_it() {
    on_each_engine(async |world: World| {
        let alice = alice(&world).await;
        world.upload_cross_keys(&alice, [1, 2, 3]).await;
        let body = json!({ "master_key": cross_keys(&alice, [4, 5, 6])["master_key"] });
        let asked = world.post_as(&alice, PATH, body.clone()).await;
        world.post_as(&alice, PATH, proved(body, &asked.text("session"))).await.ok();
        let shown = world.query(&alice, &[&alice]).await;
        assert_eq!(shown.get("self_signing_keys"), None);
        assert_eq!(shown.get("user_signing_keys"), None);
    })
    .await;
}

#[tokio::test]
async fn keys_that_are_not_in_order_are_refused_before_any_proof() {
    let world = World::new().await;
    let alice = alice(&world).await;
    let keys = cross_keys(&alice, [1, 2, 3]);
    let own = json!({ "self_signing_key": keys["self_signing_key"] });
    assert_eq!(world.post_as(&alice, PATH, own).await.error(), (400, "M_MISSING_PARAM"), "no master key");

    let mut unsigned = keys.clone();
    unsigned["self_signing_key"] = Signer::new(2).cross_key(&alice.user_id, "self_signing");
    assert_eq!(world.post_as(&alice, PATH, unsigned).await.error(), (400, "M_INVALID_SIGNATURE"));
    let mut forged = keys.clone();
    forged["self_signing_key"]["usage"] = json!(["self_signing", "more"]);
    assert_eq!(world.post_as(&alice, PATH, forged).await.error(), (400, "M_INVALID_SIGNATURE"));
    for (field, value) in [
        ("user_id", json!("@bob:parvis.test")),
        ("usage", json!(["user_signing"])),
        ("keys", json!({ "ed25519:x": "y" })),
        ("keys", json!({})),
    ] {
        let mut bad = keys.clone();
        bad["master_key"][field] = value;
        assert_eq!(world.post_as(&alice, PATH, bad).await.error(), (400, "M_INVALID_PARAM"), "{field}");
    }
    assert_eq!(world.query(&alice, &[&alice]).await.get("master_keys"), None, "nothing was kept");
}

#[tokio::test]
async fn key_that_has_the_name_of_a_device_is_refused() {
    let world = World::new().await;
    let alice = alice(&world).await;
    world.login("alice", json!({ "device_id": Signer::new(1).public() })).await.ok();
    let keys = cross_keys(&alice, [1, 2, 3]);
    assert_eq!(world.post_as(&alice, PATH, keys).await.error(), (403, "M_FORBIDDEN"));
}
