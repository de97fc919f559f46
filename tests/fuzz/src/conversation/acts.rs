//! What the played server does: mostly what a server may do, then one thing that it may not.

use http::Method;
use serde_json::{Value, json};

use super::{Conversation, Ids, Sent, XENIA, YURI, ZOE};
use crate::graph::{Plan, Signed};

/// A member's event.
fn member(sender: &str, of: &str, membership: &str, prev: Vec<String>) -> Plan {
    Plan {
        sender: sender.to_owned(),
        kind: "m.room.member".to_owned(),
        state_key: Some(of.to_owned()),
        content: json!({ "membership": membership }),
        redacts: None,
        prev,
    }
}

impl Conversation {
    /// Does one thing.
    pub(super) async fn act(&mut self) -> Result<(), String> {
        match self.damage.below(18) {
            0 | 1 => self.speak().await,
            2 => self.fork().await,
            3 | 4 => self.quarrel().await,
            5 | 6 => self.withhold().await,
            7 => self.speak_after_being_put_out().await,
            8 => self.overstep().await,
            9 | 10 => self.damage_a_field().await,
            11 => self.damage_what_is_signed().await,
            12 | 13 => self.cite_wrongly().await,
            14 => self.shuffle().await,
            15 => self.repeat().await,
            16 => self.redact().await,
            _ => self.knock_at_the_door().await,
        }
    }

    /// Something that the played server may say, on top of these events.
    fn plan(&self, prev: Vec<String>) -> Plan {
        let number = self.graph.order.len();
        let text = |kind: &str, content: Value| (kind.to_owned(), None, content);
        let state = |kind: &str, content: Value| (kind.to_owned(), Some(String::new()), content);
        let (kind, state_key, content) = match self.damage.below(9) {
            0 => state("m.room.topic", json!({ "topic": format!("topic {number}") })),
            1 => state("m.room.name", json!({ "name": format!("name {number}") })),
            2 => text(
                "m.reaction",
                json!({
                    "m.relates_to": { "rel_type": "m.annotation", "event_id": self.some_event(), "key": "x" },
                }),
            ),
            3 => (
                "m.room.member".to_owned(),
                Some(XENIA.to_owned()),
                json!({ "membership": "join", "displayname": format!("Xenia {number}") }),
            ),
            4 => (
                "org.example.state".to_owned(),
                Some(format!("{}", self.damage.below(400))),
                json!({ "x": number }),
            ),
            _ => text("m.room.message", json!({ "msgtype": "m.text", "body": format!("message {number}") })),
        };
        Plan { sender: XENIA.to_owned(), kind, state_key, content, redacts: None, prev }
    }

    /// Speaks in turn.
    async fn speak(&mut self) -> Result<(), String> {
        let plan = self.plan(self.heads());
        let event = self.make(&plan);
        self.deliver(vec![event]).await
    }

    /// Follows something that others have followed.
    async fn fork(&mut self) -> Result<(), String> {
        let plan = self.plan(vec![self.some_event()]);
        let event = self.make(&plan);
        self.deliver(vec![event]).await
    }

    /// Says two things at once that do not go together, and a third that follows both.
    async fn quarrel(&mut self) -> Result<(), String> {
        let base = self.heads();
        let number = self.graph.order.len();
        let levels = self.power_levels(&base);
        let (one, other) = match self.damage.below(5) {
            0 => (member(XENIA, YURI, "ban", base.clone()), self.words_of(YURI, base.clone())),
            1 => {
                let mut lower = levels.clone();
                lower["state_default"] = json!(self.damage.below(60));
                (self.levels(lower, base.clone()), self.plan(base.clone()))
            }
            2 => {
                let rules = json!({ "join_rule": "invite" });
                let closed = Plan { content: rules, ..self.state("m.room.join_rules", base.clone()) };
                (closed, member(YURI, YURI, "leave", base.clone()))
            }
            _ => {
                let topic = |text: &str| json!({ "topic": format!("{text} {number}") });
                let say =
                    |text: &str| Plan { content: topic(text), ..self.state("m.room.topic", base.clone()) };
                (say("one"), say("other"))
            }
        };
        let mut events = vec![self.make(&one), self.make(&other)];
        let tips: Vec<String> = events.iter().filter_map(|event| event.id.clone()).collect();
        let plan = self.plan(tips);
        events.push(self.make(&plan));
        if self.damage.below(2) == 0 {
            let at = self.damage.below(events.len());
            events.rotate_left(at);
        }
        self.deliver(events).await?;
        // So that the next quarrels have somebody to put out, and a door to come in by.
        let heads = self.heads();
        let open = json!({ "join_rule": "public" });
        let open = Plan { content: open, ..self.state("m.room.join_rules", heads) };
        let mut events = vec![self.make(&open)];
        let heads = self.heads();
        if self.graph.membership(&self.graph.state_at(&heads), YURI) == "ban" {
            events.push(self.make(&member(XENIA, YURI, "leave", heads)));
        }
        self.deliver(events).await?;
        self.bring_back_yuri().await
    }

