//! Apps register themselves.

use serde_json::json;

use super::browser::{register, web_app};
use crate::world::{World, on_each_engine};

#[tokio::test]
async fn apps_that_people_use_are_registered() {
    on_each_engine(async |world: World| {
        let world = world.with_oauth();
        for (redirect, kind) in [
            ("https://element.io/oauth/ios/io.element.elementx", "native"),
            ("io.element.android:/", "native"),
            ("https://app.element.io/?no_universal_links=true", "web"),
            ("http://127.0.0.1/callback", "native"),
        ] {
            let mut metadata = web_app();
            metadata["redirect_uris"] = json!([redirect]);
            metadata["application_type"] = json!(kind);
            metadata["contacts"] = json!(["support@element.io"]);
            let (status, body) = register(&world, metadata).await;
            assert_eq!(status, 201, "{redirect}: {body}");
            assert_eq!(body["redirect_uris"], json!([redirect]));
            assert!(!body["client_id"].as_str().unwrap().is_empty());
            assert_eq!(body.get("client_secret"), None, "no app can keep one");
        }
    })
    .await;
}

#[tokio::test]
async fn equal_apps_are_one() {
    let world = World::new().await.with_oauth();
    let (_, first) = register(&world, web_app()).await;
    let (_, again) = register(&world, web_app()).await;
    assert_eq!(first["client_id"], again["client_id"]);
    let mut other = web_app();
    other["client_name"] = json!("Another");
    assert_ne!(register(&world, other).await.1["client_id"], first["client_id"]);
}

#[tokio::test]
async fn app_that_could_have_answers_sent_elsewhere_is_refused() {
    let world = World::new().await.with_oauth();
    for redirect in
        ["https://evil.test/cb", "http://app.element.io/", "https://element.io/#x", "javascript:alert(1)"]
    {
        let mut metadata = web_app();
        metadata["redirect_uris"] = json!([redirect]);
        let (status, body) = register(&world, metadata).await;
        assert_eq!((status, body["error"].as_str()), (400, Some("invalid_redirect_uri")), "{redirect}");
    }
    let mut metadata = web_app();
    metadata["tos_uri"] = json!("https://evil.test/");
    let (status, body) = register(&world, metadata).await;
    assert_eq!((status, body["error"].as_str()), (400, Some("invalid_client_metadata")));
}

#[tokio::test]
async fn app_that_nobody_uses_is_forgotten() {
    let world = World::new().await.with_oauth();
    let (_, unused) = register(&world, web_app()).await;
    world.wait(8 * 24 * 3_600);
    let mut other = web_app();
    other["client_name"] = json!("Another");
    register(&world, other).await;
    let client_id = unused["client_id"].as_str().unwrap();
    assert!(world.api.accounts.oauth_client(client_id).await.unwrap().is_none());
}

#[tokio::test]
async fn making_up_apps_is_limited_and_registering_an_equal_one_is_not() {
    use parvis_client_api::{RateLimit, RateLimitSettings};

    let limits =
        RateLimitSettings { login: RateLimit { per_second: 0.1, burst: 2 }, ..RateLimitSettings::OFF };
    let world = World::new().await.with_oauth().with_limits(limits);
    let mut statuses = Vec::new();
    for number in 0..4 {
        let mut metadata = web_app();
        metadata["client_name"] = json!(format!("App {number}"));
        statuses.push(register(&world, metadata).await.0);
    }
    assert_eq!(statuses, [201, 201, 429, 429]);
    let mut known = web_app();
    known["client_name"] = json!("App 0");
    assert_eq!(register(&world, known).await.0, 201);
}
