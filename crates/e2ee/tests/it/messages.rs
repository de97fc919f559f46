//! Messages to devices, from and to other servers.

use std::collections::BTreeMap;

use parvis_e2ee::{Caller, ToDevice, ToDeviceMessages};
use parvis_storage::{DeviceSn, Position};
use ruma::to_device::DeviceIdOrAllDevices;
use serde_json::{Value, json, value::to_raw_value};

use crate::world::{World, on_each_engine};

fn message(sender: &str, message_id: &str, devices: Value) -> Value {
    json!({
        "sender": sender,
        "type": "m.test",
        "message_id": message_id,
        "messages": { "@alice:here.test": devices },
    })
}

#[tokio::test]
async fn message_that_a_server_sends_again_arrives_once() {
    on_each_engine(async |world: World| {
        let phone = world.caller("@alice:here.test", "PHONE").await;
        let desk = world.caller("@alice:here.test", "DESK").await;
        for _ in 0..2 {
            let all = json!({ "*": { "n": 1 } });
            world.hear("m.direct_to_device", message("@bob:there.test", "one", all)).await;
        }
        let one = json!({ "PHONE": { "n": 2 } });
        world.hear("m.direct_to_device", message("@bob:there.test", "two", one.clone())).await;
        world.hear("m.direct_to_device", message("@bob:elsewhere.test", "three", one.clone())).await;
        world.hear("m.direct_to_device", message("@alice:here.test", "four", one)).await;
        world.hear("m.direct_to_device", json!({ "nonsense": true })).await;
        let mut all = Vec::new();
        for device in [phone.device, desk.device] {
            let got = world.store.to_device(device, Position::START, world.store.head(), 100).await.unwrap();
            let got = got.iter().map(|(_, message)| serde_json::from_str::<Value>(message).unwrap());
            all.push(got.map(|message| message["content"]["n"].clone()).collect::<Vec<_>>());
        }
        assert_eq!(all, [vec![json!(1), json!(2)], vec![json!(1)]]);
    })
    .await;
}

#[tokio::test]
async fn large_messages_to_a_server_are_put_down_in_parts_once() {
    on_each_engine(async |world: World| {
        let alice = world.caller("@alice:here.test", "PHONE").await;
        let content = to_raw_value(&json!({ "text": "x".repeat(20_000) })).unwrap();
        let devices: BTreeMap<_, _> = (0..5)
            .map(|n| (DeviceIdOrAllDevices::DeviceId(format!("D{n}").into()), content.clone()))
            .collect();
        let messages = ToDeviceMessages::from([("@bob:there.test".try_into().unwrap(), devices)]);
        for _ in 0..2 {
            let sent = ToDevice { kind: "m.test", messages: &messages };
            world.e2ee.send_to_device(&alice, "transaction", sent).await.unwrap();
        }
        let told = world.told().await;
        assert_eq!(told.len(), 3);
        let mut devices = Vec::new();
        let mut names = std::collections::HashSet::new();
        for edu in told {
            assert!(edu.to_string().len() < 60_000);
            assert_eq!(edu["edu_type"], "m.direct_to_device");
            assert!(names.insert(edu["content"]["message_id"].to_string()));
            let messages = edu["content"]["messages"]["@bob:there.test"].as_object().unwrap();
            devices.extend(messages.keys().cloned());
        }
        assert_eq!(devices, ["D0", "D1", "D2", "D3", "D4"]);
    })
    .await;
}

/// What waits for a device, by sender: how many messages, and the number in the oldest one.
async fn waiting(world: &World, device: DeviceSn) -> BTreeMap<String, (usize, u64)> {
    let mut waiting = BTreeMap::new();
    for (_, message) in
        world.store.to_device(device, Position::START, world.store.head(), 10_000).await.unwrap()
    {
        let message: Value = serde_json::from_str(&message).unwrap();
        let number = message["content"]["n"].as_u64().unwrap();
        let sender = message["sender"].as_str().unwrap().to_owned();
        waiting.entry(sender).or_insert((0, number)).0 += 1;
    }
    waiting
}

async fn send(world: &World, sender: &Caller, n: usize, text: &str) {
    let content = to_raw_value(&json!({ "n": n, "text": text })).unwrap();
    let devices = BTreeMap::from([(DeviceIdOrAllDevices::DeviceId("PHONE".into()), content)]);
    let messages = ToDeviceMessages::from([("@alice:here.test".try_into().unwrap(), devices)]);
    let sent = ToDevice { kind: "m.test", messages: &messages };
    world.e2ee.send_to_device(sender, &format!("t{n}"), sent).await.unwrap();
}

#[tokio::test]
async fn who_floods_a_device_pushes_out_nobody_but_themselves() {
    on_each_engine(async |world: World| {
        let phone = world.caller("@alice:here.test", "PHONE").await;
        let bob = world.caller("@bob:here.test", "B").await;
        let eve = world.caller("@eve:here.test", "E").await;
        for n in 0..5 {
            send(&world, &bob, n, "").await;
        }
        for n in 0..800 {
            send(&world, &eve, n, "").await;
        }
        let all = json!({ "PHONE": { "n": 0 } });
        world.hear("m.direct_to_device", message("@carol:there.test", "one", all)).await;
        let left = waiting(&world, phone.device).await;
        assert_eq!(left["@bob:here.test"], (5, 0));
        assert_eq!(left["@carol:there.test"], (1, 0));
        let (count, oldest) = left["@eve:here.test"];
        assert!((200..=500).contains(&count), "{left:?}");
        assert_eq!(usize::try_from(oldest).unwrap(), 800 - count, "the newest are kept: {left:?}");
    })
    .await;
}

#[tokio::test]
async fn long_messages_are_bounded_by_their_size() {
    on_each_engine(async |world: World| {
        let phone = world.caller("@alice:here.test", "PHONE").await;
        let (bob, eve) =
            (world.caller("@bob:here.test", "B").await, world.caller("@eve:here.test", "E").await);
        send(&world, &bob, 0, "").await;
        let text = "x".repeat(2_000);
        for n in 0..200 {
            send(&world, &eve, n, &text).await;
        }
        let left = waiting(&world, phone.device).await;
        assert_eq!(left["@bob:here.test"], (1, 0));
        let count = left["@eve:here.test"].0;
        assert!((20..=50).contains(&count), "100,000 characters at most: {left:?}");
    })
    .await;
}
