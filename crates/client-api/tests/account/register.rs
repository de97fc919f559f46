//! `register`

use http::Method;
use parvis_accounts::{Registration, RegistrationToken};
use serde_json::{Value, json};

use crate::world::{Answer, World, client, on_each_engine};

const PATH: &str = "v3/register";

async fn register(world: &World, body: Value) -> Answer {
    world.send(Method::POST, PATH, None, body).await
}

#[tokio::test]
async fn whoever_registers_is_logged_in() {
    on_each_engine(async |world: World| {
        let first = register(&world, json!({ "username": "alice", "password": "password" })).await;
        assert_eq!(first.status, 401);
        assert_eq!(first.body["flows"], json!([{ "stages": ["m.login.dummy"] }]));
        let auth = json!({ "type": "m.login.dummy", "session": first.text("session") });
        let body = json!({ "username": "alice", "password": "password", "auth": auth });
        let alice = client(&register(&world, body).await);
        let whoami = world.get_as(&alice, "v3/account/whoami").await.ok();
        let expected =
            json!({ "user_id": "@alice:parvis.test", "device_id": alice.device_id, "is_guest": false });
        // `is_guest` may be left out where it is false.
        assert_eq!(whoami["user_id"], expected["user_id"]);
        assert_eq!(whoami["device_id"], expected["device_id"]);
        assert_ne!(whoami["is_guest"], true);
    })
    .await;
}

#[tokio::test]
async fn dummy_sent_at_once_is_enough() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    assert_eq!(alice.user_id, "@alice:parvis.test");
}

#[tokio::test]
async fn nobody_registers_where_registration_is_closed() {
    let world = World::new().await.with_accounts(|settings| settings.registration = Registration::Closed);
    let body = json!({ "username": "a", "password": "password", "auth": { "type": "m.login.dummy" } });
    assert_eq!(register(&world, body).await.error(), (403, "M_FORBIDDEN"));
    assert_eq!(register(&world, Value::Null).await.error(), (403, "M_FORBIDDEN"));
}

#[tokio::test]
async fn there_are_no_guests() {
    let world = World::new().await;
    let answer = world.send(Method::POST, "v3/register?kind=guest", None, json!({})).await;
    assert_eq!(answer.error(), (403, "M_FORBIDDEN"));
}

#[tokio::test]
async fn registration_token_lets_in_and_another_does_not() {
    let world = World::new().await.with_accounts(|settings| {
        settings.registration = Registration::Token(vec![RegistrationToken("sesame".to_owned())]);
    });
    let attempt = |token: &str| {
        let auth = json!({ "type": "m.login.registration_token", "token": token });
        json!({ "username": "alice", "password": "password", "auth": auth })
    };
    let refused = register(&world, attempt("guess")).await;
    assert_eq!(refused.error(), (401, "M_FORBIDDEN"));
    assert_eq!(refused.body["flows"], json!([{ "stages": ["m.login.registration_token"] }]));
    let dummy = json!({ "username": "alice", "password": "password", "auth": { "type": "m.login.dummy" } });
    assert_eq!(register(&world, dummy).await.status, 401);
    assert_eq!(register(&world, attempt("sesame")).await.status, 200);
}