    async fn bring_back_yuri(&mut self) -> Result<(), String> {
        let heads = self.heads();
        if self.graph.membership(&self.graph.state_at(&heads), YURI) == "join" {
            return Ok(());
        }
        let event = self.make(&member(YURI, YURI, "join", heads));
        self.deliver(vec![event]).await
    }

    /// Sends something without what it follows.
    async fn withhold(&mut self) -> Result<(), String> {
        self.change_mood();
        let length = 2 + self.damage.below(if self.damage.below(4) == 0 { 40 } else { 8 });
        let mut chain = Vec::new();
        for _ in 0..length {
            let plan = self.plan(self.heads());
            chain.push(self.make(&plan));
        }
        let last = chain.split_off(chain.len() - 1);
        for event in &chain {
            if let Some(id) = &event.id {
                self.sent
                    .entry(id.clone())
                    .or_insert_with(|| Sent { pdu: event.pdu.clone(), ..Sent::default() });
            }
        }
        self.deliver(last).await?;
        for _ in 0..self.damage.below(8) {
            self.pass(2_000).await;
        }
        if self.damage.below(2) == 0 {
            chain.truncate(50);
            return self.deliver(chain).await;
        }
        Ok(())
    }

    /// Somebody whom the homeserver has put out speaks as if nothing had happened.
    async fn speak_after_being_put_out(&mut self) -> Result<(), String> {
        self.bring_back_yuri().await?;
        for _ in 0..20 {
            self.pass(100).await;
            self.listen().await;
        }
        let before = self.heads();
        let room = self.graph.room_id.clone();
        let how = if self.damage.below(2) == 0 { "kick" } else { "ban" };
        let path = format!("v3/rooms/{room}/{how}");
        let put_out = self.ann.post(&path, json!({ "user_id": YURI })).await;
        let mut events = Vec::new();
        for _ in 0..=self.damage.below(3) {
            let plan = self.words_of(YURI, before.clone());
            let draft = self.graph.draft(&plan);
            events.push(self.make_aside(&draft));
        }
        // What follows it may enter all the same.
        let follows: Vec<String> = events.iter().filter_map(|event| event.id.clone()).collect();
        let plan = self.plan(follows);
        let draft = self.graph.draft(&plan);
        events.push(self.make_aside(&draft));
        self.deliver(events).await?;
        if put_out.status == 200 && how == "ban" {
            self.ann.post(&format!("v3/rooms/{room}/unban"), json!({ "user_id": YURI })).await;
        }
        for _ in 0..20 {
            self.pass(100).await;
            self.listen().await;
        }
        self.bring_back_yuri().await
    }

