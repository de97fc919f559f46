//! What a push gateway is told, as JSON
//! (<https://spec.matrix.org/v1.19/push-gateway-api/#post_matrixpushv1notify>).

use std::borrow::Cow;

use bytes::Bytes;
use parvis_storage::{StateRoot, StorageError, Store, StoredEvent, StoredPusher};
use ruma::{EventId, RoomId, UserId, push::Action};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

/// The largest content of an event that goes along, in bytes: what Apple and Google carry.
const LARGEST_CONTENT: usize = 4_096;

/// What a pusher says of itself, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(super) struct Target {
    data: Data,
}

#[derive(Debug, Deserialize)]
struct Data {
    url: String,
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl Target {
    /// Where a pusher is told; nowhere, if it says nothing of that.
    pub(super) fn of(pusher: &StoredPusher) -> Option<Self> {
        serde_json::from_str(&pusher.pusher).ok()
    }

    pub(super) fn url(&self) -> &str {
        &self.data.url
    }

    fn wants_ids_only(&self) -> bool {
        self.data.more.get("format").is_some_and(|format| format == "event_id_only")
    }
}

#[derive(Serialize)]
struct Notification<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a EventId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_id: Option<&'a RoomId>,
    #[serde(flatten)]
    words: Option<Words<'a>>,
    prio: &'static str,
    counts: Counts,
    devices: [Device<'a>; 1],
}

/// The specification would have a count left out that is zero. Then gateways leave the icon as it is: they are told.
#[derive(Serialize)]
struct Counts {
    unread: u64,
}

#[derive(Serialize)]
struct Device<'a> {
    app_id: &'a str,
    pushkey: &'a str,
    /// In seconds.
    pushkey_ts: i64,
    data: &'a Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    tweaks: Map<String, Value>,
}

/// What a gateway is told beside ids.
#[derive(Serialize)]
pub(super) struct Words<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    sender: &'a UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender_display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_alias: Option<String>,
    user_is_target: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a RawValue>,
}

impl<'a> Words<'a> {
    /// What is said of an event to a gateway that wants words; none to one that wants ids.
    pub(super) async fn of(
        store: &Store,
        target: &Target,
        only_ids: bool,
        user_id: &UserId,
        event: &'a StoredEvent,
    ) -> Result<Option<Self>, StorageError> {
        if only_ids || target.wants_ids_only() {
            return Ok(None);
        }
        #[derive(Default, Deserialize)]
        struct Content<'a> {
            #[serde(borrow, default)]
            name: Option<Cow<'a, str>>,
            #[serde(borrow, default)]
            alias: Option<Cow<'a, str>>,
        }
        let pdu = &event.pdu;
        let root = if event.room_root == StateRoot::EMPTY { event.state_root } else { event.room_root };
        let state = async |kind: &str, key: &str| store.state_event(event.room, root, kind, key).await;
        let named = |event: &StoredEvent| {
            let content = event.pdu.content_as::<Content<'_>>().unwrap_or_default();
            let text = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned).filter(|text| !text.is_empty());
            (text(content.name), text(content.alias))
        };
        let sender = state("m.room.member", pdu.sender().as_str()).await?;
        let name = state("m.room.name", "").await?;
        let alias = state("m.room.canonical_alias", "").await?;
        Ok(Some(Self {
            kind: pdu.kind(),
            sender: pdu.sender(),
            sender_display_name: sender
                .and_then(|member| member.pdu.member_content()?.displayname.map(Cow::into_owned)),
            room_name: name.and_then(|name| named(&name).0),
            room_alias: alias.and_then(|alias| named(&alias).1),
            user_is_target: pdu.is_state_of("m.room.member", user_id.as_str()),
            content: Some(pdu.content()).filter(|content| content.get().len() <= LARGEST_CONTENT),
        }))
    }
}

/// What a gateway is told of an event.
pub(super) fn of_event(
    pusher: &StoredPusher,
    target: &Target,
    event: &StoredEvent,
    words: Option<Words<'_>>,
    actions: &[Action],
    unread: u64,
) -> Bytes {
    let tweaks = tweaks(actions);
    let is_urgent = event.pdu.kind() == "m.room.encrypted"
        || tweaks.contains_key("sound")
        || tweaks.get("highlight").is_some_and(|highlight| *highlight == Value::Bool(true));
    let tweaks = if words.is_some() { tweaks } else { Map::new() };
    written(&Notification {
        event_id: Some(event.pdu.event_id()),
        room_id: Some(event.pdu.room_id()),
        words,
        prio: if is_urgent { "high" } else { "low" },
        counts: Counts { unread },
        devices: [device(pusher, target, tweaks)],
    })
}

/// What a gateway is told of the number on the icon alone.
pub(super) fn of_badge(pusher: &StoredPusher, target: &Target, unread: u64) -> Bytes {
    written(&Notification {
        event_id: None,
        room_id: None,
        words: None,
        prio: "low",
        counts: Counts { unread },
        devices: [device(pusher, target, Map::new())],
    })
}

fn device<'a>(pusher: &'a StoredPusher, target: &'a Target, tweaks: Map<String, Value>) -> Device<'a> {
    Device {
        app_id: &pusher.key.app_id,
        pushkey: &pusher.key.pushkey,
        pushkey_ts: pusher.created_ts / 1_000,
        data: &target.data.more,
        tweaks,
    }
}

/// How the event is to be presented, by the rule that matched.
fn tweaks(actions: &[Action]) -> Map<String, Value> {
    let mut tweaks = Map::new();
    for action in actions {
        let Ok(Value::Object(mut tweak)) = serde_json::to_value(action) else { continue };
        if let Some(Value::String(name)) = tweak.remove("set_tweak") {
            tweaks.insert(name, tweak.remove("value").unwrap_or(Value::Bool(true)));
        }
    }
    tweaks
}

fn written(notification: &Notification<'_>) -> Bytes {
    #[derive(Serialize)]
    struct Body<'a> {
        notification: &'a Notification<'a>,
    }
    // Maps with text for keys, written into memory: it cannot fail.
    serde_json::to_vec(&Body { notification }).unwrap_or_default().into()
}
