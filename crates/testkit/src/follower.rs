//! Following what happens, as a client does: sync by sync.

use serde_json::{Value, json};

use crate::{
    User,
    user::{encode, in_room},
};

/// How long one sync waits for something new.
const POLL_MS: u32 = 2_000;
/// How many syncs are made to see what must come.
const POLLS: usize = 20;
/// How many pages of history are asked for at most.
const PAGES: usize = 1_000;

/// A client that syncs, from where it was before.
#[derive(Clone, Debug)]
pub struct Follower {
    user: User,
    filter: Value,
    /// What the next sync goes on from.
    pub since: Option<String>,
}

impl User {
    /// Begins to follow what happens, from the beginning.
    pub fn follow(&self) -> Follower {
        let filter = json!({ "room": { "timeline": { "limit": 50 } } });
        Follower { user: self.clone(), filter, since: None }
    }
}

impl Follower {
    /// The same, with this filter.
    #[must_use]
    pub fn with_filter(mut self, filter: Value) -> Self {
        self.filter = filter;
        self
    }

    /// One sync that does not wait.
    pub async fn now(&mut self) -> Value {
        self.wait(0).await
    }

    /// One sync that waits for something new, for so long at most.
    pub async fn wait(&mut self, milliseconds: u32) -> Value {
        let path = self.path(milliseconds);
        let answer = self.user.get(&path).await.ok();
        self.since = Some(next_batch(&answer));
        answer
    }

    /// One sync, or nothing if no answer arrives.
    pub async fn try_wait(&mut self, milliseconds: u32) -> Option<Value> {
        let answer = self.user.try_get(&self.path(milliseconds)).await.ok()?.ok();
        self.since = Some(next_batch(&answer));
        Some(answer)
    }

    /// Syncs until `find` finds something in an answer.
    ///
    /// # Panics
    /// If it finds nothing in many answers; says what was `expected`, and the last answer.
    pub async fn until<T>(&mut self, expected: &str, mut find: impl FnMut(&Value) -> Option<T>) -> T {
        let mut last = Value::Null;
        for _ in 0..POLLS {
            last = self.wait(POLL_MS).await;
            if let Some(found) = find(&last) {
                return found;
            }
        }
        panic!("{} does not see {expected}; last: {last:#}", self.user.id);
    }

    /// Syncs until this event is in the room's timeline; gives the event.
    pub async fn until_event(&mut self, room: &str, event: &str) -> Value {
        let expected = format!("the event {event}");
        self.until(&expected, |sync| timeline(sync, room).into_iter().find(|seen| seen["event_id"] == event))
            .await
    }

    /// The events of a room's timeline in an answer, with what was left out before them: asked for page by page
    /// until `known` knows an event, or the history ends.
    pub async fn whole_timeline(
        &self,
        sync: &Value,
        room: &str,
        known: impl Fn(&Value) -> bool,
    ) -> Vec<Value> {
        self.try_whole_timeline(sync, room, known).await.unwrap_or_else(|| panic!("no answer"))
    }

    /// As [`whole_timeline`](Self::whole_timeline), or nothing if an answer does not arrive.
    pub async fn try_whole_timeline(
        &self,
        sync: &Value,
        room: &str,
        known: impl Fn(&Value) -> bool,
    ) -> Option<Vec<Value>> {
        let section = &joined(sync, room)["timeline"];
        let newest = timeline(sync, room);
        if section["limited"] != true {
            return Some(newest);
        }
        let mut missed = Vec::new();
        let mut from = section["prev_batch"].as_str().map(str::to_owned);
        for _ in 0..PAGES {
            let Some(token) = from.take() else { break };
            let path = in_room(room, &format!("messages?dir=b&limit=100&from={}", encode(&token)));
            let page = self.user.try_get(&path).await.ok()?.ok();
            let events = page["chunk"].as_array().cloned().unwrap_or_default();
            let new = events.iter().take_while(|event| !known(event)).count();
            if new == events.len() {
                from = page["end"].as_str().map(str::to_owned);
            }
            missed.extend(events.into_iter().take(new));
        }
        missed.reverse();
        missed.extend(newest);
        Some(missed)
    }

    fn path(&self, milliseconds: u32) -> String {
        let filter = encode(&self.filter.to_string());
        let since = self.since.as_deref().map(|since| format!("&since={}", encode(since)));
        format!("v3/sync?timeout={milliseconds}&filter={filter}{}", since.unwrap_or_default())
    }
}

fn next_batch(answer: &Value) -> String {
    answer["next_batch"].as_str().unwrap_or_else(|| panic!("no next_batch in {answer}")).to_owned()
}

/// What an answer says of a room that the user is in.
pub fn joined<'a>(sync: &'a Value, room: &str) -> &'a Value {
    &sync["rooms"]["join"][room]
}

/// The events of a room's timeline in an answer.
pub fn timeline(sync: &Value, room: &str) -> Vec<Value> {
    joined(sync, room)["timeline"]["events"].as_array().cloned().unwrap_or_default()
}

/// The content of the ephemeral event of this type in an answer.
pub fn ephemeral(sync: &Value, room: &str, kind: &str) -> Option<Value> {
    let events = joined(sync, room)["ephemeral"]["events"].as_array()?;
    events.iter().find(|event| event["type"] == kind).map(|event| event["content"].clone())
}

/// The texts of messages among events.
pub fn messages_in(events: &[Value]) -> Vec<String> {
    let messages = events.iter().filter(|event| event["type"] == "m.room.message");
    messages.filter_map(|event| event["content"]["body"].as_str().map(str::to_owned)).collect()
}
