//! `POST /keys/claim`

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{next, one_time_keys};
use crate::world::{Client, World, on_each_engine};

async fn claim(world: &World, claimant: &Client, of: &Client) -> Value {
    let wanted = json!({ (of.user_id.as_str()): { (of.device_id.as_str()): "signed_curve25519" } });
    let answer = world.post_as(claimant, "v3/keys/claim", json!({ "one_time_keys": wanted })).await.ok();
    answer["one_time_keys"].clone()
}

/// The name of the key that was claimed.
fn name(of: &Client, keys: &Value) -> Option<String> {
    keys[&of.user_id][&of.device_id].as_object()?.keys().next().cloned()
}

#[tokio::test]
async fn fifty_who_claim_at_once_get_fifty_keys_and_the_next_the_fallback_key() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let body = json!({
            "one_time_keys": one_time_keys(0..50),
            "fallback_keys": { "signed_curve25519:F": { "key": "f", "fallback": true, "signatures": {} } },
        });
        world.post_as(&alice, "v3/keys/upload", body.clone()).await.ok();
        let since = next(&world.sync(&alice, "").await);
        let mut claims = Vec::new();
        for _ in 0..100 {
            let (world, alice, bob) = (world.handle(), alice.clone(), bob.clone());
            claims.push(tokio::spawn(async move { name(&alice, &claim(&world, &bob, &alice).await).unwrap() }));
        }
        let mut names = Vec::new();
        for claim in claims {
            names.push(claim.await.unwrap());
        }
        names.sort();
        let fallbacks = names.iter().filter(|name| *name == "signed_curve25519:F").count();
        assert_eq!(fallbacks, 50);
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), 51, "{names:?}");
        let sync = world.sync(&alice, &since).await;
        assert_eq!(sync["device_one_time_keys_count"]["signed_curve25519"], 0);
        assert_eq!(sync["device_unused_fallback_key_types"], json!([]));

        // What is there already stays used; another one is not.
        world.post_as(&alice, "v3/keys/upload", body).await.ok();
        let sync = world.sync(&alice, &since).await;
        assert_eq!(sync["device_unused_fallback_key_types"], json!([]));
        let other = json!({ "fallback_keys": { "signed_curve25519:G": { "key": "g", "fallback": true, "signatures": {} } } });
        world.post_as(&alice, "v3/keys/upload", other).await.ok();
        let sync = world.sync(&alice, &since).await;
        assert_eq!(sync["device_unused_fallback_key_types"], json!(["signed_curve25519"]));
        assert_eq!(name(&alice, &claim(&world, &bob, &alice).await).unwrap(), "signed_curve25519:G");
    })
    .await;
}

#[tokio::test]
async fn oldest_key_is_given_first() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        for id in ["9", "1", "5"] {
            world
                .post_as(&alice, "v3/keys/upload", json!({ "one_time_keys": one_time_keys([id]) }))
                .await
                .ok();
        }
        for id in ["9", "1", "5"] {
            let key = claim(&world, &bob, &alice).await;
            let expected =
                json!({ (format!("signed_curve25519:{id}")): { "key": format!("k{id}"), "signatures": {} } });
            assert_eq!(key[&alice.user_id][&alice.device_id], expected);
        }
        assert_eq!(claim(&world, &bob, &alice).await, json!({}), "no entry for who has none");
    })
    .await;
}

#[tokio::test]
async fn claims_of_what_is_not_there_find_nothing() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let wanted = json!({
        "@nobody:parvis.test": { "X": "signed_curve25519" },
        (alice.user_id.as_str()): { "NONE": "signed_curve25519", (alice.device_id.as_str()): "other" },
    });
    let answer = world.post_as(&alice, "v3/keys/claim", json!({ "one_time_keys": wanted })).await.ok();
    assert_eq!(answer, json!({ "one_time_keys": {} }));
}
