//! What somebody may try with a session of user-interactive authentication.

use http::Method;
use serde_json::{Value, json};

use crate::world::{Answer, Client, World, client, on_each_engine};

const PATH: &str = "v3/delete_devices";

fn proof(user: &str, session: &Value) -> Value {
    let identifier = json!({ "type": "m.id.user", "user": user });
    json!({
        "type": "m.login.password", "identifier": identifier, "password": "password", "session": session,
    })
}

/// Begins to delete devices, and gives the session.
async fn begin(world: &World, client: &Client, devices: Value) -> Value {
    let answer = world.post_as(client, PATH, json!({ "devices": devices })).await;
    assert_eq!(answer.status, 401);
    answer.body["session"].clone()
}

async fn go_on(world: &World, client: &Client, devices: Value, auth: Value) -> Answer {
    world.post_as(client, PATH, json!({ "devices": devices, "auth": auth })).await
}

#[tokio::test]
async fn session_does_not_serve_another_user() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let session = begin(&world, &alice, json!(["A"])).await;
        let answer = go_on(&world, &bob, json!(["A"]), proof("bob", &session)).await;
        assert_eq!(answer.error(), (403, "M_FORBIDDEN"));
    })
    .await;
}

#[tokio::test]
async fn session_does_not_serve_another_endpoint() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let session = begin(&world, &alice, json!(["A"])).await;
    let body = json!({ "devices": ["A"], "auth": proof("alice", &session) });
    let answer = world.post_as(&alice, "v3/account/deactivate", body).await;
    assert_eq!(answer.error(), (403, "M_FORBIDDEN"));
    assert_eq!(world.get_as(&alice, "v3/account/whoami").await.status, 200);
}

#[tokio::test]
async fn session_does_not_serve_another_device_in_the_path() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let other = client(&world.login("alice", json!({ "device_id": "OTHER" })).await);
    let first = world.delete_as(&alice, "v3/devices/SOME", Value::Null).await;
    let auth = proof("alice", &first.body["session"]);
    let answer = world.delete_as(&alice, "v3/devices/OTHER", json!({ "auth": auth })).await;
    assert_eq!(answer.error(), (403, "M_FORBIDDEN"));
    assert_eq!(world.get_as(&other, "v3/account/whoami").await.status, 200);
}

#[tokio::test]
async fn session_does_not_serve_another_body() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let other = client(&world.login("alice", json!({ "device_id": "OTHER" })).await);
        let session = begin(&world, &alice, json!(["A"])).await;
        let answer = go_on(&world, &alice, json!(["OTHER"]), proof("alice", &session)).await;
        assert_eq!(answer.error(), (403, "M_FORBIDDEN"));
        let answer = go_on(&world, &alice, json!(["A"]), proof("alice", &session)).await;
        assert_eq!(answer.status, 200);
        let answer = go_on(&world, &alice, json!(["OTHER"]), json!({ "session": session })).await;
        assert_eq!(answer.error(), (403, "M_FORBIDDEN"), "a complete session is bound as well");
        assert_eq!(world.get_as(&other, "v3/account/whoami").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn complete_session_lets_the_same_request_through_again() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let session = begin(&world, &alice, json!(["A"])).await;
        let auth = proof("alice", &session);
        assert_eq!(go_on(&world, &alice, json!(["A"]), auth.clone()).await.status, 200);
        assert_eq!(go_on(&world, &alice, json!(["A"]), auth).await.status, 200);
        assert_eq!(go_on(&world, &alice, json!(["A"]), json!({ "session": session })).await.status, 200);
        world.wait(15 * 60);
        let expired = go_on(&world, &alice, json!(["A"]), json!({ "session": session })).await;
        assert_eq!(expired.error(), (401, "M_FORBIDDEN"));
    })
    .await;
}

#[tokio::test]
async fn expired_or_made_up_session_is_replaced_by_a_new_one() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let session = begin(&world, &alice, json!(["A"])).await;
    world.wait(15 * 60);
    for stale in [session, json!("made up")] {
        let answer = go_on(&world, &alice, json!(["A"]), proof("alice", &stale)).await;
        assert_eq!(answer.error(), (401, "M_FORBIDDEN"));
        let new = answer.body["session"].clone();
        assert_ne!(new, stale);
        assert_eq!(go_on(&world, &alice, json!(["A"]), proof("alice", &new)).await.status, 200);
    }
}

#[tokio::test]
async fn wrong_password_keeps_the_session_open() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let session = begin(&world, &alice, json!(["A"])).await;
    let mut wrong = proof("alice", &session);
    wrong["password"] = json!("guess");
    let answer = go_on(&world, &alice, json!(["A"]), wrong).await;
    assert_eq!(answer.error(), (401, "M_FORBIDDEN"));
    assert_eq!(answer.body["session"], session);
    assert_eq!(answer.body["completed"], Value::Null);
    assert_eq!(go_on(&world, &alice, json!(["A"]), proof("alice", &session)).await.status, 200);
}

#[tokio::test]
async fn stage_that_is_not_in_a_flow_does_not_help() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let session = begin(&world, &alice, json!(["A"])).await;
    for stage in ["m.login.dummy", "m.login.registration_token", "m.login.sso", "x"] {
        let auth = json!({ "type": stage, "session": session });
        let answer = go_on(&world, &alice, json!(["A"]), auth).await;
        assert_eq!(answer.error(), (401, "M_FORBIDDEN"), "{stage}");
    }
}

#[tokio::test]
async fn auth_that_is_no_object_is_refused() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    for auth in [json!("x"), json!(5), json!({ "session": 5 })] {
        assert_eq!(go_on(&world, &alice, json!(["A"]), auth).await.error(), (400, "M_BAD_JSON"));
    }
    for auth in [json!(null), json!({})] {
        assert_eq!(go_on(&world, &alice, json!(["A"]), auth).await.error(), (401, "none"));
    }
}

#[tokio::test]
async fn old_form_of_the_user_is_understood() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let auth = json!({ "type": "m.login.password", "user": "@alice:parvis.test", "password": "password" });
    assert_eq!(go_on(&world, &alice, json!([]), auth).await.status, 200);
    let auth = json!({ "type": "m.login.password", "password": "password" });
    assert_eq!(go_on(&world, &alice, json!([]), auth).await.status, 200);
}

#[tokio::test]
async fn stranger_has_no_session() {
    let world = World::new().await;
    let answer = world.send(Method::POST, PATH, None, json!({ "devices": [] })).await;
    assert_eq!(answer.error(), (401, "M_MISSING_TOKEN"));
}
