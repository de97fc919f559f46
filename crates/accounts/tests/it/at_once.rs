//! Several who do something at once.

use futures_util::future::join_all;
use parvis_accounts::{AuthError, CreateError, LoginError, NewDevice, RefreshError};

use crate::world::{World, login, on_each_engine};

#[tokio::test]
async fn name_that_many_want_is_given_once() {
    on_each_engine(async |world: World| {
        let wants = (0..8).map(|_| world.first.create("alice", Some("password"), false));
        let outcomes = join_all(wants).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        let refused = outcomes.into_iter().filter_map(Result::err);
        for error in refused {
            assert!(matches!(error, CreateError::Taken), "{error}");
        }
    })
    .await;
}

#[tokio::test]
async fn logins_on_one_device_leave_one_session() {
    on_each_engine(async |world: World| {
        world.first.create("alice", Some("password"), false).await.unwrap();
        let sessions = join_all((0..8).map(|_| login(&world.first, "PHONE", false))).await;
        let mut good = 0;
        for session in &sessions {
            match world.first.authenticate(&session.access_token, None).await {
                Ok(session) => {
                    assert_eq!(session.device_id, "PHONE");
                    good += 1;
                }
                Err(error) => assert!(matches!(error, AuthError::Unknown), "{error}"),
            }
        }
        assert_eq!(good, 1);
        let user = world.first.list("", 1).await.unwrap()[0].user;
        assert_eq!(world.first.devices(user).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn of_pairs_refreshed_at_once_the_first_that_is_used_stays() {
    on_each_engine(async |world: World| {
        world.first.create("alice", Some("password"), false).await.unwrap();
        let old = login(&world.first, "PHONE", true).await.refresh_token.unwrap();
        let pairs: Vec<_> = join_all((0..4).map(|_| world.first.refresh(&old))).await;
        let pairs: Vec<_> = pairs.into_iter().map(Result::unwrap).collect();
        world.first.authenticate(&pairs[2].access_token, None).await.unwrap();
        for (number, pair) in pairs.iter().enumerate() {
            let good = world.first.authenticate(&pair.access_token, None).await.is_ok();
            assert_eq!(good, number == 2, "{number}");
        }
        assert!(matches!(world.first.refresh(&old).await, Err(RefreshError::Unknown)));
    })
    .await;
}

#[tokio::test]
async fn nobody_gets_into_an_account_while_it_is_closed() {
    on_each_engine(async |world: World| {
        let account = world.first.create("alice", Some("password"), false).await.unwrap();
        let logins = join_all(
            (0..8).map(|_| world.first.login_by_password("alice", "password", NewDevice::default())),
        );
        let (closed, outcomes) = tokio::join!(world.second.deactivate(account.user, false), logins);
        closed.unwrap();
        world.clock.advance(std::time::Duration::from_secs(60));
        for outcome in outcomes {
            match outcome {
                Ok(session) => {
                    let token = world.first.authenticate(&session.access_token, None).await;
                    assert!(matches!(token, Err(AuthError::Unknown)), "{token:?}");
                }
                Err(error) => {
                    assert!(matches!(error, LoginError::WrongPassword | LoginError::Deactivated), "{error}");
                }
            }
        }
        assert!(world.first.devices(account.user).await.unwrap().is_empty());
    })
    .await;
}
