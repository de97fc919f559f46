//! What became of a conversation: what ann saw of it, and what the homeserver's store says of each event.

use std::collections::BTreeMap;

use parvis_storage::{EventFlags, Position, Store, StoredEvent};
use parvis_testkit::User;
use ruma::EventId;
use serde_json::{Value, json};

use super::{Conversation, HERE, Ids, Sent};
use crate::{
    elsewhere::Mood,
    graph::ids,
    outcomes::{Outcome, Outcomes},
};

/// How many pages of history are read at most.
const MOST_PAGES: usize = 100;
/// For how long the homeserver may go on asking for what was withheld, in steps of three seconds of its clock.
const STEPS: usize = 120;

/// What ann has seen by syncing.
#[derive(Default)]
pub(super) struct Seen {
    since: Option<String>,
    events: Ids,
}

impl Seen {
    /// Syncs once.
    pub(super) async fn look(&mut self, ann: &User, room: &str, outcomes: &mut Outcomes) {
        let since = self.since.as_ref().map(|since| format!("&since={since}")).unwrap_or_default();
        let answer = ann.get(&format!("v3/sync?timeout=0{since}")).await.ok();
        self.since = answer["next_batch"].as_str().map(str::to_owned);
        let room = &answer["rooms"]["join"][room];
        for event in room["timeline"]["events"].as_array().into_iter().flatten() {
            self.events.extend(event["event_id"].as_str().map(str::to_owned));
        }
        for event in room["ephemeral"]["events"].as_array().into_iter().flatten() {
            match event["type"].as_str() {
                Some("m.typing") if event["content"]["user_ids"] != json!([]) => {
                    outcomes.count(Outcome::TypingSeen);
                }
                Some("m.receipt") => outcomes.count(Outcome::ReceiptSeen),
                _ => {}
            }
        }
        let has = |list: &Value| list.as_array().is_some_and(|list| !list.is_empty());
        let of_others = |event: &Value| event["sender"].as_str().is_some_and(|id| id.ends_with(":b.test"));
        if answer["presence"]["events"].as_array().is_some_and(|list| list.iter().any(of_others)) {
            outcomes.count(Outcome::PresenceSeen);
        }
        if has(&answer["to_device"]["events"]) {
            outcomes.count(Outcome::ToDeviceSeen);
        }
        if has(&answer["device_lists"]["changed"]) {
            outcomes.count(Outcome::DevicesSeen);
        }
    }
}

impl Conversation {
    /// Ends the conversation and says what became of it.
    pub(super) async fn end(mut self) -> Result<Outcomes, String> {
        // Now and then what was withheld stays away.
        let is_whole = self.damage.below(3) > 0;
        let mood = if is_whole { Mood::Honest } else { Mood::Forgetful };
        self.elsewhere.lock().change_mood(mood, 0);
        for _ in 0..STEPS {
            self.pass(3_000).await;
        }
        self.listen().await;
        let last = self.ann.say(&self.graph.room_id, "and that was that").await;
        let history = self.history().await?;
        self.network.stop(HERE).await;
        let store = self.network.store(HERE).await;
        let verdict = self.judge(&store, &history, is_whole.then_some(&*last)).await;
        store.close().await;
        verdict?;
        self.outcomes.add_questions(&self.elsewhere.lock().asked);
        Ok(self.outcomes)
    }

    /// All that ann can read, each event once.
    async fn history(&self) -> Result<Ids, String> {
        let mut history = Ids::new();
        let mut from = String::new();
        for _ in 0..MOST_PAGES {
            let page = self.ann.messages(&self.graph.room_id, &format!("dir=b&limit=100{from}")).await;
            for event in page["chunk"].as_array().into_iter().flatten() {
                let id = event["event_id"].as_str().unwrap_or_default().to_owned();
                if !history.insert(id.clone()) {
                    return Err(format!("{id} is twice in the history"));
                }
            }
            let next = page["end"].as_str().map(|end| format!("&from={end}"));
            match next {
                // Before a hole that cannot be filled the history stands still.
                Some(next) if next != from => from = next,
                _ => return Ok(history),
            }
        }
        Err("the history has no end".to_owned())
    }

