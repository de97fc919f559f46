//! What application services may do that others may not.
//! <https://spec.matrix.org/v1.19/application-service-api/#client-server-api-extensions>

use std::time::Duration;

use http::Method;
use parvis_client_api::{RateLimit, RateLimitSettings};
use serde_json::{Value, json};

use crate::world::{Answer, World, on_each_engine};

/// A service for the users `@irc_…` and the aliases `#irc_…`.
pub(crate) const IRC: &str = r#"
id: irc
url: null
as_token: as-secret
hs_token: hs-secret
sender_localpart: ircbot
namespaces:
  users: [{ exclusive: true, regex: '@irc_.*:parvis\.test' }]
  aliases: [{ exclusive: true, regex: '#irc_.*:parvis\.test' }]
"#;

const TOKEN: Option<&str> = Some("as-secret");
const ALICE: &str = "user_id=%40irc_alice%3Aparvis.test";

async fn world() -> World {
    World::new().await.with_services(&[IRC]).await
}

async fn get(world: &World, path: &str) -> Answer {
    world.send(Method::GET, path, TOKEN, Value::Null).await
}

async fn register(world: &World, name: &str) -> Answer {
    let body = json!({ "type": "m.login.application_service", "username": name, "inhibit_login": true });
    world.send(Method::POST, "v3/register", TOKEN, body).await
}

/// Makes a room as a user of the service, and gives its id.
async fn room(world: &World, query: &str) -> String {
    let path = format!("v3/createRoom?{query}");
    world.send(Method::POST, &path, TOKEN, json!({ "preset": "public_chat" })).await.text("room_id")
}

async fn say(world: &World, room: &str, transaction: &str, query: &str) -> Answer {
    let path = format!("v3/rooms/{room}/send/m.room.message/{transaction}?{query}");
    world.send(Method::PUT, &path, TOKEN, json!({ "msgtype": "m.text", "body": "hello" })).await
}

#[tokio::test]
async fn service_acts_as_itself_and_as_its_users() {
    on_each_engine(async |world| {
        let world = world.with_services(&[IRC]).await;
        let itself = get(&world, "v3/account/whoami").await.ok();
        assert_eq!(itself, json!({ "user_id": "@ircbot:parvis.test" }), "without a device");
        let unregistered = get(&world, &format!("v3/account/whoami?{ALICE}")).await;
        assert_eq!(unregistered.error(), (403, "M_FORBIDDEN"));
        let registered = register(&world, "irc_alice").await.ok();
        assert_eq!(registered["user_id"], "@irc_alice:parvis.test");
        assert!(registered.get("access_token").is_none(), "it did not ask for one");
        assert_eq!(
            get(&world, &format!("v3/account/whoami?{ALICE}")).await.text("user_id"),
            "@irc_alice:parvis.test"
        );
        world.register("bob").await;
        for other in ["%40bob%3Aparvis.test", "%40irc_x%3Aelsewhere.test", "nonsense"] {
            let path = format!("v3/account/whoami?user_id={other}");
            assert_eq!(get(&world, &path).await.error(), (403, "M_FORBIDDEN"), "{other}");
        }
    })
    .await;
}

#[tokio::test]
async fn tokens_of_services_and_of_users_may_stand_in_the_query() {
    let world = world().await;
    let by_query = async |token: &str| {
        let path = format!("v3/account/whoami?access_token={token}");
        world.send(Method::GET, &path, None, Value::Null).await
    };
    assert_eq!(by_query("as-secret").await.text("user_id"), "@ircbot:parvis.test");
    let bob = world.register("bob").await;
    assert_eq!(by_query(&bob.token).await.text("user_id"), "@bob:parvis.test");
    for token in ["hs-secret", "", "as-secre"] {
        assert_eq!(by_query(token).await.error(), (401, "M_UNKNOWN_TOKEN"));
    }
    assert_eq!(
        world.send(Method::GET, "v3/account/whoami", Some("hs-secret"), Value::Null).await.error(),
        (401, "M_UNKNOWN_TOKEN")
    );
}

