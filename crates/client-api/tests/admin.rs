//! Locking, suspending and looking at users by the specification's endpoints.

use std::{net::IpAddr, time::Duration};

use http::Method;
use serde_json::{Value, json};

use crate::world::{Client, World, client, on_each_engine};

async fn administrator(world: &World) -> Client {
    let admin = world.register("admin").await;
    world.api.accounts.set_admin("admin", true).await.unwrap();
    admin
}

#[tokio::test]
async fn administrator_locks_and_unlocks() {
    on_each_engine(async |world: World| {
        let (admin, alice) = (administrator(&world).await, world.register("alice").await);
        let path = "v1/admin/lock/@alice:parvis.test";
        assert_eq!(world.get_as(&admin, path).await.ok(), json!({ "locked": false }));
        assert_eq!(
            world.put_as(&admin, path, json!({ "locked": true })).await.ok(),
            json!({ "locked": true })
        );
        assert_eq!(world.get_as(&admin, path).await.ok(), json!({ "locked": true }));
        let answer = world.get_as(&alice, "v3/sync").await;
        assert_eq!(answer.error(), (401, "M_USER_LOCKED"));
        assert_eq!(answer.body["soft_logout"], true);
        world.put_as(&admin, path, json!({ "locked": false })).await.ok();
        world.get_as(&alice, "v3/account/whoami").await.ok();
    })
    .await;
}

#[tokio::test]
async fn who_may_not_moderate_whom_is_refused() {
    let world = World::new().await;
    let (admin, alice) = (administrator(&world).await, world.register("alice").await);
    world.register("other").await;
    world.api.accounts.set_admin("other", true).await.unwrap();
    let gone = world.register("gone").await;
    let auth = json!({ "type": "m.login.password", "password": "password",
        "identifier": { "type": "m.id.user", "user": "gone" } });
    world.post_as(&gone, "v3/account/deactivate", json!({ "auth": auth })).await.ok();
    for action in ["lock", "suspend"] {
        let field = if action == "lock" { "locked" } else { "suspended" };
        let path = |user: &str| format!("v1/admin/{action}/{user}");
        let body = json!({ field: true });
        for user in ["@admin:parvis.test", "@nobody:parvis.test", "@far:elsewhere.test"] {
            let answer = world.put_as(&alice, &path(user), body.clone()).await;
            assert_eq!(answer.error(), (403, "M_FORBIDDEN"), "{user}: who asks is looked at first");
            assert_eq!(world.get_as(&alice, &path(user)).await.error(), (403, "M_FORBIDDEN"));
        }
        for (user, expected) in [
            ("@far:elsewhere.test", (400, "M_INVALID_PARAM")),
            ("@nobody:parvis.test", (404, "M_NOT_FOUND")),
            ("@gone:parvis.test", (404, "M_NOT_FOUND")),
            ("@admin:parvis.test", (403, "M_FORBIDDEN")),
            ("@other:parvis.test", (403, "M_FORBIDDEN")),
        ] {
            let answer = world.put_as(&admin, &path(user), body.clone()).await;
            assert_eq!(answer.error(), expected, "{action} {user}");
        }
        let missing = world.put_as(&admin, &path("@alice:parvis.test"), json!({})).await;
        assert_eq!(missing.error(), (400, "M_MISSING_PARAM"));
    }
}

#[tokio::test]
async fn capability_is_told_to_administrators() {
    let world = World::new().await;
    let (admin, alice) = (administrator(&world).await, world.register("alice").await);
    let told = |answer: Value| answer["capabilities"]["m.account_moderation"].clone();
    let expected = json!({ "suspend": true, "lock": true });
    assert_eq!(told(world.get_as(&admin, "v3/capabilities").await.ok()), expected);
    assert_eq!(told(world.get_as(&alice, "v3/capabilities").await.ok()), Value::Null);
}

