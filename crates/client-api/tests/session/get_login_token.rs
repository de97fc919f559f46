//! `get_login_token`, `get_login_types`, and logging in by such a token

use http::Method;
use serde_json::{Value, json};

use crate::world::{World, client, on_each_engine};

async fn token(world: &World) -> String {
    let alice = world.register("alice").await;
    let auth = json!({ "type": "m.login.password", "password": "password", "user": "alice" });
    let answer = world.post_as(&alice, "v1/login/get_token", json!({ "auth": auth })).await;
    assert_eq!(answer.body["expires_in_ms"], 120_000);
    answer.text("login_token")
}

#[tokio::test]
async fn token_logs_in_once() {
    on_each_engine(async |world: World| {
        let body = json!({ "type": "m.login.token", "token": token(&world).await });
        let session = client(&world.send(Method::POST, "v3/login", None, body.clone()).await);
        assert_eq!(session.user_id, "@alice:parvis.test");
        let again = world.send(Method::POST, "v3/login", None, body).await;
        assert_eq!(again.error(), (403, "M_FORBIDDEN"));
    })
    .await;
}

#[tokio::test]
async fn token_is_good_for_two_minutes() {
    let world = World::new().await;
    let body = json!({ "type": "m.login.token", "token": token(&world).await });
    world.wait(120);
    assert_eq!(world.send(Method::POST, "v3/login", None, body).await.error(), (403, "M_FORBIDDEN"));
}

#[tokio::test]
async fn token_is_not_given_without_the_password() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    assert_eq!(world.post_as(&alice, "v1/login/get_token", json!({})).await.status, 401);
}

#[tokio::test]
async fn ways_of_logging_in_are_told() {
    let world = World::new().await;
    let flows = json!([
        { "type": "m.login.password" },
        { "type": "m.login.token", "get_login_token": true },
    ]);
    let answer = world.send(Method::GET, "v3/login", None, Value::Null).await;
    assert_eq!(answer.ok(), json!({ "flows": flows }));
}
