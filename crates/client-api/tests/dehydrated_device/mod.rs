//! Devices that users lay by.

use http::Method;
use serde_json::{Value, json};

use crate::{
    keys::{Signer, device_keys, next, one_time_keys},
    world::{Answer, Client, World, on_each_engine},
};

const PATH: &str = "unstable/org.matrix.msc3814.v1/dehydrated_device";

/// What a client lays by under a name.
fn device(owner: &Client, device_id: &str) -> Value {
    let device = Client { device_id: device_id.to_owned(), ..owner.clone() };
    let mut keys = device_keys(&device, &Signer::new(7));
    keys["dehydrated"] = json!(true);
    json!({
        "device_id": device_id,
        "device_data": { "algorithm": "org.matrix.msc3814.v2", "device_pickle": device_id },
        "initial_device_display_name": "laid by",
        "device_keys": Signer::new(7).sign(keys, &owner.user_id, device_id),
        "one_time_keys": one_time_keys(0..2),
        "fallback_keys": { "signed_curve25519:F": { "key": "f", "fallback": true, "signatures": {} } },
    })
}

async fn put(world: &World, owner: &Client, device: Value) -> Answer {
    world.put_as(owner, PATH, device).await
}

async fn events(world: &World, owner: &Client, device_id: &str, from: Option<&str>) -> Answer {
    let body = from.map_or_else(|| json!({}), |from| json!({ "next_batch": from }));
    world.post_as(owner, &format!("{PATH}/{device_id}/events"), body).await
}

async fn send(world: &World, sender: &Client, to: &Client, device_id: &str, n: i64) {
    let messages = json!({ (to.user_id.as_str()): { device_id: { "n": n } } });
    world.put_as(sender, &format!("v3/sendToDevice/m.test/{n}"), json!({ "messages": messages })).await.ok();
}

fn numbers(page: &Value) -> Vec<i64> {
    let events = page["events"].as_array().unwrap();
    events.iter().map(|event| event["content"]["n"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn device_that_is_laid_by_is_one_for_others_and_takes_messages() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        assert_eq!(world.get_as(&alice, PATH).await.error(), (404, "M_NOT_FOUND"));
        let laid_by = device(&alice, "Lai/d+by");
        assert_eq!(put(&world, &alice, laid_by.clone()).await.ok(), json!({ "device_id": "Lai/d+by" }));
        let found = world.get_as(&alice, PATH).await.ok();
        assert_eq!(found, json!({ "device_id": "Lai/d+by", "device_data": laid_by["device_data"] }));
        assert_eq!(world.get_as(&bob, PATH).await.error(), (404, "M_NOT_FOUND"));

        let keys = world.query(&bob, &[&alice]).await["device_keys"][&alice.user_id]["Lai/d+by"].clone();
        assert_eq!((&keys["dehydrated"], &keys["keys"]), (&json!(true), &laid_by["device_keys"]["keys"]));
        let wanted = json!({ (alice.user_id.as_str()): { "Lai/d+by": "signed_curve25519" } });
        for expected in ["signed_curve25519:0", "signed_curve25519:1", "signed_curve25519:F"] {
            let body = json!({ "one_time_keys": wanted });
            let claimed = world.post_as(&bob, "v3/keys/claim", body).await.ok();
            let keys = &claimed["one_time_keys"][&alice.user_id]["Lai/d+by"];
            assert_eq!(keys.as_object().unwrap().keys().collect::<Vec<_>>(), [expected]);
        }

        for n in 0..130 {
            send(&world, &bob, &alice, "Lai/d+by", n).await;
        }
        for _ in 0..2 {
            // What was shown is shown again.
            let first = events(&world, &alice, "Lai%2Fd%2Bby", None).await.ok();
            assert_eq!(numbers(&first), (0..100).collect::<Vec<_>>());
            let page = async |from: &Value| events(&world, &alice, "Lai%2Fd%2Bby", from.as_str()).await.ok();
            let second = page(&first["next_batch"]).await;
            assert_eq!(numbers(&second), (100..130).collect::<Vec<_>>());
            let third = page(&second["next_batch"]).await;
            assert!(numbers(&third).is_empty() && third["next_batch"] == second["next_batch"]);
        }
        assert_eq!(events(&world, &alice, "OTHER", None).await.error(), (403, "M_FORBIDDEN"));
        assert_eq!(events(&world, &bob, "Lai%2Fd%2Bby", None).await.error(), (404, "M_NOT_FOUND"));
        assert_eq!(
            events(&world, &alice, "Lai%2Fd%2Bby", Some("s1")).await.error(),
            (400, "M_INVALID_PARAM")
        );
    })
    .await;
}