#[tokio::test]
async fn suspended_user_reads_leaves_and_redacts_their_own() {
    on_each_engine(async |world: World| {
        let (admin, alice) = (administrator(&world).await, world.register("alice").await);
        let room = world.room(&alice).await;
        let elsewhere = world.room(&admin).await;
        let invite = json!({ "user_id": alice.user_id });
        world.post_as(&admin, &format!("v3/rooms/{elsewhere}/invite"), invite).await.ok();
        world
            .post_as(&alice, &format!("v3/rooms/{room}/invite"), json!({ "user_id": admin.user_id }))
            .await
            .ok();
        world.post_as(&admin, &format!("v3/rooms/{room}/join"), json!({})).await.ok();
        let message = json!({ "msgtype": "m.text", "body": "hello" });
        let send = format!("v3/rooms/{room}/send/m.room.message/1");
        let own = world.put_as(&alice, &send, message.clone()).await.text("event_id");
        let others = world.put_as(&admin, &send, message.clone()).await.text("event_id");
        let path = "v1/admin/suspend/@alice:parvis.test";
        assert_eq!(
            world.put_as(&admin, path, json!({ "suspended": true })).await.ok(),
            json!({ "suspended": true })
        );
        assert_eq!(world.get_as(&admin, path).await.ok(), json!({ "suspended": true }));

        for (method, path, body) in [
            (Method::PUT, format!("v3/rooms/{room}/send/m.room.message/2"), message.clone()),
            (Method::PUT, format!("v3/rooms/{room}/state/m.room.topic"), json!({ "topic": "t" })),
            (Method::PUT, format!("v3/rooms/{room}/state/m.room.topic/"), json!({ "topic": "t" })),
            (Method::PUT, format!("v3/rooms/{room}/redact/{others}/1"), json!({})),
            (Method::PUT, format!("v3/rooms/{room}/send/m.room.redaction/3"), json!({ "redacts": others })),
            (Method::POST, format!("v3/rooms/{elsewhere}/join"), json!({})),
            (Method::POST, format!("v3/join/{elsewhere}"), json!({})),
            (Method::POST, format!("v3/knock/{elsewhere}"), json!({})),
            (Method::POST, format!("v3/rooms/{room}/invite"), json!({ "user_id": "@a:parvis.test" })),
            (Method::POST, "v3/createRoom".to_owned(), json!({})),
            (Method::POST, "r0/createRoom".to_owned(), json!({})),
            (Method::PUT, format!("v3/profile/{}/displayname", alice.user_id), json!({ "displayname": "A" })),
        ] {
            let answer = world.send(method, &path, Some(&alice.token), body).await;
            assert_eq!(answer.error(), (403, "M_USER_SUSPENDED"), "{path}");
        }

        world.get_as(&alice, "v3/sync").await.ok();
        world.get_as(&alice, &format!("v3/rooms/{room}/messages?dir=b")).await.ok();
        world.put_as(&alice, &format!("v3/rooms/{room}/redact/{own}/2"), json!({})).await.ok();
        world
            .put_as(&alice, &format!("v3/rooms/{room}/send/m.room.redaction/4"), json!({ "redacts": own }))
            .await
            .ok();
        world.post_as(&alice, &format!("v3/rooms/{elsewhere}/leave"), json!({})).await.ok();
        world.post_as(&alice, &format!("v3/rooms/{room}/leave"), json!({})).await.ok();
        let other = client(&world.login("alice", json!({})).await);
        world.post_as(&other, "v3/keys/upload", json!({})).await.ok();
        world.post_as(&other, "v3/logout", json!({})).await.ok();

        world.put_as(&admin, path, json!({ "suspended": false })).await.ok();
        world.room(&alice).await;
    })
    .await;
}

#[tokio::test]
async fn whois_tells_users_of_themselves_and_administrators_of_all() {
    let world = World::new().await;
    let (admin, alice) = (administrator(&world).await, world.register("alice").await);
    let address: IpAddr = [192, 0, 2, 7].into();
    world
        .send_from(Method::GET, "v3/account/whoami", Some(&alice.token), Value::Null, Some(address))
        .await
        .ok();
    let path = "v3/admin/whois/@alice:parvis.test";
    for asker in [&alice, &admin] {
        // Nobody waits for it to be written down where a device was seen.
        let mut answer = world.get_as(asker, path).await.ok();
        for _ in 0..200 {
            if answer["devices"][&alice.device_id]["sessions"][0]["connections"][0]["ip"].is_string() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            answer = world.get_as(asker, path).await.ok();
        }
        assert_eq!(answer["user_id"], "@alice:parvis.test");
        let connection = &answer["devices"][&alice.device_id]["sessions"][0]["connections"][0];
        assert_eq!(connection["ip"], "192.0.2.7", "{answer}");
        assert!(connection["last_seen"].is_i64());
    }
    assert_eq!(world.get_as(&alice, "v3/admin/whois/@admin:parvis.test").await.error(), (403, "M_FORBIDDEN"));
    assert_eq!(
        world.get_as(&admin, "v3/admin/whois/@nobody:parvis.test").await.error(),
        (404, "M_NOT_FOUND")
    );
}
