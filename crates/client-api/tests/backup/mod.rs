//! Backups of room keys.

use http::Method;
use serde_json::{Value, json};

use crate::world::{Answer, Client, World, on_each_engine};

fn algorithm(n: i64) -> Value {
    json!({ "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": { "public_key": "key", "signatures": {}, "n": n } })
}

fn key(is_verified: bool, first_message_index: u32, forwarded_count: u32, n: i64) -> Value {
    json!({
        "is_verified": is_verified,
        "first_message_index": first_message_index,
        "forwarded_count": forwarded_count,
        "session_data": { "ephemeral": "e", "ciphertext": "c", "mac": "m", "n": n },
    })
}

async fn create(world: &World, client: &Client) -> String {
    world.post_as(client, "v3/room_keys/version", algorithm(1)).await.text("version")
}

async fn ask(world: &World, client: &Client, method: Method, path: &str, body: Value) -> Answer {
    world.send(method, &format!("v3/room_keys/{path}"), Some(&client.token), body).await
}

async fn put(world: &World, client: &Client, place: &str, version: &str, body: Value) -> Answer {
    ask(world, client, Method::PUT, &format!("keys{place}?version={version}"), body).await
}

async fn get(world: &World, client: &Client, place: &str, version: &str) -> Answer {
    ask(world, client, Method::GET, &format!("keys{place}?version={version}"), Value::Null).await
}

async fn delete(world: &World, client: &Client, place: &str, version: &str) -> Answer {
    ask(world, client, Method::DELETE, &format!("keys{place}?version={version}"), Value::Null).await
}

#[tokio::test]
async fn versions_are_made_shown_changed_and_thrown_away() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let none = ask(&world, &alice, Method::GET, "version", Value::Null).await;
        assert_eq!(none.error(), (404, "M_NOT_FOUND"));
        let first = create(&world, &alice).await;
        let second = create(&world, &alice).await;
        assert_ne!(first, second);
        let newest = ask(&world, &alice, Method::GET, "version", Value::Null).await.ok();
        assert_eq!((&newest["version"], &newest["count"]), (&json!(second), &json!(0)));
        assert_eq!(newest["auth_data"], algorithm(1)["auth_data"]);
        assert!(newest["etag"].is_string());

        let path = format!("version/{second}");
        ask(&world, &alice, Method::PUT, &path, algorithm(2)).await.ok();
        let changed = ask(&world, &alice, Method::GET, &path, Value::Null).await.ok();
        assert_eq!(changed["auth_data"]["n"], 2);
        let other = json!({ "algorithm": "other", "auth_data": {} });
        assert_eq!(ask(&world, &alice, Method::PUT, &path, other).await.error(), (400, "M_INVALID_PARAM"));
        let mut named = algorithm(3);
        named["version"] = json!(first);
        assert_eq!(ask(&world, &alice, Method::PUT, &path, named).await.error(), (400, "M_INVALID_PARAM"));

        ask(&world, &alice, Method::DELETE, &path, Value::Null).await.ok();
        ask(&world, &alice, Method::DELETE, &path, Value::Null).await.ok();
        assert_eq!(ask(&world, &alice, Method::GET, &path, Value::Null).await.error(), (404, "M_NOT_FOUND"));
        let newest = ask(&world, &alice, Method::GET, "version", Value::Null).await.ok();
        assert_eq!(newest["version"], first);
        let third = create(&world, &alice).await;
        assert_ne!(third, second, "the number of a version is never given again");
        for path in ["version/77", "version/x"] {
            assert_eq!(
                ask(&world, &alice, Method::DELETE, path, Value::Null).await.error(),
                (404, "M_NOT_FOUND")
            );
        }
    })
    .await;
}

