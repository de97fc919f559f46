//! The organisation's encryption switch, through HTTP: level × class of room × who × client × action.

use parvis_testkit::{Engine, Network, User};
use serde_json::{Value, json};

use crate::on_each_engine;

const LEVELS: [&str; 5] = ["off", "client", "on", "required", "forbidden"];
const CLASSES: [&str; 6] =
    ["direct", "direct_with_partner", "private", "private_with_outsiders", "public", "space"];

/// Clients by their `User-Agent`, and whether they ask for encryption of their own accord.
const CLIENTS: [(Option<&str>, bool); 3] = [
    (Some("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"), false),
    (Some("Element X/26.08.1 (Google Pixel 6; Android 13; TQ2A; Sdk c344b155c)"), true),
    (None, true),
];

fn megolm() -> Value {
    json!({ "algorithm": "m.megolm.v1.aes-sha2" })
}

/// An organisation at `a.test` with an administrator, and a partner at `b.test`.
struct World {
    network: Network,
    admin: User,
    partner: User,
}

impl World {
    async fn start(engine: &Engine) -> Self {
        let settings = "[storage.sqlite]\nsynchronous = \"normal\"";
        let network = Network::with(engine, &["a.test", "b.test"], settings).await;
        let (admin, partner) =
            (network.administrator("admin", "a.test").await, network.user("partner", "b.test").await);
        Self { network, admin, partner }
    }

    async fn set(&self, key: &str, value: Value) {
        let path = format!("/_parvis/admin/v1/policy/encryption.{key}");
        self.admin.put(&path, json!({ "value": value })).await.ok();
    }

    /// `level` for `class`, and something else for the other classes, which must not matter.
    async fn set_level(&self, class: &str, level: &str) {
        let other = if level == "required" { "forbidden" } else { "required" };
        for each in CLASSES {
            self.set(each, json!(if each == class { level } else { other })).await;
        }
    }

