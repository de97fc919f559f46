//! Somebody who is logged in, and what people do.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use http::Method;
use serde_json::{Value, json};

use crate::{Answer, Client, NoAnswer};

/// Everyone's password.
pub const PASSWORD: &str = "correct horse battery staple";

/// Somebody who is logged in on a device. Asks as a [`Client`] does.
#[derive(Clone, Debug)]
pub struct User {
    client: Client,
    /// `@alice:parvis.test`
    pub id: String,
    /// The device.
    pub device_id: String,
    transactions: Arc<AtomicU64>,
}

impl Deref for User {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl User {
    /// Registers an account; gives its first session.
    pub async fn register(client: Client, localpart: &str) -> Self {
        let auth = json!({ "type": "m.login.dummy" });
        let body = json!({ "username": localpart, "password": PASSWORD, "auth": auth });
        let answer = client.post("v3/register", body).await.ok();
        Self::of_session(client, &answer)
    }

    /// Logs in once more, on a new device.
    pub async fn log_in_again(&self) -> Self {
        let body = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": self.id },
            "password": PASSWORD,
        });
        let client = self.client.clone().with_token(None);
        let answer = client.post("v3/login", body).await.ok();
        Self::of_session(client, &answer)
    }

    fn of_session(client: Client, answer: &Value) -> Self {
        let text =
            |key: &str| answer[key].as_str().unwrap_or_else(|| panic!("no {key} in {answer}")).to_owned();
        Self {
            client: client.with_token(Some(&text("access_token"))),
            id: text("user_id"),
            device_id: text("device_id"),
            transactions: Arc::default(),
        }
    }

    /// The same session in a client with another `User-Agent`.
    #[must_use]
    pub fn using(&self, user_agent: Option<&str>) -> Self {
        Self { client: self.client.clone().with_user_agent(user_agent), ..self.clone() }
    }

    /// A transaction id that this session has not used.
    pub fn new_transaction(&self) -> String {
        format!("t{}", self.transactions.fetch_add(1, Ordering::Relaxed))
    }

    /// Creates a room; gives its id.
    pub async fn create_room(&self, body: Value) -> String {
        id_in(&self.post("v3/createRoom", body).await, "room_id")
    }

    /// Invites somebody.
    pub async fn invite(&self, room: &str, user: &Self) {
        self.post(&in_room(room, "invite"), json!({ "user_id": user.id })).await.ok();
    }

    /// Joins a room.
    pub async fn join(&self, room: &str) {
        self.post(&in_room(room, "join"), json!({})).await.ok();
    }

    /// Leaves a room.
    pub async fn leave(&self, room: &str) {
        self.post(&in_room(room, "leave"), json!({})).await.ok();
    }

    /// Creates a room in which these people are.
    pub async fn room_with(&self, others: &[&Self]) -> String {
        let invite: Vec<&str> = others.iter().map(|other| other.id.as_str()).collect();
        let room = self.create_room(json!({ "preset": "private_chat", "invite": invite })).await;
        for other in others {
            other.join(&room).await;
        }
        room
    }

    /// Sends a text; gives the event's id.
    pub async fn say(&self, room: &str, text: &str) -> String {
        self.send(room, "m.room.message", json!({ "msgtype": "m.text", "body": text })).await
    }

    /// Sends an event; gives its id.
    pub async fn send(&self, room: &str, kind: &str, content: Value) -> String {
        let answer = self.try_send_event(room, kind, &self.new_transaction(), &content).await;
        id_in(&answer.unwrap(), "event_id")
    }

    /// Sends an event with a given transaction id, or says why there is no answer.
    ///
    /// # Errors
    /// If no whole answer arrives.
    pub async fn try_send_event(
        &self,
        room: &str,
        kind: &str,
        transaction: &str,
        content: &Value,
    ) -> Result<Answer, NoAnswer> {
        let path = in_room(room, &format!("send/{kind}/{}", encode(transaction)));
        self.try_send(Method::PUT, &path, content.to_string()).await
    }

    /// Redacts an event; gives the redaction's id.
    pub async fn redact(&self, room: &str, event: &str) -> String {
        let path = in_room(room, &format!("redact/{}/{}", encode(event), self.new_transaction()));
        id_in(&self.put(&path, json!({})).await, "event_id")
    }

    /// A state event's content.
    pub async fn state(&self, room: &str, kind: &str, state_key: &str) -> Answer {
        let key = if state_key.is_empty() { String::new() } else { format!("/{}", encode(state_key)) };
        self.get(&in_room(room, &format!("state/{kind}{key}"))).await
    }

    /// Sets state. Where the key is empty, the path ends in a slash, as many clients have it.
    pub async fn put_state(&self, room: &str, kind: &str, state_key: &str, content: Value) -> Answer {
        self.put(&in_room(room, &format!("state/{kind}/{}", encode(state_key))), content).await
    }

    /// One event.
    pub async fn event(&self, room: &str, event: &str) -> Answer {
        self.get(&in_room(room, &format!("event/{}", encode(event)))).await
    }

    /// A page of history. `query` is such as `dir=b&limit=10`.
    pub async fn messages(&self, room: &str, query: &str) -> Value {
        self.get(&in_room(room, &format!("messages?{query}"))).await.ok()
    }
}

fn id_in(answer: &Answer, key: &str) -> String {
    let body = answer.ok();
    body[key].as_str().unwrap_or_else(|| panic!("no {key}: {answer}")).to_owned()
}

/// The path of an operation in a room.
pub(crate) fn in_room(room: &str, operation: &str) -> String {
    format!("v3/rooms/{}/{operation}", encode(room))
}

/// A text as one segment of a path, or one value of a query.
pub(crate) fn encode(text: &str) -> String {
    let letter = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(letter).collect()
}