#[tokio::test]
async fn new_device_takes_the_place_of_the_one_before_and_the_same_once_more_keeps_its_messages() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        put(&world, &alice, device(&alice, "ONE")).await.ok();
        send(&world, &bob, &alice, "ONE", 1).await;
        put(&world, &alice, device(&alice, "ONE")).await.ok();
        assert_eq!(numbers(&events(&world, &alice, "ONE", None).await.ok()), [1], "an answer was lost");

        let since = next(&world.sync(&alice, "").await);
        put(&world, &alice, device(&alice, "TWO")).await.ok();
        assert_eq!(world.get_as(&alice, PATH).await.ok()["device_id"], "TWO");
        let devices = world.query(&bob, &[&alice]).await["device_keys"][&alice.user_id].clone();
        assert_eq!(devices.as_object().unwrap().keys().collect::<Vec<_>>(), ["TWO"]);
        assert_eq!(events(&world, &alice, "ONE", None).await.error(), (403, "M_FORBIDDEN"));
        assert_eq!(numbers(&events(&world, &alice, "TWO", None).await.ok()), [0_i64; 0]);
        let changed = world.sync(&alice, &since).await["device_lists"]["changed"].clone();
        assert_eq!(changed, json!([alice.user_id]), "others are told");

        let gone = world.delete_as(&alice, PATH, Value::Null).await.ok();
        assert_eq!(gone, json!({ "device_id": "TWO" }));
        assert_eq!(world.delete_as(&alice, PATH, Value::Null).await.error(), (404, "M_NOT_FOUND"));
        assert_eq!(world.query(&bob, &[&alice]).await["device_keys"][&alice.user_id], json!({}));
    })
    .await;
}

#[tokio::test]
async fn what_is_no_such_device_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    put(&world, &alice, device(&alice, "ONE")).await.ok();
    let change = |change: &dyn Fn(&mut Value)| {
        let mut device = device(&alice, "TWO");
        change(&mut device);
        device
    };
    let table = [
        (
            change(&|device| drop(device.as_object_mut().unwrap().remove("device_keys"))),
            (400, "M_MISSING_PARAM"),
        ),
        (change(&|device| device["device_keys"]["device_id"] = json!("ONE")), (400, "M_INVALID_PARAM")),
        (
            change(&|device| device["device_keys"]["user_id"] = json!("@bob:parvis.test")),
            (400, "M_INVALID_PARAM"),
        ),
        (change(&|device| device["device_id"] = json!("")), (400, "M_INVALID_PARAM")),
        (change(&|device| device["device_data"]["x"] = json!("x".repeat(70_000))), (413, "M_TOO_LARGE")),
        (change(&|device| device["one_time_keys"]["bad"] = json!(1)), (400, "M_BAD_JSON")),
        (device(&alice, &alice.device_id), (400, "M_INVALID_PARAM")),
    ];
    for (body, error) in table {
        let text = body.to_string();
        assert_eq!(put(&world, &alice, body).await.error(), error, "{text:.300}");
    }
    assert_eq!(world.get_as(&alice, PATH).await.ok()["device_id"], "ONE");
    let stranger = world.send(Method::GET, PATH, None, Value::Null).await;
    assert_eq!(stranger.error(), (401, "M_MISSING_TOKEN"));
}

#[tokio::test]
async fn device_that_is_laid_by_goes_with_the_others() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    put(&world, &alice, device(&alice, "ONE")).await.ok();
    let listed = world.get_as(&alice, "v3/devices").await.ok();
    let names = |list: &Value| list["devices"].as_array().unwrap().len();
    assert_eq!(names(&listed), 2);
    let phone = world.login("alice", json!({ "device_id": "PHONE" })).await;
    world.post_as(&alice, "v3/logout/all", json!({})).await.ok();
    let phone_again = crate::world::client(&world.login("alice", json!({ "device_id": "PHONE" })).await);
    assert_eq!(phone.status, 200);
    assert_eq!(world.get_as(&phone_again, PATH).await.error(), (404, "M_NOT_FOUND"));
    assert_eq!(names(&world.get_as(&phone_again, "v3/devices").await.ok()), 1);
}
