//! Keys and devices of this server's users, as other servers get them.

use parvis_e2ee::{Caller, KeyUpload};
use parvis_storage::{DeviceSn, WriteSet};
use ruma::{OwnedUserId, device_id};
use serde_json::{Value, json, value::to_raw_value};

use crate::world::World;

/// Alice on her phone, with keys.
async fn alice(world: &World) -> Caller {
    let user_id = OwnedUserId::try_from("@alice:parvis.test").unwrap();
    let user = world.store.intern_user(&user_id).await.unwrap();
    let device = DeviceSn(world.store.next_number().await.unwrap());
    let mut set = WriteSet::new();
    set.add_device(user, device, device_id!("PHONE"), Some("my phone"), 1);
    world.store.commit(set).await.unwrap();
    let alice = Caller { user, user_id, device, device_id: device_id!("PHONE").to_owned() };
    let (keys, one_time_key) =
        (to_raw_value(&device_keys()).unwrap(), to_raw_value(&json!({ "key": "k" })).unwrap());
    let upload = KeyUpload {
        device_keys: Some(&keys),
        one_time_keys: vec![("signed_curve25519:A", &one_time_key)],
        fallback_keys: Vec::new(),
    };
    world.api.e2ee.upload_keys(&alice, &upload).await.unwrap();
    alice
}

fn device_keys() -> Value {
    json!({
        "user_id": "@alice:parvis.test",
        "device_id": "PHONE",
        "algorithms": ["m.megolm.v1.aes-sha2"],
        "keys": { "ed25519:PHONE": "key" },
        "signatures": { "@alice:parvis.test": { "ed25519:PHONE": "signature" } },
    })
}

#[tokio::test]
async fn devices_of_a_user_are_told_with_keys_and_without_their_names() {
    let world = World::new().await;
    alice(&world).await;
    let told = world.get("/_matrix/federation/v1/user/devices/@alice:parvis.test").await.ok();
    let device = json!({ "device_id": "PHONE", "keys": device_keys() });
    let expected = json!({ "user_id": "@alice:parvis.test", "stream_id": 1, "devices": [device] });
    assert_eq!(told, expected);
    for nobody in ["@nobody:parvis.test", "@alice:remote.test"] {
        let answer = world.get(&format!("/_matrix/federation/v1/user/devices/{nobody}")).await;
        assert_eq!(answer.error(), (404, "M_NOT_FOUND"));
    }
}

#[tokio::test]
async fn keys_are_told_of_this_servers_users_only() {
    let world = World::new().await;
    alice(&world).await;
    let body = json!({ "device_keys": { "@alice:parvis.test": [], "@bob:remote.test": [], "@nobody:parvis.test": [] } });
    let told = world.post("/_matrix/federation/v1/user/keys/query", body).await.ok();
    let expected = json!({ "@alice:parvis.test": { "PHONE": device_keys() }, "@nobody:parvis.test": {} });
    assert_eq!(told["device_keys"], expected);
}

#[tokio::test]
async fn one_time_key_is_given_to_a_server_once() {
    let world = World::new().await;
    alice(&world).await;
    let wanted = json!({ "PHONE": "signed_curve25519", "NONE": "signed_curve25519" });
    let body = json!({ "one_time_keys": { "@alice:parvis.test": wanted, "@bob:remote.test": wanted } });
    let path = "/_matrix/federation/v1/user/keys/claim";
    let given = world.post(path, body.clone()).await.ok();
    let expected = json!({ "@alice:parvis.test": { "PHONE": { "signed_curve25519:A": { "key": "k" } } } });
    assert_eq!(given["one_time_keys"], expected);
    assert_eq!(world.post(path, body).await.ok()["one_time_keys"], json!({}));
}
