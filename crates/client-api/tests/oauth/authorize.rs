//! The authorization endpoint, as a browser sees it.

use super::browser::{Browser, REDIRECT, answered, app, authorize_path, code, fetch, whoami};
use crate::world::{World, on_each_engine};

#[tokio::test]
async fn app_is_let_in_by_somebody_who_signs_in_and_allows_it() {
    on_each_engine(async |world: World| {
        let world = world.with_oauth();
        world.register("alice").await;
        let client_id = app(&world).await;
        let mut browser = Browser::new(&world);
        let path = authorize_path(&client_id, &[]);
        let login = browser.follow(&path).await;
        assert!(login.text.contains("name=\"password\""), "{}", login.text);
        let consent = browser.sign_in(&login, "Alice", "password").await;
        for shown in ["Element", "https://element.io", "@alice:parvis.test", "PHONE", "app.element.io"] {
            assert!(consent.text.contains(shown), "{shown} in {}", consent.text);
        }
        let back = browser.submit(&path, &consent, &[("answer", "allow")]).await;
        assert_eq!(back.status, 303, "never one that keeps the method and the password");
        assert!(back.location().starts_with(&format!("{REDIRECT}#code=")), "{}", back.location());
        assert_eq!(answered(back.location(), "state").as_deref(), Some("s t&te"));
        assert_eq!(answered(back.location(), "iss").as_deref(), Some("https://matrix.example.org/"));

        let code = answered(back.location(), "code").unwrap();
        let (status, tokens) = fetch(&world, &client_id, &code).await;
        assert_eq!(status, 200, "{tokens}");
        assert_eq!(tokens["token_type"], "Bearer");
        assert_eq!(tokens["expires_in"], 3_600);
        assert_eq!(tokens["scope"], super::browser::SCOPE);
        let who = whoami(&world, &tokens).await;
        assert_eq!(
            (who.text("user_id"), who.text("device_id")),
            ("@alice:parvis.test".into(), "PHONE".into())
        );
    })
    .await;
}

#[tokio::test]
async fn answer_stands_in_the_query_where_the_app_wants_it_there() {
    let world = World::new().await.with_oauth();
    world.register("alice").await;
    let client_id = app(&world).await;
    let mut browser = Browser::new(&world);
    let path = authorize_path(&client_id, &[("response_mode", "query")]);
    let login = browser.follow(&path).await;
    let consent = browser.sign_in(&login, "alice", "password").await;
    let back = browser.submit(&path, &consent, &[("answer", "allow")]).await;
    assert!(back.location().starts_with(&format!("{REDIRECT}?code=")), "{}", back.location());
}

#[tokio::test]
async fn refusal_is_told_the_app() {
    let world = World::new().await.with_oauth();
    world.register("alice").await;
    let client_id = app(&world).await;
    let mut browser = Browser::new(&world);
    let path = authorize_path(&client_id, &[]);
    let login = browser.follow(&path).await;
    let consent = browser.sign_in(&login, "alice", "password").await;
    let back = browser.submit(&path, &consent, &[("answer", "deny")]).await;
    assert_eq!(answered(back.location(), "error").as_deref(), Some("access_denied"));
    assert_eq!(answered(back.location(), "code"), None);
}

