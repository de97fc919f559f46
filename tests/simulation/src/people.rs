//! People, and what they ask their homeservers for.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use parvis_testkit::simulated::{Answered, Moment, Person, Ticket, World};
use serde_json::{Value, json};

/// A text as one segment of a path.
pub(crate) fn encode(text: &str) -> String {
    let letter = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(letter).collect()
}

/// Somebody, by the number of the homeserver and the number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Who {
    pub(crate) server: usize,
    pub(crate) number: usize,
}

impl Who {
    pub(crate) fn person(self, world: &World) -> Person {
        world.people(self.server)[self.number].clone()
    }

    pub(crate) fn id(self, world: &World) -> String {
        self.person(world).id
    }
}

/// A request of somebody.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) who: Who,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Value,
    /// Whether it carries a transaction id, so that it may be made again.
    pub(crate) is_repeatable: bool,
    /// Who is in the room, or not any more, if it is granted.
    pub(crate) moves: Option<(Who, bool)>,
}

impl Wish {
    fn new(who: Who, method: Method, path: String, body: Value) -> Self {
        Self { who, method, path, body, is_repeatable: false, moves: None }
    }

    /// The same; if it is granted, somebody is in the room, or not any more.
    pub(crate) fn moving(self, who: Who, inside: bool) -> Self {
        Self { moves: Some((who, inside)), ..self }
    }

    pub(crate) fn say(who: Who, room: &str, transaction: u64, text: &str) -> Self {
        let path = format!("v3/rooms/{}/send/m.room.message/t{transaction}", encode(room));
        let body = json!({ "msgtype": "m.text", "body": text });
        Self { is_repeatable: true, ..Self::new(who, Method::PUT, path, body) }
    }

    pub(crate) fn redact(who: Who, room: &str, event: &str, transaction: u64) -> Self {
        let path = format!("v3/rooms/{}/redact/{}/t{transaction}", encode(room), encode(event));
        Self { is_repeatable: true, ..Self::new(who, Method::PUT, path, json!({})) }
    }

    pub(crate) fn put_state(who: Who, room: &str, kind: &str, key: &str, content: Value) -> Self {
        let path = format!("v3/rooms/{}/state/{kind}/{}", encode(room), encode(key));
        Self::new(who, Method::PUT, path, content)
    }

    pub(crate) fn on_member(who: Who, room: &str, action: &str, target: &str) -> Self {
        let path = format!("v3/rooms/{}/{action}", encode(room));
        Self::new(who, Method::POST, path, json!({ "user_id": target }))
    }

    pub(crate) fn join(who: Who, room: &str, via: &[String]) -> Self {
        let via: Vec<String> = via.iter().map(|name| format!("via={name}&server_name={name}")).collect();
        let path = format!("v3/join/{}?{}", encode(room), via.join("&"));
        Self::new(who, Method::POST, path, json!({}))
    }

    pub(crate) fn leave(who: Who, room: &str) -> Self {
        Self::new(who, Method::POST, format!("v3/rooms/{}/leave", encode(room)), json!({}))
    }

    pub(crate) fn create_room(who: Who, body: Value) -> Self {
        Self::new(who, Method::POST, "v3/createRoom".to_owned(), body)
    }

    pub(crate) fn get(who: Who, path: String) -> Self {
        Self::new(who, Method::GET, path, Value::Null)
    }

    fn body(&self) -> Option<&Value> {
        (self.method != Method::GET).then_some(&self.body)
    }

    /// Begins to ask for it.
    pub(crate) fn begin(&self, world: &mut World) -> Ticket {
        let token = self.who.person(world).token;
        world.begin(self.who.server, Some(&token), &self.method, &self.path, self.body())
    }

    /// Asks for it and waits for the answer.
    pub(crate) fn ask(&self, world: &mut World) -> Result<Answered, String> {
        let token = self.who.person(world).token;
        let answer = world.ask(self.who.server, Some(&token), &self.method, &self.path, self.body());
        answer.map_err(|error| error.0)
    }

    /// Asks for what must succeed.
    pub(crate) fn demand(&self, world: &mut World) -> Result<Value, String> {
        match self.ask(world) {
            Ok((200, body)) => Ok(body),
            Ok((status, body)) => Err(format!("{} {} is answered {status} {body}", self.method, self.path)),
            Err(problem) => Err(format!("{} {}: {problem}", self.method, self.path)),
        }
    }
}

/// An event that a homeserver told somebody to have sent.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged {
    pub(crate) event: String,
    pub(crate) who: Who,
    pub(crate) at: Moment,
    pub(crate) path: String,
}

/// Requests that are on their way, and what became of those that are not.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    waiting: Vec<(Wish, Ticket)>,
    unanswered: Vec<Wish>,
    pub(crate) acknowledged: Vec<Acknowledged>,
    /// Who is in the room, as far as one can tell from what was granted.
    pub(crate) inside: BTreeSet<Who>,
    pub(crate) refused: BTreeMap<(u16, String), u64>,
    pub(crate) lost: u64,
    pub(crate) retried: u64,
}

impl Wishes {
    /// Begins one.
    pub(crate) fn begin(&mut self, world: &mut World, wish: Wish) {
        let ticket = wish.begin(world);
        self.waiting.push((wish, ticket));
    }

    /// Takes the answers that are there.
    pub(crate) fn collect(&mut self, world: &World) {
        for (wish, ticket) in std::mem::take(&mut self.waiting) {
            match ticket.answer() {
                None => self.waiting.push((wish, ticket)),
                Some(Ok((200, body))) => {
                    match wish.moves {
                        Some((who, true)) => drop(self.inside.insert(who)),
                        Some((who, false)) => drop(self.inside.remove(&who)),
                        None => {}
                    }
                    if let Some(event) = body["event_id"].as_str() {
                        let (who, at) = (wish.who, world.now());
                        self.acknowledged.push(Acknowledged {
                            event: event.to_owned(),
                            who,
                            at,
                            path: wish.path,
                        });
                    }
                }
                Some(Ok((status, body))) => {
                    let errcode = body["errcode"].as_str().unwrap_or_default().to_owned();
                    if status >= 500 && status != 502 && status != 504 {
                        world.note(&format!("FAULT? {} is answered {status} {body}", wish.path));
                    }
                    *self.refused.entry((status, errcode)).or_default() += 1;
                }
                Some(Err(_)) => {
                    self.lost += 1;
                    if wish.is_repeatable {
                        self.unanswered.push(wish);
                    }
                }
            }
        }
    }

    /// Whether some are on their way.
    pub(crate) fn are_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Makes those again that were not answered, with their transaction ids.
    pub(crate) fn retry(&mut self, world: &mut World) {
        for wish in std::mem::take(&mut self.unanswered) {
            self.retried += 1;
            self.begin(world, wish);
        }
    }
}