    /// Does what the rules do not allow.
    async fn overstep(&mut self) -> Result<(), String> {
        let heads = self.heads();
        let mut levels = self.power_levels(&heads);
        levels["users"][YURI] = json!(100);
        let plan = match self.damage.below(7) {
            0 => Plan { sender: YURI.to_owned(), ..self.levels(levels, heads) },
            1 => Plan { sender: YURI.to_owned(), ..self.state("m.room.name", heads) },
            2 => self.words_of(ZOE, heads),
            3 => member(YURI, XENIA, "ban", heads),
            4 => member(XENIA, &self.ann.id.clone(), "leave", heads),
            5 => member(YURI, ZOE, "join", heads),
            _ => self.levels(levels, heads),
        };
        let draft = self.graph.draft(&plan);
        let first = self.make_aside(&draft);
        let follows: Vec<String> = first.id.iter().cloned().collect();
        let mut plan = self.plan(follows);
        if self.damage.below(2) == 0 {
            plan.prev.extend(self.heads().into_iter().take(3));
        }
        let mut draft = self.graph.draft(&plan);
        if self.damage.below(3) == 0
            && let (Some(id), Some(cited)) = (&first.id, draft["auth_events"].as_array_mut())
        {
            cited.push(json!(id));
        }
        let second = self.make_aside(&draft);
        self.deliver(vec![first, second]).await
    }

    /// Damages some fields, and signs that.
    async fn damage_a_field(&mut self) -> Result<(), String> {
        let mut events = Vec::new();
        for _ in 0..=self.damage.below(6) {
            let plan = self.plan(self.heads());
            let mut draft = self.graph.draft(&plan);
            self.damage.value(&mut draft);
            events.push(self.make_aside(&draft));
        }
        self.deliver(events).await
    }

    /// Changes an event after it was signed, or its signature.
    async fn damage_what_is_signed(&mut self) -> Result<(), String> {
        let plan = self.words_of(XENIA, self.heads());
        let draft = self.graph.draft(&plan);
        let mut signed = self.graph.sign(&draft);
        match self.damage.below(4) {
            0 | 1 => {
                signed.pdu["content"]["body"] = json!("something else");
                self.graph.learn_aside(&signed.pdu);
                if let Some(id) = &signed.id {
                    self.elsewhere.lock().hold(&self.graph, id);
                    let sent = Sent { pdu: signed.pdu.clone(), false_hash: true, ..Sent::default() };
                    self.sent.insert(id.clone(), sent);
                }
            }
            2 => signed.pdu["signatures"] = json!({ "b.test": { "ed25519:peer": "A".repeat(86) } }),
            _ => self.damage.value(&mut signed.pdu["signatures"]),
        }
        self.deliver(vec![signed]).await
    }

    /// Cites what it must not, or not what it must: one thing is wrong, and all else as it should be.
    async fn cite_wrongly(&mut self) -> Result<(), String> {
        self.change_mood();
        let plan = self.plan(self.heads());
        let mut draft = self.graph.draft(&plan);
        let unknown = || json!(format!("${}", "u".repeat(43)));
        let list = |draft: &Value, name: &str| draft[name].as_array().cloned().unwrap_or_default();
        let (mut prev, mut auth) = (list(&draft, "prev_events"), list(&draft, "auth_events"));
        match self.damage.below(18) {
            0 => prev.clear(),
            1 => prev = vec![unknown()],
            2 => prev.push(unknown()),
            3 => prev.extend(prev.clone()),
            4 => prev = vec![prev[0].clone(); 25],
            5 => auth.clear(),
            6 => auth.push(unknown()),
            7 => auth.extend(auth.clone()),
            8 => drop(auth.pop()),
            9 => auth.push(json!(self.some_event())),
            10 => auth.reverse(),
            11 => draft["depth"] = json!(9_007_199_254_740_991_i64),
            12 => draft["depth"] = json!(0),
            13 => draft["room_id"] = json!("!elsewhere:a.test"),
            14 => draft["sender"] = json!("@ann:a.test"),
            15 => draft["state_key"] = json!("@zoe:b.test"),
            16 => {
                draft["type"] = json!("m.room.create");
                draft["state_key"] = json!("");
            }
            _ => draft["origin_server_ts"] = json!(-1),
        }
        draft["prev_events"] = json!(prev);
        draft["auth_events"] = json!(auth);
        let event = self.make_aside(&draft);
        self.deliver(vec![event]).await
    }

    /// Sends a chain in any order, or in several transactions.
    async fn shuffle(&mut self) -> Result<(), String> {
        let mut chain = Vec::new();
        for _ in 0..2 + self.damage.below(10) {
            let plan = self.plan(self.heads());
            chain.push(self.make(&plan));
        }
        for at in 0..chain.len() {
            let other = self.damage.below(chain.len());
            chain.swap(at, other);
        }
        let rest = chain.split_off(self.damage.below(chain.len()));
        self.deliver(rest).await?;
        self.deliver(chain).await
    }

