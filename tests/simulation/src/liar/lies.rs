//! What a liar says without being asked.

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use http::Method;
use parvis_events::{MAX_DEPTH, Pdu};
use ruma::OwnedEventId;
use serde_json::{Value, json};

use super::{Liar, MOODS, Mood, State, forge::sent};
use crate::people::encode;

/// How many lies of each kind were told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lies(BTreeMap<&'static str, u64>);

impl Lies {
    /// Counts one of a kind.
    pub(super) fn count(&mut self, kind: &'static str) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// Whether one of a kind was told.
    pub(crate) fn has(&self, kind: &str) -> bool {
        self.0.contains_key(kind)
    }

    /// Adds those of another liar.
    pub fn add(&mut self, other: &Self) {
        for (kind, count) in &other.0 {
            *self.0.entry(kind).or_default() += count;
        }
    }

    /// All of them together.
    pub fn sum(&self) -> u64 {
        self.0.values().sum()
    }
}

impl fmt::Display for Lies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<String> = self.0.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        formatter.write_str(&kinds.join(", "))
    }
}

/// A request to a server.
type Said = (String, http::Request<Bytes>);

impl Liar {
    /// Says something to these servers, most often a lie. Gives the requests, and what kind of a lie it is.
    pub(crate) fn speak(&mut self, now_ms: i64, servers: &[String]) -> (&'static str, Vec<Said>) {
        self.now_ms = now_ms;
        if self.dice.percent(20) {
            self.mood = *self.dice.of(&MOODS);
        }
        let to = self.dice.of(servers).clone();
        let (kind, said): (&'static str, Vec<Said>) = match self.dice.below(100) {
            0..12 => ("true word", self.tell_truth(servers)),
            12..18 => ("bad signature", self.bad_signature(&to)),
            18..23 => ("another's name", self.another_name(&to)),
            23..29 => ("bad hash", self.bad_hash(servers)),
            29..34 => ("event without form", self.without_form(&to)),
            34..46 => ("two versions told", self.two_versions(servers)),
            46..53 => ("state that forks at what is withheld", self.forked_state(servers)),
            53..60 => ("impossible authority", self.impossible_authority(servers)),
            60..67 => ("power beyond rights", self.beyond_rights(servers)),
            67..70 => ("flood of events", self.flood_events(&to)),
            70..73 => ("flood of EDUs", self.flood_edus(&to)),
            73..76 => ("transaction over the limits", self.over_limits(&to)),
            76..81 => ("giant depth", self.giant_depth(servers)),
            81..87 => ("withheld ancestor", self.withheld_ancestor(servers)),
            87..89 => ("ancestors made up", self.made_up_ancestors(servers)),
            89..94 => ("repetition", self.repetition(&to)),
            94..98 => ("event of a foreign room", self.foreign_room(&to)),
            _ => ("invitation to a room that is none", self.false_invitation(&to)),
        };
        if kind != "true word" {
            self.lies.count(kind);
        }
        (kind, said)
    }

