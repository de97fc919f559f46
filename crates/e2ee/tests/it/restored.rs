//! Keys in a database that may have been restored.

use std::{collections::BTreeMap, time::Duration};

use parvis_e2ee::{Caller, Claims, KeyUpload};
use serde_json::{json, value::to_raw_value};

use crate::world::{World, on_each_engine};

async fn upload(world: &World, phone: &Caller, name: &str) -> u64 {
    let key = to_raw_value(&json!({ "key": name })).unwrap();
    let named = format!("signed_curve25519:{name}");
    let upload = KeyUpload { one_time_keys: vec![(named.as_str(), &*key)], ..KeyUpload::default() };
    world.e2ee.upload_keys(phone, &upload).await.unwrap()["signed_curve25519"]
}

async fn claim(world: &World, phone: &Caller) -> Option<String> {
    let device = BTreeMap::from([(phone.device_id.clone(), "signed_curve25519".to_owned())]);
    let claims: Claims = BTreeMap::from([(phone.user_id.clone(), device)]);
    let mut claimed = world.e2ee.claim_our_keys(claims).await.unwrap().keys;
    let keys = claimed.remove(&phone.user_id)?.remove(&phone.device_id)?;
    keys.into_keys().next()
}

#[tokio::test]
async fn keys_are_void_when_nobody_worked_on_the_database_for_a_while() {
    on_each_engine(async |world: World| {
        let phone = world.caller("@alice:here.test", "PHONE").await;
        // Nobody says any more that somebody works on it.
        world.e2ee.close();
        tokio::task::yield_now().await;
        assert_eq!(upload(&world, &phone, "a").await, 1);
        world.e2ee.wake().await.unwrap();
        assert_eq!(upload(&world, &phone, "b").await, 2, "a database that is new was not restored");
        world.clock.advance(Duration::from_secs(15 * 60));
        world.e2ee.wake().await.unwrap();
        assert_eq!(
            claim(&world, &phone).await.as_deref(),
            Some("signed_curve25519:a"),
            "after a short while"
        );

        world.clock.advance(Duration::from_secs(21 * 60));
        world.e2ee.wake().await.unwrap();
        // What memory knows of keys is from before.
        assert_eq!(claim(&world, &phone).await, None);
        assert_eq!(upload(&world, &phone, "b").await, 0, "an upload that is repeated brings no key back");
        assert_eq!(upload(&world, &phone, "c").await, 1);
        assert_eq!(claim(&world, &phone).await.as_deref(), Some("signed_curve25519:c"));
    })
    .await;
}

#[tokio::test]
async fn database_in_use_says_so_again_and_again() {
    on_each_engine(async |world: World| {
        let said = async || world.store.sign_of_life().await.unwrap();
        assert_eq!(said().await, None);
        let mut before = 0;
        for _ in 0..2 {
            before = world
                .soon(async || {
                    world.clock.advance(Duration::from_secs(60));
                    said().await.filter(|said| *said > before)
                })
                .await;
        }
    })
    .await;
}
