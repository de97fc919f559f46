//! Writing messages into rooms that exist, with no homeserver around them.

use parvis_ambient::{Ambient, Timestamp};
use parvis_events::{EventDraft, RoomVersion, ServerKey};
use parvis_storage::{EventFlags, EventSn, NewEvent, RoomHead, Store, StoreSettings, UserSn, WriteSet};
use ruma::{OwnedUserId, RoomId};
use serde_json::{json, value::RawValue};

use crate::corpus::Corpus;

/// How many messages are written at once.
const AT_ONCE: usize = 1_000;

/// Fills rooms with messages of a corpus, one after the other, and has the search begin anew.
pub(crate) async fn fill(
    settings: &StoreSettings,
    rooms: &[String],
    sender: &str,
    corpus: &mut Corpus,
    messages: usize,
) {
    let store = Store::open(settings).await.unwrap();
    let sender_id = OwnedUserId::try_from(sender).unwrap();
    let sender = store.find_user(&sender_id).await.unwrap().unwrap();
    let (key_id, secret) = store.server_key().await.unwrap().unwrap();
    let key = ServerKey::from_bytes(&secret, key_id.strip_prefix("ed25519:").unwrap()).unwrap();
    let mut ts = Ambient::system().now();
    let mut written = 0;
    while written < messages {
        let room = &rooms[(written / AT_ONCE) % rooms.len()];
        let room = store.room_sn(&RoomId::parse(room).unwrap()).await.unwrap().unwrap();
        let mut head = store.room_head(room).await.unwrap().unwrap().as_ref().clone();
        let expected = head.head_version;
        let mut set = WriteSet::new();
        for _ in 0..AT_ONCE.min(messages - written) {
            let message = corpus.message();
            ts = Timestamp(ts.millis() + 1);
            let draft = draft(&head, &sender_id, &message.text, ts);
            let event = event(&store, &head, sender, draft, &key).await;
            corpus.sent(&message, event.pdu.event_id().as_str());
            head.heads = vec![event.sn];
            head.depth += 1;
            set.add_event(event);
            written += 1;
        }
        head.head_version += 1;
        set.move_room(Some(expected), head);
        store.commit(set).await.unwrap();
    }
    let mut set = WriteSet::new();
    set.put_search_format(0);
    store.commit(set).await.unwrap();
    store.close().await;
}

fn draft(head: &RoomHead, sender: &OwnedUserId, text: &str, ts: Timestamp) -> EventDraft {
    EventDraft {
        room_id: Some(head.room_id.clone()),
        sender: sender.clone(),
        kind: "m.room.message".to_owned(),
        state_key: None,
        content: RawValue::from_string(json!({ "msgtype": "m.text", "body": text }).to_string()).unwrap(),
        redacts: None,
        prev_events: Vec::new(),
        auth_events: Vec::new(),
        depth: head.depth + 1,
        origin_server_ts: ts.millis(),
    }
}

async fn event(
    store: &Store,
    head: &RoomHead,
    sender: UserSn,
    draft: EventDraft,
    key: &ServerKey,
) -> NewEvent {
    NewEvent {
        sn: EventSn(store.next_number().await.unwrap()),
        room: head.room,
        kind: store.intern_type("m.room.message").await.unwrap(),
        sender,
        member: None,
        slot: None,
        state_index: None,
        flags: EventFlags::ACCEPTED,
        state_root: head.state_root,
        room_root: head.state_root,
        prev: head.heads.clone(),
        auth: Vec::new(),
        transaction: None,
        pdu: draft.sign(RoomVersion::V12, key).unwrap(),
    }
}
