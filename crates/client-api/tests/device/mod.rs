//! The user's devices.

use std::time::Duration;

use http::Method;
use parvis_ambient::Clock;
use serde_json::{Value, json};

use crate::world::{Client, World, client, on_each_engine};

fn proof() -> Value {
    let identifier = json!({ "type": "m.id.user", "user": "alice" });
    json!({ "type": "m.login.password", "identifier": identifier, "password": "password" })
}

/// Alice on her phone, and on another device.
async fn alice_on_two(world: &World) -> (Client, Client) {
    world.register("alice").await;
    let more = json!({ "device_id": "PHONE", "initial_device_display_name": "my phone" });
    let phone = client(&world.login("alice", more).await);
    let other = client(&world.login("alice", json!({ "device_id": "LAPTOP" })).await);
    (phone, other)
}

#[tokio::test]
async fn devices_are_listed_shown_and_renamed() {
    on_each_engine(async |world: World| {
        let (phone, laptop) = alice_on_two(&world).await;
        let devices = world.get_as(&phone, "v3/devices").await.ok()["devices"].clone();
        let ids: Vec<&str> =
            devices.as_array().unwrap().iter().map(|device| device["device_id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), 3);
        assert!(ids.contains(&"PHONE") && ids.contains(&"LAPTOP"), "{ids:?}");

        let device = world.get_as(&laptop, "v3/devices/PHONE").await.ok();
        assert_eq!(device["display_name"], "my phone");
        let rename = json!({ "display_name": "old phone" });
        assert_eq!(world.put_as(&laptop, "v3/devices/PHONE", rename).await.ok(), json!({}));
        let device = world.get_as(&laptop, "v3/devices/PHONE").await.ok();
        assert_eq!(device["display_name"], "old phone");
    })
    .await;
}

#[tokio::test]
async fn name_of_a_known_device_is_not_changed_by_logging_in() {
    let world = World::new().await;
    let (_, laptop) = alice_on_two(&world).await;
    let more = json!({ "device_id": "PHONE", "initial_device_display_name": "stolen" });
    assert_eq!(world.login("alice", more).await.status, 200);
    assert_eq!(world.get_as(&laptop, "v3/devices/PHONE").await.ok()["display_name"], "my phone");
}

#[tokio::test]
async fn devices_of_others_are_not_found() {
    let world = World::new().await;
    alice_on_two(&world).await;
    let bob = world.register("bob").await;
    assert_eq!(world.get_as(&bob, "v3/devices/PHONE").await.error(), (404, "M_NOT_FOUND"));
    let rename = json!({ "display_name": "mine" });
    assert_eq!(world.put_as(&bob, "v3/devices/PHONE", rename).await.error(), (404, "M_NOT_FOUND"));
}

/// Waits until the phone was seen at this time: that is written down without anybody waiting for it.
async fn seen_at(world: &World, laptop: &Client, ts: i64) -> Value {
    for _ in 0..500 {
        let device = world.get_as(laptop, "v3/devices/PHONE").await.ok();
        if device["last_seen_ts"] == ts {
            return device;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the phone was not seen at {ts}");
}

#[tokio::test]
async fn device_is_seen_when_it_is_used() {
    let world = World::new().await;
    let (phone, laptop) = alice_on_two(&world).await;
    let address = "192.0.2.7".parse().unwrap();
    world.wait(10);
    let first = world.clock.now().millis();
    world.send_from(Method::GET, "v3/account/whoami", Some(&phone.token), Value::Null, Some(address)).await;
    assert_eq!(seen_at(&world, &laptop, first).await["last_seen_ip"], "192.0.2.7");
    world.wait(299);
    world.get_as(&phone, "v3/account/whoami").await;
    world.wait(1);
    seen_at(&world, &laptop, first).await;
    world.get_as(&phone, "v3/account/whoami").await;
    let device = seen_at(&world, &laptop, first + 300_000).await;
    assert_eq!(device["last_seen_ip"], "192.0.2.7");
}

#[tokio::test]
async fn device_is_deleted_with_the_password() {
    on_each_engine(async |world: World| {
        let (phone, laptop) = alice_on_two(&world).await;
        assert_eq!(world.get_as(&phone, "v3/account/whoami").await.status, 200);
        let first = world.delete_as(&laptop, "v3/devices/PHONE", Value::Null).await;
        assert_eq!(first.status, 401);
        let mut auth = proof();
        auth["session"] = first.body["session"].clone();
        let answer = world.delete_as(&laptop, "v3/devices/PHONE", json!({ "auth": auth })).await;
        assert_eq!(answer.ok(), json!({}));
        assert_eq!(world.get_as(&phone, "v3/account/whoami").await.error(), (401, "M_UNKNOWN_TOKEN"));
        assert_eq!(world.get_as(&laptop, "v3/devices/PHONE").await.error(), (404, "M_NOT_FOUND"));
    })
    .await;
}

#[tokio::test]
async fn several_devices_are_deleted_at_once() {
    on_each_engine(async |world: World| {
        let (phone, laptop) = alice_on_two(&world).await;
        let body = json!({ "devices": ["PHONE", "NOBODY"], "auth": proof() });
        assert_eq!(world.post_as(&laptop, "v3/delete_devices", body).await.ok(), json!({}));
        assert_eq!(world.get_as(&phone, "v3/account/whoami").await.error(), (401, "M_UNKNOWN_TOKEN"));
        assert_eq!(world.get_as(&laptop, "v3/account/whoami").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn device_of_another_user_with_the_same_name_stays() {
    let world = World::new().await;
    let (_, laptop) = alice_on_two(&world).await;
    world.register("bob").await;
    let bob = client(&world.login("bob", json!({ "device_id": "PHONE" })).await);
    let body = json!({ "devices": ["PHONE"], "auth": proof() });
    assert_eq!(world.post_as(&laptop, "v3/delete_devices", body).await.status, 200);
    assert_eq!(world.get_as(&bob, "v3/account/whoami").await.status, 200);
}

#[tokio::test]
async fn settings_that_clients_keep_for_a_device_go_with_it() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let types = ["m.local_notification_settings.", "org.matrix.msc3890.local_notification_settings."];
        let path = |kind: &str, device: &Client| {
            format!("v3/user/{}/account_data/{kind}{}", alice.user_id, device.device_id)
        };
        for end in ["v3/logout", "v3/logout/all"] {
            let other = client(&world.login("alice", json!({})).await);
            let alice = client(&world.login("alice", json!({})).await);
            for kind in types {
                for device in [&alice, &other] {
                    world.put_as(&alice, &path(kind, device), json!({ "is_silenced": true })).await.ok();
                }
            }
            let since = world.get_as(&alice, "v3/sync").await.text("next_batch");
            world.post_as(&other, end, json!({})).await.ok();
            let alice = match end {
                "v3/logout" => alice,
                _ => client(&world.login("alice", json!({})).await),
            };
            for kind in types {
                assert_eq!(
                    world.get_as(&alice, &path(kind, &other)).await.error(),
                    (404, "M_NOT_FOUND"),
                    "{end}"
                );
            }
            let told = world.get_as(&alice, &format!("v3/sync?since={since}")).await.ok();
            let told = told["account_data"]["events"].as_array().unwrap().clone();
            let told =
                told.iter().filter(|event| event["type"].as_str().unwrap().ends_with(&other.device_id));
            assert!(told.clone().count() == 2 && told.clone().all(|event| event["content"] == json!({})));
            let first = world.get_as(&alice, "v3/sync").await.ok()["account_data"].to_string();
            assert!(!first.contains(&other.device_id), "{first}");
        }
    })
    .await;
}
