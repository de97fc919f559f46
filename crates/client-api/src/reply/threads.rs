//! Which threads a user follows, as clients are told of it.

use std::collections::BTreeMap;

use parvis_sync::{FollowedThread, Subscription};
use ruma::{OwnedEventId, OwnedRoomId};
use serde_json::{Map, Value, json};

/// Changes as clients are told of them: which threads are followed, and which are no longer, by room.
pub(crate) fn thread_changes(threads: &[FollowedThread]) -> Map<String, Value> {
    type ByRoom<'a> = BTreeMap<&'a OwnedRoomId, BTreeMap<&'a OwnedEventId, Value>>;
    let (mut subscribed, mut unsubscribed) = (ByRoom::new(), ByRoom::new());
    for thread in threads {
        let stamp = thread.position.0;
        let (rooms, told) = match thread.subscription {
            Subscription::Ended => (&mut unsubscribed, json!({ "bump_stamp": stamp })),
            other => {
                let automatic = other == Subscription::Automatic;
                (&mut subscribed, json!({ "automatic": automatic, "bump_stamp": stamp }))
            }
        };
        rooms.entry(&thread.room_id).or_default().insert(&thread.root, told);
    }
    let named = [("subscribed", subscribed), ("unsubscribed", unsubscribed)];
    let named = named.into_iter().filter(|(_, rooms)| !rooms.is_empty());
    named.map(|(name, rooms)| (name.to_owned(), json!(rooms))).collect()
}
