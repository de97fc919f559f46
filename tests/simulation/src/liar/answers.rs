//! What a liar answers when others ask it.

use bytes::Bytes;
use http::{Method, StatusCode};
use parvis_events::{Pdu, RawPdu, RoomVersion, canonical};
use ruma::OwnedEventId;
use serde_json::{Value, json};

use super::{Liar, Mood, State, forge::sent};

/// How long its key is good, in milliseconds.
const KEY_VALIDITY_MS: i64 = 24 * 3600 * 1000;
/// How long a chain of ancestors is that it makes up: longer than anybody should follow.
const MADE_UP: usize = 300;

/// What is asked, from path, query and body.
struct Question {
    method: Method,
    /// The segments of the path behind `/_matrix/`, decoded.
    path: Vec<String>,
    query: Vec<(String, String)>,
    body: Value,
    /// Who says to ask.
    from: String,
}

impl Question {
    fn read(request: &http::Request<Bytes>) -> Self {
        let uri = request.uri();
        let path = uri.path().trim_start_matches("/_matrix/").split('/').map(decode).collect();
        let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        let query = pairs.map(|(name, value)| (decode(name), decode(value))).collect();
        let authorization = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let origin = authorization.and_then(|text| text.split("origin=").nth(1));
        let from = origin.map(|text| text.trim_matches('"').split(['"', ',']).next().unwrap_or_default());
        Self {
            method: request.method().clone(),
            path,
            query,
            body: serde_json::from_slice(request.body()).unwrap_or(Value::Null),
            from: from.unwrap_or_default().to_owned(),
        }
    }

    fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|pair| pair.0 == name).map(|pair| &*pair.1)
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits: Vec<u8> = rest.by_ref().take(2).collect();
            let digits = String::from_utf8_lossy(&digits).into_owned();
            bytes.extend(u8::from_str_radix(&digits, 16).ok());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn response(status: u16, body: impl Into<Bytes>) -> Option<http::Response<Bytes>> {
    let status = StatusCode::from_u16(status).unwrap();
    let response = http::Response::builder().status(status).header("content-type", "application/json");
    response.body(body.into()).ok()
}

fn good(body: &Value) -> Option<http::Response<Bytes>> {
    response(200, body.to_string())
}

impl Liar {
    /// What it answers, if anything.
    pub(super) fn answer(&mut self, request: &http::Request<Bytes>) -> Option<http::Response<Bytes>> {
        let question = Question::read(request);
        let path: Vec<&str> = question.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["key", "v2", "server", ..] => return good(&self.own_keys()),
            ["federation", "v1", "send", _] => {
                for event in question.body["pdus"].as_array().into_iter().flatten() {
                    self.hear(event, true);
                }
            }
            // Without a signature there is no invitation: not a lie, but a refusal.
            ["federation", "v2", "invite", ..] => return good(&self.signed_invite(&question.body)),
            _ => {}
        }
        match self.mood {
            Mood::Silent => {
                self.lies.count("answers withheld");
                None
            }
            Mood::Failing => {
                self.lies.count("answers that are errors");
                let status = *self.dice.of(&[400, 403, 404, 429, 500, 503]);
                response(status, r#"{"errcode":"M_UNKNOWN","error":"not today"}"#)
            }
            Mood::Babbling => {
                self.lies.count("answers of nonsense");
                self.babble()
            }
            Mood::Honest | Mood::Inventing | Mood::TwoFaced => self.reply(&path, &question),
        }
    }

    fn own_keys(&self) -> Value {
        let key = json!({ self.key.key_id(): { "key": self.key.public_key_base64() } });
        let document = json!({
            "server_name": self.name,
            "verify_keys": key,
            "old_verify_keys": {},
            "valid_until_ts": self.now_ms + KEY_VALIDITY_MS,
        });
        let mut object = canonical::parse_object(document.to_string().as_bytes()).unwrap();
        self.key.sign_json(&mut object, &self.name).unwrap();
        serde_json::from_str(&canonical::to_text(&object)).unwrap()
    }

    fn signed_invite(&self, body: &Value) -> Value {
        let version: Result<RoomVersion, _> = body["room_version"].as_str().unwrap_or_default().parse();
        let text = body["event"].to_string();
        let sound =
            version.map(|version| RawPdu::parse(text.as_bytes(), version).and_then(RawPdu::check_format));
        let Ok(Ok(sound)) = sound else { return json!({}) };
        let (id, room) = (sound.event_id().to_owned(), sound.room_id().to_owned());
        let pdu = Pdu::from_stored(id, room, sound.version(), text);
        match pdu.and_then(|pdu| pdu.cosign(&self.name, &self.key)) {
            Ok(signed) => json!({ "event": sent(&signed) }),
            Err(_) => json!({}),
        }
    }

