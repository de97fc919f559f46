//! The answer to a sliding sync as JSON, written in one pass into one buffer.

use axum::response::Response;
use parvis_sync::{Filter, Hero, Position, SlidingAnswer, SlidingRoom, Token};
use ruma::OwnedRoomId;
use serde_json::{Value, json as value};

use super::{
    json,
    sync::{StateField, Writer},
    threads::thread_changes,
};

/// In which form the answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlidingForm {
    /// As clients know it today.
    Unstable,
    /// As it was accepted.
    Accepted,
}

/// The answer to a sliding sync. `transaction` is the client's name for its request.
pub(crate) fn sliding(answer: &SlidingAnswer, form: SlidingForm, transaction: Option<&str>) -> Response {
    let mut writer = Writer::new(&Filter::default(), StateField::Before);
    writer.sliding(answer, form, transaction);
    json(writer.into_bytes())
}

impl Writer {
    fn sliding(&mut self, answer: &SlidingAnswer, form: SlidingForm, transaction: Option<&str>) {
        self.raw("{\"pos\":");
        self.value(&answer.pos);
        if let Some(transaction) = transaction {
            self.raw(",\"txn_id\":");
            self.value(&transaction);
        }
        self.raw(",\"lists\":{");
        self.list(&answer.lists, |writer, (name, count)| {
            writer.value(name);
            writer.raw(":{\"count\":");
            writer.value(count);
            writer.raw("}");
        });
        self.raw("},\"rooms\":{");
        self.list(&answer.rooms, |writer, room| writer.sliding_room(room, form));
        self.raw("},\"extensions\":{");
        self.extensions(answer);
        self.raw("}}");
    }

    fn sliding_room(&mut self, room: &SlidingRoom, form: SlidingForm) {
        self.value(&room.room_id);
        self.raw(":{\"bump_stamp\":");
        self.value(&room.bump.map_or(1, |bump| bump.0.max(1)));
        if room.initial {
            self.raw(",\"initial\":true");
        }
        if form == SlidingForm::Accepted {
            self.raw(",\"membership\":");
            self.value(room.membership.as_str());
            if !room.lists.is_empty() {
                self.raw(",\"lists\":");
                self.value(&room.lists);
            }
        }
        if room.expanded {
            self.raw(match form {
                SlidingForm::Unstable => ",\"unstable_expanded_timeline\":true",
                SlidingForm::Accepted => ",\"expanded_timeline\":true",
            });
        }
        self.room_names(room, form);
        if let Some((joined, invited)) = room.counts {
            self.raw(",\"joined_count\":");
            self.value(&joined);
            self.raw(",\"invited_count\":");
            self.value(&invited);
        }
        if let Some(counts) = room.unread.filter(|_| form == SlidingForm::Unstable) {
            self.raw(",\"notification_count\":");
            self.value(&counts.notifications);
            self.raw(",\"highlight_count\":");
            self.value(&counts.highlights);
        }
        if let Some(stripped) = &room.stripped {
            self.raw(match form {
                SlidingForm::Unstable => ",\"invite_state\":[",
                SlidingForm::Accepted => ",\"stripped_state\":[",
            });
            self.list(stripped, |writer, event| writer.raw(event));
            self.raw("]");
        }
        self.room_events(room, form);
        self.raw("}");
    }

    fn room_names(&mut self, room: &SlidingRoom, form: SlidingForm) {
        // Clients of today do not expect that a room has lost its name.
        if let Some(name) = room.name.as_ref().filter(|name| name.is_some() || form == SlidingForm::Accepted)
        {
            self.raw(",\"name\":");
            self.value(name);
        }
        if let Some(avatar) = &room.avatar {
            self.raw(",\"avatar\":");
            self.value(avatar);
        }
        if let Some(heroes) = &room.heroes {
            self.raw(",\"heroes\":[");
            self.list(heroes, Self::hero);
            self.raw("]");
        }
        if room.is_dm {
            self.raw(",\"is_dm\":true");
        }
    }

