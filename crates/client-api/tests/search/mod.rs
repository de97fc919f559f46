//! `POST /_matrix/client/v3/search`.

mod exact;
mod paging;
mod shape;

use serde_json::{Value, json};

use crate::world::{Client, World};

/// Searches with these criteria beside the words.
pub(crate) async fn search(world: &World, seeker: &Client, term: &str, more: Value) -> Value {
    let found = search_from(world, seeker, term, more, None).await;
    found["search_categories"]["room_events"].clone()
}

/// As [`search`], from a batch on; the whole body.
pub(crate) async fn search_from(
    world: &World,
    seeker: &Client,
    term: &str,
    more: Value,
    next: Option<&str>,
) -> Value {
    let mut criteria = json!({ "search_term": term });
    for (key, value) in more.as_object().unwrap() {
        criteria[key] = value.clone();
    }
    let path = next.map_or("v3/search".to_owned(), |next| format!("v3/search?next_batch={next}"));
    world.post_as(seeker, &path, json!({ "search_categories": { "room_events": criteria } })).await.ok()
}

/// The bodies of the results, in order.
pub(crate) fn bodies(found: &Value) -> Vec<&str> {
    let results = found["results"].as_array().unwrap();
    results.iter().map(|found| found["result"]["content"]["body"].as_str().unwrap_or("?")).collect()
}

/// The bodies of what is found, newest first.
pub(crate) async fn found(world: &World, seeker: &Client, term: &str) -> Vec<String> {
    let found = search(world, seeker, term, json!({ "order_by": "recent" })).await;
    assert_eq!(found["count"], found["results"].as_array().unwrap().len());
    bodies(&found).into_iter().map(str::to_owned).collect()
}

/// Sends a message, and gives its id.
pub(crate) async fn say(world: &World, client: &Client, room: &str, body: &str) -> String {
    send(world, client, room, json!({ "msgtype": "m.text", "body": body })).await
}

/// Sends a message with any content.
pub(crate) async fn send(world: &World, client: &Client, room: &str, content: Value) -> String {
    world.clock.advance(std::time::Duration::from_millis(1));
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = format!("v3/rooms/{room}/send/m.room.message/t{number}");
    world.put_as(client, &path, content).await.text("event_id")
}

static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

/// Changes what a message says.
pub(crate) async fn edit(world: &World, client: &Client, room: &str, event: &str, body: &str) -> String {
    let content = json!({
        "msgtype": "m.text",
        "body": format!("* {body}"),
        "m.new_content": { "msgtype": "m.text", "body": body },
        "m.relates_to": { "rel_type": "m.replace", "event_id": event },
    });
    send(world, client, room, content).await
}

/// Takes a message back.
pub(crate) async fn redact(world: &World, client: &Client, room: &str, event: &str) {
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    world.put_as(client, &format!("v3/rooms/{room}/redact/{event}/r{number}"), json!({})).await.ok();
}

/// A room in which two people are.
pub(crate) async fn room_of_two(world: &World, first: &Client, second: &Client) -> String {
    let room = world.room(first).await;
    join(world, first, second, &room).await;
    room
}

/// Brings somebody into a room.
pub(crate) async fn join(world: &World, host: &Client, guest: &Client, room: &str) {
    let invite = json!({ "user_id": guest.user_id });
    world.post_as(host, &format!("v3/rooms/{room}/invite"), invite).await.ok();
    world.post_as(guest, &format!("v3/rooms/{room}/join"), json!({})).await.ok();
}