#[tokio::test]
async fn user_names_follow_the_grammar_and_are_given_once() {
    on_each_engine(async |world: World| {
        let attempt = |name: &str| {
            json!({ "username": name, "password": "password", "auth": { "type": "m.login.dummy" } })
        };
        let answer = register(&world, attempt("User-UPPER")).await;
        assert_eq!(answer.text("user_id"), "@user-upper:parvis.test");
        for name in ["user-upper", "USER-upper"] {
            assert_eq!(register(&world, attempt(name)).await.error(), (400, "M_USER_IN_USE"));
        }
        for name in ["é", "a:b", "@a", "", "a b", &"x".repeat(250)] {
            assert_eq!(register(&world, attempt(name)).await.error(), (400, "M_INVALID_USERNAME"), "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn name_is_made_up_for_whoever_has_none() {
    let world = World::new().await;
    let body = json!({ "password": "password", "auth": { "type": "m.login.dummy" } });
    let (first, second) = (register(&world, body.clone()).await, register(&world, body).await);
    assert_ne!(first.text("user_id"), second.text("user_id"));
}

#[tokio::test]
async fn weak_or_missing_password_is_refused() {
    let world = World::new().await;
    let weak = json!({ "username": "a", "password": "short", "auth": { "type": "m.login.dummy" } });
    assert_eq!(register(&world, weak).await.error(), (400, "M_WEAK_PASSWORD"));
    let none = json!({ "username": "a", "auth": { "type": "m.login.dummy" } });
    assert_eq!(register(&world, none).await.error(), (400, "M_MISSING_PARAM"));
}

#[tokio::test]
async fn inhibit_login_makes_an_account_without_a_session() {
    let world = World::new().await;
    let auth = json!({ "type": "m.login.dummy" });
    let body = json!({ "username": "a", "password": "password", "auth": auth, "inhibit_login": true });
    let answer = register(&world, body).await.ok();
    assert_eq!(answer["user_id"], "@a:parvis.test");
    assert!(answer.get("access_token").is_none() && answer["device_id"].is_null(), "{answer}");
}

#[tokio::test]
async fn device_is_the_one_asked_for() {
    let world = World::new().await;
    let auth = json!({ "type": "m.login.dummy" });
    let body = json!({ "username": "a", "password": "password", "auth": auth, "device_id": "PHONE" });
    assert_eq!(register(&world, body).await.text("device_id"), "PHONE");
}

#[tokio::test]
async fn client_that_says_everything_only_once_is_understood() {
    on_each_engine(async |world: World| {
        let first = register(&world, json!({ "username": "alice", "password": "password" })).await;
        let auth = json!({ "type": "m.login.dummy", "session": first.text("session") });
        let answer = register(&world, json!({ "auth": auth })).await;
        assert_eq!(answer.text("user_id"), "@alice:parvis.test");
        assert_eq!(world.login("alice", json!({})).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn client_that_asks_first_for_the_flows_may_go_on_with_that_session() {
    let world = World::new().await;
    let first = register(&world, json!({})).await;
    let auth = json!({ "type": "m.login.dummy", "session": first.text("session") });
    let body = json!({ "username": "alice", "password": "password", "auth": auth });
    assert_eq!(register(&world, body).await.status, 200);
}

#[tokio::test]
async fn answer_that_was_lost_is_given_again() {
    on_each_engine(async |world: World| {
        let first = register(&world, json!({ "username": "alice", "password": "password" })).await;
        let auth = json!({ "type": "m.login.dummy", "session": first.text("session") });
        let body = json!({ "username": "alice", "password": "password", "auth": auth });
        let (lost, again) = (register(&world, body.clone()).await, register(&world, body).await);
        assert_eq!(lost.text("user_id"), again.text("user_id"));
        let alice = client(&again);
        assert_eq!(world.get_as(&alice, "v3/account/whoami").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn session_of_one_registration_does_not_serve_another() {
    let world = World::new().await;
    let first = register(&world, json!({ "username": "alice", "password": "password" })).await;
    let auth = json!({ "type": "m.login.dummy", "session": first.text("session") });
    let other = json!({ "username": "mallory", "password": "password", "auth": auth });
    assert_eq!(register(&world, other).await.error(), (403, "M_FORBIDDEN"));
}

#[tokio::test]
async fn expired_session_is_answered_with_a_new_one() {
    let world = World::new().await;
    let first = register(&world, json!({ "username": "alice", "password": "password" })).await;
    world.wait(16 * 60);
    let auth = json!({ "type": "m.login.dummy", "session": first.text("session") });
    let body = json!({ "username": "alice", "password": "password", "auth": auth });
    let answer = register(&world, body).await;
    assert_eq!(answer.error(), (401, "M_FORBIDDEN"));
    assert_ne!(answer.text("session"), first.text("session"));
}
