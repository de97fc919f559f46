//! Who showed a third party a token.

use serde_json::json;

use crate::world::World;

const PATH: &str = "/_matrix/federation/v1/openid/userinfo";

#[tokio::test]
async fn token_tells_whose_it_is_until_it_ends() {
    let world = World::new().await;
    let session = world.account("alice").await;
    let (token, lifetime) = world.api.accounts.openid_token(&session).await.unwrap();
    let path = format!("{PATH}?access_token={token}");
    assert_eq!(world.get_unsigned(&path).await.ok(), json!({ "sub": "@alice:parvis.test" }));
    assert_eq!(world.get_unsigned(&path).await.status, 200, "as often as one likes");
    world.clock.advance(lifetime);
    assert_eq!(world.get_unsigned(&path).await.error(), (401, "M_UNKNOWN_TOKEN"));
}

#[tokio::test]
async fn other_tokens_tell_nothing() {
    let world = World::new().await;
    for token in ["", "x", "%00", "syt_a_b"] {
        let answer = world.get_unsigned(&format!("{PATH}?access_token={token}")).await;
        assert_eq!(answer.error(), (401, "M_UNKNOWN_TOKEN"), "{token}");
    }
    assert_eq!(world.get_unsigned(PATH).await.status, 400);
}