    fn hero(&mut self, hero: &Hero) {
        self.raw("{\"user_id\":");
        self.value(&hero.user_id);
        if let Some(name) = &hero.display_name {
            self.raw(",\"displayname\":");
            self.value(name);
        }
        if let Some(avatar) = &hero.avatar {
            self.raw(",\"avatar_url\":");
            self.value(avatar);
        }
        self.raw("}");
    }

    fn room_events(&mut self, room: &SlidingRoom, form: SlidingForm) {
        if let Some(timeline) = &room.timeline {
            self.raw(match form {
                SlidingForm::Unstable => ",\"timeline\":[",
                SlidingForm::Accepted => ",\"timeline_events\":[",
            });
            self.list(&timeline.events, Self::event);
            self.raw("],\"limited\":");
            self.value(&timeline.limited);
            self.raw(",\"prev_batch\":");
            self.value(&Token::from(timeline.start).to_string());
            self.raw(",\"num_live\":");
            self.value(&room.live);
        }
        let gone = if form == SlidingForm::Accepted { &*room.gone } else { &[] };
        if !room.state.is_empty() || !gone.is_empty() {
            self.raw(",\"required_state\":[");
            self.list(&room.state, Self::event);
            self.raw(if room.state.is_empty() || gone.is_empty() { "" } else { "," });
            self.list(gone, |writer, (kind, key)| writer.value(&value!({ "type": kind, "state_key": key })));
            self.raw("]");
        }
    }

    fn extensions(&mut self, answer: &SlidingAnswer) {
        let mut separator = "";
        let mut name = |writer: &mut Self, name: &str| {
            writer.raw(separator);
            separator = ",";
            writer.raw(name);
        };
        if let Some(news) = &answer.to_device {
            name(self, "\"to_device\":{\"next_batch\":");
            self.value(&news.next.0.to_string());
            self.raw(",\"events\":[");
            self.list(&news.events, |writer, message| writer.raw(message));
            self.raw("]}");
        }
        if let Some(news) = &answer.e2ee {
            name(self, "\"e2ee\":{");
            if let Some(lists) = &news.device_lists {
                self.raw("\"device_lists\":{\"changed\":");
                self.value(&lists.changed);
                self.raw(",\"left\":");
                self.value(&lists.left);
                self.raw("},");
            }
            self.keys_left(&news.device);
            self.raw("}");
        }
        if let Some(news) = &answer.account_data {
            name(self, "\"account_data\":{\"global\":[");
            self.data_list(&news.global);
            self.raw("],\"rooms\":{");
            self.list(&news.rooms, |writer, (room_id, data)| {
                writer.value(room_id);
                writer.raw(":[");
                writer.data_list(data);
                writer.raw("]");
            });
            self.raw("}}");
        }
        if let Some(rooms) = &answer.receipts {
            name(self, "\"receipts\":{\"rooms\":{");
            self.by_room(rooms, |writer, receipts| writer.receipts(receipts));
            self.raw("}}");
        }
        if let Some(news) = &answer.threads {
            let mut told = thread_changes(&news.changes);
            if let Some(Position(rest)) = news.rest {
                told.insert("prev_batch".to_owned(), value!(Token::from(Position(rest)).to_string()));
            }
            name(self, "\"io.element.msc4308.thread_subscriptions\":");
            self.value(&Value::Object(told));
        }
        if let Some(rooms) = &answer.typing {
            name(self, "\"typing\":{\"rooms\":{");
            self.by_room(rooms, |writer, users| writer.typing(users));
            self.raw("}}");
        }
    }

    fn by_room<T>(&mut self, rooms: &[(OwnedRoomId, T)], mut write: impl FnMut(&mut Self, &T)) {
        self.list(rooms, |writer, (room_id, thing)| {
            writer.value(room_id);
            writer.raw(":");
            write(writer, thing);
        });
    }
}
