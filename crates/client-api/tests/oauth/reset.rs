//! What apps that are let in by OAuth cannot do by passwords.

use http::Method;
use serde_json::{Value, json};

use super::browser::{Browser, let_in};
use crate::{
    keys::cross_keys,
    world::{Client, World, on_each_engine},
};

async fn app_of_alice(world: &World) -> Client {
    let (_, tokens) = let_in(world).await;
    Client {
        user_id: "@alice:parvis.test".to_owned(),
        device_id: "PHONE".to_owned(),
        token: tokens["access_token"].as_str().unwrap().to_owned(),
    }
}

#[tokio::test]
async fn other_keys_for_cross_signing_are_allowed_on_the_account_page() {
    on_each_engine(async |world: World| {
        let world = world.with_oauth();
        let app = app_of_alice(&world).await;
        let path = "v3/keys/device_signing/upload";
        world.post_as(&app, path, cross_keys(&app, [3, 4, 5])).await.ok();
        let asked = world.post_as(&app, path, cross_keys(&app, [6, 7, 8])).await;
        assert_eq!(asked.status, 401);
        assert_eq!(asked.body["flows"][0]["stages"], json!(["m.oauth"]));
        let url = asked.body["params"]["m.oauth"]["url"].as_str().unwrap().to_owned();
        assert_eq!(asked.body["params"]["org.matrix.cross_signing_reset"]["url"], url.as_str());
        let mut again = cross_keys(&app, [6, 7, 8]);
        again["auth"] = json!({ "session": asked.text("session") });
        assert_eq!(world.post_as(&app, path, again.clone()).await.status, 401, "nobody has said yes");
        let mut claimed = again.clone();
        claimed["auth"]["type"] = json!("m.oauth");
        assert_eq!(world.post_as(&app, path, claimed).await.status, 401, "the app cannot say so");

        let mut browser = Browser::new(&world);
        let login = browser.follow(&url).await;
        let page = browser.sign_in(&login, "alice", "password").await;
        let done = browser.submit("/_parvis/account", &page, &[("do", "reset")]).await;
        assert!(done.text.contains("For the next ten minutes"), "{}", done.text);
        world.post_as(&app, path, again).await.ok();
        let third = world.post_as(&app, path, cross_keys(&app, [9, 10, 11])).await;
        assert_eq!(third.status, 401, "once");
    })
    .await;
}

#[tokio::test]
async fn saying_yes_holds_for_ten_minutes() {
    let world = World::new().await.with_oauth();
    let app = app_of_alice(&world).await;
    let path = "v3/keys/device_signing/upload";
    world.post_as(&app, path, cross_keys(&app, [3, 4, 5])).await.ok();
    let asked = world.post_as(&app, path, cross_keys(&app, [6, 7, 8])).await;
    let user = world.api.accounts.authenticate(&app.token, None).await.unwrap().user;
    world.api.accounts.allow_cross_signing_reset(user).await.unwrap();
    world.wait(600);
    let mut again = cross_keys(&app, [6, 7, 8]);
    again["auth"] = json!({ "session": asked.text("session") });
    assert_eq!(world.post_as(&app, path, again).await.status, 401);
}

#[tokio::test]
async fn what_needs_a_password_is_refused_to_apps_without_one() {
    let world = World::new().await.with_oauth();
    let app = app_of_alice(&world).await;
    for (method, path, body) in [
        (Method::POST, "v3/delete_devices", json!({ "devices": ["PHONE"] })),
        (Method::DELETE, "v3/devices/PHONE", json!({})),
        (Method::POST, "v3/account/deactivate", json!({})),
        (Method::POST, "v3/account/password", json!({ "new_password": "another password" })),
        (Method::POST, "v1/login/get_token", json!({})),
    ] {
        let answer = world.send(method, path, Some(&app.token), body).await;
        assert_eq!(answer.error(), (403, "M_FORBIDDEN"), "{path}");
    }
    assert_eq!(world.send(Method::POST, "v3/logout", Some(&app.token), Value::Null).await.status, 200);
}