    /// What a client sends to create a room of this class, with these people of the organisation in it.
    fn room_of(&self, class: &str, asks_for_encryption: bool, people: &[&User]) -> Value {
        let mut invited: Vec<&str> = people.iter().map(|user| user.id.as_str()).collect();
        let mut body = match class {
            "direct" | "direct_with_partner" => json!({ "preset": "private_chat", "is_direct": true }),
            "private" | "private_with_outsiders" => json!({ "preset": "private_chat" }),
            "space" => json!({ "preset": "private_chat", "creation_content": { "type": "m.space" } }),
            _ => json!({ "preset": "public_chat" }),
        };
        if class.ends_with("partner") || class.ends_with("outsiders") {
            invited.push(&self.partner.id);
        }
        body["invite"] = json!(invited);
        // Both Elements ask for this.
        body["power_level_content_override"] = json!({ "events": { "m.room.encryption": 100 } });
        if asks_for_encryption {
            body["initial_state"] =
                json!([{ "type": "m.room.encryption", "state_key": "", "content": megolm() }]);
        }
        body
    }
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

fn allowed() -> (u16, String) {
    (200, String::new())
}

fn forbidden() -> (u16, String) {
    (403, "M_FORBIDDEN".to_owned())
}

/// Whether a new room is encrypted. Clients that follow the published default are told `default`.
fn expected_at_creation(
    level: &str,
    strip_for: &str,
    asked: bool,
    ignores_default: bool,
    default: Option<bool>,
) -> bool {
    match level {
        "off" => asked && strip_for != "everyone" && !ignores_default,
        "client" => asked,
        "on" => asked || ignores_default || default != Some(true),
        "required" => true,
        _ => false,
    }
}

#[tokio::test]
async fn each_cell_of_the_table_of_new_rooms_holds() {
    let world = World::start(&Engine::Sqlite).await;
    let alice = world.network.user("alice", "a.test").await;
    let mut cells = 0;
    for (level, class) in LEVELS.iter().flat_map(|level| CLASSES.map(|class| (*level, class))) {
        world.set_level(class, level).await;
        let document = alice.get("/.well-known/matrix/client").await.ok();
        let default = document["io.element.e2ee"]["default"].as_bool();
        for strip_for in ["everyone", "clients_that_ignore_the_published_default"] {
            world.set("strip_for", json!(strip_for)).await;
            for (user_agent, ignores_default) in CLIENTS {
                let alice = alice.using(user_agent);
                for asked in [false, true] {
                    let cell = format!("{level} {class} {strip_for} {user_agent:?} asked: {asked}");
                    let expected = expected_at_creation(level, strip_for, asked, ignores_default, default);
                    let room = alice.create_room(world.room_of(class, asked, &[])).await;
                    let found = encryption_of(&alice, &room).await;
                    assert_eq!(found.is_some(), expected, "{cell}: {found:?}");
                    check_power_level(&alice, &room, level, &cell).await;
                    check_setting_later(&alice, &room, level, expected, &cell).await;
                    cells += 1;
                }
            }
        }
    }
    assert_eq!(cells, 5 * 6 * 2 * 3 * 2);
}

/// Where encryption is forbidden, clients are kept from offering it, whatever the room's creator asked for.
async fn check_power_level(alice: &User, room: &str, level: &str, cell: &str) {
    let levels = alice.state(room, "m.room.power_levels", "").await.ok();
    let expected = if level == "forbidden" { 101 } else { 100 };
    assert_eq!(levels["events"]["m.room.encryption"], expected, "{cell}: {levels}");
}

async fn check_setting_later(alice: &User, room: &str, level: &str, encrypted: bool, cell: &str) {
    if encrypted {
        assert_eq!(set_encryption(alice, room, json!({})).await, forbidden(), "{cell}: turned off");
    }
    let outcome = set_encryption(alice, room, megolm()).await;
    let expected = if level == "forbidden" { forbidden() } else { allowed() };
    assert_eq!(outcome, expected, "{cell} (encrypted: {encrypted})");
    let after = encryption_of(alice, room).await;
    assert_eq!(after, (level != "forbidden").then(megolm), "{cell}");
}

const WHO: [&str; 4] = ["anyone_with_power", "moderators", "lawyers", "nobody"];
const ACTORS: [&str; 4] = ["member", "moderator", "lawyer", "excepted"];

/// Whether an actor with the power in the room may turn encryption on.
fn expected_to_turn_on(level: &str, who: &str, actor: &str) -> bool {
    match (level, who) {
        _ if actor == "excepted" => true,
        ("forbidden", _) => false,
        ("off", "moderators") => actor == "moderator",
        ("off", "lawyers") => actor == "lawyer",
        ("off", "nobody") => false,
        _ => true,
    }
}

#[tokio::test]
async fn each_cell_of_the_table_of_who_turns_encryption_on_holds() {
    let world = World::start(&Engine::Sqlite).await;
    let maker = world.network.user("maker", "a.test").await;
    let mut actors = Vec::new();
    for name in ACTORS {
        actors.push(world.network.user(name, "a.test").await);
    }
    world.set("roles", json!([{ "name": "lawyers", "users": [actors[2].id] }])).await;
    let mut cells = 0;
    for (level, class) in LEVELS.iter().flat_map(|level| CLASSES.map(|class| (*level, class))) {
        // Where the level is not `off`, it does not matter who may.
        for who in WHO.into_iter().filter(|who| level == "off" || *who == "nobody") {
            let value = if who == "lawyers" { json!(["lawyers"]) } else { json!(who) };
            world.set("who_may_turn_on", value).await;
            let mut room = None;
            for (name, actor) in ACTORS.iter().zip(&actors) {
                let cell = format!("{level} {class} {who} {name}");
                if room.is_none() {
                    room = Some(plain_room(&world, class, &maker, &actors).await);
                    world.set_level(class, level).await;
                    world.set("exceptions", json!([{ "user": actors[3].id, "level": "client" }])).await;
                }
                let plain = room.clone().unwrap();
                let expected = expected_to_turn_on(level, who, name);
                let outcome = set_encryption(actor, &plain, megolm()).await;
                assert_eq!(outcome, if expected { allowed() } else { forbidden() }, "{cell}");
                assert_eq!(encryption_of(actor, &plain).await.is_some(), expected, "{cell}");
                if expected {
                    room = None;
                }
                cells += 1;
            }
        }
    }
    assert_eq!(cells, 6 * 4 * (4 + 4));
}

/// A plain room in which everybody has the power to turn encryption on, and one moderates.
async fn plain_room(world: &World, class: &str, maker: &User, actors: &[User]) -> String {
    world.set_level(class, "client").await;
    let mut body = world.room_of(class, false, &actors.iter().collect::<Vec<_>>());
    body["power_level_content_override"] =
        json!({ "users": { &actors[1].id: 50 }, "events": { "m.room.encryption": 0 } });
    let room = maker.create_room(body).await;
    for actor in actors {
        actor.join(&room).await;
    }
    room
}

#[tokio::test]
async fn refusal_carries_the_rule_and_the_setting() {
    let world = World::start(&Engine::Sqlite).await;
    let alice = world.network.user("alice", "a.test").await;
    world.set("private", json!("forbidden")).await;
    let room = alice.create_room(world.room_of("private", true, &[])).await;
    let answer = alice.put_state(&room, "m.room.encryption", "", megolm()).await;
    answer.refused(403, "M_FORBIDDEN");
    let rule = "This organisation does not allow encryption in rooms of this kind.";
    assert_eq!(answer.json()["error"], rule);
    let policy = json!({ "rule": rule, "setting": "encryption.private", "value": "\"forbidden\"" });
    assert_eq!(answer.json()["org.parvis.policy"], policy);
}

#[tokio::test]
async fn rooms_that_exist_stay_as_they_are_when_the_policy_changes() {
    let world = World::start(&Engine::Sqlite).await;
    let alice = world.network.user("alice", "a.test").await;
    let mut rooms = Vec::new();
    for class in CLASSES {
        world.set(class, json!("client")).await;
        for encrypted in [false, true] {
            let room = alice.create_room(world.room_of(class, encrypted, &[])).await;
            rooms.push((class, encrypted, room));
        }
    }
    for level in LEVELS {
        for class in CLASSES {
            world.set(class, json!(level)).await;
        }
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
async fn documents_follow_the_policy_at_once() {
    let world = World::start(&Engine::Sqlite).await;
    let off = json!({ "default": false });
    let on = json!({ "default": true });
    let never = json!({ "default": false, "force_disable": true });
    // direct, private, the others, what is published
    let table = [
        ("off", "off", "off", Some(&off)),
        ("forbidden", "forbidden", "forbidden", Some(&never)),
        ("forbidden", "forbidden", "off", Some(&off)),
        ("required", "off", "off", Some(&off)),
        ("off", "required", "off", Some(&off)),
        ("off", "on", "on", Some(&off)),
        ("on", "on", "off", Some(&on)),
        ("on", "client", "off", Some(&on)),
        ("required", "required", "required", Some(&on)),
        ("client", "required", "forbidden", Some(&on)),
        ("client", "client", "client", None),
        ("client", "client", "required", None),
    ];
    let stranger = world.network.stranger("a.test");
    for (direct, private, others, published) in table {
        for class in CLASSES {
            let level = match class {
                "direct" => direct,
                "private" => private,
                _ => others,
            };
            world.set(class, json!(level)).await;
        }
        let cell = format!("{direct} {private} {others}");
        let document = stranger.get("/.well-known/matrix/client").await;
        assert_eq!(document.header("access-control-allow-origin"), "*");
        let document = document.ok();
        for name in ["io.element.e2ee", "im.vector.riot.e2ee"] {
            assert_eq!(document.get(name), published, "{cell}");
        }
        let flags = stranger.get("versions").await.ok()["unstable_features"].clone();
        for (name, level) in [("public", others), ("private", private), ("trusted_private", direct)] {
            let flag = flags.get(format!("io.element.e2ee_forced.{name}")).cloned().unwrap_or(json!(false));
            assert_eq!(flag, level == "required", "{cell} {name}");
        }
    }
}

#[tokio::test]
async fn encrypted_room_of_a_partner_is_used_where_encryption_is_forbidden() {
    on_each_engine(async |engine: Engine| {
        let world = World::start(&engine).await;
        for class in CLASSES {
            world.set(class, json!("forbidden")).await;
        }
        let alice = world.network.user("alice", "a.test").await;
        let carol = world.network.user("carol", "a.test").await;
        let body = json!({ "preset": "private_chat", "invite": [alice.id, carol.id],
            "initial_state": [{ "type": "m.room.encryption", "state_key": "", "content": megolm() }] });
        // The partner decides for itself.
        let partners_admin = world.network.administrator("chief", "b.test").await;
        let setting = "/_parvis/admin/v1/policy/encryption.private_with_outsiders";
        partners_admin.put(setting, json!({ "value": "client" })).await.ok();
        let room = world.partner.create_room(body).await;
        alice.join(&room).await;
        assert_eq!(encryption_of(&alice, &room).await, Some(megolm()));
        let mut news = world.partner.follow();
        news.now().await;
        let event = alice.send(&room, "m.room.encrypted", json!({ "ciphertext": "x" })).await;
        let seen = news.until_event(&room, &event).await;
        assert_eq!(seen["type"], "m.room.encrypted");

        world.set("encrypted_elsewhere", json!("refuse")).await;
        let refused = carol.post(&format!("v3/rooms/{room}/join"), json!({})).await;
        refused.refused(403, "M_FORBIDDEN");
        assert_eq!(refused.json()["org.parvis.policy"]["setting"], "encryption.encrypted_elsewhere");
        // Who is in it stays, and goes on.
        alice.send(&room, "m.room.encrypted", json!({ "ciphertext": "y" })).await;
        world.set("encrypted_elsewhere", json!("join")).await;
        carol.join(&room).await;
    })
    .await;
}

#[tokio::test]
async fn people_and_administrators_learn_why_a_room_is_as_it_is() {
    let world = World::start(&Engine::Sqlite).await;
    let (alice, bob) =
        (world.network.user("alice", "a.test").await, world.network.user("bob", "a.test").await);
    world.set("private", json!("off")).await;
    let room = alice.create_room(world.room_of("private", true, &[&bob])).await;
    let path = format!("/_parvis/client/v1/rooms/{room}/encryption");
    bob.get(&path).await.refused(403, "M_FORBIDDEN");
    bob.join(&room).await;
    let told = bob.get(&path).await.ok();
    assert_eq!(
        (&told["encrypted"], &told["class"], &told["level"]),
        (&json!(false), &json!("private"), &json!("off"))
    );
    assert_eq!(told["may_turn_on"], json!([alice.id]));
    let sentence = told["explanation"].as_str().unwrap();
    assert!(sentence.contains("This room is plain.") && sentence.contains(&alice.id), "{sentence}");

    let path = format!("/_parvis/admin/v1/rooms/{room}/encryption");
    alice.get(&path).await.refused(403, "M_FORBIDDEN");
    let told = world.admin.get(&path).await.ok();
    assert_eq!((&told["source"]["kind"], &told["source"]["by"]), (&json!("set"), &json!(world.admin.id)));
    assert_eq!(told["setting"], "encryption.private");

    assert_eq!(set_encryption(&alice, &room, megolm()).await, allowed());
    let told = world.admin.get(&path).await.ok();
    assert_eq!((&told["encrypted"], &told["encrypted_by"]["sender"]), (&json!(true), &json!(alice.id)));
    assert_eq!(told["may_turn_on"], json!([]));
    world.admin.get("/_parvis/admin/v1/rooms/!none:a.test/encryption").await.refused(404, "M_NOT_FOUND");
}

#[tokio::test]
async fn policy_is_for_administrators_and_remembers_who_changed_it() {
    on_each_engine(async |engine: Engine| {
        let world = World::start(&engine).await;
        let alice = world.network.user("alice", "a.test").await;
        let path = "/_parvis/admin/v1/policy";
        world.network.stranger("a.test").get(path).await.refused(401, "M_MISSING_TOKEN");
        alice.get(path).await.refused(403, "M_FORBIDDEN");
        alice
            .put(&format!("{path}/encryption.private"), json!({ "value": "on" }))
            .await
            .refused(403, "M_FORBIDDEN");

        let wrong = |key: &str, body: Value| {
            let (admin, path) = (world.admin.clone(), format!("{path}/{key}"));
            async move { admin.put(&path, body).await }
        };
        wrong("encryption.nothing", json!({ "value": "on" })).await.refused(404, "M_NOT_FOUND");
        wrong("encryption.private", json!({ "value": "perhaps" })).await.refused(400, "M_INVALID_PARAM");
        wrong("encryption.private", json!({})).await.refused(400, "M_MISSING_PARAM");
        world.set("private", json!("on")).await;
        world.set("private", json!("required")).await;
        let undone = world.admin.delete(&format!("{path}/encryption.private"), json!({})).await.ok();
        assert_eq!(undone["changed"][0]["value"], "off");

        let settings = world.admin.get(path).await.ok();
        let settings = settings["settings"].as_array().unwrap();
        assert!(settings.iter().any(|setting| *setting
            == json!({ "name": "encryption.private", "value": "off", "source": { "kind": "default" } })));
        let page = world.admin.get(&format!("{path}/history?limit=2")).await.ok();
        let told = |page: &Value| -> Vec<[Value; 2]> {
            let changes = page["changes"].as_array().unwrap().iter();
            changes.map(|change| [change["old_value"].clone(), change["new_value"].clone()]).collect()
        };
        assert_eq!(told(&page), [[json!("required"), Value::Null], [json!("on"), json!("required")]]);
        assert_eq!(page["changes"][0]["by"], json!(world.admin.id));
        let next = format!("{path}/history?before={}", page["next_before"]);
        assert_eq!(told(&world.admin.get(&next).await.ok()), [[Value::Null, json!("on")]]);
    })
    .await;
}

#[tokio::test]
async fn new_accounts_begin_without_prompts_where_the_policy_asks_for_it() {
    let world = World::start(&Engine::Sqlite).await;
    let kinds = ["m.key_backup", "m.org.matrix.custom.backup_disabled", "io.element.recovery"];
    let path = |user: &User, kind: &str| format!("v3/user/{}/account_data/{kind}", user.id);
    let before = world.network.user("before", "a.test").await;
    world.set("silence_backup_prompts", json!(true)).await;
    let after = world.network.user("after", "a.test").await;
    for kind in kinds {
        before.get(&path(&before, kind)).await.refused(404, "M_NOT_FOUND");
    }
    let told = after.get(&path(&after, kinds[1])).await.ok();
    assert_eq!(told, json!({ "disabled": true }));
    // It is theirs from then on.
    after.put(&path(&after, kinds[0]), json!({ "enabled": true })).await.ok();
    let again = after.log_in_again().await;
    assert_eq!(again.get(&path(&again, kinds[0])).await.ok(), json!({ "enabled": true }));
}
