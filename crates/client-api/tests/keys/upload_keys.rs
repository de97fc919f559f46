//! `POST /keys/upload`

use serde_json::json;

use super::{Signer, device_keys, next, one_time_keys};
use crate::world::{World, client, on_each_engine};

#[tokio::test]
async fn uploaded_keys_are_counted_and_shown() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let keys = device_keys(&alice, &Signer::new(1));
        let body = json!({
            "device_keys": keys,
            "one_time_keys": one_time_keys(["A", "B"]),
            "fallback_keys": { "signed_curve25519:F": { "key": "f", "fallback": true, "signatures": {} } },
        });
        let answer = world.post_as(&alice, "v3/keys/upload", body).await.ok();
        assert_eq!(answer, json!({ "one_time_key_counts": { "signed_curve25519": 2 } }));
        let shown = &world.query(&alice, &[&alice]).await["device_keys"][&alice.user_id][&alice.device_id];
        for field in ["user_id", "device_id", "algorithms", "keys", "signatures"] {
            assert_eq!(shown[field], keys[field]);
        }
        let sync = world.sync(&alice, "").await;
        assert_eq!(sync["device_one_time_keys_count"], json!({ "signed_curve25519": 2 }));
        assert_eq!(sync["device_unused_fallback_key_types"], json!(["signed_curve25519"]));
    })
    .await;
}

#[tokio::test]
async fn same_upload_once_more_changes_nothing() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let body = json!({ "device_keys": device_keys(&alice, &Signer::new(1)), "one_time_keys": one_time_keys(0..4) });
        world.post_as(&alice, "v3/keys/upload", body.clone()).await.ok();
        let since = next(&world.sync(&alice, "").await);
        let again = world.post_as(&alice, "v3/keys/upload", body).await.ok();
        assert_eq!(again["one_time_key_counts"]["signed_curve25519"], 4);
        assert_eq!(world.sync(&alice, &since).await.get("device_lists"), None);
        let more = json!({ "one_time_keys": one_time_keys(2..6) });
        let more = world.post_as(&alice, "v3/keys/upload", more).await.ok();
        assert_eq!(more["one_time_key_counts"]["signed_curve25519"], 6);
    })
    .await;
}

#[tokio::test]
async fn other_key_under_a_name_that_is_taken_is_refused_and_nothing_is_kept() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        world.post_as(&alice, "v3/keys/upload", json!({ "one_time_keys": one_time_keys(["A"]) })).await.ok();
        let other = json!({ "one_time_keys": {
            "signed_curve25519:A": { "key": "other", "signatures": {} },
            "signed_curve25519:B": { "key": "b", "signatures": {} },
        } });
        let answer = world.post_as(&alice, "v3/keys/upload", other).await;
        assert_eq!(answer.error(), (400, "M_INVALID_PARAM"));
        let counts = world.post_as(&alice, "v3/keys/upload", json!({})).await.ok();
        assert_eq!(counts["one_time_key_counts"]["signed_curve25519"], 1);
    })
    .await;
}

#[tokio::test]
async fn device_has_a_thousand_keys_at_most() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let upload = async |ids: std::ops::Range<usize>| {
        world.post_as(&alice, "v3/keys/upload", json!({ "one_time_keys": one_time_keys(ids) })).await
    };
    assert_eq!(upload(0..1_001).await.error(), (413, "M_TOO_LARGE"));
    assert_eq!(upload(0..999).await.status, 200);
    assert_eq!(upload(0..1_000).await.ok()["one_time_key_counts"]["signed_curve25519"], 1_000);
    assert_eq!(upload(1_000..1_001).await.error(), (413, "M_TOO_LARGE"));
}

#[tokio::test]
async fn key_that_was_claimed_does_not_come_back_by_uploading_it_again() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let body = json!({ "one_time_keys": one_time_keys(["A"]) });
        world.post_as(&alice, "v3/keys/upload", body.clone()).await.ok();
        let claim = json!({ "one_time_keys": { (alice.user_id.as_str()): { (alice.device_id.as_str()): "signed_curve25519" } } });
        world.post_as(&alice, "v3/keys/claim", claim.clone()).await.ok();
        let again = world.post_as(&alice, "v3/keys/upload", body).await.ok();
        assert_eq!(again["one_time_key_counts"]["signed_curve25519"], 0);
        assert_eq!(world.post_as(&alice, "v3/keys/claim", claim).await.ok()["one_time_keys"], json!({}));
    })
    .await;
}

#[tokio::test]
async fn keys_of_others_and_things_that_are_no_keys_are_refused() {
    let world = World::new().await;
    let (alice, bob) = (world.register("alice").await, world.register("bob").await);
    let keys = device_keys(&alice, &Signer::new(1));
    let of_other = json!({ "device_keys": keys });
    assert_eq!(world.post_as(&bob, "v3/keys/upload", of_other).await.status, 400);
    for (field, value) in [("algorithms", json!("x")), ("keys", json!(null)), ("signatures", json!([]))] {
        let mut bad = keys.clone();
        bad[field] = value;
        let answer = world.post_as(&alice, "v3/keys/upload", json!({ "device_keys": bad })).await;
        assert_eq!(answer.error(), (400, "M_BAD_JSON"), "{field}");
    }
    for bad in [
        json!({ "signed_curve25519:A": 1 }),
        json!({ "signed_curve25519:A": { "key": 1 } }),
        json!({ "nothing": "x" }),
    ] {
        let answer = world.post_as(&alice, "v3/keys/upload", json!({ "one_time_keys": bad })).await;
        assert_eq!(answer.error(), (400, "M_BAD_JSON"), "{bad}");
    }
}

#[tokio::test]
async fn new_identity_keys_void_the_one_time_keys_of_the_old_ones() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let body = json!({ "device_keys": device_keys(&alice, &Signer::new(1)), "one_time_keys": one_time_keys(["A"]) });
        world.post_as(&alice, "v3/keys/upload", body).await.ok();
        let body = json!({ "device_keys": device_keys(&alice, &Signer::new(2)), "one_time_keys": {
            "signed_curve25519:A": { "key": "anew", "signatures": {} } } });
        let counts = world.post_as(&alice, "v3/keys/upload", body).await.ok();
        assert_eq!(counts["one_time_key_counts"]["signed_curve25519"], 1);
    })
    .await;
}

#[tokio::test]
async fn device_that_is_taken_away_takes_its_keys_along() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let phone = client(&world.login("alice", json!({ "device_id": "PHONE" })).await);
        let body = json!({ "device_keys": device_keys(&phone, &Signer::new(1)), "one_time_keys": one_time_keys(0..3) });
        world.post_as(&phone, "v3/keys/upload", body).await.ok();
        let sent = json!({ "messages": { (alice.user_id.as_str()): { "PHONE": { "n": 1 } } } });
        world.put_as(&alice, "v3/sendToDevice/m.test/1", sent).await.ok();
        world.post_as(&phone, "v3/logout", json!({})).await.ok();
        assert_eq!(world.query(&alice, &[&alice]).await["device_keys"][&alice.user_id], json!({}));

        let phone = client(&world.login("alice", json!({ "device_id": "PHONE" })).await);
        let sync = world.sync(&phone, "").await;
        assert_eq!(sync["to_device"]["events"], json!([]), "the messages to the old device are gone");
        assert_eq!(sync["device_one_time_keys_count"], json!({ "signed_curve25519": 0 }));
    })
    .await;
}
