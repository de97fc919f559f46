//! `refresh_token`

use http::Method;
use serde_json::{Value, json};

use crate::world::{Answer, World, on_each_engine};

async fn login(world: &World) -> Answer {
    world.register("alice").await;
    world.login("alice", json!({ "refresh_token": true, "device_id": "PHONE" })).await
}

async fn refresh(world: &World, token: &str) -> Answer {
    let body = json!({ "refresh_token": token });
    world.send(Method::POST, "v3/refresh", None, body).await
}

async fn whoami(world: &World, pair: &Answer) -> Answer {
    let token = pair.text("access_token");
    world.send(Method::GET, "v3/account/whoami", Some(&token), Value::Null).await
}

#[tokio::test]
async fn old_pair_is_good_until_the_new_one_is_used() {
    on_each_engine(async |world: World| {
        let old = login(&world).await;
        assert_eq!(old.body["expires_in_ms"], 3_600_000);
        let lost = refresh(&world, &old.text("refresh_token")).await;
        assert_eq!(whoami(&world, &old).await.status, 200, "the answer may have been lost");
        let new = refresh(&world, &old.text("refresh_token")).await;
        assert_eq!(whoami(&world, &old).await.status, 200);

        assert_eq!(whoami(&world, &new).await.text("device_id"), "PHONE");
        assert_eq!(whoami(&world, &old).await.error(), (401, "M_UNKNOWN_TOKEN"));
        assert_eq!(whoami(&world, &lost).await.error(), (401, "M_UNKNOWN_TOKEN"));
        for used in [&old, &lost] {
            let answer = refresh(&world, &used.text("refresh_token")).await;
            assert_eq!(answer.error(), (401, "M_UNKNOWN_TOKEN"));
        }
        assert_eq!(whoami(&world, &new).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn using_the_new_refresh_token_ends_the_old_pair_too() {
    let world = World::new().await;
    let old = login(&world).await;
    let new = refresh(&world, &old.text("refresh_token")).await;
    let newest = refresh(&world, &new.text("refresh_token")).await;
    assert_eq!(whoami(&world, &old).await.error(), (401, "M_UNKNOWN_TOKEN"));
    assert_eq!(whoami(&world, &new).await.status, 200);
    assert_eq!(whoami(&world, &newest).await.status, 200);
    assert_eq!(whoami(&world, &new).await.error(), (401, "M_UNKNOWN_TOKEN"));
}

#[tokio::test]
async fn expired_access_token_is_refreshed_after_a_soft_logout() {
    let world = World::new().await;
    let old = login(&world).await;
    assert_eq!(whoami(&world, &old).await.status, 200);
    world.wait(3_600);
    let answer = whoami(&world, &old).await;
    assert_eq!(answer.error(), (401, "M_UNKNOWN_TOKEN"));
    assert_eq!(answer.body["soft_logout"], true);
    let new = refresh(&world, &old.text("refresh_token")).await;
    assert_eq!(whoami(&world, &new).await.status, 200);
}

#[tokio::test]
async fn unused_refresh_token_expires_where_that_is_set() {
    let world = World::new().await.with_accounts(|settings| {
        settings.refresh_token_lifetime = Some(std::time::Duration::from_secs(10));
    });
    let old = login(&world).await;
    world.wait(10);
    let answer = refresh(&world, &old.text("refresh_token")).await;
    assert_eq!(answer.error(), (401, "M_UNKNOWN_TOKEN"));
    assert_eq!(answer.body["soft_logout"], true);
}

#[tokio::test]
async fn access_token_is_no_refresh_token_and_the_other_way_round() {
    let world = World::new().await;
    let pair = login(&world).await;
    let answer = refresh(&world, &pair.text("access_token")).await;
    assert_eq!(answer.error(), (401, "M_UNKNOWN_TOKEN"));
    let token = pair.text("refresh_token");
    let answer = world.send(Method::GET, "v3/account/whoami", Some(&token), Value::Null).await;
    assert_eq!(answer.error(), (401, "M_UNKNOWN_TOKEN"));
}

#[tokio::test]
async fn logout_ends_the_refresh_token() {
    let world = World::new().await;
    let pair = login(&world).await;
    let token = pair.text("access_token");
    assert_eq!(world.send(Method::POST, "v3/logout", Some(&token), json!({})).await.status, 200);
    let answer = refresh(&world, &pair.text("refresh_token")).await;
    assert_eq!(answer.error(), (401, "M_UNKNOWN_TOKEN"));
}

#[tokio::test]
async fn client_that_cannot_refresh_gets_no_refresh_token() {
    let world = World::new().await;
    world.register("alice").await;
    let answer = world.login("alice", json!({})).await.ok();
    assert!(answer.get("refresh_token").is_none() && answer.get("expires_in_ms").is_none(), "{answer}");
}