    /// Sends again what it has sent.
    async fn repeat(&mut self) -> Result<(), String> {
        let many: Ids = (0..self.damage.below(20)).map(|_| self.some_event()).collect();
        let again = many.iter().filter_map(|id| Some((id, self.sent.get(id)?)));
        let again: Vec<Signed> =
            again.map(|(id, sent)| Signed { id: Some(id.clone()), pdu: sent.pdu.clone() }).collect();
        self.deliver(again).await
    }

    /// Redacts something, perhaps before it is there.
    async fn redact(&mut self) -> Result<(), String> {
        let target = if self.damage.below(3) == 0 {
            self.some_event()
        } else {
            let plan = self.words_of(YURI, self.heads());
            let event = self.make(&plan);
            let id = event.id.clone().unwrap_or_default();
            // The redaction follows what is there without it, so that it lacks no ancestor.
            self.graph.heads.remove(&id);
            self.graph.heads.extend(crate::graph::ids(&event.pdu["prev_events"]));
            let by = self.redaction(&id);
            self.graph.heads.insert(id.clone());
            self.deliver(vec![by.clone()]).await?;
            self.ahead.extend(by.id.clone().map(|by| (by, id.clone())));
            self.pass(100).await;
            self.deliver(vec![event]).await?;
            return Ok(());
        };
        let by = self.redaction(&target);
        self.deliver(vec![by]).await
    }

    fn redaction(&mut self, target: &str) -> Signed {
        let plan = Plan {
            kind: "m.room.redaction".to_owned(),
            content: json!({ "reason": "regret" }),
            redacts: Some(target.to_owned()),
            ..self.words_of(if self.damage.below(4) == 0 { YURI } else { XENIA }, self.heads())
        };
        self.make(&plan)
    }

    /// Comes and goes by the handshakes, with damage.
    async fn knock_at_the_door(&mut self) -> Result<(), String> {
        let what = ["join", "leave", "knock"][self.damage.below(3)];
        let user = [XENIA, YURI, ZOE, "@ann:a.test"][self.damage.below(4)];
        let damages = self.damage.below(3) > 0;
        if what == "join" && !damages {
            return self.join(YURI).await;
        }
        let event = self.prepare(what, user, |event| {
            if damages {
                self.damage.value(event);
            }
        });
        if let Some(event) = event.await? {
            // Zoe shall stay a stranger, and Xenia a member.
            if damages || user == YURI {
                self.hand_in(&format!("send_{what}"), &event).await?;
            }
        }
        let body =
            json!({ "room_version": self.graph.version.as_str(), "event": {}, "invite_room_state": [] });
        let mut body = body;
        self.damage.value(&mut body);
        self.ask(
            Method::PUT,
            &format!("/_matrix/federation/v2/invite/{}/$x", self.graph.room_id),
            Some(&body),
        )
        .await?;
        Ok(())
    }

    fn words_of(&self, sender: &str, prev: Vec<String>) -> Plan {
        let number = self.graph.order.len() + self.sent.len();
        Plan {
            sender: sender.to_owned(),
            kind: "m.room.message".to_owned(),
            state_key: None,
            content: json!({ "msgtype": "m.text", "body": format!("words {number}") }),
            redacts: None,
            prev,
        }
    }

    fn state(&self, kind: &str, prev: Vec<String>) -> Plan {
        Plan { kind: kind.to_owned(), state_key: Some(String::new()), ..self.words_of(XENIA, prev) }
    }

    fn levels(&self, content: Value, prev: Vec<String>) -> Plan {
        Plan { content, ..self.state("m.room.power_levels", prev) }
    }

    fn power_levels(&self, at: &[String]) -> Value {
        let state = self.graph.state_at(at);
        let id = state.get(&("m.room.power_levels".to_owned(), String::new()));
        let node = id.and_then(|id| self.graph.nodes.get(id));
        node.map(|node| node.pdu["content"].clone()).unwrap_or_else(|| json!({ "users": {} }))
    }
}
