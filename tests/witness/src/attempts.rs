//! What people try to do in a room, allowed or not.

use parvis_events::{Pdu, RoomVersion};
use serde_json::{Map, Value, json};

use crate::{dice::Dice, room::Branch};

/// Everybody. The first made the room.
pub(crate) const USERS: [&str; 6] =
    ["@alice:a.test", "@bob:a.test", "@cara:b.test", "@dave:b.test", "@erin:c.test", "@fred:c.test"];

const LEVELS: [i64; 6] = [0, 10, 25, 50, 75, 100];
/// How far apart, in milliseconds, the clocks of different servers and the order of things may be.
const TIME_SPREAD_MS: u64 = 40;

/// Something that somebody tries: a state event.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) sender: String,
    pub(crate) kind: String,
    pub(crate) state_key: String,
    pub(crate) content: Value,
    pub(crate) time: i64,
}

impl Attempt {
    /// Something that happens at a certain time.
    pub(crate) fn new(sender: &str, kind: &str, state_key: &str, content: Value, time: i64) -> Self {
        let (sender, kind, state_key) = (sender.to_owned(), kind.to_owned(), state_key.to_owned());
        Self { sender, kind, state_key, content, time }
    }

    /// Whatever the dice say, at the end of this branch.
    pub(crate) fn any(branch: &Branch, version: RoomVersion, dice: &Dice) -> Self {
        let sender = *dice.of(&USERS);
        let (kind, state_key, content) = match dice.below(100) {
            0..25 => own_membership(sender, version, dice),
            25..50 => membership_of_another(dice),
            50..72 => ("m.room.power_levels", String::new(), power_levels(branch, version, dice)),
            72..80 => ("m.room.join_rules", String::new(), join_rules(version, dice)),
            80..94 => setting(dice),
            _ => ("test.personal", (*dice.of(&USERS)).to_owned(), json!({ "n": dice.below(1000) })),
        };
        let time = branch.depth * 5 + i64::try_from(dice.below(TIME_SPREAD_MS)).unwrap();
        Self::new(sender, kind, &state_key, content, time)
    }
}

fn own_membership(sender: &str, version: RoomVersion, dice: &Dice) -> (&'static str, String, Value) {
    let to = *dice.of(&["join", "join", "join", "leave", "knock"]);
    let mut content = json!({ "membership": to, "displayname": dice.below(1000).to_string() });
    if to == "join" && version.restricted() && dice.percent(30) {
        content["join_authorised_via_users_server"] = json!(dice.of(&USERS));
    }
    ("m.room.member", sender.to_owned(), content)
}

fn membership_of_another(dice: &Dice) -> (&'static str, String, Value) {
    let to = *dice.of(&["ban", "ban", "leave", "leave", "invite", "invite"]);
    let content = json!({ "membership": to, "reason": dice.below(1000).to_string() });
    ("m.room.member", (*dice.of(&USERS)).to_owned(), content)
}

/// The levels as they are, with a change or three.
fn power_levels(branch: &Branch, version: RoomVersion, dice: &Dice) -> Value {
    let content = branch.get("m.room.power_levels", "").and_then(|pdu: &Pdu| pdu.content_as::<Value>().ok());
    let mut content = content.unwrap_or_else(|| json!({}));
    for _ in 0..=dice.below(3) {
        let level = level(version, dice);
        let object = content.as_object_mut().unwrap();
        match dice.below(10) {
            0..5 => entry(object, "users", USERS[dice.index(USERS.len())], level),
            5..7 => {
                let kind = *dice.of(&["m.room.topic", "m.room.power_levels", "m.room.join_rules", "test.x"]);
                entry(object, "events", kind, level);
            }
            7 => entry(object, "notifications", "room", level),
            8 => {
                object.remove(*dice.of(&["ban", "kick", "users_default", "state_default"]));
            }
            _ => {
                let name = *dice.of(&["ban", "kick", "invite", "users_default", "state_default"]);
                object.insert(name.to_owned(), level);
            }
        }
    }
    content
}

fn entry(object: &mut Map<String, Value>, map: &str, key: &str, level: Value) {
    if let Some(map) = object.entry(map).or_insert_with(|| json!({})).as_object_mut() {
        map.insert(key.to_owned(), level);
    }
}

fn level(version: RoomVersion, dice: &Dice) -> Value {
    let level = *dice.of(&LEVELS);
    if !version.integer_power_levels() && dice.percent(10) { json!(level.to_string()) } else { json!(level) }
}

fn join_rules(version: RoomVersion, dice: &Dice) -> Value {
    let rule = *dice.of(&["public", "public", "invite", "knock", "restricted", "knock_restricted"]);
    let known = match rule {
        "knock" => version.knocking(),
        "restricted" => version.restricted(),
        "knock_restricted" => version.knock_restricted(),
        _ => true,
    };
    json!({ "join_rule": if known { rule } else { "public" }, "n": dice.below(1000) })
}

fn setting(dice: &Dice) -> (&'static str, String, Value) {
    let kind = *dice.of(&["m.room.topic", "m.room.name", "m.room.server_acl", "test.x", "test.y"]);
    (kind, String::new(), json!({ "n": dice.below(1000) }))
}
