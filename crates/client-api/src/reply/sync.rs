//! The answer to a sync as JSON, written in one pass into one buffer.

use std::{collections::BTreeMap, sync::Arc};

use axum::response::Response;
use parvis_sync::{
    AccountData, DeviceState, Filter, JoinedRoom, LeftRoom, PresenceUpdate, Receipt, ShownEvent,
    StrippedRoom, Summary, SyncAnswer, Timeline, Token, UnreadCounts,
};
use ruma::{EventId, OwnedUserId, RoomId, UserId};
use serde::Serialize;
use serde_json::Value;

use super::{event_shape::EventShape, json};

/// Under which name the state of rooms is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateField {
    /// The state before the timeline.
    Before,
    /// The state after it.
    After,
    /// The same, to who asked for it before it was in the specification.
    UnstableAfter,
}

impl StateField {
    fn name(self) -> &'static str {
        match self {
            Self::Before => "state",
            Self::After => "state_after",
            Self::UnstableAfter => "org.matrix.msc4222.state_after",
        }
    }
}

/// The keys of which clients want to know that there are none.
const USUAL_KEYS: &str = "signed_curve25519";

/// The answer to a sync.
pub(crate) fn sync(answer: &SyncAnswer, filter: &Filter, state: StateField) -> Response {
    json(sync_text(answer, filter, state))
}

/// Its text.
pub(crate) fn sync_text(answer: &SyncAnswer, filter: &Filter, state: StateField) -> Vec<u8> {
    let mut writer = Writer::new(filter, state);
    writer.answer(answer);
    writer.out
}

/// The same answer as a value, for those that give it another shape.
pub(crate) fn sync_value(answer: &SyncAnswer, filter: &Filter) -> Value {
    // What was just written is JSON.
    serde_json::from_slice(&sync_text(answer, filter, StateField::Before)).unwrap_or_default()
}

/// Writes answers to syncs.
pub(super) struct Writer {
    out: Vec<u8>,
    shape: EventShape,
    state: StateField,
}

impl Writer {
    /// Nothing is written.
    pub(super) fn new(filter: &Filter, state: StateField) -> Self {
        Self { out: Vec::with_capacity(4_096), shape: EventShape::of(filter), state }
    }

