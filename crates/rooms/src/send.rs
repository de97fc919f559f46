//! Sending: messages, state, redactions.

use std::sync::Arc;

use parvis_dag as dag;
use parvis_events::{FormatError, Membership, Pdu, RoomVersion};
use parvis_storage::{CommitError, DeviceSn, EventSn, RoomSn, StoredEvent, TransactionKey};
use ruma::{EventId, OwnedEventId, RoomId};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use crate::{
    Actor, RoomError, Rooms,
    admit::{Attempts, Draft, Redacts, Staged, Turn, in_turn},
    content::{AUTHORISER, raw},
    create::{creators_of, refuse_creators_in_users},
    encryption::ENCRYPTION,
};

/// A message event that a local user sends.
#[derive(Clone, Debug)]
pub struct SendEvent {
    /// The event type.
    pub kind: String,
    /// The content: a JSON object.
    pub content: Box<RawValue>,
    /// The client's transaction id.
    pub transaction_id: String,
}

/// The transaction id of a request, if it came from a device.
struct Once(Option<TransactionKey>);

impl Once {
    fn new(actor: &Actor, scope: String, transaction_id: String) -> Self {
        Self(actor.device.map(|device| TransactionKey { device, scope, transaction_id }))
    }

    /// What is remembered with the event, for the device that sent it.
    fn transaction(&self) -> Option<(DeviceSn, String)> {
        self.0.as_ref().map(|key| (key.device, key.transaction_id.clone()))
    }
}

impl Rooms {
    /// Sends a message event. A retry with the same transaction id gives the first event's id again.
    /// Redactions sent this way (`m.room.redaction`) name their target in the content.
    ///
    /// <https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidsendeventtypetxnid>
    ///
    /// # Errors
    /// [`RoomError`], with nothing written.
    pub async fn send(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        event: SendEvent,
    ) -> Result<OwnedEventId, RoomError> {
        self.refuse_call_between_apps(&event.kind)?;
        let room = self.find(room_id).await?;
        let scope = format!("send {room_id} {}", event.kind);
        if event.kind == "m.room.redaction" {
            let target = redaction_target(&event.content)?;
            return self.redact_in(actor, room, target, event.content, scope, event.transaction_id).await;
        }
        self.refuse_duplicate_annotation(actor, room, &event).await?;
        let once = Once::new(actor, scope, event.transaction_id);
        let mut attempts = Attempts::default();
        loop {
            let mut turn = self.turn(room).await?;
            let draft = Draft::message(&event.kind, event.content.clone()).at_time_of(actor);
            let staged = turn.stage(&actor.user_id, actor.user, draft, once.transaction()).await;
            if let Some(event_id) = self.finish_once(turn, staged, &once, &mut attempts).await? {
                return Ok(event_id);
            }
        }
    }

