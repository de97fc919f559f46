//! `login`

use http::Method;
use serde_json::{Value, json};

use crate::world::{World, client, on_each_engine};

const PATH: &str = "v3/login";

#[tokio::test]
async fn user_is_known_by_localpart_and_by_user_id_in_any_case() {
    on_each_engine(async |world: World| {
        world.register("alice").await;
        for name in ["alice", "ALICE", "@alice:parvis.test", "@Alice:parvis.test"] {
            let session = client(&world.login(name, json!({})).await);
            assert_eq!(session.user_id, "@alice:parvis.test");
            assert_eq!(world.get_as(&session, "v3/account/whoami").await.status, 200);
        }
    })
    .await;
}

#[tokio::test]
async fn wrong_password_and_unknown_user_are_told_alike() {
    let world = World::new().await;
    world.register("alice").await;
    let wrong = world.login("alice", json!({ "password": "guess" })).await;
    let unknown = world.login("nobody", json!({})).await;
    let elsewhere = world.login("@alice:elsewhere.test", json!({})).await;
    assert_eq!(wrong.error(), (403, "M_FORBIDDEN"));
    assert_eq!(wrong.body, unknown.body);
    assert_eq!(wrong.body, elsewhere.body);
}

#[tokio::test]
async fn what_is_missing_or_unknown_is_named() {
    let world = World::new().await;
    let login = |body: Value| world.send(Method::POST, PATH, None, body);
    assert_eq!(login(json!({})).await.error(), (400, "M_MISSING_PARAM"));
    assert_eq!(login(json!({ "type": "m.login.magic" })).await.error(), (400, "M_UNKNOWN"));
    assert_eq!(login(json!({ "type": 5 })).await.error(), (400, "M_BAD_JSON"));
    let nobody = json!({ "type": "m.login.password", "password": "password" });
    assert_eq!(login(nobody).await.error(), (400, "M_MISSING_PARAM"));
    let no_password = json!({ "type": "m.login.password", "user": "alice" });
    assert_eq!(login(no_password).await.error(), (400, "M_MISSING_PARAM"));
}

#[tokio::test]
async fn device_used_again_loses_its_old_tokens() {
    on_each_engine(async |world: World| {
        let other = world.register("alice").await;
        let first = client(&world.login("alice", json!({ "device_id": "PHONE" })).await);
        assert_eq!(world.get_as(&first, "v3/account/whoami").await.status, 200);
        let second = client(&world.login("alice", json!({ "device_id": "PHONE" })).await);
        assert_eq!(second.device_id, "PHONE");
        assert_eq!(world.get_as(&first, "v3/account/whoami").await.error(), (401, "M_UNKNOWN_TOKEN"));
        assert_eq!(world.get_as(&second, "v3/account/whoami").await.status, 200);
        assert_eq!(world.get_as(&other, "v3/account/whoami").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn token_that_expires_asks_for_a_soft_logout() {
    let world = World::new().await.with_accounts(|settings| {
        settings.access_token_lifetime = Some(std::time::Duration::from_secs(60));
    });
    let alice = world.register("alice").await;
    world.wait(59);
    assert_eq!(world.get_as(&alice, "v3/account/whoami").await.status, 200);
    world.wait(1);
    let answer = world.get_as(&alice, "v3/account/whoami").await;
    assert_eq!(answer.error(), (401, "M_UNKNOWN_TOKEN"));
    assert_eq!(answer.body["soft_logout"], true);
    let unknown = world.send(Method::GET, "v3/account/whoami", Some("made-up"), Value::Null).await;
    assert_eq!(unknown.error(), (401, "M_UNKNOWN_TOKEN"));
    assert_eq!(unknown.body["soft_logout"], false);
}
