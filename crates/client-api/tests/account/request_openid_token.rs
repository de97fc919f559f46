//! `request_openid_token`

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn token_shows_who_its_holder_is_and_nothing_else() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let path = "v3/user/@alice:parvis.test/openid/request_token";
    let answer = world.post_as(&alice, path, json!({})).await.ok();
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["matrix_server_name"], "parvis.test");
    assert_eq!(answer["expires_in"], 3_600);
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(world.api.accounts.openid_user(token).await.unwrap().unwrap(), "@alice:parvis.test");

    let mut thief = alice.clone();
    thief.token = token.to_owned();
    assert_eq!(world.get_as(&thief, "v3/account/whoami").await.error(), (401, "M_UNKNOWN_TOKEN"));
    world.wait(3_600);
    assert_eq!(world.api.accounts.openid_user(token).await.unwrap(), None);
}

#[tokio::test]
async fn nobody_gets_a_token_for_another_user() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let path = "v3/user/@bob:parvis.test/openid/request_token";
    assert_eq!(world.post_as(&alice, path, json!({})).await.error(), (403, "M_FORBIDDEN"));
}
