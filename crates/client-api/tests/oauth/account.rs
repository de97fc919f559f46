//! The account page.

use http::Method;
use serde_json::{Value, json};

use super::browser::{Browser, Page, let_in, whoami};
use crate::world::{World, on_each_engine};

const ACCOUNT: &str = "/_parvis/account";

/// A browser in which alice is signed in, and its page.
async fn signed_in(world: &World) -> (Browser<'_>, Page) {
    let mut browser = Browser::new(world);
    let login = browser.follow(ACCOUNT).await;
    let page = browser.sign_in(&login, "alice", "password").await;
    (browser, page)
}

#[tokio::test]
async fn user_sees_devices_and_ends_one() {
    on_each_engine(async |world: World| {
        let world = world.with_oauth();
        let (_, tokens) = let_in(&world).await;
        let (mut browser, page) = signed_in(&world).await;
        assert!(page.text.contains("@alice:parvis.test") && page.text.contains("PHONE"), "{}", page.text);
        let view = "/_parvis/account?action=org.matrix.device_view&device_id=PHONE";
        let device = browser.follow(view).await;
        assert!(device.text.contains("Element") && device.text.contains("PHONE"), "{}", device.text);
        let fields = [("do", "end_device"), ("device_id", "PHONE")];
        let ended = browser.submit(ACCOUNT, &device, &fields).await;
        assert!(browser.follow(ended.location()).await.text.contains("The device is signed out."));
        assert_eq!(whoami(&world, &tokens).await.error(), (401, "M_UNKNOWN_TOKEN"));
        assert_eq!(browser.follow(view).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn user_changes_the_display_name() {
    let world = World::new().await.with_oauth();
    let alice = world.register("alice").await;
    let (mut browser, page) = signed_in(&world).await;
    let fields = [("do", "rename"), ("display_name", "Alice <A.>")];
    let saved = browser.submit(ACCOUNT, &page, &fields).await;
    let page = browser.follow(saved.location()).await;
    assert!(page.text.contains("Alice &#60;A.&#62;"), "{}", page.text);
    let path = format!("v3/profile/{}/displayname", alice.user_id);
    assert_eq!(world.get_as(&alice, &path).await.text("displayname"), "Alice <A.>");
    let long = "x".repeat(300);
    let refused = browser.submit(ACCOUNT, &page, &[("do", "rename"), ("display_name", &long)]).await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn account_is_closed_only_by_somebody_who_has_just_proved_who_they_are() {
    on_each_engine(async |world: World| {
        let world = world.with_oauth();
        let (_, tokens) = let_in(&world).await;
        let (mut browser, page) = signed_in(&world).await;
        let close = "/_parvis/account?action=org.matrix.account_deactivate";
        world.wait(11 * 60);
        let fields = [("do", "deactivate"), ("user_id", "@alice:parvis.test")];
        let early = browser.submit(ACCOUNT, &page, &fields).await;
        assert!(early.location().contains("/login?next="), "{}", early.location());
        let login = browser.follow(close).await;
        let page = browser.sign_in(&login, "alice", "password").await;
        let wrong = browser.submit(close, &page, &[("do", "deactivate"), ("user_id", "alice")]).await;
        assert_eq!(wrong.status, 400);
        let closed = browser.submit(close, &page, &fields).await;
        assert_eq!(closed.status, 200, "{}", closed.text);
        assert_eq!(whoami(&world, &tokens).await.status, 401);
        assert_eq!(world.login("alice", json!({})).await.error(), (403, "M_USER_DEACTIVATED"));
        assert_eq!(browser.open(ACCOUNT).await.status, 303, "the browser is signed out");
    })
    .await;
}

#[tokio::test]
async fn nothing_of_another_users_is_ended() {
    let world = World::new().await.with_oauth();
    world.register("alice").await;
    let bob = world.register("bob").await;
    let (mut browser, page) = signed_in(&world).await;
    browser.submit(ACCOUNT, &page, &[("do", "end_device"), ("device_id", &bob.device_id)]).await;
    assert_eq!(world.send(Method::GET, "v3/account/whoami", Some(&bob.token), Value::Null).await.status, 200);
}
