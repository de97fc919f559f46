//! The token endpoint, and revoking.

use http::Method;
use serde_json::{Value, json};

use super::browser::{
    Browser, REDIRECT, VERIFIER, app, code, fetch, let_in, post_form, refresh, register, web_app, whoami,
};
use crate::world::{World, on_each_engine};

fn error(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"].as_str().unwrap_or("none"))
}

#[tokio::test]
async fn code_is_good_once_and_a_second_use_ends_what_it_gave() {
    on_each_engine(async |world: World| {
        let world = world.with_oauth();
        world.register("alice").await;
        let client_id = app(&world).await;
        let code = code(&mut Browser::new(&world), &client_id, "alice").await;
        let (_, tokens) = fetch(&world, &client_id, &code).await;
        assert_eq!(whoami(&world, &tokens).await.status, 200);
        assert_eq!(error(&fetch(&world, &client_id, &code).await), (400, "invalid_grant"));
        assert_eq!(whoami(&world, &tokens).await.error(), (401, "M_UNKNOWN_TOKEN"));
        let token = tokens["refresh_token"].as_str().unwrap();
        assert_eq!(error(&refresh(&world, &client_id, token).await), (400, "invalid_grant"));
    })
    .await;
}

#[tokio::test]
async fn of_two_who_use_a_code_at_once_one_at_most_is_let_in() {
    on_each_engine(async |world: World| {
        let world = world.with_oauth();
        world.register("alice").await;
        let client_id = app(&world).await;
        let code = code(&mut Browser::new(&world), &client_id, "alice").await;
        let tries = (0..8).map(|_| fetch(&world, &client_id, &code));
        let answers = futures_util::future::join_all(tries).await;
        assert!(answers.iter().filter(|(status, _)| *status == 200).count() <= 1);
    })
    .await;
}

