//! What happens in a room: people act, on branches that do not know of each other, and the branches meet, two or
//! more at a time, also those that have met others before.

use parvis_events::RoomVersion;
use serde_json::{Value, json};

use crate::{
    attempts::{Attempt, USERS},
    dice::Dice,
    room::{Branch, Resolving, Room},
};

/// How many times somebody acts, or branches part or meet, in one room.
const STEPS: u64 = 90;
/// How many branches there are at most.
const BRANCHES: usize = 5;

/// A room's lines, as they are printed.
pub(crate) fn tell(version: RoomVersion, resolving: Resolving, dice: &Dice) -> Vec<Value> {
    let mut room = Room::new(version, resolving);
    let mut branches = vec![opening(&mut room, dice)];
    for _ in 0..STEPS {
        match dice.below(100) {
            0..8 if branches.len() < BRANCHES => {
                let parting = branches[dice.index(branches.len())].clone();
                branches.push(parting);
            }
            8..15 if branches.len() > 1 => meet(&mut room, &mut branches, dice),
            _ => {
                let branch = dice.index(branches.len());
                let attempt = Attempt::any(&branches[branch], version, dice);
                room.attempt(&mut branches[branch], &attempt, dice);
            }
        }
    }
    if branches.len() > 1 {
        room.merge(&branches);
    }
    room.lines
}

/// The first events of a room.
fn opening(room: &mut Room, dice: &Dice) -> Branch {
    let version = room.version;
    let mut branch = Branch::default();
    let mut put = |sender: &str, kind: &str, key: &str, content: Value| {
        let attempt = Attempt::new(sender, kind, key, content, branch.depth);
        assert!(room.attempt(&mut branch, &attempt, &Dice::new(0)), "{attempt:?}");
    };
    let alice = USERS[0];
    let mut create = json!({ "room_version": version.as_str() });
    if !version.creator_is_sender() {
        create["creator"] = json!(alice);
    }
    let two_creators = version.additional_creators() && dice.percent(40);
    if two_creators {
        create["additional_creators"] = json!([USERS[1]]);
    }
    put(alice, "m.room.create", "", create);
    put(alice, "m.room.member", alice, json!({ "membership": "join" }));
    let mut users = json!({});
    if !version.creators_have_infinite_power() {
        users[alice] = json!(100);
    }
    if !two_creators {
        users[USERS[1]] = json!(*dice.of(&[50, 100]));
    }
    users[USERS[2]] = json!(*dice.of(&[50, 75, 100]));
    let levels = json!({ "users": users, "events": { "m.room.topic": *dice.of(&[0, 50]) } });
    put(alice, "m.room.power_levels", "", levels);
    put(alice, "m.room.join_rules", "", json!({ "join_rule": "public" }));
    for user in &USERS[1..5] {
        put(user, "m.room.member", user, json!({ "membership": "join" }));
    }
    branch
}

/// Two or more branches meet. Some of them go on without knowing of it.
fn meet(room: &mut Room, branches: &mut Vec<Branch>, dice: &Dice) {
    let count = 2 + dice.index(branches.len() - 1);
    let mut meeting = Vec::new();
    for _ in 0..count {
        let branch = dice.index(branches.len());
        let keeps = dice.percent(25);
        meeting.push(if keeps { branches[branch].clone() } else { branches.swap_remove(branch) });
        if branches.is_empty() {
            break;
        }
    }
    let merged = room.merge(&meeting);
    branches.push(merged);
}
