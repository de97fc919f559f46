//! Limits for those who ask too often.

use std::net::IpAddr;

use http::Method;
use parvis_client_api::{RateLimit, RateLimitSettings};
use serde_json::{Value, json};

use crate::world::{Answer, World};

const LIMIT: RateLimit = RateLimit { per_second: 0.5, burst: 3 };

async fn limited() -> World {
    let limits = RateLimitSettings { login: LIMIT, registration: LIMIT, ..RateLimitSettings::OFF };
    World::new().await.with_limits(limits)
}

fn address(last: u8) -> Option<IpAddr> {
    Some(IpAddr::from([192, 0, 2, last]))
}

async fn login(world: &World, user: &str, password: &str, from: Option<IpAddr>) -> Answer {
    let body = json!({ "type": "m.login.password", "user": user, "password": password });
    world.send_from(Method::POST, "v3/login", None, body, from).await
}

#[tokio::test]
async fn refusal_says_when_to_come_again() {
    let world = limited().await;
    world.register("alice").await;
    for _ in 0..3 {
        assert_eq!(login(&world, "alice", "password", address(1)).await.status, 200);
    }
    let refused = login(&world, "alice", "password", address(1)).await;
    assert_eq!(refused.error(), (429, "M_LIMIT_EXCEEDED"));
    let wait = refused.body["retry_after_ms"].as_i64().unwrap();
    assert!((1_900..=2_001).contains(&wait), "{wait}");
    assert!(["2", "3"].contains(&refused.headers["retry-after"].to_str().unwrap()));
    assert_eq!(login(&world, "alice", "password", address(2)).await.status, 200, "others are not limited");
    world.wait(3);
    assert_eq!(login(&world, "alice", "password", address(1)).await.status, 200);
}

#[tokio::test]
async fn password_is_not_guessed_from_many_addresses() {
    let world = limited().await;
    world.register("alice").await;
    world.register("bob").await;
    for last in 1..=3 {
        assert_eq!(login(&world, "alice", "guess", address(last)).await.status, 403);
    }
    let names = ["alice", "ALICE", "@alice:parvis.test"];
    for name in names {
        assert_eq!(login(&world, name, "guess", address(9)).await.error(), (429, "M_LIMIT_EXCEEDED"));
    }
    assert_eq!(login(&world, "bob", "password", address(10)).await.status, 200);
}

#[tokio::test]
async fn password_is_not_guessed_by_a_stolen_session() {
    let world = limited().await;
    let alice = world.register("alice").await;
    let guess = json!({ "auth": { "type": "m.login.password", "user": "alice", "password": "guess" } });
    for _ in 0..3 {
        let answer = world.post_as(&alice, "v3/account/deactivate", guess.clone()).await;
        assert_eq!(answer.error(), (401, "M_FORBIDDEN"));
    }
    let answer = world.post_as(&alice, "v3/account/deactivate", guess).await;
    assert_eq!(answer.error(), (429, "M_LIMIT_EXCEEDED"));
}

#[tokio::test]
async fn registrations_are_limited_per_address() {
    let world = limited().await;
    let register = async |name: &str, from| {
        let body = json!({ "username": name, "password": "password", "auth": { "type": "m.login.dummy" } });
        world.send_from(Method::POST, "v3/register", None, body, from).await
    };
    for number in 0..3 {
        assert_eq!(register(&format!("user{number}"), address(1)).await.status, 200);
    }
    assert_eq!(register("more", address(1)).await.error(), (429, "M_LIMIT_EXCEEDED"));
    assert_eq!(register("more", address(2)).await.status, 200);
}

#[tokio::test]
async fn registration_tokens_are_not_guessed() {
    let world = limited().await;
    let path = "v1/register/m.login.registration_token/validity?token=guess";
    let try_one = async || world.send_from(Method::GET, path, None, Value::Null, address(1)).await;
    for _ in 0..3 {
        assert_eq!(try_one().await.status, 200);
    }
    assert_eq!(try_one().await.error(), (429, "M_LIMIT_EXCEEDED"));
}
