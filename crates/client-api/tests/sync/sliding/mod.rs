//! `POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync`

mod accepted;
mod extensions;
mod lists;
mod positions;
mod rooms;
mod state;

use serde_json::{Value, json};

use crate::world::{Answer, Client, World};

/// The path after `/_matrix/client/`.
const PATH: &str = "unstable/org.matrix.simplified_msc3575/sync";

/// One request as it is: the query string, and the body.
async fn ask(world: &World, client: &Client, query: &str, body: &Value) -> Answer {
    world.post_as(client, &format!("{PATH}?{query}"), body.clone()).await
}

/// A connection of a client.
struct Connection {
    client: Client,
    body: Value,
    pos: Option<String>,
}

impl Connection {
    /// A connection that asks for this.
    fn new(client: &Client, body: Value) -> Self {
        Self { client: client.clone(), body, pos: None }
    }

    /// A connection with one window over all rooms.
    fn of_all(client: &Client) -> Self {
        Self::new(client, all(99, 10, json!([])))
    }

    /// What is new; the connection goes on from there.
    async fn next(&mut self, world: &World) -> Value {
        let answer = self.again(world).await;
        self.pos = Some(answer["pos"].as_str().unwrap().to_owned());
        answer
    }

    /// What is new, as if the answer were lost.
    async fn again(&self, world: &World) -> Value {
        ask(world, &self.client, &self.query(0), &self.body).await.ok()
    }

    /// Waits for what is new.
    async fn wait(&mut self, world: &World) -> Value {
        let answer = ask(world, &self.client, &self.query(10_000), &self.body).await.ok();
        self.pos = Some(answer["pos"].as_str().unwrap().to_owned());
        answer
    }

    fn query(&self, timeout: u64) -> String {
        let pos = self.pos.as_ref().map(|pos| format!("pos={pos}&")).unwrap_or_default();
        format!("{pos}timeout={timeout}")
    }
}

/// One window from the top over all rooms.
fn all(last: usize, timeline_limit: usize, required_state: Value) -> Value {
    json!({ "lists": { "all": {
        "ranges": [[0, last]],
        "timeline_limit": timeline_limit,
        "required_state": required_state,
    } } })
}

async fn room(world: &World, client: &Client, name: &str) -> String {
    let body = json!({ "preset": "public_chat", "name": name });
    world.post_as(client, "v3/createRoom", body).await.text("room_id")
}

async fn join(world: &World, client: &Client, room: &str) {
    world.post_as(client, &format!("v3/join/{room}"), json!({})).await.ok();
}

async fn leave(world: &World, client: &Client, room: &str) {
    world.post_as(client, &format!("v3/rooms/{room}/leave"), json!({})).await.ok();
}

async fn invite(world: &World, client: &Client, room: &str, user: &Client) {
    let body = json!({ "user_id": user.user_id });
    world.post_as(client, &format!("v3/rooms/{room}/invite"), body).await.ok();
}

async fn send(world: &World, client: &Client, room: &str, text: &str) -> String {
    let body = json!({ "msgtype": "m.text", "body": text });
    let path = format!("v3/rooms/{room}/send/m.room.message/{text}");
    world.put_as(client, &path, body).await.text("event_id")
}

async fn set_state(world: &World, client: &Client, room: &str, kind: &str, key: &str, content: Value) {
    world.put_as(client, &format!("v3/rooms/{room}/state/{kind}/{key}"), content).await.ok();
}

/// The ids of the rooms of an answer, in order.
fn rooms(answer: &Value) -> Vec<&str> {
    answer["rooms"].as_object().unwrap().keys().map(String::as_str).collect()
}

/// The texts of the messages of a timeline.
fn bodies(room: &Value) -> Vec<&str> {
    let events = room["timeline"].as_array().unwrap_or_else(|| panic!("no timeline: {room:#}"));
    events.iter().filter_map(|event| event["content"]["body"].as_str()).collect()
}

/// The types and state keys of the state of a room, in order of both.
fn state(room: &Value) -> Vec<(&str, &str)> {
    let events = room["required_state"].as_array().into_iter().flatten();
    let mut state: Vec<(&str, &str)> =
        events.map(|event| (event["type"].as_str().unwrap(), event["state_key"].as_str().unwrap())).collect();
    state.sort_unstable();
    state
}
