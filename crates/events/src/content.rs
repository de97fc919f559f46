//! Cheap looks into an event's content, for the few fields that many readers ask for.
//!
//! Content is what a sender wrote: a field of the wrong type counts as absent, and never hides its
//! neighbours.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::Pdu;

/// A user's relation to a room: `content.membership` of `m.room.member`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Membership {
    /// The user may come in.
    Invite,
    /// The user is in.
    Join,
    /// The user asked to come in.
    Knock,
    /// The user is out; also everybody who was never in.
    Leave,
    /// The user is out and may not come in.
    Ban,
}

impl Membership {
    /// The name in the protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Join => "join",
            Self::Knock => "knock",
            Self::Leave => "leave",
            Self::Ban => "ban",
        }
    }
}

impl fmt::Display for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Fails, with nothing to add, for a name that is no membership.
impl FromStr for Membership {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name {
            "invite" => Self::Invite,
            "join" => Self::Join,
            "knock" => Self::Knock,
            "leave" => Self::Leave,
            "ban" => Self::Ban,
            _ => return Err(()),
        })
    }
}

/// What an `m.room.member` event says.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct MemberContent<'a> {
    /// `membership`, where it is one that the specification knows.
    #[serde(default, deserialize_with = "membership")]
    pub membership: Option<Membership>,
    /// The user's name in this room.
    #[serde(default, borrow, deserialize_with = "string")]
    pub displayname: Option<Cow<'a, str>>,
    /// The user's picture in this room, an `mxc:` address.
    #[serde(default, borrow, deserialize_with = "string")]
    pub avatar_url: Option<Cow<'a, str>>,
    /// The reason that the sender gave.
    #[serde(default, borrow, deserialize_with = "string")]
    pub reason: Option<Cow<'a, str>>,
    /// Whether an invitation is to a direct chat.
    #[serde(default, deserialize_with = "boolean")]
    pub is_direct: bool,
    /// The resident user by whose right a restricted room was joined.
    #[serde(default, borrow, deserialize_with = "string")]
    pub join_authorised_via_users_server: Option<Cow<'a, str>>,
}

/// What `m.relates_to` says. <https://spec.matrix.org/v1.19/client-server-api/#forming-relationships-between-events>
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct RelatesTo<'a> {
    /// The kind of relation, such as `m.thread`, `m.replace`, `m.annotation` or `m.reference`.
    #[serde(default, borrow, deserialize_with = "string")]
    pub rel_type: Option<Cow<'a, str>>,
    /// The event that is related to.
    #[serde(default, borrow, deserialize_with = "string")]
    pub event_id: Option<Cow<'a, str>>,
    /// The key of an annotation: the emoji of a reaction.
    #[serde(default, borrow, deserialize_with = "string")]
    pub key: Option<Cow<'a, str>>,
    /// Whether the reply within a thread is only there for clients that know no threads.
    #[serde(default, deserialize_with = "boolean")]
    pub is_falling_back: bool,
    /// The event that is replied to.
    #[serde(default, borrow, rename = "m.in_reply_to", deserialize_with = "in_reply_to")]
    pub in_reply_to: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Relating<'a> {
    #[serde(borrow, rename = "m.relates_to")]
    relates_to: &'a RawValue,
}

#[derive(Deserialize)]
struct Relationship<'a> {
    #[serde(borrow, rename = "m.relationship")]
    relationship: &'a RawValue,
}

impl Pdu {
    /// What the event relates to, if it says so. Costs a search of the content's text where it does not.
    pub fn relates_to(&self) -> Option<RelatesTo<'_>> {
        // The text is canonical, in which no letter is ever escaped: a plain search finds every such key.
        if !self.content_json().contains("\"m.relates_to\"") {
            return None;
        }
        let Relating { relates_to } = self.content_as().ok()?;
        serde_json::from_str(relates_to.get()).ok()
    }

    /// What the event replies to in the way of an old proposal
    /// (<https://github.com/matrix-org/matrix-spec-proposals/pull/2836>), if it says so.
    pub fn relationship(&self) -> Option<RelatesTo<'_>> {
        if !self.content_json().contains("\"m.relationship\"") {
            return None;
        }
        let Relationship { relationship } = self.content_as().ok()?;
        serde_json::from_str(relationship.get()).ok()
    }

    /// What a membership event says; nothing for any other event.
    pub fn member_content(&self) -> Option<MemberContent<'_>> {
        (self.kind() == "m.room.member" && self.is_state()).then(|| self.content_as().unwrap_or_default())
    }

    /// The membership that a membership event gives.
    pub fn membership(&self) -> Option<Membership> {
        #[derive(Deserialize)]
        struct OnlyMembership {
            #[serde(default, deserialize_with = "membership")]
            membership: Option<Membership>,
        }
        if self.kind() != "m.room.member" || !self.is_state() {
            return None;
        }
        self.content_as::<OnlyMembership>().ok()?.membership
    }
}

fn string<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'a, str>>, D::Error> {
    Ok(read_string(<&RawValue>::deserialize(deserializer)?))
}

fn read_string(raw: &RawValue) -> Option<Cow<'_, str>> {
    let text = raw.get();
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(text).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

fn boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(<&RawValue>::deserialize(deserializer)?.get() == "true")
}

fn membership<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Membership>, D::Error> {
    Ok(string(deserializer)?.and_then(|name| name.parse().ok()))
}

fn in_reply_to<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'a, str>>, D::Error> {
    #[derive(Deserialize)]
    struct InReplyTo<'a> {
        #[serde(default, borrow, deserialize_with = "string")]
        event_id: Option<Cow<'a, str>>,
    }
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str::<InReplyTo<'a>>(raw.get()).ok().and_then(|reply| reply.event_id))
}
