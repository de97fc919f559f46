//! Users who are kept out for a while.

use serde_json::json;

use crate::world::{World, client, on_each_engine};

#[tokio::test]
async fn locked_user_may_only_log_out() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let other = client(&world.login("alice", json!({})).await);
        assert_eq!(world.get_as(&alice, "v3/account/whoami").await.status, 200);
        world.api.accounts.set_locked("alice", true).await.unwrap();

        let answer = world.get_as(&alice, "v3/account/whoami").await;
        assert_eq!(answer.error(), (401, "M_USER_LOCKED"));
        assert_eq!(answer.body["soft_logout"], true);
        assert_eq!(world.login("alice", json!({})).await.error(), (401, "M_USER_LOCKED"));
        assert_eq!(world.post_as(&other, "v3/logout", json!({})).await.status, 200);

        world.api.accounts.set_locked("alice", false).await.unwrap();
        assert_eq!(world.get_as(&alice, "v3/account/whoami").await.status, 200, "the session has stayed");
        assert_eq!(world.get_as(&other, "v3/account/whoami").await.error(), (401, "M_UNKNOWN_TOKEN"));
    })
    .await;
}

#[tokio::test]
async fn reset_password_ends_every_session() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    world.api.accounts.reset_password("alice", "a new password", false).await.unwrap();
    assert_eq!(world.get_as(&alice, "v3/account/whoami").await.error(), (401, "M_UNKNOWN_TOKEN"));
    assert_eq!(world.login("alice", json!({ "password": "a new password" })).await.status, 200);
}
