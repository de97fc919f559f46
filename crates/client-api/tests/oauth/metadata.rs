//! What apps are told before they are let in.

use crate::world::{World, on_each_engine};

#[tokio::test]
async fn without_oauth_none_of_it_exists() {
    let world = World::new().await;
    for path in [
        "/_matrix/client/v1/auth_metadata",
        "/_matrix/client/unstable/org.matrix.msc2965/auth_metadata",
        "/_parvis/oauth/authorize",
        "/_parvis/account",
        "/_parvis/account/login",
        "/_parvis/account/style.css",
        "/_parvis/account/logo",
        "/_matrix/client/unstable/org.matrix.msc4108/rendezvous/x",
    ] {
        let (status, body) = world.get(path).await;
        assert_eq!((status, body["errcode"].as_str()), (404, Some("M_UNRECOGNIZED")), "{path}");
    }
}

#[tokio::test]
async fn apps_find_every_endpoint_over_https() {
    on_each_engine(async |world: World| {
        let world = world.with_oauth();
        let (status, stable) = world.get("/_matrix/client/v1/auth_metadata").await;
        assert_eq!(status, 200);
        let unstable = world.get("/_matrix/client/unstable/org.matrix.msc2965/auth_metadata").await;
        assert_eq!((200, stable.clone()), unstable);
        for field in [
            "issuer",
            "authorization_endpoint",
            "token_endpoint",
            "registration_endpoint",
            "revocation_endpoint",
            "device_authorization_endpoint",
            "account_management_uri",
        ] {
            assert!(stable[field].as_str().unwrap().starts_with("https://matrix.example.org/"), "{field}");
        }
        assert_eq!(stable["code_challenge_methods_supported"], serde_json::json!(["S256"]));
        assert_eq!(stable["response_types_supported"], serde_json::json!(["code"]), "no implicit grant");
        let grants = stable["grant_types_supported"].to_string();
        assert!(!grants.contains("password") && !grants.contains("implicit"), "{grants}");
        assert_eq!(stable["prompt_values_supported"], serde_json::json!(["create"]));
    })
    .await;
}

#[tokio::test]
async fn creating_accounts_is_not_offered_where_registration_is_closed() {
    let world = World::new().await.with_oauth_as(|sign_on| sign_on.registration = false);
    let (_, metadata) = world.get("/_matrix/client/v1/auth_metadata").await;
    assert_eq!(metadata.get("prompt_values_supported"), None);
}

#[tokio::test]
async fn password_login_stays_beside_oauth_or_not() {
    use http::Method;
    use serde_json::{Value, json};

    let mixed = World::new().await.with_oauth();
    mixed.register("alice").await;
    let login = mixed.login("alice", json!({})).await;
    assert_eq!(login.status, 200);
    let world = mixed.with_oauth_as(|sign_on| sign_on.passwords_in_apps = false);
    let flows = world.send(Method::GET, "v3/login", None, Value::Null).await.ok();
    assert!(!flows.to_string().contains("m.login.password"), "{flows}");
    assert_eq!(world.login("alice", json!({})).await.error(), (400, "M_UNKNOWN"));
}
