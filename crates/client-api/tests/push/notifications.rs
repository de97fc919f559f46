//! `GET /notifications`

use http::Method;
use serde_json::{Value, json};

use crate::world::{Client, World, on_each_engine};

struct Story {
    world: World,
    alice: Client,
    bob: Client,
    sent: u32,
}

impl Story {
    async fn new(world: World) -> Self {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        Self { world, alice, bob, sent: 0 }
    }

    async fn room(&self) -> String {
        let body = json!({ "preset": "private_chat", "invite": [self.bob.user_id] });
        let room = self.world.post_as(&self.alice, "v3/createRoom", body).await.text("room_id");
        self.world.post_as(&self.bob, &format!("v3/rooms/{room}/join"), json!({})).await.ok();
        room
    }

    async fn say(&mut self, room: &str, content: Value) -> String {
        self.sent += 1;
        let path = format!("v3/rooms/{room}/send/m.room.message/t{}", self.sent);
        self.world.put_as(&self.alice, &path, content).await.text("event_id")
    }

    async fn notifications(&self, query: &str) -> (Vec<Value>, Option<String>) {
        let answer = self.world.get_as(&self.bob, &format!("v3/notifications{query}")).await.ok();
        let next = answer["next_token"].as_str().map(str::to_owned);
        (answer["notifications"].as_array().unwrap().clone(), next)
    }

    async fn ids(&self, query: &str) -> Vec<String> {
        ids(&self.notifications(query).await.0)
    }
}

fn ids(notifications: &[Value]) -> Vec<String> {
    notifications
        .iter()
        .map(|notification| notification["event"]["event_id"].as_str().unwrap().into())
        .collect()
}

fn text(body: &str) -> Value {
    json!({ "msgtype": "m.text", "body": body })
}

#[tokio::test]
async fn what_notified_is_listed_over_all_rooms_the_newest_first() {
    on_each_engine(async |world: World| {
        let mut story = Story::new(world).await;
        let (one, two) = (story.room().await, story.room().await);
        assert_eq!(story.ids("").await, [] as [String; 0]);
        let mut said = Vec::new();
        for number in 0..6 {
            let room = if number % 2 == 0 { &one } else { &two };
            said.push(story.say(room, text("hello")).await);
        }
        story.say(&one, json!({ "msgtype": "m.notice", "body": "beep" })).await;
        said.reverse();
        let (all, next) = story.notifications("").await;
        assert_eq!((ids(&all), next), (said.clone(), None));
        assert_eq!(all[0]["room_id"], json!(two));
        assert_eq!(all[0]["actions"], json!(["notify", { "set_tweak": "sound", "value": "default" }]));
        assert_eq!((&all[0]["read"], all[0]["ts"].is_i64()), (&json!(false), true));
        let (first, next) = story.notifications("?limit=4").await;
        assert_eq!(ids(&first), said[..4]);
        let rest = story.ids(&format!("?from={}", next.unwrap())).await;
        assert_eq!(rest, said[4..]);
        let receipt = format!("v3/rooms/{two}/receipt/m.read/{}", said[2]);
        story.world.post_as(&story.bob, &receipt, json!({})).await.ok();
        let read: Vec<Value> =
            story.notifications("").await.0.iter().map(|one| one["read"].clone()).collect();
        assert_eq!(read, [false, false, true, false, true, false].map(Value::from));
        assert_eq!(story.world.get_as(&story.bob, "v3/notifications?from=x").await.error().0, 400);
        assert_eq!(story.world.send(Method::GET, "v3/notifications", None, Value::Null).await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn only_highlights_are_listed_where_that_is_asked_for() {
    on_each_engine(async |world: World| {
        let mut story = Story::new(world).await;
        let room = story.room().await;
        story.say(&room, text("hello")).await;
        let mut mention = text("hello");
        mention["m.mentions"] = json!({ "user_ids": [story.bob.user_id] });
        let mention = story.say(&room, mention).await;
        assert_eq!(story.ids("?only=highlight").await, std::slice::from_ref(&mention));
        story
            .world
            .put_as(&story.alice, &format!("v3/rooms/{room}/redact/{mention}/r"), json!({}))
            .await
            .ok();
        assert_eq!(story.ids("?only=highlight").await, [] as [String; 0]);
        story.world.post_as(&story.bob, &format!("v3/rooms/{room}/leave"), json!({})).await.ok();
        assert_eq!(story.ids("").await, [] as [String; 0], "the rooms that were left are not among them");
    })
    .await;
}
