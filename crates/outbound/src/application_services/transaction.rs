//! A transaction for an application service: what concerns it between two places in the stream.

use std::{collections::BTreeMap, sync::Arc};

use parvis_ambient::Timestamp;
use parvis_application_services::ApplicationService;
use parvis_events::{DUMMY_EVENT, Pdu, Unsigned, write_client_event};
use parvis_storage::{
    Change, EventFlags, EventSn, Position, Receipt, RoomSn, StorageError, Store, StoredEvent, UserSn,
};
use serde_json::{Value, json};

use super::{interest::Interest, passing::Taken};

/// The most events in a transaction.
const MOST_EVENTS: usize = 100;
/// A transaction that has as many bytes gets no further event.
const FULL_BYTES: usize = 512 << 10;

/// Composes the transactions of one service.
pub(super) struct Composer {
    store: Store,
    service: Arc<ApplicationService>,
    interest: Interest,
}

/// What was found between two places.
pub(super) struct Composed {
    /// Up to where everything that concerns the service is in the body.
    pub(super) reaches_to: Position,
    /// What to send; nothing where nothing concerns the service.
    pub(super) body: Option<String>,
}

/// Something in the stream that may concern a service.
enum News {
    Event(EventSn),
    Receipt {
        room: RoomSn,
        user: UserSn,
    },
    /// A membership changed by an event that is in no timeline.
    Membership {
        room: RoomSn,
        user: UserSn,
    },
}

/// What a transaction will say.
#[derive(Default)]
struct Contents {
    /// Events, separated by commas.
    events: Vec<u8>,
    count: usize,
    ephemeral: Vec<Value>,
}

impl Composer {
    pub(super) fn new(store: Store, service: Arc<ApplicationService>) -> Self {
        let interest = Interest::new(store.clone(), Arc::clone(&service));
        Self { store, service, interest }
    }

    /// Composes what concerns the service after one place, up to another or as far as a transaction holds; and what
    /// passes.
    pub(super) async fn compose(
        &mut self,
        after: Position,
        until: Position,
        passing: Taken,
        now: Timestamp,
    ) -> Result<Composed, StorageError> {
        self.interest.begin();
        let mut contents = Contents::default();
        let mut reaches_to = until;
        let mut last = after;
        for (position, news) in self.news(after, until).await? {
            if contents.is_full() {
                reaches_to = last;
                break;
            }
            last = position;
            match news {
                News::Event(event) => self.add_event(&mut contents, event, now).await?,
                News::Membership { room, user } => {
                    self.add_outside(&mut contents, room, user, position, now).await?;
                }
                News::Receipt { room, user } => {
                    self.add_receipts(&mut contents, room, user, position).await?
                }
            }
        }
        self.add_passing(&mut contents, passing).await?;
        Ok(Composed { reaches_to, body: contents.into_body(&self.service)? })
    }

    async fn news(&self, after: Position, until: Position) -> Result<Vec<(Position, News)>, StorageError> {
        if until <= after {
            return Ok(Vec::new());
        }
        let Some(changes) = self.store.changes_between(after, until) else {
            return self.old_news(after, until).await;
        };
        let news = changes.into_iter().filter_map(|announced| {
            let news = match announced.change {
                Change::Event { event, .. } => News::Event(event),
                Change::Receipt { room, user, .. } => News::Receipt { room, user },
                Change::Membership { room, user } => News::Membership { room, user },
                _ => return None,
            };
            Some((announced.position, news))
        });
        Ok(news.collect())
    }

    /// The same where memory does not reach back so far.
    async fn old_news(
        &self,
        after: Position,
        until: Position,
    ) -> Result<Vec<(Position, News)>, StorageError> {
        let limit = usize::try_from(until.0 - after.0).unwrap_or(usize::MAX);
        let events = self.store.events_between(after, until, limit).await?;
        let mut news: Vec<_> =
            events.into_iter().map(|(position, _, event)| (position, News::Event(event))).collect();
        let receipts = self.store.public_receipts_between(after, until).await?;
        news.extend(
            receipts.into_iter().map(|(position, room, user)| (position, News::Receipt { room, user })),
        );
        for (room, user) in self.store.all_members_changed_between(after, until).await? {
            // That it changed by an event of a timeline is found when that is looked at.
            let Some(member) = self.store.member(user, room).await? else { continue };
            news.push((member.position, News::Membership { room, user }));
        }
        news.sort_by_key(|(position, _)| *position);
        Ok(news)
    }

    async fn add_event(
        &mut self,
        contents: &mut Contents,
        event: EventSn,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let event = self.store.event(event).await?;
        let is_idle = event.flags.contains(EventFlags::IDLE) || event.pdu.kind() == DUMMY_EVENT;
        if event.is_shown() && !is_idle && self.interest.has_event(&event).await? {
            self.write(contents, &event, now).await?;
        }
        Ok(())
    }

