//! Events that are sent later: handed in by a client, which may hurry them, put them off, or stop them; so a client
//! that falls silent can leave a call (<https://github.com/matrix-org/matrix-spec-proposals/pull/4140>).
//!
//! They lie in the store. One task sends what is due, under a transaction id of its own, so that what was sent just
//! before a crash is not sent twice.

use std::time::Duration;

use parvis_ambient::Timestamp;
use parvis_events::Membership;
use parvis_policy::ClientKind;
use parvis_storage::{DelayedEvent, DeviceSn, StorageError, WriteSet};
use ruma::{OwnedRoomId, RoomId};
use serde_json::value::RawValue;
use tokio::sync::Notify;

use crate::{Actor, RoomError, Rooms, SendEvent};

/// Letters and digits in the name of a delayed event: whoever knows it may change it, so nobody guesses it.
const ID_LENGTH: usize = 24;
/// The longest delay.
const LONGEST_DELAY: Duration = Duration::from_secs(24 * 3_600);
/// How many events a user may have waiting.
const MOST_OF_USER: usize = 100;
/// How many are looked at together.
const AT_ONCE: usize = 100;
/// How long the task rests after the database has failed.
const REST: Duration = Duration::from_secs(5);

/// What there is of delayed events in memory.
#[derive(Debug, Default)]
pub(crate) struct Delayed {
    /// Has the task look again.
    news: Notify,
}

/// An event as a client hands it in.
#[derive(Clone, Debug)]
pub struct NewDelayedEvent {
    /// The type.
    pub kind: String,
    /// The state key, of state.
    pub state_key: Option<String>,
    /// The content.
    pub content: Box<RawValue>,
    /// The transaction id, of what is no state.
    pub transaction_id: Option<String>,
    /// After what time it is to be sent.
    pub delay: Duration,
}

/// What is to become of a delayed event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DelayedAction {
    /// It is not sent.
    Cancel,
    /// It waits anew.
    Restart,
    /// It is sent now.
    Send,
}

impl DelayedAction {
    /// The action of this name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "cancel" => Some(Self::Cancel),
            "restart" => Some(Self::Restart),
            "send" => Some(Self::Send),
            _ => None,
        }
    }
}

impl Rooms {
    /// Takes an event that is to be sent later, and gives its name. The same transaction id gives the same name again.
    ///
    /// # Errors
    /// [`RoomError::Forbidden`] where the user is not in the room; [`RoomError::DelayTooLong`];
    /// [`RoomError::TooManyDelayed`].
    pub async fn delay(
        &self,
        actor: &Actor,
        room_id: &RoomId,
        new: NewDelayedEvent,
    ) -> Result<String, RoomError> {
        let room = self.find(room_id).await?;
        let Some(device) = actor.device else {
            return Err(RoomError::forbidden("only devices delay events"));
        };
        self.refuse_call_between_apps(&new.kind)?;
        let transaction_id = new.transaction_id.map(|id| format!("{room_id} {} {id}", new.kind));
        if let Some(known) = self.delayed_already(device, transaction_id.as_deref()).await? {
            return Ok(known);
        }
        let member = self.store.member(actor.user, room).await?;
        if member.is_none_or(|member| member.membership != Membership::Join) {
            return Err(RoomError::forbidden("you are not in this room"));
        }
        if new.delay > LONGEST_DELAY {
            return Err(RoomError::DelayTooLong(LONGEST_DELAY));
        }
        if self.store.delayed_events_of(actor.user).await?.len() >= MOST_OF_USER {
            return Err(RoomError::TooManyDelayed);
        }
        let event = DelayedEvent {
            delay_id: self.ambient.chance.text(ID_LENGTH),
            user: actor.user,
            device,
            room,
            kind: new.kind,
            state_key: new.state_key,
            content: new.content,
            transaction_id,
            delay_ms: i64::try_from(new.delay.as_millis()).unwrap_or(i64::MAX),
            began_ts: self.ambient.now().millis(),
        };
        let mut set = WriteSet::new();
        set.add_delayed_event(&event);
        self.store.commit(set).await?;
        self.delayed.news.notify_one();
        // The same request may have been quicker.
        let first = self.delayed_already(device, event.transaction_id.as_deref()).await?;
        Ok(first.unwrap_or(event.delay_id))
    }