#[tokio::test]
async fn keys_are_kept_by_session_room_or_all_at_once() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let version = create(&world, &alice).await;
        let one = put(&world, &alice, "/!a:x/s1", &version, key(false, 1, 0, 1)).await.ok();
        assert_eq!(one["count"], 1);
        let room = json!({ "sessions": { "s2": key(false, 1, 0, 2), "s3": key(true, 0, 0, 3) } });
        assert_eq!(put(&world, &alice, "/!a:x", &version, room).await.ok()["count"], 3);
        let all = json!({ "rooms": { "!b:x": { "sessions": { "s1": key(false, 1, 0, 4) } } } });
        let all = put(&world, &alice, "", &version, all).await.ok();
        assert_eq!(all["count"], 4);
        assert_ne!(all["etag"], one["etag"]);

        assert_eq!(get(&world, &alice, "/!a:x/s1", &version).await.ok(), key(false, 1, 0, 1));
        let room = get(&world, &alice, "/!a:x", &version).await.ok();
        assert_eq!(room["sessions"].as_object().unwrap().len(), 3);
        assert_eq!(room["sessions"]["s3"], key(true, 0, 0, 3));
        let all = get(&world, &alice, "", &version).await.ok();
        assert_eq!(all["rooms"]["!b:x"]["sessions"]["s1"], key(false, 1, 0, 4));
        assert_eq!(get(&world, &alice, "/!c:x/s1", &version).await.error(), (404, "M_NOT_FOUND"));
        assert_eq!(get(&world, &alice, "/!c:x", &version).await.ok(), json!({ "sessions": {} }));

        let bob = world.register("bob").await;
        assert_eq!(
            get(&world, &bob, "", &version).await.error(),
            (404, "M_NOT_FOUND"),
            "backups are their owner's"
        );

        assert_eq!(delete(&world, &alice, "/!a:x/s1", &version).await.ok()["count"], 3);
        assert_eq!(delete(&world, &alice, "/!a:x", &version).await.ok()["count"], 1);
        let gone = delete(&world, &alice, "", &version).await.ok();
        assert_eq!(gone["count"], 0);
        assert_eq!(
            delete(&world, &alice, "", &version).await.ok(),
            gone,
            "nothing to throw away, nothing changed"
        );
        assert_eq!(get(&world, &alice, "", &version).await.ok(), json!({ "rooms": {} }));
    })
    .await;
}

#[tokio::test]
async fn better_key_replaces_and_a_worse_one_does_not() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let version = create(&world, &alice).await;
        let place = "/!a:x/s";
        let mut etag = put(&world, &alice, place, &version, key(false, 10, 5, 0)).await.ok()["etag"].clone();
        for (n, worse) in [(1, (false, 11, 0)), (2, (false, 10, 6)), (3, (false, 10, 5))] {
            let answer = put(&world, &alice, place, &version, key(worse.0, worse.1, worse.2, n)).await.ok();
            assert_eq!(answer, json!({ "count": 1, "etag": etag }));
            assert_eq!(get(&world, &alice, place, &version).await.ok(), key(false, 10, 5, 0));
        }
        for (n, better) in [(4, (false, 10, 4)), (5, (false, 9, 9)), (6, (true, 99, 99))] {
            let better = key(better.0, better.1, better.2, n);
            let answer = put(&world, &alice, place, &version, better.clone()).await.ok();
            assert_eq!(answer["count"], 1);
            assert_ne!(answer["etag"], etag);
            etag = answer["etag"].clone();
            assert_eq!(get(&world, &alice, place, &version).await.ok(), better);
        }
    })
    .await;
}

#[tokio::test]
async fn only_the_newest_version_takes_keys() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let no_backup = put(&world, &alice, "/!a:x/s", "1", key(false, 0, 0, 0)).await;
    assert_eq!(no_backup.error(), (404, "M_NOT_FOUND"));
    let old = create(&world, &alice).await;
    let new = create(&world, &alice).await;
    let answer = put(&world, &alice, "/!a:x/s", &old, key(false, 0, 0, 0)).await;
    assert_eq!(answer.error(), (403, "M_WRONG_ROOM_KEYS_VERSION"));
    assert_eq!(answer.body["current_version"], new);
    for bad in [json!({}), json!({ "is_verified": true }), {
        let mut bad = key(false, 0, 0, 0);
        bad["session_data"] = json!("x");
        bad
    }] {
        assert_eq!(put(&world, &alice, "/!a:x/s", &new, bad).await.status, 400);
    }
    assert_eq!(
        ask(&world, &alice, Method::PUT, "keys/!a:x/s", key(false, 0, 0, 0)).await.status,
        400,
        "no version"
    );
}

#[tokio::test]
async fn devices_that_upload_at_once_lose_no_key_and_count_right() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let version = create(&world, &alice).await;
        let mut uploads = Vec::new();
        for n in 0..20 {
            let (world, alice, version) = (world.handle(), alice.clone(), version.clone());
            uploads.push(tokio::spawn(async move {
                put(&world, &alice, &format!("/!a:x/s{n}"), &version, key(false, 0, 0, n)).await.ok();
            }));
        }
        for upload in uploads {
            upload.await.unwrap();
        }
        let info = ask(&world, &alice, Method::GET, "version", Value::Null).await.ok();
        assert_eq!(info["count"], 20);
        let room = get(&world, &alice, "/!a:x", &version).await.ok();
        assert_eq!(room["sessions"].as_object().unwrap().len(), 20);
    })
    .await;
}