    /// From now on it answers in this way or that, and says nothing more.
    pub(crate) fn grow_quiet(&mut self) -> &'static str {
        self.mood = *self.dice.of(&MOODS);
        match self.mood {
            Mood::Honest => "honest",
            Mood::Silent => "silent",
            Mood::Failing => "failing",
            Mood::Babbling => "babbling",
            Mood::Inventing => "inventing",
            Mood::TwoFaced => "two-faced",
        }
    }

    fn tell(&mut self, to: &str, events: &[Value]) -> Said {
        (to.to_owned(), self.transaction(to, events, &[]))
    }

    fn tell_all(&mut self, servers: &[String], events: &[Value]) -> Vec<Said> {
        servers.iter().map(|to| self.tell(to, events)).collect()
    }

    fn tell_truth(&mut self, servers: &[String]) -> Vec<Said> {
        let event = self.message("a true word");
        let said = self.tell_all(servers, &[sent(&event)]);
        self.believe(event, true);
        said
    }

    fn bad_signature(&mut self, to: &str) -> Vec<Said> {
        let mut event = sent(&self.message("not signed like this"));
        let signature = &mut event["signatures"][self.name.as_str()][self.key.key_id()];
        let text = signature.as_str().unwrap_or_default();
        let changed = text.chars().rev().collect::<String>();
        let choices = [json!(changed), json!(""), json!("AAAA"), json!(7), Value::Null];
        *signature = self.dice.of(&choices).clone();
        if self.dice.percent(20) {
            event["signatures"] = json!({});
        }
        vec![self.tell(to, &[event])]
    }

    /// An event of somebody of an honest server, which only this server has signed.
    fn another_name(&mut self, to: &str) -> Vec<Said> {
        let mut fields =
            self.fields("m.room.message", None, &json!({ "msgtype": "m.text", "body": "I said so" }));
        fields["sender"] = json!(format!("@ann:{to}"));
        let mut event = sent(&self.forge(fields));
        if self.dice.percent(50) {
            let signature = event["signatures"][self.name.as_str()].clone();
            event["signatures"] = json!({ to: signature });
        }
        vec![self.tell(to, &[event])]
    }

    /// An event whose content was changed after it was signed: only its redacted form may enter.
    fn bad_hash(&mut self, servers: &[String]) -> Vec<Said> {
        let good = self.message("as it was signed");
        let mut bad = sent(&good);
        bad["content"]["body"] = json!("as it was changed");
        let mut said = Vec::new();
        for (number, to) in servers.iter().enumerate() {
            let event = if number == 0 { bad.clone() } else { sent(&good) };
            said.push(self.tell(to, &[event]));
        }
        self.believe(good, true);
        said
    }

    fn without_form(&mut self, to: &str) -> Vec<Said> {
        let good = sent(&self.message("without form"));
        let mut many = Vec::new();
        let mut change = |field: &str, value: Value| {
            let mut event = good.clone();
            event[field] = value;
            many.push(event);
        };
        change("depth", json!(-1));
        change("depth", json!(9_007_199_254_740_993_i64));
        change("depth", json!("1"));
        change("depth", json!(1.5));
        change("prev_events", json!((0..30).map(|n| format!("$e{n}")).collect::<Vec<_>>()));
        change("auth_events", json!((0..30).map(|n| format!("$e{n}")).collect::<Vec<_>>()));
        change("prev_events", json!([["$e", {}]]));
        change("type", json!("x".repeat(300)));
        change("state_key", json!({}));
        change("sender", json!("nobody"));
        change("room_id", json!("!"));
        change("content", json!("x".repeat(70_000)));
        change("content", json!({ "x": "y".repeat(70_000) }));
        change("hashes", json!([]));
        change("origin_server_ts", json!("now"));
        many.extend([json!(null), json!([]), json!("event"), json!({})]);
        vec![self.tell(to, &many)]
    }

    /// Of two events in the same place, each is told to some.
    fn two_versions(&mut self, servers: &[String]) -> Vec<Said> {
        self.transactions += 1;
        let number = self.transactions;
        let kind = *self.dice.of(&[
            "m.room.topic",
            "m.room.name",
            "test.setting",
            "m.room.message",
            "m.room.power_levels",
        ]);
        let (one, two) = match kind {
            "m.room.message" => (self.message("one"), self.message("two")),
            "m.room.power_levels" => (self.levels(number), self.levels(number + 1)),
            _ => {
                let version = |which: &str| json!({ "topic": which, "name": which, "n": number });
                let fields = |content: &Value| self.fields(kind, Some(""), content);
                (self.forge(fields(&version("one"))), self.forge(fields(&version("two"))))
            }
        };
        let mut said = Vec::new();
        for (number, to) in servers.iter().enumerate() {
            let event = if number % 2 == 0 { sent(&one) } else { sent(&two) };
            said.push(self.tell(to, &[event]));
        }
        self.believe(one, true);
        self.believe(two, self.dice.clone().percent(50));
        said
    }

    /// The levels with a level of its own users changed, which may be its right.
    fn levels(&self, number: u64) -> Pdu {
        let mut content = self.level_content();
        content["users"][&self.users[1]] = json!(number % 40);
        self.forge(self.fields("m.room.power_levels", Some(""), &content))
    }

    fn level_content(&self) -> Value {
        let key = ("m.room.power_levels".to_owned(), String::new());
        let levels = self.state.get(&key).and_then(|id| self.known.get(id));
        levels.and_then(|pdu| serde_json::from_str(pdu.content_json()).ok()).unwrap_or_else(|| json!({}))
    }

    /// An event after one that nobody gets, at which each is told another state.
    fn forked_state(&mut self, servers: &[String]) -> Vec<Said> {
        let withheld = self.message("withheld");
        let mut fields = self.fields("m.room.message", None, &json!({ "msgtype": "m.text" }));
        fields["content"]["body"] = json!(format!("after what is withheld {}", withheld.event_id()));
        fields["prev_events"] = json!([withheld.event_id()]);
        let event = self.forge(fields);
        let id: OwnedEventId = withheld.owned_event_id().clone();
        let mut truths = BTreeMap::new();
        for to in servers {
            truths.insert(to.clone(), self.some_state());
        }
        self.two_truths.insert(id.clone(), truths);
        self.made_up.insert(id, withheld);
        let count = 1 + self.dice.index(servers.len());
        self.tell_all(&servers[..count], &[sent(&event)])
    }

    /// A state that was one once, perhaps with holes.
    fn some_state(&mut self) -> State {
        let index = self.dice.index(self.past.len() + 1);
        let mut state = self.past.get(index).unwrap_or(&self.state).clone();
        let drop = self.dice.below(4);
        let mut dice = self.dice.clone();
        state.retain(|key, _| drop > 0 || key.0 == "m.room.create" || !dice.percent(20));
        state
    }

    fn impossible_authority(&mut self, servers: &[String]) -> Vec<Said> {
        self.transactions += 1;
        let content = json!({ "topic": format!("by no authority {}", self.transactions) });
        let mut fields = self.fields("m.room.topic", Some(""), &content);
        let own = fields["auth_events"].clone();
        let twice: Vec<Value> =
            own.as_array().into_iter().flatten().flat_map(|id| [id.clone(), id.clone()]).collect();
        let message = self.message("by which nothing is allowed");
        let unknown = self.unknown_id();
        let other: Vec<&OwnedEventId> = self.known.keys().take(3).collect();
        let choices = [
            json!([]),
            json!(twice),
            json!([message.event_id()]),
            json!([unknown]),
            json!(other),
            json!(self.state.values().take(10).collect::<Vec<_>>()),
        ];
        fields["auth_events"] = self.dice.of(&choices).clone();
        let event = self.forge(fields);
        // And what follows it, which by itself is good.
        let mut after = self.fields("m.room.message", None, &json!({ "msgtype": "m.text" }));
        after["content"]["body"] = json!(format!("after {}", event.event_id()));
        after["prev_events"] = json!([event.event_id()]);
        let after = self.forge(after);
        let count = 1 + self.dice.index(servers.len());
        self.tell_all(&servers[..count], &[sent(&message), sent(&event), sent(&after)])
    }

    fn beyond_rights(&mut self, servers: &[String]) -> Vec<Said> {
        let mut content = self.level_content();
        match self.dice.below(4) {
            0 => content["users"][&self.users[0]] = json!(100_000),
            1 => content["users"][&self.users[0]] = json!("9007199254740991"),
            2 => {
                content = json!({ "users": { self.users[0].as_str(): 9_007_199_254_740_991_i64 }, "users_default": 100 })
            }
            _ => content["events"] = json!({ "m.room.power_levels": -1, "m.room.member": {} }),
        }
        let event = self.forge(self.fields("m.room.power_levels", Some(""), &content));
        // By its new right, if it had it.
        let mut banned = self.fields("m.room.topic", Some(""), &json!({ "topic": "mine" }));
        banned["prev_events"] = json!([event.event_id()]);
        let levels = ("m.room.power_levels".to_owned(), String::new());
        let old = self.state.get(&levels).cloned();
        let mut auth: Vec<Value> = banned["auth_events"].as_array().cloned().unwrap_or_default();
        auth.retain(|id| id.as_str() != old.as_ref().map(|id| id.as_str()));
        auth.push(json!(event.event_id()));
        banned["auth_events"] = json!(auth);
        let banned = self.forge(banned);
        let count = 1 + self.dice.index(servers.len());
        self.tell_all(&servers[..count], &[sent(&event), sent(&banned)])
    }

    /// Many ends of the room at once, or a long line.
    fn flood_events(&mut self, to: &str) -> Vec<Said> {
        let as_line = self.dice.percent(50);
        let mut said = Vec::new();
        for _ in 0..1 + self.dice.below(2) {
            let mut events = Vec::new();
            for _ in 0..50 {
                let event = self.message("many words");
                events.push(sent(&event));
                self.known.insert(event.owned_event_id().clone(), event.clone());
                if as_line {
                    self.believe_alone(event);
                }
            }
            said.push(self.tell(to, &events));
        }
        said
    }

    fn believe_alone(&mut self, event: Pdu) {
        self.heads = [event.owned_event_id().clone()].into();
        self.known.insert(event.owned_event_id().clone(), event);
    }

    fn flood_edus(&mut self, to: &str) -> Vec<Said> {
        let room = self.room.as_ref().map(|room| room.as_str().to_owned()).unwrap_or_default();
        let some = self.known.keys().next().cloned();
        let user =
            |n: u64| if n.is_multiple_of(3) { format!("@ann:{to}") } else { format!("@u{n}:{}", self.name) };
        let edu = |n: u64| match n % 6 {
            0 => {
                json!({ "edu_type": "m.typing", "content": { "room_id": room, "user_id": user(n), "typing": true } })
            }
            1 => {
                json!({ "edu_type": "m.receipt", "content": { room.as_str(): { "m.read": { user(n): { "event_ids": [some], "data": { "ts": 1 } } } } } })
            }
            2 => {
                json!({ "edu_type": "m.presence", "content": { "push": [{ "user_id": user(n), "presence": "online", "last_active_ago": 1 }] } })
            }
            3 => {
                json!({ "edu_type": "m.device_list_update", "content": { "user_id": user(n), "device_id": format!("D{n}"), "stream_id": n, "prev_id": [n + 7], "keys": {} } })
            }
            4 => {
                json!({ "edu_type": "m.direct_to_device", "content": { "sender": user(n), "type": "x", "message_id": format!("m{n}"), "messages": { format!("@ann:{to}"): { "*": { "n": n } } } } })
            }
            _ => {
                json!({ "edu_type": "m.signing_key_update", "content": { "user_id": user(n), "master_key": {} } })
            }
        };
        let start = self.dice.below(1_000);
        let edus: Vec<Value> = (start..start + 100).map(edu).collect();
        vec![(to.to_owned(), self.transaction(to, &[], &edus))]
    }

    fn over_limits(&mut self, to: &str) -> Vec<Said> {
        let event = sent(&self.message("one of too many"));
        let edu = json!({ "edu_type": "m.typing", "content": {} });
        match self.dice.below(3) {
            0 => vec![self.tell(to, &vec![event; 51])],
            1 => vec![(to.to_owned(), self.transaction(to, &[], &vec![edu; 101]))],
            _ => {
                let id = "t".repeat(300);
                vec![(to.to_owned(), self.transaction_of(to, &id, &[event], &[]))]
            }
        }
    }

    fn giant_depth(&mut self, servers: &[String]) -> Vec<Said> {
        self.transactions += 1;
        let body = format!("deep {} of {}", self.transactions, self.name);
        let mut fields = self.fields("m.room.message", None, &json!({ "msgtype": "m.text", "body": body }));
        fields["depth"] = json!(*self.dice.of(&[MAX_DEPTH, MAX_DEPTH - 1, 0]));
        fields["origin_server_ts"] = json!(*self.dice.of(&[0, MAX_DEPTH, self.now_ms]));
        let event = self.forge(fields);
        let said = self.tell_all(servers, &[sent(&event)]);
        self.believe(event, true);
        said
    }

    fn withheld_ancestor(&mut self, servers: &[String]) -> Vec<Said> {
        let unknown = self.unknown_id();
        let mut fields = self.fields("m.room.message", None, &json!({ "msgtype": "m.text" }));
        fields["content"]["body"] = json!(format!("after nothing: {unknown}"));
        let mut prev = vec![json!(unknown)];
        if self.dice.percent(50) {
            prev.extend(fields["prev_events"].as_array().cloned().unwrap_or_default());
        }
        fields["prev_events"] = json!(prev);
        let event = self.forge(fields);
        let count = 1 + self.dice.index(servers.len());
        let said = self.tell_all(&servers[..count], &[sent(&event)]);
        if self.dice.percent(30) {
            self.believe(event, true);
            self.is_apart = true;
        }
        said
    }

    fn made_up_ancestors(&mut self, servers: &[String]) -> Vec<Said> {
        let event = self.make_up_ancestors();
        let count = 1 + self.dice.index(servers.len());
        self.tell_all(&servers[..count], &[sent(&event)])
    }

    /// What was said before: in the same transaction, in another, and in one of the same id with another content.
    fn repetition(&mut self, to: &str) -> Vec<Said> {
        let index = self.dice.index(self.known.len());
        let Some(old) = self.known.values().nth(index).map(sent) else { return Vec::new() };
        let new = sent(&self.message("again"));
        let id = format!("lie{}", self.transactions);
        vec![
            (
                to.to_owned(),
                self.transaction_of(to, &id, &[old.clone(), old.clone(), new.clone(), new.clone()], &[]),
            ),
            (to.to_owned(), self.transaction_of(to, &id, std::slice::from_ref(&new), &[])),
            self.tell(to, &[old, new]),
        ]
    }

    /// An event of a room that nobody knows, and one of this room that follows it.
    fn foreign_room(&mut self, to: &str) -> Vec<Said> {
        let mut fields =
            self.fields("m.room.message", None, &json!({ "msgtype": "m.text", "body": "elsewhere" }));
        fields["room_id"] = json!(format!("!elsewhere:{}", self.name));
        let elsewhere = self.forge(fields);
        let mut fields = self.fields("m.room.message", None, &json!({ "msgtype": "m.text" }));
        fields["content"]["body"] = json!(format!("after {}", elsewhere.event_id()));
        fields["prev_events"] = json!([elsewhere.event_id()]);
        let here = self.forge(fields);
        self.made_up.insert(elsewhere.owned_event_id().clone(), elsewhere.clone());
        vec![self.tell(to, &[sent(&elsewhere), sent(&here)])]
    }

    fn false_invitation(&mut self, to: &str) -> Vec<Said> {
        self.transactions += 1;
        let room = format!("!none{}:{}", self.transactions, self.name);
        let mut fields = self.fields("m.room.member", None, &json!({ "membership": "invite" }));
        fields["room_id"] = json!(room);
        fields["state_key"] = json!(format!("@ben:{to}"));
        fields["prev_events"] = json!([self.unknown_id()]);
        let event = self.forge(fields);
        let body =
            json!({ "room_version": self.version.as_str(), "event": sent(&event), "invite_room_state": [] });
        let path = format!("v2/invite/{}/{}", encode(&room), encode(event.event_id().as_str()));
        vec![(to.to_owned(), self.request(to, &Method::PUT, &path, Some(&body)))]
    }
}