    /// Judges what was shown. If the history is whole, it was read after the event `last` had entered: what entered
    /// before it must be there.
    async fn judge(&mut self, store: &Store, history: &Ids, last: Option<&str>) -> Result<(), String> {
        let find = async |id: &str| {
            let id = EventId::parse(id).map_err(|error| error.to_string())?;
            store.event_by_id(&id).await.map_err(|error| error.to_string())
        };
        let end = match last {
            Some(last) => find(last).await?.ok_or("the last event is lost")?.position,
            None => Position::START,
        };
        let mut stored: BTreeMap<String, Option<std::sync::Arc<StoredEvent>>> = BTreeMap::new();
        for id in self.sent.keys() {
            stored.insert(id.clone(), find(id).await?);
        }
        let shown = |id: &String| history.contains(id) || self.seen.events.contains(id);
        for (id, event) in &stored {
            let is_visible = event.as_ref().is_some_and(|event| event.flags.is_shown());
            if shown(id) && !is_visible {
                return Err(format!("{id} was shown and did not enter: {}", self.sent[id].pdu));
            }
            let came_before = event.as_ref().is_some_and(|event| event.position < end);
            if is_visible && came_before && !history.contains(id) {
                let (synced, event) =
                    (self.seen.events.contains(id), event.as_ref().map(|event| event.position));
                let of = history.len();
                return Err(format!(
                    "{id} entered at {event:?} and is not in the history of {of} (seen by syncing: {synced}): {}",
                    self.sent[id].pdu
                ));
            }
        }
        let sent = std::mem::take(&mut self.sent);
        for (id, sent) in &sent {
            self.count(id, sent, &stored);
        }
        Ok(())
    }

    /// Counts what became of an event.
    fn count(
        &mut self,
        id: &str,
        sent: &Sent,
        stored: &BTreeMap<String, Option<std::sync::Arc<StoredEvent>>>,
    ) {
        let event = match (&sent.answer, &stored[id]) {
            (Some(Err(_)), _) => return self.outcomes.count(Outcome::Refused),
            (Some(Ok(())), None) => return self.outcomes.count(Outcome::NotKept),
            (None, None) => return,
            (_, Some(event)) => event,
        };
        let flags = event.flags;
        if flags.contains(EventFlags::REJECTED) {
            return self.outcomes.count(Outcome::Rejected);
        }
        if flags.contains(EventFlags::SOFT_FAILED) {
            return self.outcomes.count(Outcome::SoftFailed);
        }
        if flags.contains(EventFlags::OUTLIER) {
            return self.outcomes.count(Outcome::Outlier);
        }
        let given = self.elsewhere.lock().given.clone();
        let prev = ids(&sent.pdu["prev_events"]);
        self.outcomes.count(if sent.pushed { Outcome::Accepted } else { Outcome::FetchedAndAccepted });
        if sent.pushed && prev.iter().any(|prev| given.contains(prev)) {
            self.outcomes.count(Outcome::AcceptedWithAncestors);
        }
        let entered = |id: &String| {
            let event = stored.get(id).map(Option::as_ref);
            event.map(|event| event.is_some_and(|event| event.flags.is_shown()))
        };
        if prev.iter().any(|prev| entered(prev) == Some(false)) {
            let is_judged = |id: &String| {
                let event = stored.get(id).and_then(Option::as_ref);
                event.is_some_and(|event| !event.flags.contains(EventFlags::OUTLIER))
            };
            let lacks = prev.iter().any(|prev| entered(prev) == Some(false) && !is_judged(prev));
            let how = if lacks { Outcome::AcceptedOverAHole } else { Outcome::FollowsWhatDidNotEnter };
            self.outcomes.count(how);
        }
        if self.graph.is_meeting(&prev) {
            self.outcomes.count(Outcome::ForksMet);
        }
        if sent.false_hash {
            self.outcomes.count(Outcome::Pruned);
        }
        let redacted = self.ahead.iter().any(|(by, target)| {
            let by_entered = entered(by) == Some(true);
            target == id && by_entered && event.pdu.content_json() == "{}"
        });
        if redacted {
            self.outcomes.count(Outcome::RedactedWhenItCame);
        }
    }
}
