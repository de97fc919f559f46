//! Homeservers in one process that know nothing of each other.

use http::Method;
use parvis_testkit::{Engine, Server, User, messages_in, timeline};
use serde_json::json;

use crate::on_each_engine;

/// One homeserver's world.
struct World {
    server: Server,
    alice: User,
    room: String,
    /// A file, as in the path of its download.
    file: String,
}

impl World {
    /// An alice with a room and a file, on a homeserver of this name.
    async fn new(engine: &Engine, name: &str) -> Self {
        let server = Server::with(engine, &format!("server.name = {name:?}")).await;
        let alice = server.user("alice").await;
        let body = json!({
            "preset": "public_chat", "visibility": "public", "name": name, "room_alias_name": "hall",
        });
        let room = alice.create_room(body).await;
        alice.say(&room, name).await;
        let path = "/_matrix/media/v3/upload";
        let uploaded = alice.send_bytes(Method::POST, path, name.to_owned()).await.ok();
        let file = uploaded["content_uri"].as_str().unwrap().strip_prefix("mxc://").unwrap().to_owned();
        Self { server, alice, room, file }
    }

    /// It has what it made itself, and nothing else.
    async fn knows_itself(&self) {
        let name = self.server.name();
        assert_eq!(self.alice.id, format!("@alice:{name}"));
        let sync = self.alice.follow().now().await;
        let rooms: Vec<_> = sync["rooms"]["join"].as_object().unwrap().keys().collect();
        assert_eq!(rooms, [&self.room]);
        assert_eq!(messages_in(&timeline(&sync, &self.room)), [name]);
        let listed = self.alice.get("v3/publicRooms").await.ok();
        let listed: Vec<_> = listed["chunk"].as_array().unwrap().iter().map(|room| &room["name"]).collect();
        assert_eq!(listed, [name]);
        let alias = self.alice.get(&format!("v3/directory/room/%23hall:{name}")).await.ok();
        assert_eq!(alias["room_id"], self.room);
        let file = self.alice.get(&format!("v1/media/download/{}", self.file)).await;
        assert_eq!(file.body.as_ref(), name.as_bytes());
    }

    /// Nothing of the other can be had here.
    async fn does_not_know(&self, other: &Self) {
        let intruder = self.server.stranger().with_token(other.alice.token());
        intruder.get("v3/account/whoami").await.refused(401, "M_UNKNOWN_TOKEN");
        assert_ne!(self.room, other.room);
        let message = json!({ "msgtype": "m.text", "body": "hello" });
        for answer in [
            self.alice.state(&other.room, "m.room.name", "").await,
            self.alice.post(&format!("v3/join/{}", other.room), json!({})).await,
            self.alice.try_send_event(&other.room, "m.room.message", "t", &message).await.unwrap(),
            self.alice.get(&format!("v3/directory/room/%23hall:{}", other.server.name())).await,
        ] {
            assert!(matches!(answer.status, 403 | 404), "{answer}");
        }
        // It would have to be fetched from a server that this one does not speak with.
        let file = self.alice.get(&format!("v1/media/download/{}", other.file)).await;
        assert_eq!(file.status, 502, "{file}");
    }
}

#[tokio::test]
async fn three_homeservers_in_one_process_do_not_know_of_each_other() {
    on_each_engine(async |engine: Engine| {
        let mut worlds = Vec::new();
        for name in ["one.test", "two.test", "three.test"] {
            worlds.push(World::new(&engine, name).await);
        }
        for (index, world) in worlds.iter().enumerate() {
            world.does_not_know(&worlds[(index + 1) % 3]).await;
            world.does_not_know(&worlds[(index + 2) % 3]).await;
        }
        for world in &worlds {
            world.knows_itself().await;
        }
        // One that stops does not stop the others.
        worlds[0].server.stop().await;
        worlds[1].knows_itself().await;
        worlds[2].knows_itself().await;
    })
    .await;
}
