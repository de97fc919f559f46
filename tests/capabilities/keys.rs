//! What clients that encrypt can do with each other, on one homeserver and across several.

use std::collections::BTreeMap;

use parvis_testkit::{Engine, Follower, Network, Server, User};
use serde_json::{Value, json};

use crate::on_each_engine;

/// The identity keys of a device; nobody checks their signatures here.
fn device_keys(user: &User, key: &str) -> Value {
    let device = &user.device_id;
    json!({
        "user_id": user.id,
        "device_id": device,
        "algorithms": ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"],
        "keys": { (format!("ed25519:{device}")): key, (format!("curve25519:{device}")): key },
        "signatures": { (user.id.as_str()): { (format!("ed25519:{device}")): "signature" } },
    })
}

async fn upload(user: &User, key: &str, one_time_keys: usize) {
    let keys: BTreeMap<String, Value> = (0..one_time_keys)
        .map(|n| (format!("signed_curve25519:{n}"), json!({ "key": format!("{key}{n}"), "signatures": {} })))
        .collect();
    let body = json!({ "device_keys": device_keys(user, key), "one_time_keys": keys });
    user.post("v3/keys/upload", body).await.ok();
}

/// The keys of somebody's device as another sees them.
async fn query(user: &User, other: &User) -> Value {
    let answer = user.post("v3/keys/query", json!({ "device_keys": { (other.id.as_str()): [] } })).await.ok();
    answer["device_keys"][&other.id][&other.device_id]["keys"].clone()
}

async fn claim(user: &User, other: &User) -> Value {
    let wanted = json!({ (other.id.as_str()): { (other.device_id.as_str()): "signed_curve25519" } });
    user.post("v3/keys/claim", json!({ "one_time_keys": wanted })).await.ok()
}

async fn whisper(user: &User, other: &User, text: &str) {
    let content = json!({ (other.id.as_str()): { (other.device_id.as_str()): { "text": text } } });
    let path = format!("v3/sendToDevice/m.room.encrypted/{}", user.new_transaction());
    user.put(&path, json!({ "messages": content })).await.ok();
}

/// Follows until this was whispered; everything that was, up to then.
async fn heard(follower: &mut Follower, last: &str) -> Vec<String> {
    let mut all = Vec::new();
    follower
        .until(last, |sync| {
            for event in sync["to_device"]["events"].as_array()? {
                all.push(event["content"]["text"].as_str()?.to_owned());
            }
            all.iter().any(|text| text == last).then_some(())
        })
        .await;
    all
}

/// Follows until somebody's devices have changed.
async fn until_changed(follower: &mut Follower, other: &User) {
    let expected = format!("a change of the devices of {}", other.id);
    follower
        .until(&expected, |sync| {
            let changed = sync["device_lists"]["changed"].as_array()?;
            changed.iter().any(|user| *user == *other.id).then_some(())
        })
        .await;
}

/// Two who share a room begin to talk in secret, and one gets a new device key.
async fn talk_in_secret(alice: &User, bob: &User) {
    let mut bobs = bob.follow();
    bobs.now().await;
    upload(alice, "alice", 2).await;
    until_changed(&mut bobs, alice).await;
    assert_eq!(query(bob, alice).await, device_keys(alice, "alice")["keys"]);
    let first = claim(bob, alice).await["one_time_keys"][&alice.id][&alice.device_id].clone();
    let second = claim(bob, alice).await["one_time_keys"][&alice.id][&alice.device_id].clone();
    assert_eq!(first["signed_curve25519:0"]["key"], "alice0");
    assert_eq!(second["signed_curve25519:1"]["key"], "alice1");
    assert_eq!(claim(bob, alice).await["one_time_keys"], json!({}));

    for n in 0..5 {
        whisper(alice, bob, &n.to_string()).await;
    }
    assert_eq!(heard(&mut bobs, "4").await, ["0", "1", "2", "3", "4"]);
    upload(alice, "anew", 0).await;
    until_changed(&mut bobs, alice).await;
    assert_eq!(query(bob, alice).await, device_keys(alice, "anew")["keys"]);
}

#[tokio::test]
async fn two_of_one_homeserver_talk_in_secret() {
    on_each_engine(async |engine: Engine| {
        let server = Server::start(&engine).await;
        let (alice, bob) = (server.user("alice").await, server.user("bob").await);
        alice.room_with(&[&bob]).await;
        talk_in_secret(&alice, &bob).await;
    })
    .await;
}

#[tokio::test]
async fn two_of_different_homeservers_talk_in_secret() {
    on_each_engine(async |engine: Engine| {
        let network = Network::start(&engine, &["a.test", "b.test"]).await;
        let (alice, bob) = (network.user("alice", "a.test").await, network.user("bob", "b.test").await);
        alice.room_with(&[&bob]).await;
        talk_in_secret(&alice, &bob).await;
    })
    .await;
}

#[tokio::test]
async fn homeserver_that_was_away_learns_what_changed_meanwhile() {
    on_each_engine(async |engine: Engine| {
        let mut network = Network::start(&engine, &["a.test", "b.test"]).await;
        let (alice, bob) = (network.user("alice", "a.test").await, network.user("bob", "b.test").await);
        let room = alice.room_with(&[&bob]).await;
        let mut bobs = bob.follow();
        bobs.now().await;
        upload(&alice, "first", 0).await;
        until_changed(&mut bobs, &alice).await;
        network.stop("b.test").await;
        upload(&alice, "second", 0).await;
        whisper(&alice, &bob, "while you were away").await;
        network.restart("a.test").await;
        network.run("b.test").await;
        // Who is heard of again is told at once.
        bob.say(&room, "I am back").await;
        let mut again = bobs.clone();
        assert_eq!(heard(&mut bobs, "while you were away").await, ["while you were away"]);
        until_changed(&mut again, &alice).await;
        assert_eq!(query(&bob, &alice).await, device_keys(&alice, "second")["keys"]);
    })
    .await;
}

#[tokio::test]
async fn homeserver_that_is_silent_is_named_and_keeps_nobody_waiting_for_the_others() {
    on_each_engine(async |engine: Engine| {
        let network = Network::start(&engine, &["a.test", "b.test", "c.test"]).await;
        let (alice, bob) = (network.user("alice", "a.test").await, network.user("bob", "b.test").await);
        let carol = network.user("carol", "c.test").await;
        for user in [&bob, &carol] {
            upload(user, "key", 1).await;
        }
        network.cut("a.test", "c.test");
        let both = json!({ (bob.id.as_str()): [], (carol.id.as_str()): [] });
        let keys = alice.post("v3/keys/query", json!({ "device_keys": both, "timeout": 2_000 })).await.ok();
        assert_eq!(keys["device_keys"][&bob.id][&bob.device_id]["keys"], device_keys(&bob, "key")["keys"]);
        assert!(keys["failures"]["c.test"].is_object(), "{keys}");
        assert_eq!(keys["failures"].as_object().unwrap().len(), 1);
        let wanted = |user: &User| json!({ (user.device_id.as_str()): "signed_curve25519" });
        let both = json!({ (bob.id.as_str()): wanted(&bob), (carol.id.as_str()): wanted(&carol) });
        let claimed =
            alice.post("v3/keys/claim", json!({ "one_time_keys": both, "timeout": 2_000 })).await.ok();
        assert_eq!(claimed["one_time_keys"][&bob.id][&bob.device_id]["signed_curve25519:0"]["key"], "key0");
        assert!(claimed["failures"]["c.test"].is_object(), "{claimed}");
    })
    .await;
}