#[tokio::test]
async fn service_makes_devices_and_acts_on_them() {
    let world = world().await;
    register(&world, "irc_alice").await.ok();
    let device = format!("v3/devices/PHONE?{ALICE}");
    let name = json!({ "display_name": "Alice's phone" });
    assert_eq!(world.send(Method::PUT, &device, TOKEN, name.clone()).await.status, 201);
    assert_eq!(world.send(Method::PUT, &device, TOKEN, name).await.status, 200, "it is there now");
    for parameter in ["device_id", "org.matrix.msc3202.device_id"] {
        let path = format!("v3/account/whoami?{ALICE}&{parameter}=PHONE");
        assert_eq!(get(&world, &path).await.text("device_id"), "PHONE");
        let path = format!("v3/account/whoami?{ALICE}&{parameter}=TABLET");
        assert_eq!(get(&world, &path).await.error(), (400, "M_UNKNOWN_DEVICE"));
    }
    let deleted = world.send(Method::DELETE, &device, TOKEN, json!({})).await;
    assert_eq!(deleted.status, 200, "without a password, which the user has not");
    assert_eq!(get(&world, &format!("v3/devices?{ALICE}")).await.ok(), json!({ "devices": [] }));
    let bob = world.register("bob").await;
    let other = world.put_as(&bob, "v3/devices/NEW", json!({ "display_name": "x" })).await;
    assert_eq!(other.error(), (404, "M_NOT_FOUND"), "others make no devices");
}

#[tokio::test]
async fn exclusive_names_are_the_services_alone() {
    let world = world().await;
    let alice = world.register("alice").await;
    let stranger =
        json!({ "username": "irc_bob", "password": "password", "auth": { "type": "m.login.dummy" } });
    let refused = world.send(Method::POST, "v3/register", None, stranger).await;
    assert_eq!(refused.error(), (400, "M_EXCLUSIVE"));
    let path = "v3/register/available?username=ircbot";
    assert_eq!(world.send(Method::GET, path, None, Value::Null).await.error(), (400, "M_EXCLUSIVE"));
    assert_eq!(register(&world, "bob").await.error(), (400, "M_EXCLUSIVE"), "nor has the service all others");
    assert_eq!(register(&world, "irc_bob").await.status, 200);
    assert_eq!(register(&world, "irc_bob").await.error(), (400, "M_USER_IN_USE"));

    let room = world.room(&alice).await;
    let alias = "v3/directory/room/%23irc_tea%3Aparvis.test";
    let taken = world.put_as(&alice, alias, json!({ "room_id": room })).await;
    assert_eq!(taken.error(), (400, "M_EXCLUSIVE"));
    let with_alias = json!({ "room_alias_name": "irc_tea" });
    let taken = world.post_as(&alice, "v3/createRoom", with_alias.clone()).await;
    assert_eq!(taken.error(), (400, "M_EXCLUSIVE"));
    assert_eq!(world.send(Method::POST, "v3/createRoom", TOKEN, with_alias).await.status, 200);
}

#[tokio::test]
async fn registering_as_a_service_needs_its_token() {
    let world = world().await;
    let body = json!({ "type": "m.login.application_service", "username": "irc_alice" });
    let without = world.send(Method::POST, "v3/register", None, body.clone()).await;
    assert_eq!(without.error(), (401, "M_MISSING_TOKEN"));
    let bob = world.register("bob").await;
    let as_bob = world.post_as(&bob, "v3/register", body.clone()).await;
    assert_eq!(as_bob.error(), (401, "M_UNKNOWN_TOKEN"));
    let registered = world.send(Method::POST, "v3/register", TOKEN, body).await;
    let session = get_with(&world, &registered.text("access_token"), "v3/account/whoami").await;
    assert_eq!(session.text("user_id"), "@irc_alice:parvis.test", "it may log in as it registers");
}

async fn get_with(world: &World, token: &str, path: &str) -> Answer {
    world.send(Method::GET, path, Some(token), Value::Null).await
}

#[tokio::test]
async fn service_logs_its_users_in() {
    let world = world().await;
    let flows = world.send(Method::GET, "v3/login", None, Value::Null).await.ok();
    assert!(flows["flows"].as_array().unwrap().contains(&json!({ "type": "m.login.application_service" })));
    register(&world, "irc_alice").await.ok();
    world.register("bob").await;
    let login = async |token: Option<&str>, user: &str| {
        let identifier = json!({ "type": "m.id.user", "user": user });
        let body = json!({ "type": "m.login.application_service", "identifier": identifier });
        world.send(Method::POST, "v3/login", token, body).await
    };
    let token = login(TOKEN, "irc_alice").await.text("access_token");
    assert_eq!(get_with(&world, &token, "v3/account/whoami").await.text("user_id"), "@irc_alice:parvis.test");
    assert_eq!(login(TOKEN, "bob").await.error(), (400, "M_EXCLUSIVE"));
    assert_eq!(login(None, "irc_alice").await.error(), (401, "M_MISSING_TOKEN"));
    assert_eq!(login(Some("wrong"), "irc_alice").await.error(), (401, "M_UNKNOWN_TOKEN"));
}

