//! Telling other servers of the devices of our users.

use parvis_e2ee::{Caller, KeyUpload};
use parvis_events::Membership;
use parvis_storage::WriteSet;
use serde_json::{Value, json, value::to_raw_value};

use crate::world::{World, device_keys, on_each_engine};

const ALICE: &str = "@alice:here.test";

async fn upload(world: &World, alice: &Caller, key: &str) {
    let keys = to_raw_value(&device_keys(ALICE, alice.device_id.as_str(), key)).unwrap();
    let upload = KeyUpload { device_keys: Some(&keys), ..KeyUpload::default() };
    world.e2ee.upload_keys(alice, &upload).await.unwrap();
}

/// What an update says: the number and the one before, the device, and its key or that it is gone.
fn said(edu: &Value) -> (i64, Value, &str, &str) {
    assert_eq!(
        (&edu["edu_type"], &edu["content"]["user_id"]),
        (&json!("m.device_list_update"), &json!(ALICE))
    );
    let content = &edu["content"];
    let device = content["device_id"].as_str().unwrap();
    let key = content["keys"]["keys"][format!("ed25519:{device}")].as_str();
    let key = if content["deleted"] == true { "gone" } else { key.unwrap_or("none") };
    (content["stream_id"].as_i64().unwrap(), content["prev_id"].clone(), device, key)
}

/// The updates that are told next, once there are some: those of the chain, and not of the beginning, with which a
/// server that comes into a room is told of a user. Whether it is, is a matter of what happened together.
async fn told(world: &World) -> Vec<Value> {
    let in_chain = |edu: &Value| edu["content"]["prev_id"].as_array().is_some_and(|prev| !prev.is_empty());
    world
        .soon(async || {
            let told: Vec<Value> = world.told().await.into_iter().filter(in_chain).collect();
            (!told.is_empty()).then_some(told)
        })
        .await
}

#[tokio::test]
async fn each_change_is_told_to_the_servers_that_share_a_room_in_one_chain() {
    on_each_engine(async |world: World| {
        let (user, _) = world.user(ALICE).await;
        let (bob, _) = world.user("@bob:there.test").await;
        world.put_member(user, Membership::Join).await;
        world.put_member(bob, Membership::Join).await;
        let alice = world.caller(ALICE, "PHONE").await;
        assert_eq!(
            told(&world).await.iter().map(said).collect::<Vec<_>>(),
            [(2, json!([1]), "PHONE", "none")]
        );
        upload(&world, &alice, "k1").await;
        assert_eq!(told(&world).await.iter().map(said).collect::<Vec<_>>(), [(3, json!([2]), "PHONE", "k1")]);
        let desk = world.caller(ALICE, "DESK").await;
        assert_eq!(
            told(&world).await.iter().map(said).collect::<Vec<_>>(),
            [(4, json!([3]), "DESK", "none")]
        );
        let mut set = WriteSet::new();
        set.rename_device(alice.user, alice.device, Some("my phone"));
        world.store.commit(set).await.unwrap();
        let renamed = told(&world).await;
        assert_eq!(renamed[0]["content"]["device_display_name"], "my phone");
        assert_eq!(said(&renamed[0]), (5, json!([4]), "PHONE", "k1"));
        let mut set = WriteSet::new();
        set.delete_device(alice.user, desk.device);
        world.store.commit(set).await.unwrap();
        assert_eq!(
            told(&world).await.iter().map(said).collect::<Vec<_>>(),
            [(6, json!([5]), "DESK", "gone")]
        );
        let list = world.e2ee.device_list(&alice.user_id).await.unwrap().unwrap();
        assert_eq!((list.stream_id, list.devices.len()), (6, 1));
    })
    .await;
}

#[tokio::test]
async fn server_that_comes_into_a_room_is_told_what_it_missed() {
    on_each_engine(async |world: World| {
        let alice = world.caller(ALICE, "PHONE").await;
        let (bob, _) = world.user("@bob:there.test").await;
        world.put_member(alice.user, Membership::Join).await;
        for key in ["k1", "k2"] {
            upload(&world, &alice, key).await;
            world.put_member(bob, Membership::Join).await;
            let newest = async || world.told().await.iter().rev().find(|edu| said(edu).3 == key).cloned();
            assert_eq!(said(&world.soon(newest).await).2, "PHONE");
            world.put_member(bob, Membership::Leave).await;
        }
    })
    .await;
}