#[tokio::test]
async fn code_is_bound_to_app_address_and_verifier() {
    let world = World::new().await.with_oauth();
    world.register("alice").await;
    let client_id = app(&world).await;
    let mut other = web_app();
    other["client_name"] = json!("Another");
    let other = register(&world, other).await.1["client_id"].as_str().unwrap().to_owned();
    let mut browser = Browser::new(&world);
    let code = code(&mut browser, &client_id, "alice").await;
    let good = [
        ("grant_type", "authorization_code"),
        ("client_id", client_id.as_str()),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    for (name, value, expected) in [
        ("client_id", other.as_str(), "invalid_grant"),
        ("client_id", "unknown", "invalid_client"),
        ("redirect_uri", "https://element.io/", "invalid_grant"),
        ("redirect_uri", "", "invalid_grant"),
        ("code_verifier", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "invalid_grant"),
        ("code_verifier", "", "invalid_request"),
        ("code", "", "invalid_request"),
        ("code", "parvis_oc_guessed", "invalid_grant"),
        ("grant_type", "password", "unsupported_grant_type"),
        ("grant_type", "", "invalid_request"),
    ] {
        let fields: Vec<_> = good.map(|(known, own)| (known, if known == name { value } else { own })).into();
        let answer = post_form(&world, "/_parvis/oauth/token", &fields).await;
        assert_eq!(answer.1["error"], expected, "{name}={value}");
    }
    assert_eq!(post_form(&world, "/_parvis/oauth/token", &good).await.0, 200, "it is still good for its app");
}

#[tokio::test]
async fn code_is_good_for_a_minute() {
    let world = World::new().await.with_oauth();
    world.register("alice").await;
    let client_id = app(&world).await;
    let code = code(&mut Browser::new(&world), &client_id, "alice").await;
    world.wait(61);
    assert_eq!(error(&fetch(&world, &client_id, &code).await), (400, "invalid_grant"));
}

#[tokio::test]
async fn code_of_somebody_who_was_locked_meanwhile_is_not_good() {
    let world = World::new().await.with_oauth();
    world.register("alice").await;
    let client_id = app(&world).await;
    let code = code(&mut Browser::new(&world), &client_id, "alice").await;
    world.api.accounts.set_locked("alice", true).await.unwrap();
    assert_eq!(error(&fetch(&world, &client_id, &code).await), (400, "invalid_grant"));
}

#[tokio::test]
async fn two_processes_of_one_app_refresh_without_losing_the_session() {
    on_each_engine(async |world: World| {
        let world = world.with_oauth();
        let (client_id, old) = let_in(&world).await;
        let token = old["refresh_token"].as_str().unwrap();
        let (status, lost) = refresh(&world, &client_id, token).await;
        assert_eq!(status, 200, "{lost}");
        assert_ne!(lost["refresh_token"], old["refresh_token"], "it is rotated");
        assert_eq!(whoami(&world, &old).await.status, 200, "the other process goes on with what it has");
        let (status, new) = refresh(&world, &client_id, token).await;
        assert_eq!(status, 200, "the old refresh token is good until the new access token is used");
        assert_eq!(whoami(&world, &new).await.text("device_id"), "PHONE");
        assert_eq!(whoami(&world, &old).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn refresh_token_that_is_spent_ends_the_session_and_leaves_the_device() {
    on_each_engine(async |world: World| {
        let world = world.with_oauth();
        let (client_id, old) = let_in(&world).await;
        let token = old["refresh_token"].as_str().unwrap();
        let (_, new) = refresh(&world, &client_id, token).await;
        assert_eq!(whoami(&world, &new).await.status, 200);
        assert_eq!(error(&refresh(&world, &client_id, token).await), (400, "invalid_grant"));
        assert_eq!(whoami(&world, &new).await.error(), (401, "M_UNKNOWN_TOKEN"), "one of the two is a thief");
        let successor = new["refresh_token"].as_str().unwrap();
        assert_eq!(error(&refresh(&world, &client_id, successor).await), (400, "invalid_grant"));
        let code = code(&mut Browser::new(&world), &client_id, "alice").await;
        let (_, again) = fetch(&world, &client_id, &code).await;
        let answer =
            world.send(Method::GET, "v3/devices", again["access_token"].as_str(), Value::Null).await.ok();
        let phones =
            answer["devices"].as_array().unwrap().iter().filter(|device| device["device_id"] == "PHONE");
        assert_eq!(phones.count(), 1, "whoever it belongs to goes on with the device");
    })
    .await;
}

#[tokio::test]
async fn refresh_token_belongs_to_its_app_and_to_oauth() {
    let world = World::new().await.with_oauth();
    let (client_id, tokens) = let_in(&world).await;
    let mut other = web_app();
    other["client_name"] = json!("Another");
    let other = register(&world, other).await.1["client_id"].as_str().unwrap().to_owned();
    let token = tokens["refresh_token"].as_str().unwrap();
    assert_eq!(error(&refresh(&world, &other, token).await), (400, "invalid_grant"));
    let body = json!({ "refresh_token": token });
    let answer = world.send(Method::POST, "v3/refresh", None, body).await;
    assert_eq!(answer.error(), (401, "M_UNKNOWN_TOKEN"));
    let login = world.login("alice", json!({ "refresh_token": true })).await;
    let answer = refresh(&world, &client_id, &login.text("refresh_token")).await;
    assert_eq!(error(&answer), (400, "invalid_grant"));
    assert_eq!(refresh(&world, &client_id, token).await.0, 200, "it is still good");
}

#[tokio::test]
async fn either_token_revokes_both_and_takes_the_device_away() {
    on_each_engine(async |world: World| {
        let world = world.with_oauth();
        world.register("alice").await;
        let client_id = app(&world).await;
        let mut browser = Browser::new(&world);
        for kind in ["access_token", "refresh_token"] {
            let code = code(&mut browser, &client_id, "alice").await;
            let (_, tokens) = fetch(&world, &client_id, &code).await;
            let fields = [("token", tokens[kind].as_str().unwrap()), ("token_type_hint", "nonsense")];
            assert_eq!(post_form(&world, "/_parvis/oauth/revoke", &fields).await.0, 200);
            assert_eq!(whoami(&world, &tokens).await.status, 401, "{kind}");
            let token = tokens["refresh_token"].as_str().unwrap();
            assert_eq!(error(&refresh(&world, &client_id, token).await), (400, "invalid_grant"));
            assert_eq!(
                post_form(&world, "/_parvis/oauth/revoke", &fields).await.0,
                200,
                "once more does no harm"
            );
        }
        let login = world.login("alice", json!({})).await;
        let devices =
            world.send(Method::GET, "v3/devices", Some(&login.text("access_token")), Value::Null).await;
        assert!(!devices.ok().to_string().contains("PHONE"));
        assert_eq!(error(&post_form(&world, "/_parvis/oauth/revoke", &[]).await), (400, "invalid_request"));
    })
    .await;
}

#[tokio::test]
async fn answers_with_tokens_are_kept_by_nobody() {
    use axum::body::Body;
    use http::{Request, header};

    let world = World::new().await.with_oauth();
    let request = Request::post("/_parvis/oauth/token")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("grant_type=refresh_token&client_id=x"))
        .unwrap();
    let response = world.answer(request).await;
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let json = Request::post("/_parvis/oauth/token")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from("{}"))
        .unwrap();
    assert_eq!(world.answer(json).await.status(), 400);
}

#[tokio::test]
async fn trying_codes_is_limited() {
    use parvis_client_api::{RateLimit, RateLimitSettings};

    let world = World::new().await.with_oauth();
    let client_id = app(&world).await;
    let limits =
        RateLimitSettings { login: RateLimit { per_second: 0.1, burst: 3 }, ..RateLimitSettings::OFF };
    let world = world.with_limits(limits);
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(fetch(&world, &client_id, "parvis_oc_guessed").await.0);
    }
    assert_eq!(statuses, [400, 400, 400, 429, 429]);
}
