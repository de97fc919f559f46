//! The organisation's encryption switch, through HTTP: level × class of room × client × action.

use parvis_testkit::{Engine, Server, User};
use serde_json::{Value, json};

const LEVELS: [&str; 4] = ["off", "client", "required", "forbidden"];
const CLASSES: [&str; 3] = ["direct", "private", "public"];
const STRIP_FOR: [&str; 2] = ["everyone", "clients_that_ignore_the_published_default"];

/// Clients by their `User-Agent`, and whether they ask for encryption of their own accord.
const CLIENTS: [(Option<&str>, bool); 3] = [
    (Some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"), false),
    (Some("Element X/26.08.1 (Google Pixel 6; Android 13; TQ2A; Sdk c344b155c)"), true),
    (None, true),
];

fn megolm() -> Value {
    json!({ "algorithm": "m.megolm.v1.aes-sha2" })
}

/// `level` for `class`, and something else for the other classes, which must not matter.
fn settings(class: &str, level: &str, strip_for: &str) -> String {
    let other = if level == "required" { "forbidden" } else { "required" };
    let of = |each: &str| if each == class { level } else { other };
    format!(
        "[encryption]\ndirect = {:?}\nprivate = {:?}\npublic = {:?}\nstrip_for = {strip_for:?}\n\
         [storage.sqlite]\nsynchronous = \"normal\"",
        of("direct"),
        of("private"),
        of("public"),
    )
}

/// What a client sends to create a room of this class.
fn room_of(class: &str, asks_for_encryption: bool) -> Value {
    let mut body = match class {
        "direct" => json!({ "preset": "trusted_private_chat", "is_direct": true }),
        "private" => json!({ "preset": "private_chat" }),
        _ => json!({ "preset": "public_chat" }),
    };
    // Both Elements ask for this.
    body["power_level_content_override"] = json!({ "events": { "m.room.encryption": 100 } });
    if asks_for_encryption {
        body["initial_state"] =
            json!([{ "type": "m.room.encryption", "state_key": "", "content": megolm() }]);
    }
    body
}

async fn encryption_of(user: &User, room: &str) -> Option<Value> {
    let answer = user.state(room, "m.room.encryption", "").await;
    if answer.status != 200 {
        answer.refused(404, "M_NOT_FOUND");
        return None;
    }
    Some(answer.json())
}

async fn set_encryption(user: &User, room: &str, content: Value) -> (u16, String) {
    let answer = user.put_state(room, "m.room.encryption", "", content).await;
    (answer.status, answer.errcode())
}

/// Whether a new room is encrypted.
fn expected_at_creation(level: &str, strip_for: &str, asked: bool, client_ignores_default: bool) -> bool {
    match level {
        "off" => asked && strip_for != "everyone" && !client_ignores_default,
        "client" => asked,
        "required" => true,
        _ => false,
    }
}

#[tokio::test]
async fn each_cell_of_the_table_holds() {
    let mut cells = 0;
    for (level, class) in LEVELS.iter().flat_map(|level| CLASSES.map(|class| (*level, class))) {
        for strip_for in STRIP_FOR {
            let server = Server::with(&Engine::Sqlite, &settings(class, level, strip_for)).await;
            let alice = server.user("alice").await;
            for (user_agent, ignores_default) in CLIENTS {
                let alice = alice.using(user_agent);
                for asked in [false, true] {
                    let cell = format!("{level} {class} {strip_for} {user_agent:?} asked: {asked}");
                    let expected = expected_at_creation(level, strip_for, asked, ignores_default);
                    let room = alice.create_room(room_of(class, asked)).await;
                    let found = encryption_of(&alice, &room).await;
                    assert_eq!(found.is_some(), expected, "{cell}: {found:?}");
                    check_power_level(&alice, &room, level, &cell).await;
                    check_setting_later(&alice, &room, level, expected, &cell).await;
                    cells += 1;
                }
            }
        }
    }
    assert_eq!(cells, 4 * 3 * 2 * 3 * 2);
}

/// Where encryption is forbidden, clients are kept from offering it, whatever the room's creator asked for.
async fn check_power_level(alice: &User, room: &str, level: &str, cell: &str) {
    let levels = alice.state(room, "m.room.power_levels", "").await.ok();
    let expected = if level == "forbidden" { 101 } else { 100 };
    assert_eq!(levels["events"]["m.room.encryption"], expected, "{cell}: {levels}");
}

async fn check_setting_later(alice: &User, room: &str, level: &str, encrypted: bool, cell: &str) {
    let allowed = (200, String::new());
    let forbidden = (403, "M_FORBIDDEN".to_owned());
    if level == "required" {
        // It can be changed, and not turned off.
        assert_eq!(set_encryption(alice, room, json!({})).await, forbidden, "{cell}");
    }
    let outcome = set_encryption(alice, room, megolm()).await;
    let expected = if level == "forbidden" { forbidden } else { allowed };
    assert_eq!(outcome, expected, "{cell} (encrypted: {encrypted})");
    let after = encryption_of(alice, room).await;
    assert_eq!(after, (level != "forbidden").then(megolm), "{cell}");
}

#[tokio::test]
async fn refusal_says_who_forbids_it() {
    let server = Server::with(&Engine::Sqlite, &settings("private", "forbidden", "everyone")).await;
    let alice = server.user("alice").await;
    let room = alice.create_room(room_of("private", true)).await;
    let answer = alice.put_state(&room, "m.room.encryption", "", megolm()).await;
    answer.refused(403, "M_FORBIDDEN");
    assert!(answer.json()["error"].as_str().unwrap().contains("organisation"), "{answer}");
}

#[tokio::test]
async fn rooms_that_exist_stay_as_they_are_when_the_policy_changes() {
    let everywhere =
        |level: &str| format!("[encryption]\ndirect = {level:?}\nprivate = {level:?}\npublic = {level:?}");
    let mut server = Server::with(&Engine::Sqlite, &everywhere("client")).await;
    let alice = server.user("alice").await;
    let mut rooms = Vec::new();
    for class in CLASSES {
        for encrypted in [false, true] {
            rooms.push((class, encrypted, alice.create_room(room_of(class, encrypted)).await));
        }
    }
    for level in LEVELS {
        server.restart_with(&everywhere(level)).await;
        for (class, encrypted, room) in &mut rooms {
            let cell = format!("{level} {class} encrypted: {encrypted}");
            assert_eq!(encryption_of(&alice, room).await.is_some(), *encrypted, "{cell}");
            // An upgrade takes along what was there, and nothing else.
            let body = json!({ "new_version": "12" });
            let upgraded = alice.post(&format!("v3/rooms/{room}/upgrade"), body).await.ok();
            let replacement = upgraded["replacement_room"].as_str().unwrap().to_owned();
            assert_ne!(*room, replacement);
            assert_eq!(encryption_of(&alice, &replacement).await, encrypted.then(megolm), "{cell}, upgraded");
            *room = replacement;
        }
    }
}

#[tokio::test]
async fn documents_publish_the_organisations_default() {
    let off = json!({ "default": false });
    let on = json!({ "default": true });
    let never = json!({ "default": false, "force_disable": true });
    // direct, private, public, what is published
    let table = [
        ("off", "off", "off", Some(&off)),
        ("forbidden", "forbidden", "forbidden", Some(&never)),
        ("forbidden", "forbidden", "off", Some(&off)),
        ("required", "off", "off", Some(&off)),
        ("off", "required", "off", Some(&off)),
        ("required", "required", "off", Some(&on)),
        ("required", "required", "required", Some(&on)),
        ("client", "required", "forbidden", Some(&on)),
        ("client", "client", "client", None),
        ("client", "client", "required", None),
    ];
    for (direct, private, public, published) in table {
        let settings =
            format!("[encryption]\ndirect = {direct:?}\nprivate = {private:?}\npublic = {public:?}");
        let server = Server::with(&Engine::Sqlite, &settings).await;
        let stranger = server.stranger();
        let document = stranger.get("/.well-known/matrix/client").await;
        assert_eq!(document.header("access-control-allow-origin"), "*");
        let document = document.ok();
        for name in ["io.element.e2ee", "im.vector.riot.e2ee"] {
            assert_eq!(document.get(name), published, "{settings}");
        }
        let flags = stranger.get("versions").await.ok()["unstable_features"].clone();
        for (name, level) in [("public", public), ("private", private), ("trusted_private", direct)] {
            let flag = flags.get(format!("io.element.e2ee_forced.{name}")).cloned().unwrap_or(json!(false));
            assert_eq!(flag, level == "required", "{settings} {name}");
        }
    }
}