    /// Redacts an event.
    ///
    /// <https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidredacteventidtxnid>
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] without the power to redact it, [`RoomError::NotFound`] if it is not there.
    pub async fn redact(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        target: &EventId,
        reason: Option<&str>,
        transaction_id: &str,
    ) -> Result<OwnedEventId, RoomError> {
        let room = self.find(room_id).await?;
        let content = reason.map_or(serde_json::json!({}), |reason| serde_json::json!({ "reason": reason }));
        let scope = format!("redact {room_id} {target}");
        self.redact_in(actor, room, target.to_owned(), raw(&content), scope, transaction_id.to_owned()).await
    }

    async fn redact_in(
        &self,
        actor: &Actor,
        room: RoomSn,
        target: OwnedEventId,
        content: Box<RawValue>,
        scope: String,
        transaction_id: String,
    ) -> Result<OwnedEventId, RoomError> {
        let found = self.store.event_by_id(&target).await?.filter(|event| event.room == room);
        let once = Once::new(actor, scope, transaction_id);
        let mut attempts = Attempts::default();
        loop {
            let mut turn = self.turn(room).await?;
            let draft = Draft {
                kind: "m.room.redaction".to_owned(),
                state_key: None,
                content: content.clone(),
                redacts: Some(target.clone()),
                timestamp: actor.timestamp,
            };
            let staged = self.stage_redaction(&mut turn, actor, draft, found.clone(), &once).await;
            if let Some(event_id) = self.finish_once(turn, staged, &once, &mut attempts).await? {
                return Ok(event_id);
            }
        }
    }

    async fn stage_redaction(
        &self,
        turn: &mut Turn<'_>,
        actor: &Actor,
        draft: Draft,
        target: Option<Arc<StoredEvent>>,
        once: &Once,
    ) -> Result<Staged, RoomError> {
        let levels = turn.power_levels().await?;
        let has_power = levels.of(&actor.user_id).reaches(levels.to_redact());
        let redacts = match (target, draft.redacts.clone()) {
            // Servers accept a redaction by any user of the target's server; we let users redact their own.
            (Some(target), _) if has_power || target.pdu.sender() == actor.user_id => Redacts::Event(target),
            (Some(_), _) => return Err(RoomError::forbidden("you may not redact this event")),
            // The other servers may have it.
            (None, Some(target)) if has_power => Redacts::Unknown(target),
            (None, _) => return Err(RoomError::NotFound("there is no such event in this room")),
        };
        turn.stage_redaction(actor, draft, once.transaction(), redacts).await
    }

    /// Writes what a turn has staged, once for a transaction id. Gives the event's id, or that of the event
    /// that was sent with the same transaction id before; nothing if it is to be decided again.
    async fn finish_once(
        &self,
        mut turn: Turn<'_>,
        staged: Result<Staged, RoomError>,
        once: &Once,
        attempts: &mut Attempts,
    ) -> Result<Option<OwnedEventId>, RoomError> {
        let staged = match staged {
            Ok(staged) => staged,
            // What was allowed at the first try may be forbidden at the second: the first counts.
            Err(error) => {
                drop(turn);
                let Some(key) = &once.0 else { return Err(error) };
                let first = self.store.transaction(key).await?.ok_or(error)?;
                return self.event_id_of(first).await.map(Some);
            }
        };
        if let Some(key) = &once.0 {
            turn.use_transaction(key.clone(), staged.sn);
        }
        match turn.submit().await.land().await {
            Ok(_) => Ok(Some(staged.pdu.owned_event_id().clone())),
            Err(CommitError::RoomMoved) => attempts.again().map(|()| None),
            Err(CommitError::TransactionUsed(first)) => self.event_id_of(first).await.map(Some),
            Err(error) => Err(error.into()),
        }
    }

    async fn event_id_of(&self, event: EventSn) -> Result<OwnedEventId, RoomError> {
        Ok(self.store.event(event).await?.pdu.owned_event_id().clone())
    }

    /// Sets state. The same content from the same sender again gives the same event.
    ///
    /// <https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3roomsroomidstateeventtypestatekey>
    ///
    /// # Errors
    /// [`RoomError`], with nothing written.
    pub async fn set_state(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        kind: &str,
        state_key: &str,
        content: &RawValue,
    ) -> Result<OwnedEventId, RoomError> {
        let room = self.find(room_id).await?;
        if kind == "m.room.canonical_alias" {
            self.check_canonical_alias(room, content).await?;
        }
        if kind == "m.room.create" {
            return Err(RoomError::BadState("a room is created once".to_owned()));
        }
        if kind == "m.room.member" {
            self.must_take_written_invitation(state_key, content, &actor.user_id).await?;
        }
        let content = &match kind {
            "m.room.member" => without_authoriser(content),
            _ => content.to_owned(),
        };
        in_turn!(self, room, |turn| {
            refuse_nobodys_key(turn.head.version, state_key)?;
            if kind == "m.room.power_levels" && state_key.is_empty() {
                refuse_creators(turn, content).await?;
            }
            if kind == ENCRYPTION && state_key.is_empty() {
                self.check_encryption(turn, actor, content).await?;
            }
            if let Some((_, current)) = turn.state(kind, state_key).await?
                && current.sender() == actor.user_id
                && same_content(&current, content)
                && turn.membership(&actor.user_id).await? == Membership::Join
            {
                return Ok(current.owned_event_id().clone());
            }
            let draft = Draft::state(kind, state_key, content.to_owned()).at_time_of(actor);
            let staged = turn.stage_for(actor, draft).await?;
            Ok(staged.pdu.owned_event_id().clone())
        })
    }

    /// Refuses a second reaction of the same user with the same key to the same event.
    async fn refuse_duplicate_annotation(
        &self,
        actor: &Actor,
        room: RoomSn,
        event: &SendEvent,
    ) -> Result<(), RoomError> {
        #[derive(Deserialize)]
        struct Relating {
            #[serde(rename = "m.relates_to")]
            relates_to: Annotation,
        }
        #[derive(Deserialize)]
        struct Annotation {
            rel_type: String,
            event_id: OwnedEventId,
            key: Option<String>,
        }
        if !event.content.get().contains("m.annotation") {
            return Ok(());
        }
        let Ok(Relating { relates_to }) = serde_json::from_str(event.content.get()) else { return Ok(()) };
        if relates_to.rel_type != "m.annotation" {
            return Ok(());
        }
        if let Some(device) = actor.device {
            // A retry is no duplicate.
            let scope = format!("send {} {}", self.store.room_id(room).await?, event.kind);
            let key = TransactionKey { device, scope, transaction_id: event.transaction_id.clone() };
            if self.store.transaction(&key).await?.is_some() {
                return Ok(());
            }
        }
        let children = self.store.relations(&[&relates_to.event_id]).await?;
        let sns: Vec<EventSn> = children.iter().map(|child| child.event).collect();
        let is_same = |child: &Pdu| {
            child.sender() == actor.user_id
                && child.kind() == event.kind
                && child.relates_to().and_then(|relation| relation.key).as_deref()
                    == relates_to.key.as_deref()
        };
        match self.store.events(&sns).await?.iter().any(|child| is_same(&child.pdu)) {
            true => Err(RoomError::DuplicateAnnotation),
            false => Ok(()),
        }
    }
}