#[tokio::test]
async fn browser_is_not_sent_where_the_app_has_not_registered() {
    let world = World::new().await.with_oauth();
    let client_id = app(&world).await;
    let mut browser = Browser::new(&world);
    for changed in [
        ("redirect_uri", "https://evil.test/"),
        ("redirect_uri", "https://app.element.io/callback/"),
        ("redirect_uri", "https://app.element.io/callback?x=1"),
        ("redirect_uri", "https://APP.element.io/callback"),
        ("redirect_uri", ""),
        ("client_id", "unknown"),
        ("client_id", ""),
    ] {
        let page = browser.open(&authorize_path(&client_id, &[changed])).await;
        assert_eq!((page.status, page.location.as_deref()), (400, None), "{changed:?}");
        assert!(page.text.contains("You are not sent on"), "{}", page.text);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_the_app() {
    let world = World::new().await.with_oauth();
    let client_id = app(&world).await;
    let mut browser = Browser::new(&world);
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("response_mode", "form_post", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("scope", "openid", "invalid_scope"),
        ("request_uri", "https://evil.test/", "request_uri_not_supported"),
        ("request", "x.y.z", "request_not_supported"),
        ("prompt", "none", "login_required"),
    ] {
        let page = browser.open(&authorize_path(&client_id, &[(name, value)])).await;
        assert!(page.location().starts_with(REDIRECT), "{}", page.location());
        assert_eq!(answered(page.location(), "error").as_deref(), Some(error), "{name}={value}");
        assert_eq!(answered(page.location(), "state").as_deref(), Some("s t&te"));
    }
}

#[tokio::test]
async fn parameter_that_stands_there_twice_is_refused() {
    let world = World::new().await.with_oauth();
    let client_id = app(&world).await;
    let path = format!("{}&client_id=other", authorize_path(&client_id, &[]));
    let page = Browser::new(&world).open(&path).await;
    assert_eq!((page.status, page.location), (400, None));
}

#[tokio::test]
async fn people_are_asked_each_time_also_while_they_are_signed_in() {
    let world = World::new().await.with_oauth();
    world.register("alice").await;
    let client_id = app(&world).await;
    let mut browser = Browser::new(&world);
    let first = code(&mut browser, &client_id, "alice").await;
    let page = browser.open(&authorize_path(&client_id, &[])).await;
    assert!(page.status == 200 && page.text.contains("value=\"allow\""), "{}", page.text);
    let page = browser.open(&authorize_path(&client_id, &[("prompt", "none")])).await;
    assert_eq!(answered(page.location(), "error").as_deref(), Some("consent_required"));
    assert_ne!(code(&mut browser, &client_id, "alice").await, first);
}

#[tokio::test]
async fn prompt_login_asks_for_the_password_once_more() {
    let world = World::new().await.with_oauth();
    world.register("alice").await;
    let client_id = app(&world).await;
    let mut browser = Browser::new(&world);
    code(&mut browser, &client_id, "alice").await;
    let path = authorize_path(&client_id, &[("prompt", "login"), ("login_hint", "mxid:@alice:parvis.test")]);
    let login = browser.follow(&path).await;
    assert!(
        login.text.contains("name=\"password\"") && login.text.contains("value=\"alice\""),
        "{}",
        login.text
    );
    let consent = browser.sign_in(&login, "alice", "password").await;
    assert!(consent.text.contains("value=\"allow\""), "{}", consent.text);
}

#[tokio::test]
async fn prompt_create_leads_to_an_account_and_back_to_the_app() {
    on_each_engine(async |world: World| {
        let world = world.with_oauth();
        let client_id = app(&world).await;
        let mut browser = Browser::new(&world);
        let page = browser.follow(&authorize_path(&client_id, &[("prompt", "create")])).await;
        let next = page.field("next");
        let mut fields = vec![
            ("next", next.as_str()),
            ("name", "bob"),
            ("password", "secret words"),
            ("repeated", "other"),
        ];
        let wrong = browser.submit("/_parvis/account/register", &page, &fields).await;
        assert_eq!(wrong.status, 400);
        fields[3].1 = "secret words";
        let made = browser.submit("/_parvis/account/register", &wrong, &fields).await;
        let consent = browser.follow(made.location()).await;
        assert!(
            consent.text.contains("@bob:parvis.test") && consent.text.contains("value=\"allow\""),
            "{}",
            consent.text
        );
    })
    .await;
}

#[tokio::test]
async fn another_account_can_be_used() {
    let world = World::new().await.with_oauth();
    world.register("alice").await;
    world.register("bob").await;
    let client_id = app(&world).await;
    let mut browser = Browser::new(&world);
    let path = authorize_path(&client_id, &[]);
    let login = browser.follow(&path).await;
    let consent = browser.sign_in(&login, "alice", "password").await;
    let other = browser.submit(&path, &consent, &[("answer", "other")]).await;
    let login = browser.follow(other.location()).await;
    let consent = browser.sign_in(&login, "bob", "password").await;
    assert!(consent.text.contains("@bob:parvis.test"), "{}", consent.text);
}