    /// Adds the event by which somebody is invited to a room that is elsewhere, or not any more.
    async fn add_outside(
        &mut self,
        contents: &mut Contents,
        room: RoomSn,
        user: UserSn,
        position: Position,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        if !self.service.cares_for_user(&self.store.user_id(user).await?) {
            return Ok(());
        }
        let Some(member) = self.store.member(user, room).await? else { return Ok(()) };
        let event = self.store.event(member.event).await?;
        // One that is in the timeline has been told as such, and one that came later will be.
        if member.position == position && !event.is_shown() {
            self.write(contents, &event, now).await?;
        }
        Ok(())
    }

    async fn write(
        &self,
        contents: &mut Contents,
        event: &Arc<StoredEvent>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let replaced = match event.pdu.state_key() {
            Some(key) if event.is_shown() => {
                self.store.state_event(event.room, event.state_root, event.pdu.kind(), key).await?
            }
            _ => None,
        };
        let replaced = replaced.as_ref().map(|replaced| &replaced.pdu);
        let unsigned = Unsigned {
            age: Some(now.millis().saturating_sub(event.pdu.origin_server_ts()).max(0)),
            prev_content: replaced.map(Pdu::content),
            prev_sender: replaced.map(Pdu::sender),
            replaces_state: replaced.map(Pdu::event_id),
            ..Unsigned::default()
        };
        if contents.count > 0 {
            contents.events.push(b',');
        }
        contents.count += 1;
        let room_id = Some(event.pdu.room_id());
        write_client_event(&mut contents.events, event.pdu.client_form(), room_id, &unsigned);
        Ok(())
    }

    async fn add_receipts(
        &mut self,
        contents: &mut Contents,
        room: RoomSn,
        user: UserSn,
        position: Position,
    ) -> Result<(), StorageError> {
        if !self.service.registration().ephemeral.any() {
            return Ok(());
        }
        let receipts = self.store.receipts_of_room(room).await?;
        let moved: Vec<Arc<Receipt>> = receipts
            .between(Position(position.0 - 1), position)
            .into_iter()
            .filter(|receipt| receipt.user == user)
            // What is private is told to those alone whose it is.
            .filter(|receipt| {
                receipt.receipt_type != "m.read.private" || self.service.may_act_as(&receipt.user_id)
            })
            .collect();
        if !moved.is_empty() && self.interest.has_room(room).await? {
            let room_id = self.store.room_id(room).await?;
            let content = receipt_content(&moved);
            contents.ephemeral.push(json!({ "type": "m.receipt", "room_id": room_id, "content": content }));
        }
        Ok(())
    }

    async fn add_passing(&mut self, contents: &mut Contents, passing: Taken) -> Result<(), StorageError> {
        for (room, users) in passing.typing {
            if self.interest.has_room(room).await? {
                let room_id = self.store.room_id(room).await?;
                let content = json!({ "user_ids": self.store.user_ids(&users).await? });
                contents
                    .ephemeral
                    .push(json!({ "type": "m.typing", "room_id": room_id, "content": content }));
            }
        }
        for (user, content) in passing.presence {
            let user_id = self.store.user_id(user).await?;
            if self.interest.has_user(user, &user_id).await? {
                contents
                    .ephemeral
                    .push(json!({ "type": "m.presence", "sender": user_id, "content": content }));
            }
        }
        Ok(())
    }
}

/// <https://spec.matrix.org/v1.19/client-server-api/#mreceipt>
fn receipt_content(receipts: &[Arc<Receipt>]) -> Value {
    let mut content: BTreeMap<&str, BTreeMap<&str, BTreeMap<&str, Value>>> = BTreeMap::new();
    for receipt in receipts {
        let mut data = json!({ "ts": receipt.ts });
        if !receipt.thread.is_empty() {
            data["thread_id"] = receipt.thread.as_str().into();
        }
        let of_event = content.entry(receipt.event_id.as_str()).or_default();
        of_event.entry(&receipt.receipt_type).or_default().insert(receipt.user_id.as_str(), data);
    }
    json!(content)
}

impl Contents {
    fn is_full(&self) -> bool {
        self.count + self.ephemeral.len() >= MOST_EVENTS || self.events.len() >= FULL_BYTES
    }

    /// The body, if there is anything in it.
    fn into_body(self, service: &ApplicationService) -> Result<Option<String>, StorageError> {
        if self.count == 0 && self.ephemeral.is_empty() {
            return Ok(None);
        }
        let forms = service.registration().ephemeral;
        let corrupt =
            |error: String| StorageError::Corrupt(format!("events for an application service: {error}"));
        let events = String::from_utf8(self.events).map_err(|error| corrupt(error.to_string()))?;
        let mut body = format!("{{\"events\":[{events}]");
        if !self.ephemeral.is_empty() {
            let list = serde_json::to_string(&self.ephemeral).map_err(|error| corrupt(error.to_string()))?;
            let names = [(forms.stable, "ephemeral"), (forms.unstable, "de.sorunome.msc2409.ephemeral")];
            for (_, name) in names.iter().filter(|(wanted, _)| *wanted) {
                body.push_str(&format!(",\"{name}\":{list}"));
            }
        }
        body.push('}');
        Ok(Some(body))
    }
}