/// The content of a membership event as a client may send it: by whose right somebody joins is not for it to say.
fn without_authoriser(content: &RawValue) -> Box<RawValue> {
    let mut fields: Map<String, Value> = serde_json::from_str(content.get()).unwrap_or_default();
    match fields.remove(AUTHORISER) {
        Some(_) => raw(&fields),
        None => content.to_owned(),
    }
}

/// Refuses power levels that name creators of the room, whose power is above all levels.
async fn refuse_creators(turn: &mut Turn<'_>, levels: &RawValue) -> Result<(), RoomError> {
    let (Ok(levels), Some(create)) =
        (serde_json::from_str(levels.get()), turn.state_pdu("m.room.create", "").await?)
    else {
        return Ok(());
    };
    let created: Map<String, Value> = create.content_as().unwrap_or_default();
    refuse_creators_in_users(turn.head.version, &levels, create.sender(), &creators_of(&created))
}

fn same_content(current: &Pdu, content: &RawValue) -> bool {
    let wanted: Option<serde_json::Value> = serde_json::from_str(content.get()).ok();
    wanted.is_some() && wanted == serde_json::from_str(current.content_json()).ok()
}

fn redaction_target(content: &RawValue) -> Result<OwnedEventId, RoomError> {
    #[derive(Deserialize)]
    struct Redaction {
        redacts: OwnedEventId,
    }
    let parsed = serde_json::from_str::<Redaction>(content.get());
    parsed
        .map(|redaction| redaction.redacts)
        .map_err(|_| RoomError::InvalidParam("`redacts` must be the id of the event to redact".to_owned()))
}

/// Refuses a state key that looks as if it was a user's, and is nobody's, where such keys have owners.
fn refuse_nobodys_key(version: RoomVersion, state_key: &str) -> Result<(), RoomError> {
    if version.owned_state() && state_key.starts_with('@') && dag::owner_of_state_key(state_key).is_none() {
        let problem = "is neither a user id nor begins with one and an underscore";
        return Err(FormatError::Field { field: "state_key", problem }.into());
    }
    Ok(())
}
