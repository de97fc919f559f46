//! Several nodes on one store.

use std::time::Duration;

use parvis_accounts::AuthError;

use crate::world::{World, login, on_each_engine};

#[tokio::test]
async fn session_of_one_node_is_good_on_the_other() {
    on_each_engine(async |world: World| {
        world.first.create("alice", Some("password"), true).await.unwrap();
        let token = login(&world.first, "PHONE", false).await.access_token;
        let session = world.second.authenticate(&token, None).await.unwrap();
        assert_eq!(session.user_id, "@alice:parvis.test");
        assert!(session.is_admin);
    })
    .await;
}

#[tokio::test]
async fn logout_on_one_node_is_known_on_the_other_within_a_minute() {
    on_each_engine(async |world: World| {
        world.first.create("alice", Some("password"), false).await.unwrap();
        let token = login(&world.first, "PHONE", false).await.access_token;
        let session = world.second.authenticate(&token, None).await.unwrap();
        world.first.authenticate(&token, None).await.unwrap();
        world.first.logout(&session).await.unwrap();
        assert!(matches!(world.first.authenticate(&token, None).await, Err(AuthError::Unknown)));
        world.clock.advance(Duration::from_secs(60));
        assert!(matches!(world.second.authenticate(&token, None).await, Err(AuthError::Unknown)));
    })
    .await;
}

#[tokio::test]
async fn login_token_of_one_node_is_used_up_on_the_other() {
    on_each_engine(async |world: World| {
        world.first.create("alice", Some("password"), false).await.unwrap();
        let token = login(&world.first, "PHONE", false).await.access_token;
        let session = world.first.authenticate(&token, None).await.unwrap();
        let (login_token, _) = world.first.login_token(&session).await.unwrap();
        let (one, other) = tokio::join!(
            world.first.login_by_token(&login_token, Default::default()),
            world.second.login_by_token(&login_token, Default::default()),
        );
        assert_eq!([one.is_ok(), other.is_ok()].iter().filter(|good| **good).count(), 1);
    })
    .await;
}