    /// The name of the event that a device has handed in with a transaction id.
    async fn delayed_already(
        &self,
        device: DeviceSn,
        transaction_id: Option<&str>,
    ) -> Result<Option<String>, StorageError> {
        let Some(id) = transaction_id else { return Ok(None) };
        Ok(self.store.delayed_event_of_transaction(device, id).await?.map(|event| event.delay_id))
    }

    /// The events that a user has waiting, with their rooms, the next first.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn delayed_events(&self, actor: &Actor) -> Result<Vec<(OwnedRoomId, DelayedEvent)>, RoomError> {
        let mut events = Vec::new();
        for event in self.store.delayed_events_of(actor.user).await? {
            events.push((self.store.room_id(event.room).await?, event));
        }
        Ok(events)
    }

    /// Hurries a delayed event, puts it off, or stops it. Whoever knows its name may.
    ///
    /// # Errors
    /// [`RoomError::NotFound`]; why it cannot be sent, and then it waits on.
    pub async fn act_on_delayed(&self, delay_id: &str, action: DelayedAction) -> Result<(), RoomError> {
        let missing = RoomError::NotFound("no event of this name waits to be sent");
        let event = self.store.delayed_event(delay_id).await?.ok_or(missing)?;
        let mut set = WriteSet::new();
        match action {
            DelayedAction::Cancel => set.delete_delayed_event(delay_id),
            DelayedAction::Restart => set.restart_delayed_event(delay_id, self.ambient.now().millis()),
            DelayedAction::Send => return self.send_delayed(&event).await,
        }
        self.store.commit(set).await?;
        self.delayed.news.notify_one();
        Ok(())
    }

    /// Sends a delayed event, and takes it off.
    async fn send_delayed(&self, event: &DelayedEvent) -> Result<(), RoomError> {
        let room_id = self.store.room_id(event.room).await?;
        let user_id = self.store.user_id(event.user).await?;
        let actor = Actor::new(event.user, user_id, event.device, ClientKind::FollowsPublishedDefault);
        match &event.state_key {
            Some(key) => {
                self.set_state(&actor, &room_id, &event.kind, key, &event.content).await?;
            }
            None => {
                let (kind, content) = (event.kind.clone(), event.content.clone());
                let transaction_id = format!("delayed {}", event.delay_id);
                self.send(&actor, &room_id, SendEvent { kind, content, transaction_id }).await?;
            }
        }
        self.drop_delayed(event).await
    }

    async fn drop_delayed(&self, event: &DelayedEvent) -> Result<(), RoomError> {
        let mut set = WriteSet::new();
        set.delete_delayed_event(&event.delay_id);
        self.store.commit(set).await?;
        Ok(())
    }

    /// Sends what is due, for as long as this homeserver runs.
    pub(crate) async fn send_what_is_due(self) {
        loop {
            let next = match self.send_due().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::error!(%error, "delayed events cannot be looked at");
                    Some(self.ambient.now().plus(REST))
                }
            };
            let sleep = async {
                match next {
                    Some(next) => self.ambient.clock.sleep(next.since(self.ambient.now())).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.delayed.news.notified() => {}
                () = sleep => {}
            }
        }
    }

    /// Sends what is due. Says when the next one is.
    async fn send_due(&self) -> Result<Option<Timestamp>, RoomError> {
        loop {
            let events = self.store.next_delayed_events(AT_ONCE).await?;
            let now = self.ambient.now();
            for event in &events {
                let due = Timestamp(event.due_ts());
                if due > now {
                    return Ok(Some(due));
                }
                match self.send_delayed(event).await {
                    Ok(()) => {}
                    Err(error @ (RoomError::Storage(_) | RoomError::Busy)) => return Err(error),
                    Err(error) => {
                        tracing::info!(%error, "a delayed event cannot be sent, it is dropped");
                        self.drop_delayed(event).await?;
                    }
                }
            }
            if events.len() < AT_ONCE {
                return Ok(None);
            }
        }
    }
}