    fn babble(&mut self) -> Option<http::Response<Bytes>> {
        let deep = "[".repeat(5_000);
        let nonsense = [
            "",
            "null",
            "{",
            "[200, {}]",
            r#"{"events": 7, "pdus": {}, "pdu_ids": "x", "auth_chain": null, "auth_chain_ids": [[]]}"#,
            r#"{"events": [1, "two", {}], "pdus": [{"depth": -1}], "pdu_ids": ["$", ""], "auth_chain_ids": []}"#,
            "\u{0}\u{1}\u{2}",
            &deep,
        ];
        response(200, (*self.dice.of(&nonsense)).to_owned())
    }

    fn reply(&mut self, path: &[&str], question: &Question) -> Option<http::Response<Bytes>> {
        match path {
            ["federation", "v1", "state" | "state_ids", _] if self.is_asked_about_a_rival(question) => {
                response(404, r#"{"errcode":"M_NOT_FOUND","error":"no"}"#)
            }
            ["federation", "v1", "send", _] => good(&json!({ "pdus": {} })),
            ["federation", "v1", "get_missing_events", _] => self.missing_events(question),
            ["federation", "v1", "backfill", _] => self.backfill(question),
            ["federation", "v1", "event", id] => match self.told_event(id) {
                Some(event) => {
                    good(&json!({ "origin": self.name, "origin_server_ts": self.now_ms, "pdus": [event] }))
                }
                None => response(404, r#"{"errcode":"M_NOT_FOUND","error":"no"}"#),
            },
            ["federation", "v1", "event_auth", _, id] => {
                let id = OwnedEventId::try_from(*id).ok()?;
                let chain = self.chain([&id].into_iter());
                good(&json!({ "auth_chain": self.events(chain.iter()) }))
            }
            ["federation", "v1", "state_ids", _] => {
                let state = self.told_state(question)?;
                let chain = self.chain(state.values());
                let ids: Vec<&OwnedEventId> = state.values().collect();
                good(&json!({ "pdu_ids": ids, "auth_chain_ids": chain }))
            }
            ["federation", "v1", "state", _] => {
                let state = self.told_state(question)?;
                let chain = self.chain(state.values());
                let (state, chain) = (self.events(state.values()), self.events(chain.iter()));
                good(&json!({ "pdus": state, "auth_chain": chain }))
            }
            ["federation", "v1", "make_join", room, user] => self.make_join(room, user),
            ["federation", "v2", "send_join", ..] if question.method == Method::PUT => {
                self.send_join(question)
            }
            ["federation", "v1", "query", "profile"] => good(&json!({ "displayname": "Mal" })),
            ["federation", "v1", "user", "devices", user] => {
                good(&json!({ "user_id": user, "stream_id": 1, "devices": [] }))
            }
            _ => response(404, r#"{"errcode":"M_UNRECOGNIZED","error":"no"}"#),
        }
    }

    fn events<'a>(&self, ids: impl Iterator<Item = &'a OwnedEventId>) -> Vec<Value> {
        ids.filter_map(|id| self.event(id)).map(sent).collect()
    }

    /// Whether it is asked for the state at an event of another liar, or at one that it has not heard of and that
    /// might be.
    fn is_asked_about_a_rival(&self, question: &Question) -> bool {
        let id = question.asked("event_id").and_then(|id| OwnedEventId::try_from(id).ok());
        let event = id.and_then(|id| self.event(&id));
        !self.rivals.is_empty()
            && event.is_none_or(|event| {
                self.rivals.iter().any(|rival| event.sender().server_name() == rival.as_str())
            })
    }

    fn told_event(&mut self, id: &str) -> Option<Value> {
        let id = OwnedEventId::try_from(id).ok()?;
        if self.mood == Mood::Inventing && self.dice.percent(50) {
            self.lies.count("another event than was asked for");
            let other = self.dice.index(self.known.len());
            return self.known.values().nth(other).map(sent);
        }
        self.event(&id).map(sent)
    }

    fn missing_events(&mut self, question: &Question) -> Option<http::Response<Bytes>> {
        let ids = |field: &str| -> Vec<OwnedEventId> {
            let list = question.body[field].as_array().cloned().unwrap_or_default();
            list.iter().filter_map(|id| OwnedEventId::try_from(id.as_str()?).ok()).collect()
        };
        let (earliest, latest) = (ids("earliest_events"), ids("latest_events"));
        let limit = question.body["limit"].as_u64().unwrap_or(10).min(50);
        let mut found = self.before(&latest, &earliest, usize::try_from(limit).unwrap_or(10));
        if self.mood == Mood::Inventing {
            self.lies.count("events made up in answers");
            let more = self.message("nobody asked for");
            found.push(sent(&more));
            if self.dice.percent(30) {
                // More than was asked for, by far.
                let again: Vec<Value> = found.iter().cycle().take(500).cloned().collect();
                found = again;
            }
        }
        good(&json!({ "events": found }))
    }

    /// The events before these, back to those, without these.
    fn before(&self, latest: &[OwnedEventId], earliest: &[OwnedEventId], limit: usize) -> Vec<Value> {
        let mut found: Vec<OwnedEventId> = Vec::new();
        let prev =
            |id: &OwnedEventId| self.event(id).map(|pdu| pdu.prev_events().to_vec()).unwrap_or_default();
        let mut next: std::collections::VecDeque<OwnedEventId> = latest.iter().flat_map(prev).collect();
        while let Some(id) = next.pop_front() {
            if found.len() >= limit || earliest.contains(&id) || found.contains(&id) {
                continue;
            }
            if self.event(&id).is_some() {
                next.extend(prev(&id));
                found.push(id);
            }
        }
        found.reverse();
        self.events(found.iter())
    }

    fn backfill(&mut self, question: &Question) -> Option<http::Response<Bytes>> {
        let from = question.query.iter().filter(|pair| pair.0 == "v");
        let from: Vec<OwnedEventId> = from.filter_map(|pair| OwnedEventId::try_from(&*pair.1).ok()).collect();
        let limit = question.asked("limit").and_then(|limit| limit.parse().ok()).unwrap_or(10);
        let mut events = self.events(from.iter());
        events.extend(self.before(&from, &[], limit));
        good(&json!({ "origin": self.name, "origin_server_ts": self.now_ms, "pdus": events }))
    }

    /// The state that it tells of at an event; nothing if it keeps silent.
    fn told_state(&mut self, question: &Question) -> Option<State> {
        let id = OwnedEventId::try_from(question.asked("event_id")?).ok()?;
        if let Some(state) = self.two_truths.get(&id).and_then(|truths| truths.get(&question.from)) {
            self.lies.count("states told differently");
            return Some(state.clone());
        }
        if self.mood == Mood::TwoFaced && !self.past.is_empty() {
            self.lies.count("old states");
            let index = self.dice.index(self.past.len());
            return self.past.get(index).cloned();
        }
        Some(self.state.clone())
    }

    /// Lets somebody in, by the state as it is known here, or as it was.
    fn make_join(&mut self, room: &str, user: &str) -> Option<http::Response<Bytes>> {
        if self.is_apart || self.room.as_ref().map(|room| room.as_str()) != Some(room) {
            return response(404, r#"{"errcode":"M_NOT_FOUND","error":"no"}"#);
        }
        let mut event = self.fields("m.room.member", Some(user), &json!({ "membership": "join" }));
        let keys = [
            ("m.room.create", ""),
            ("m.room.power_levels", ""),
            ("m.room.join_rules", ""),
            ("m.room.member", user),
        ];
        let keys =
            keys.into_iter().filter(|key| key.0 != "m.room.create" || !self.version.room_id_is_create_hash());
        let auth = keys.filter_map(|(kind, key)| self.state.get(&(kind.to_owned(), key.to_owned())));
        event["auth_events"] = json!(auth.collect::<Vec<_>>());
        event["sender"] = json!(user);
        let mut version = self.version.as_str().to_owned();
        match (self.mood, self.dice.below(4)) {
            (Mood::Honest, _) => {}
            (_, 0) => event["sender"] = json!(self.users[0]),
            (_, 1) => event["prev_events"] = json!(["$x"]),
            (_, 2) => event["depth"] = json!(-5),
            _ => version = "99".to_owned(),
        }
        if self.mood != Mood::Honest {
            self.lies.count("templates of joins that are none");
        }
        good(&json!({ "room_version": version, "event": event }))
    }

    fn send_join(&mut self, question: &Question) -> Option<http::Response<Bytes>> {
        self.hear(&question.body, true);
        let chain = self.chain(self.state.values());
        let mut state = self.events(self.state.values());
        let mut chain = self.events(chain.iter());
        match (self.mood, self.dice.below(4)) {
            (Mood::Honest, _) => {}
            (_, 0) => state.retain(|event| event["type"] != "m.room.create"),
            (_, 1) => chain.clear(),
            (_, 2) => state.iter_mut().for_each(|event| event["signatures"] = json!({})),
            _ => state.clear(),
        }
        if self.mood != Mood::Honest {
            self.lies.count("joins into rooms that are none");
        }
        good(&json!({ "origin": self.name, "state": state, "auth_chain": chain, "members_omitted": false }))
    }

    /// Makes up a chain of ancestors, and gives its last event.
    pub(super) fn make_up_ancestors(&mut self) -> Pdu {
        let mut prev: OwnedEventId = self.unknown_id();
        let mut last = None;
        for _ in 0..MADE_UP {
            self.transactions += 1;
            let body = format!("made up {} of {}", self.transactions, self.name);
            let mut fields =
                self.fields("m.room.message", None, &json!({ "msgtype": "m.text", "body": body }));
            fields["prev_events"] = json!([prev]);
            let event = self.forge(fields);
            prev = event.owned_event_id().clone();
            self.made_up.insert(prev.clone(), event.clone());
            last = Some(event);
        }
        last.unwrap()
    }

    /// The id of an event that does not exist.
    pub(super) fn unknown_id(&mut self) -> OwnedEventId {
        let number = self.dice.number();
        format!("$nothing{number:020}AAAAAAAAAAAAAAAA").try_into().unwrap()
    }
}