    /// What was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    fn answer(&mut self, answer: &SyncAnswer) {
        self.raw("{\"next_batch\":");
        self.value(&answer.next.to_string());
        if !answer.account_data.is_empty() {
            self.raw(",\"account_data\":");
            self.account_data(&answer.account_data);
        }
        if !answer.presence.is_empty() {
            self.raw(",\"presence\":{\"events\":[");
            self.list(&answer.presence, Self::presence);
            self.raw("]}");
        }
        self.rooms(answer);
        self.raw(",\"to_device\":{\"events\":[");
        self.list(&answer.to_device, |writer, message| writer.raw(message));
        self.raw("]}");
        if !answer.device_lists.is_empty() {
            self.raw(",\"device_lists\":{\"changed\":");
            self.value(&answer.device_lists.changed);
            self.raw(",\"left\":");
            self.value(&answer.device_lists.left);
            self.raw("}");
        }
        self.raw(",");
        self.keys_left(&answer.device);
        self.raw("}");
    }

    /// The rooms by what the user is to them. Of what there is none, nothing is said.
    fn rooms(&mut self, answer: &SyncAnswer) {
        self.raw(",\"rooms\":{");
        let mut before = "";
        if !answer.joined.is_empty() {
            self.raw("\"join\":{");
            self.list(&answer.joined, Self::joined);
            before = "},";
        }
        for (name, rooms) in [("invite", &answer.invited), ("knock", &answer.knocked)] {
            if !rooms.is_empty() {
                self.raw(before);
                self.value(name);
                self.raw(":{");
                self.list(rooms, |writer, room| writer.stripped(room, &format!("{name}_state")));
                before = "},";
            }
        }
        if !answer.left.is_empty() {
            self.raw(before);
            self.raw("\"leave\":{");
            self.list(&answer.left, Self::left);
            before = "},";
        }
        self.raw(if before.is_empty() { "}" } else { "}}" });
    }

    /// What the device has left of its keys. Clients take the presence of these fields for the server's being
    /// able to store their keys, and a count that is not there for one that has not changed.
    pub(super) fn keys_left(&mut self, device: &DeviceState) {
        self.raw("\"device_one_time_keys_count\":{");
        let none = (!device.one_time_keys.contains_key(USUAL_KEYS)).then_some((USUAL_KEYS, &0));
        let counts = device.one_time_keys.iter().map(|(algorithm, count)| (algorithm.as_str(), count));
        self.list(none.into_iter().chain(counts), |writer, (algorithm, count)| {
            writer.value(algorithm);
            writer.raw(":");
            writer.value(count);
        });
        self.raw("},\"device_unused_fallback_key_types\":");
        self.value(&device.unused_fallback);
        // The name of old, which clients still look for.
        self.raw(",\"org.matrix.msc2732.device_unused_fallback_key_types\":");
        self.value(&device.unused_fallback);
    }

    fn joined(&mut self, room: &JoinedRoom) {
        self.room_key(&room.room_id);
        self.timeline_and_state(&room.timeline, &room.state, &room.account_data);
        self.raw(",\"ephemeral\":{\"events\":[");
        if let Some(typing) = &room.typing {
            self.typing(typing);
        }
        if !room.receipts.is_empty() {
            self.raw(if room.typing.is_some() { "," } else { "" });
            self.receipts(&room.receipts);
        }
        self.raw("]}");
        self.raw(",\"unread_notifications\":");
        self.counts(&room.unread);
        if let Some(threads) = room.unread_threads.as_ref().filter(|threads| !threads.is_empty()) {
            self.raw(",\"unread_thread_notifications\":{");
            self.list(threads, |writer, (root, counts)| {
                writer.value(root);
                writer.raw(":");
                writer.counts(counts);
            });
            self.raw("}");
        }
        if let Some(summary) = &room.summary {
            self.summary(summary);
        }
        self.raw("}");
    }

    fn left(&mut self, room: &LeftRoom) {
        self.room_key(&room.room_id);
        self.timeline_and_state(&room.timeline, &room.state, &room.account_data);
        self.raw("}");
    }

    fn stripped(&mut self, room: &StrippedRoom, field: &str) {
        self.room_key(&room.room_id);
        self.value(field);
        self.raw(":{\"events\":[");
        self.list(&room.state, |writer, event| writer.raw(event));
        self.raw("]}}");
    }

    /// The room's id and the opening brace of what is said of it.
    fn room_key(&mut self, room_id: &RoomId) {
        self.value(room_id);
        self.raw(":{");
    }

    fn timeline_and_state(
        &mut self,
        timeline: &Timeline,
        state: &[ShownEvent],
        account_data: &[Arc<AccountData>],
    ) {
        self.raw("\"timeline\":{\"events\":[");
        self.list(&timeline.events, Self::event);
        self.raw("],\"limited\":");
        self.value(&timeline.limited);
        self.raw(",\"prev_batch\":");
        self.value(&Token::from(timeline.start).to_string());
        self.raw("},");
        self.value(self.state.name());
        self.raw(":{\"events\":[");
        self.list(state, Self::event);
        self.raw("]}");
        // Written though it may be empty, for clients and tests that look into it.
        self.raw(",\"account_data\":");
        self.account_data(account_data);
    }

    pub(super) fn event(&mut self, event: &ShownEvent) {
        self.shape.write(event, &mut self.out);
    }

    fn account_data(&mut self, data: &[Arc<AccountData>]) {
        self.raw("{\"events\":[");
        self.data_list(data);
        self.raw("]}");
    }

    /// Account data, one piece after the other.
    pub(super) fn data_list(&mut self, data: &[Arc<AccountData>]) {
        self.list(data, |writer, data| {
            writer.raw("{\"type\":");
            writer.value(&data.kind);
            writer.raw(",\"content\":");
            writer.raw(data.content.get());
            writer.raw("}");
        });
    }

    fn counts(&mut self, counts: &UnreadCounts) {
        self.raw("{\"notification_count\":");
        self.value(&counts.notifications);
        self.raw(",\"highlight_count\":");
        self.value(&counts.highlights);
        self.raw("}");
    }

    fn summary(&mut self, summary: &Summary) {
        self.raw(",\"summary\":{");
        if let Some(heroes) = &summary.heroes {
            self.raw("\"m.heroes\":");
            self.value(heroes);
            self.raw(",");
        }
        self.raw("\"m.joined_member_count\":");
        self.value(&summary.joined);
        self.raw(",\"m.invited_member_count\":");
        self.value(&summary.invited);
        self.raw("}");
    }

    pub(super) fn typing(&mut self, users: &[OwnedUserId]) {
        self.raw("{\"type\":\"m.typing\",\"content\":{\"user_ids\":");
        self.value(users);
        self.raw("}}");
    }

    /// Receipts by event, by type and by user. There is room for one receipt of each: one for a thread gives way
    /// to one that speaks of everything.
    pub(super) fn receipts(&mut self, receipts: &[Arc<Receipt>]) {
        type ByUser<'a> = BTreeMap<&'a UserId, &'a Receipt>;
        let mut by_event: BTreeMap<&EventId, BTreeMap<&str, ByUser<'_>>> = BTreeMap::new();
        for receipt in receipts {
            let by_user =
                by_event.entry(&receipt.event_id).or_default().entry(&receipt.receipt_type).or_default();
            let place = by_user.entry(&receipt.user_id).or_insert(receipt);
            if !place.thread.is_empty() {
                *place = receipt;
            }
        }
        self.raw("{\"type\":\"m.receipt\",\"content\":{");
        self.list(by_event, |writer, (event_id, by_type)| {
            writer.value(event_id);
            writer.raw(":{");
            writer.list(by_type, |writer, (receipt_type, by_user)| {
                writer.value(receipt_type);
                writer.raw(":{");
                writer.list(by_user, Self::receipt);
                writer.raw("}");
            });
            writer.raw("}");
        });
        self.raw("}}");
    }

    fn receipt(&mut self, (user_id, receipt): (&UserId, &Receipt)) {
        self.value(user_id);
        self.raw(":{\"ts\":");
        self.value(&receipt.ts);
        if !receipt.thread.is_empty() {
            self.raw(",\"thread_id\":");
            self.value(&receipt.thread);
        }
        self.raw("}");
    }

    fn presence(&mut self, update: &PresenceUpdate) {
        self.raw("{\"type\":\"m.presence\",\"sender\":");
        self.value(&update.user_id);
        self.raw(",\"content\":{\"presence\":");
        self.value(update.state.as_str());
        if let Some(ago) = update.last_active_ago_millis {
            self.raw(",\"last_active_ago\":");
            self.value(&ago);
        }
        if let Some(message) = &update.status_message {
            self.raw(",\"status_msg\":");
            self.value(message);
        }
        self.raw(",\"currently_active\":");
        self.value(&update.currently_active);
        self.raw("}}");
    }

    /// Writes things one after the other, with commas between.
    pub(super) fn list<T>(
        &mut self,
        things: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        for (index, thing) in things.into_iter().enumerate() {
            if index > 0 {
                self.raw(",");
            }
            write(self, thing);
        }
    }

    pub(super) fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    pub(super) fn value<T: Serialize + ?Sized>(&mut self, value: &T) {
        // Numbers, texts and lists of them, written into memory: this cannot fail.
        let _ = serde_json::to_writer(&mut self.out, value);
    }
}
