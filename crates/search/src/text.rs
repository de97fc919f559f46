//! What of an event is sought: the body of a message, the name of a room, its topic.

use std::borrow::Cow;

use parvis_events::Pdu;
use serde::Deserialize;

/// Which text of an event is sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TextKind {
    /// `content.body` of a message.
    Body,
    /// `content.name` of a room.
    Name,
    /// `content.topic` of a room.
    Topic,
}

impl TextKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Body, Self::Name, Self::Topic];

    /// The key, as clients name it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Body => "content.body",
            Self::Name => "content.name",
            Self::Topic => "content.topic",
        }
    }

    /// The type of the events that have it.
    pub(crate) fn event_type(self) -> &'static str {
        match self {
            Self::Body => "m.room.message",
            Self::Name => "m.room.name",
            Self::Topic => "m.room.topic",
        }
    }

    /// Its bit in the index.
    pub(crate) fn bit(self) -> i64 {
        match self {
            Self::Body => 1,
            Self::Name => 2,
            Self::Topic => 4,
        }
    }

    /// The kind that events of this form have, whether or not one has a text.
    pub(crate) fn of(pdu: &Pdu) -> Option<Self> {
        match (pdu.kind(), pdu.state_key()) {
            ("m.room.message", None) => Some(Self::Body),
            ("m.room.name", Some("")) => Some(Self::Name),
            ("m.room.topic", Some("")) => Some(Self::Topic),
            _ => None,
        }
    }
}

/// The text of an event by itself.
pub(crate) fn text_of(pdu: &Pdu) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        body: Cow<'a, str>,
    }
    #[derive(Deserialize)]
    struct Name<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
    }
    #[derive(Deserialize)]
    struct Topic<'a> {
        #[serde(borrow)]
        topic: Cow<'a, str>,
    }
    match TextKind::of(pdu)? {
        TextKind::Body => pdu.content_as::<Message<'_>>().ok().map(|content| without_quote(content.body)),
        TextKind::Name => pdu.content_as::<Name<'_>>().ok().map(|content| content.name),
        TextKind::Topic => pdu.content_as::<Topic<'_>>().ok().map(|content| content.topic),
    }
}

/// The text that an edit gives to the message that it replaces.
pub(crate) fn new_text_of(edit: &Pdu) -> Option<String> {
    #[derive(Deserialize)]
    struct Edit {
        #[serde(rename = "m.new_content")]
        new_content: NewContent,
    }
    #[derive(Deserialize)]
    struct NewContent {
        #[serde(default)]
        body: String,
    }
    edit.content_as::<Edit>().ok().map(|content| content.new_content.body)
}

/// Whether an event says that it replaces another.
pub(crate) fn is_edit(pdu: &Pdu) -> bool {
    pdu.relates_to().and_then(|relation| relation.rel_type).is_some_and(|kind| kind == "m.replace")
}

/// What somebody said, without what older clients quote before a reply.
fn without_quote(body: Cow<'_, str>) -> Cow<'_, str> {
    if !body.starts_with("> <@") && !body.starts_with("> * <@") {
        return body;
    }
    let own: Vec<&str> = body.lines().skip_while(|line| line.starts_with('>')).collect();
    Cow::Owned(own.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quote_before_a_reply_is_nobodys_own_word() {
        let cases = [
            ("> <@a:x> old\n> lines\n\nnew\n> quoted by hand", "\nnew\n> quoted by hand"),
            ("> * <@a:x> waves\n\nhello", "\nhello"),
            ("> a proverb", "> a proverb"),
            ("plain", "plain"),
        ];
        for (body, own) in cases {
            assert_eq!(without_quote(Cow::Borrowed(body)), own);
        }
    }
}