#[tokio::test]
async fn service_that_makes_devices_does_not_log_in() {
    let world = World::new().await.with_services(&[&format!("{IRC}io.element.msc4190: true\n")]).await;
    let body = json!({ "type": "m.login.application_service", "username": "irc_alice" });
    let refused = world.send(Method::POST, "v3/register", TOKEN, body).await;
    assert_eq!(refused.error(), (400, "M_APPSERVICE_LOGIN_UNSUPPORTED"));
    assert_eq!(register(&world, "irc_alice").await.status, 200);
}

#[tokio::test]
async fn service_says_when_its_events_were_sent() {
    let world = world().await;
    let room = room(&world, "").await;
    let event = say(&world, &room, "1", "ts=1234567890123").await.text("event_id");
    let shown = get(&world, &format!("v3/rooms/{room}/event/{event}")).await.ok();
    assert_eq!(shown["origin_server_ts"], 1_234_567_890_123_i64);
    let path = format!("v3/rooms/{room}/state/m.room.topic/?ts=5");
    let event = world.send(Method::PUT, &path, TOKEN, json!({ "topic": "old" })).await.text("event_id");
    let shown = get(&world, &format!("v3/rooms/{room}/event/{event}")).await.ok();
    assert_eq!(shown["origin_server_ts"], 5);

    let bob = world.register("bob").await;
    world.post_as(&bob, &format!("v3/join/{room}"), json!({})).await.ok();
    let path = format!("v3/rooms/{room}/send/m.room.message/1?ts=5");
    let event =
        world.put_as(&bob, &path, json!({ "msgtype": "m.text", "body": "now" })).await.text("event_id");
    let shown = get(&world, &format!("v3/rooms/{room}/event/{event}")).await.ok();
    assert_ne!(shown["origin_server_ts"], 5, "others do not say when");
}

#[tokio::test]
async fn transaction_ids_of_two_users_without_devices_are_apart() {
    let world = world().await;
    register(&world, "irc_alice").await.ok();
    let room = room(&world, "").await;
    let path = format!("v3/join/{room}?{ALICE}");
    world.send(Method::POST, &path, TOKEN, json!({})).await.ok();
    let first = say(&world, &room, "same", "").await.text("event_id");
    let others = say(&world, &room, "same", ALICE).await.text("event_id");
    assert_ne!(first, others);
    assert_eq!(say(&world, &room, "same", "").await.text("event_id"), first, "a retry sends once");
    assert_eq!(say(&world, &room, "same", ALICE).await.text("event_id"), others);
}

#[tokio::test]
async fn limits_bind_the_users_of_a_service_that_is_limited() {
    let limit = RateLimit { per_second: 0.001, burst: 1 };
    for (file, limited) in [(IRC.to_owned(), true), (format!("{IRC}rate_limited: false\n"), false)] {
        let limits = RateLimitSettings { messages: limit, ..RateLimitSettings::OFF };
        let world = World::new().await.with_services(&[&file]).await.with_limits(limits);
        register(&world, "irc_alice").await.ok();
        let room = room(&world, ALICE).await;
        assert_eq!(say(&world, &room, "1", ALICE).await.status, 200);
        assert_eq!(say(&world, &room, "2", ALICE).await.status == 429, limited);
        let path = format!("v3/join/{room}");
        world.send(Method::POST, &path, TOKEN, json!({})).await.ok();
        for number in 3..6 {
            let answer = say(&world, &room, &number.to_string(), "").await;
            assert_eq!(answer.status, 200, "the service's own user is never limited");
        }
    }
}

#[tokio::test]
async fn service_syncs_as_one_of_its_users() {
    let world = world().await;
    let room = room(&world, "").await;
    let news = get(&world, "v3/sync?timeout=0").await.ok();
    assert!(news["rooms"]["join"].get(&room).is_some(), "{news}");
    let since = news["next_batch"].as_str().unwrap();
    let path = format!("v3/sync?since={since}&timeout=30000");
    let waited = tokio::time::timeout(Duration::from_millis(300), get(&world, &path));
    assert!(waited.await.is_err(), "it waits as others do, and is not told that its session has ended");
}
