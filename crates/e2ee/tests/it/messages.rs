//! Messages to devices, from and to other servers.

use std::collections::BTreeMap;

use parvis_e2ee::{ToDevice, ToDeviceMessages};
use parvis_storage::Position;
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
