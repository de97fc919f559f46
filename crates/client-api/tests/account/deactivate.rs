//! `deactivate`

use http::Method;
use serde_json::{Value, json};

use crate::world::{World, client, on_each_engine};

const PATH: &str = "v3/account/deactivate";

fn body() -> Value {
    let identifier = json!({ "type": "m.id.user", "user": "alice" });
    let auth = json!({ "type": "m.login.password", "identifier": identifier, "password": "password" });
    json!({ "auth": auth, "erase": true })
}

#[tokio::test]
async fn closed_account_is_closed_for_ever() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let other = client(&world.login("alice", json!({})).await);
        assert_eq!(world.get_as(&other, "v3/account/whoami").await.status, 200);
        let answer = world.post_as(&alice, PATH, body()).await;
        assert_eq!(answer.ok(), json!({ "id_server_unbind_result": "success" }));

        for session in [&alice, &other] {
            assert_eq!(world.get_as(session, "v3/account/whoami").await.error(), (401, "M_UNKNOWN_TOKEN"));
        }
        assert_eq!(world.login("alice", json!({})).await.error(), (403, "M_USER_DEACTIVATED"));
        let again =
            json!({ "username": "alice", "password": "password", "auth": { "type": "m.login.dummy" } });
        let answer = world.send(Method::POST, "v3/register", None, again).await;
        assert_eq!(answer.error(), (400, "M_USER_IN_USE"));
        let profile = world.send(Method::GET, "v3/profile/@alice:parvis.test", None, Value::Null).await;
        assert_eq!(profile.error(), (404, "M_NOT_FOUND"));
    })
    .await;
}

#[tokio::test]
async fn account_is_not_closed_without_the_password() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let answer = world.post_as(&alice, PATH, json!({})).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.body["flows"], json!([{ "stages": ["m.login.password"] }]));
    assert!(answer.body.get("errcode").is_none());
    assert_eq!(world.get_as(&alice, "v3/account/whoami").await.status, 200);
}

#[tokio::test]
async fn closed_account_has_left_its_rooms() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let room = world.room(&bob).await;
        let invite = json!({ "user_id": alice.user_id });
        world.post_as(&bob, &format!("v3/rooms/{room}/invite"), invite).await.ok();
        world.post_as(&alice, &format!("v3/rooms/{room}/join"), json!({})).await.ok();
        world.post_as(&alice, PATH, body()).await.ok();
        let member = format!("v3/rooms/{room}/state/m.room.member/@alice:parvis.test");
        assert_eq!(world.get_as(&bob, &member).await.ok()["membership"], "leave");
    })
    .await;
}
