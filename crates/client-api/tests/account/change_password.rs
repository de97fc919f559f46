//! `change_password`

use http::Method;
use serde_json::{Value, json};

use crate::world::{Client, World, client, on_each_engine};

const PATH: &str = "v3/account/password";

fn proof(client: &Client) -> Value {
    let identifier = json!({ "type": "m.id.user", "user": client.user_id });
    json!({ "type": "m.login.password", "identifier": identifier, "password": "password" })
}

#[tokio::test]
async fn new_password_counts_and_other_sessions_end() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let other = client(&world.login("alice", json!({})).await);
        assert_eq!(world.get_as(&other, "v3/account/whoami").await.status, 200);
        let body = json!({ "new_password": "another one", "auth": proof(&alice) });
        assert_eq!(world.post_as(&alice, PATH, body).await.ok(), json!({}));

        assert_eq!(world.get_as(&alice, "v3/account/whoami").await.status, 200);
        assert_eq!(world.get_as(&other, "v3/account/whoami").await.error(), (401, "M_UNKNOWN_TOKEN"));
        assert_eq!(world.login("alice", json!({})).await.error(), (403, "M_FORBIDDEN"));
        assert_eq!(world.login("alice", json!({ "password": "another one" })).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn other_sessions_stay_where_the_user_wishes_it() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let other = client(&world.login("alice", json!({})).await);
    let body = json!({ "new_password": "another one", "logout_devices": false, "auth": proof(&alice) });
    assert_eq!(world.post_as(&alice, PATH, body).await.status, 200);
    assert_eq!(world.get_as(&other, "v3/account/whoami").await.status, 200);
}

#[tokio::test]
async fn weak_password_is_refused_before_anything_is_proved() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let answer = world.post_as(&alice, PATH, json!({ "new_password": "short" })).await;
    assert_eq!(answer.error(), (400, "M_WEAK_PASSWORD"));
}

#[tokio::test]
async fn password_of_another_user_proves_nothing() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let bob = world.register("bob").await;
    let body = json!({ "new_password": "another one", "auth": proof(&bob) });
    assert_eq!(world.post_as(&alice, PATH, body).await.error(), (403, "M_FORBIDDEN"));
    assert_eq!(world.login("alice", json!({})).await.status, 200);
}

#[tokio::test]
async fn stranger_is_asked_for_a_token() {
    let world = World::new().await;
    let body = json!({ "new_password": "another one" });
    assert_eq!(world.send(Method::POST, PATH, None, body).await.error(), (401, "M_MISSING_TOKEN"));
}
