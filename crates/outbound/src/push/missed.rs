//! What somebody has missed, by room; no more of it than the organisation wants to stand in mails.

use std::{borrow::Cow, sync::Arc};

use parvis_events::Membership;
use parvis_policy::push::MailContent;
use parvis_storage::{RoomSn, StateRoot, StorageError, Store, StoredEvent, UserSn};
use serde::Deserialize;

/// How many messages of a room are quoted: the last ones.
const MOST_QUOTED: usize = 5;
/// How many letters of a message, or of a name, are quoted.
const LONGEST_QUOTE: usize = 200;
/// How many senders are named for a room.
const MOST_NAMED: usize = 5;

/// What somebody has missed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Missed {
    /// How many messages.
    pub(super) messages: usize,
    /// In how many rooms.
    pub(super) rooms: usize,
    /// How many invitations.
    pub(super) invitations: usize,
    /// The rooms, where they may be named.
    pub(super) named: Vec<MissedRoom>,
}

/// What was missed in a room.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct MissedRoom {
    /// What it is called, if it is called anything.
    pub(super) name: Option<String>,
    /// How many messages; none of an invitation.
    pub(super) messages: usize,
    /// Who has written, or invites.
    pub(super) senders: Vec<String>,
    /// Who has said what, where words may be quoted.
    pub(super) quotes: Vec<(String, String)>,
}

#[derive(Default, Deserialize)]
struct Content<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    body: Option<Cow<'a, str>>,
}

impl Missed {
    /// Of these events, oldest first.
    pub(super) async fn of(
        store: &Store,
        content: MailContent,
        reader: UserSn,
        events: &[Arc<StoredEvent>],
    ) -> Result<Self, StorageError> {
        let reader = store.user_id(reader).await?;
        let is_invitation = |event: &StoredEvent| {
            event.pdu.membership() == Some(Membership::Invite)
                && event.pdu.is_state_of("m.room.member", reader.as_str())
        };
        let mut rooms: Vec<(RoomSn, Vec<&Arc<StoredEvent>>)> = Vec::new();
        for event in events {
            match rooms.iter_mut().find(|(room, _)| *room == event.room) {
                Some((_, of_room)) => of_room.push(event),
                None => rooms.push((event.room, vec![event])),
            }
        }
        let mut missed = Self::default();
        for (_, of_room) in rooms {
            let messages = of_room.iter().filter(|event| !is_invitation(event)).count();
            missed.messages += messages;
            missed.rooms += usize::from(messages > 0);
            missed.invitations += of_room.len() - messages;
            if matches!(content, MailContent::Names | MailContent::Messages) {
                let may_quote = content == MailContent::Messages;
                missed.named.push(room(store, messages, &of_room, may_quote).await?);
            }
        }
        Ok(missed)
    }
}

async fn room(
    store: &Store,
    messages: usize,
    events: &[&Arc<StoredEvent>],
    may_quote: bool,
) -> Result<MissedRoom, StorageError> {
    let mut room = MissedRoom { messages, ..MissedRoom::default() };
    let first_quoted = events.len().saturating_sub(MOST_QUOTED);
    for (number, event) in events.iter().enumerate() {
        let sender = sender(store, event).await?;
        let body = event.pdu.content_as::<Content<'_>>().unwrap_or_default().body;
        let is_message = event.pdu.kind() == "m.room.message";
        if let Some(body) = body.filter(|_| may_quote && is_message && number >= first_quoted) {
            room.quotes.push((sender.clone(), short(&body)));
        }
        if !room.senders.contains(&sender) && room.senders.len() < MOST_NAMED {
            room.senders.push(sender);
        }
    }
    if let Some(last) = events.last() {
        let name = state(store, last, "m.room.name", "").await?;
        let name = name.and_then(|name| Some(name.pdu.content_as::<Content<'_>>().ok()?.name?.into_owned()));
        room.name = name.filter(|name| !name.is_empty()).map(|name| short(&name));
    }
    Ok(room)
}

/// What the sender of an event is called in its room.
async fn sender(store: &Store, event: &StoredEvent) -> Result<String, StorageError> {
    let sender = event.pdu.sender();
    let member = state(store, event, "m.room.member", sender.as_str()).await?;
    let name = member.and_then(|member| member.pdu.member_content()?.displayname.map(Cow::into_owned));
    let name = name.filter(|name| !name.trim().is_empty());
    Ok(short(&name.unwrap_or_else(|| sender.to_string())))
}

async fn state(
    store: &Store,
    event: &StoredEvent,
    kind: &str,
    key: &str,
) -> Result<Option<Arc<StoredEvent>>, StorageError> {
    let root = if event.room_root == StateRoot::EMPTY { event.state_root } else { event.room_root };
    store.state_event(event.room, root, kind, key).await
}

/// The beginning of a text, on one line.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST_QUOTE {
        return line;
    }
    let mut short: String = line.chars().take(LONGEST_QUOTE).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn long_texts_are_cut_and_stand_on_one_line() {
        assert_eq!(short(" one\n\ttwo "), "one two");
        assert_eq!(short(&"é".repeat(500)).chars().count(), 201);
    }
}
