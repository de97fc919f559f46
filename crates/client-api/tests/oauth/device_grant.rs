//! Apps without a browser.

use serde_json::Value;

use super::browser::{Browser, SCOPE, app, post_form, whoami};
use crate::world::{World, on_each_engine};

const LINK: &str = "/_parvis/account/link";

async fn ask(world: &World, client_id: &str) -> Value {
    let fields = [("client_id", client_id), ("scope", SCOPE)];
    let (status, body) = post_form(world, "/_parvis/oauth/device", &fields).await;
    assert_eq!(status, 200, "{body}");
    body
}

async fn poll(world: &World, client_id: &str, asked: &Value) -> (u16, Value) {
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("client_id", client_id),
        ("device_code", asked["device_code"].as_str().unwrap()),
    ];
    post_form(world, "/_parvis/oauth/token", &fields).await
}

#[tokio::test]
async fn app_without_a_browser_is_let_in_on_another_machine() {
    on_each_engine(async |world: World| {
        let world = world.with_oauth();
        world.register("alice").await;
        let client_id = app(&world).await;
        let asked = ask(&world, &client_id).await;
        assert_eq!(poll(&world, &client_id, &asked).await.1["error"], "authorization_pending");
        assert_eq!(poll(&world, &client_id, &asked).await.1["error"], "slow_down");
        world.wait(5);
        assert_eq!(poll(&world, &client_id, &asked).await.1["error"], "authorization_pending");

        let mut browser = Browser::new(&world);
        let login = browser.follow(asked["verification_uri_complete"].as_str().unwrap()).await;
        let consent = browser.sign_in(&login, "alice", "password").await;
        let user_code = asked["user_code"].as_str().unwrap();
        assert!(consent.text.contains(user_code) && consent.text.contains("PHONE"), "{}", consent.text);
        assert!(consent.text.contains("Did somebody send you this code"), "{}", consent.text);
        let fields = [("code", user_code), ("answer", "allow")];
        let done = browser.submit(LINK, &consent, &fields).await;
        assert_eq!(done.status, 200, "{}", done.text);
        assert_eq!(browser.submit(LINK, &consent, &fields).await.status, 400, "it was answered");

        world.wait(5);
        let (status, tokens) = poll(&world, &client_id, &asked).await;
        assert_eq!(status, 200, "{tokens}");
        assert_eq!(whoami(&world, &tokens).await.text("device_id"), "PHONE");
        assert!(tokens["refresh_token"].is_string());
        assert_eq!(poll(&world, &client_id, &asked).await.1["error"], "invalid_grant", "once");
    })
    .await;
}

#[tokio::test]
async fn code_is_typed_by_hand_and_may_be_refused() {
    let world = World::new().await.with_oauth();
    world.register("alice").await;
    let client_id = app(&world).await;
    let asked = ask(&world, &client_id).await;
    let mut browser = Browser::new(&world);
    let login = browser.follow(LINK).await;
    let page = browser.sign_in(&login, "alice", "password").await;
    let wrong = browser.submit(LINK, &page, &[("code", "BBBB-BBBB")]).await;
    assert_eq!(wrong.status, 400);
    let typed = asked["user_code"].as_str().unwrap().to_lowercase().replace('-', " ");
    let consent = browser.submit(LINK, &wrong, &[("code", &typed)]).await;
    browser.submit(LINK, &consent, &[("code", &typed), ("answer", "deny")]).await;
    assert_eq!(poll(&world, &client_id, &asked).await.1["error"], "access_denied");
}

#[tokio::test]
async fn codes_of_apps_without_a_browser_expire() {
    let world = World::new().await.with_oauth();
    let client_id = app(&world).await;
    let asked = ask(&world, &client_id).await;
    world.wait(15 * 60);
    assert_eq!(poll(&world, &client_id, &asked).await.1["error"], "expired_token");
    assert!(world.api.accounts.user_code(asked["user_code"].as_str().unwrap()).await.unwrap().is_none());
}

#[tokio::test]
async fn trying_user_codes_is_limited() {
    use parvis_client_api::{RateLimit, RateLimitSettings};

    let world = World::new().await.with_oauth();
    world.register("alice").await;
    let mut browser = Browser::new(&world);
    let login = browser.follow(LINK).await;
    let page = browser.sign_in(&login, "alice", "password").await;
    let cookies = browser.cookies.clone();
    let limits =
        RateLimitSettings { login: RateLimit { per_second: 0.01, burst: 3 }, ..RateLimitSettings::OFF };
    let world = world.with_limits(limits);
    let mut browser = Browser { cookies, ..Browser::new(&world) };
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(browser.submit(LINK, &page, &[("code", "BBBB-BBBB")]).await.status);
    }
    assert_eq!(statuses, [400, 400, 400, 429, 429]);
}
