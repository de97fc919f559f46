//! Reporting events, rooms and users.

use std::time::Duration;

use http::Method;
use parvis_client_api::{RateLimit, RateLimitSettings};
use parvis_rooms::{Report, ReportedThing, ReportsWanted};
use serde_json::{Value, json};

use crate::world::{Client, World, on_each_engine};

async fn reports(world: &World) -> Vec<Report> {
    world.api.rooms.reports(ReportsWanted::Open, None, 100).await.unwrap()
}

async fn say(world: &World, client: &Client, room: &str, text: &str) -> String {
    let path = format!("v3/rooms/{room}/send/m.room.message/{text}");
    world.put_as(client, &path, json!({ "msgtype": "m.text", "body": text })).await.text("event_id")
}

async fn report(world: &World, client: &Client, what: &str, reason: &str) -> (u16, String) {
    let answer = world.post_as(client, &format!("v3/{what}/report"), json!({ "reason": reason })).await;
    (answer.status, answer.error().1.to_owned())
}

#[tokio::test]
async fn reported_event_is_kept_as_it_was() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let room = world.room(&alice).await;
        world
            .post_as(&alice, &format!("v3/rooms/{room}/invite"), json!({ "user_id": bob.user_id }))
            .await
            .ok();
        world.post_as(&bob, &format!("v3/rooms/{room}/join"), json!({})).await.ok();
        let event = say(&world, &alice, &room, "rude").await;
        let path = format!("v3/rooms/{room}/report/{event}");
        assert_eq!(world.post_as(&bob, &path, json!({ "reason": "rude" })).await.ok(), json!({}));
        // A reason may be left out, and clients of old give a score.
        world.post_as(&bob, &path, json!({ "score": -100 })).await.ok();
        world.put_as(&alice, &format!("v3/rooms/{room}/redact/{event}/t"), json!({})).await.ok();

        let kept = reports(&world).await;
        assert_eq!(kept.len(), 2);
        assert_eq!((kept[0].reason.as_str(), kept[1].reason.as_str()), ("", "rude"), "the newest first");
        assert_eq!(kept[1].reporter, "@bob:parvis.test");
        let ReportedThing::Event { room_id, event_id, sender, event: content } = &kept[1].thing else {
            panic!("{kept:?}")
        };
        assert_eq!((room_id, event_id, sender.as_str()), (&room, &event, "@alice:parvis.test"));
        let content: Value = serde_json::from_str(content).unwrap();
        assert_eq!(content["content"]["body"], "rude", "redacting does not take the evidence away");
    })
    .await;
}

#[tokio::test]
async fn who_is_not_in_the_room_learns_nothing_of_its_events() {
    on_each_engine(async |world: World| {
        let (alice, eve) = (world.register("alice").await, world.register("eve").await);
        let body = json!({ "preset": "public_chat", "initial_state": [{
            "type": "m.room.history_visibility", "state_key": "", "content": { "history_visibility": "world_readable" },
        }] });
        let room = world.post_as(&alice, "v3/createRoom", body).await.text("room_id");
        let event = say(&world, &alice, &room, "hello").await;
        for (room, event) in [(room.as_str(), event.as_str()), (&room, "$nothing"), ("!nowhere:parvis.test", &event)]
        {
            let path = format!("v3/rooms/{room}/report/{event}");
            let answer = world.post_as(&eve, &path, json!({ "reason": "why" })).await;
            assert_eq!(answer.error(), (404, "M_NOT_FOUND"), "{path}");
        }
        world.post_as(&eve, &format!("v3/rooms/{room}/join"), json!({})).await.ok();
        world.post_as(&eve, &format!("v3/rooms/{room}/leave"), json!({})).await.ok();
        let path = format!("v3/rooms/{room}/report/{event}");
        assert_eq!(world.post_as(&eve, &path, json!({})).await.error(), (404, "M_NOT_FOUND"), "who has left");
        assert!(reports(&world).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn rooms_and_users_are_reported_by_anybody_whether_they_are_there_or_not() {
    on_each_engine(async |world: World| {
        let (alice, eve) = (world.register("alice").await, world.register("eve").await);
        let room = world.room(&alice).await;
        for what in [
            &format!("rooms/{room}"),
            "rooms/!nowhere:elsewhere.test",
            "users/@alice:parvis.test",
            "users/@nobody:parvis.test",
            "users/@far:elsewhere.test",
        ] {
            assert_eq!(report(&world, &eve, what, "").await, (200, "none".to_owned()), "{what}");
        }
        let kept: Vec<_> = reports(&world).await.into_iter().rev().map(|report| report.thing).collect();
        assert_eq!(kept[0], ReportedThing::Room(room));
        assert_eq!(kept[2], ReportedThing::User(alice.user_id.clone()));
        assert_eq!(kept.len(), 5);
        for unstable in ["org.matrix.msc4151/rooms/!a:parvis.test", "org.matrix.msc4260/users/@a:parvis.test"]
        {
            let path = format!("unstable/{unstable}/report");
            world.post_as(&eve, &path, json!({ "reason": "r" })).await.ok();
        }
    })
    .await;
}

#[tokio::test]
async fn reasons_are_bounded_and_reports_limited() {
    let limits =
        RateLimitSettings { reports: RateLimit { per_second: 1.0, burst: 2 }, ..RateLimitSettings::OFF };
    let world = World::new().await.with_limits(limits);
    let eve = world.register("eve").await;
    let user = "users/@alice:parvis.test";
    assert_eq!(report(&world, &eve, user, &"x".repeat(4_097)).await, (400, "M_INVALID_PARAM".to_owned()));
    assert_eq!(report(&world, &eve, user, &"x".repeat(4_096)).await.0, 200);
    assert_eq!(report(&world, &eve, user, "again").await, (429, "M_LIMIT_EXCEEDED".to_owned()));
    world.clock.advance(Duration::from_secs(2));
    let path = format!("v3/{user}/report");
    let stranger = world.send(Method::POST, &path, None, json!({ "reason": "" })).await;
    assert_eq!(stranger.error(), (401, "M_MISSING_TOKEN"));
    let missing = world.post_as(&eve, &path, json!({})).await;
    assert_eq!(missing.error(), (400, "M_MISSING_PARAM"), "a report of a user says why, were it blank");
}
