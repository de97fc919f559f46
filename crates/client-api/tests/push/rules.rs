//! The endpoints of push rules

use serde_json::{Value, json};

use crate::world::{Client, World, client, on_each_engine};

async fn rules(world: &World, client: &Client, kind: &str) -> Vec<Value> {
    let rules = world.get_as(client, "v3/pushrules/global/").await.ok();
    rules[kind].as_array().cloned().unwrap_or_default()
}

async fn ids(world: &World, client: &Client, kind: &str) -> Vec<String> {
    let rules = rules(world, client, kind).await;
    rules.iter().map(|rule| rule["rule_id"].as_str().unwrap().to_owned()).collect()
}

async fn put(world: &World, client: &Client, rule: &str) -> u16 {
    let body = json!({ "actions": ["notify"], "pattern": "x", "conditions": [] });
    world.put_as(client, &format!("v3/pushrules/global/{rule}"), body).await.status
}

#[tokio::test]
async fn new_user_has_the_rules_of_the_server() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let overrides = [
        ".m.rule.master",
        ".m.rule.suppress_notices",
        ".m.rule.invite_for_me",
        ".m.rule.member_event",
        ".m.rule.is_user_mention",
        ".m.rule.contains_display_name",
        ".m.rule.is_room_mention",
        ".m.rule.roomnotif",
        ".m.rule.tombstone",
        ".m.rule.reaction",
        ".m.rule.room.server_acl",
        ".m.rule.suppress_edits",
        ".org.matrix.msc3930.rule.poll_response",
    ];
    assert_eq!(ids(&world, &alice, "override").await, overrides);
    assert_eq!(ids(&world, &alice, "content").await, [".m.rule.contains_user_name"]);
    let underrides = [
        ".m.rule.call",
        ".m.rule.encrypted_room_one_to_one",
        ".m.rule.room_one_to_one",
        ".m.rule.message",
        ".m.rule.encrypted",
        ".org.matrix.msc3930.rule.poll_start_one_to_one",
        ".org.matrix.msc3930.rule.poll_start",
        ".org.matrix.msc3930.rule.poll_end_one_to_one",
        ".org.matrix.msc3930.rule.poll_end",
    ];
    assert_eq!(ids(&world, &alice, "underride").await, underrides);
    let poll =
        world.get_as(&alice, "v3/pushrules/global/underride/.org.matrix.msc3930.rule.poll_end_one_to_one");
    assert_eq!(
        poll.await.ok(),
        json!({
            "rule_id": ".org.matrix.msc3930.rule.poll_end_one_to_one",
            "default": true,
            "enabled": true,
            "actions": ["notify", { "set_tweak": "sound", "value": "default" }],
            "conditions": [
                { "kind": "room_member_count", "is": "2" },
                { "kind": "event_match", "key": "type", "pattern": "org.matrix.msc3381.poll.end" },
            ],
        })
    );
    for path in ["v3/pushrules/", "v3/pushrules"] {
        let all = world.get_as(&alice, path).await.ok();
        assert_eq!(all["global"], world.get_as(&alice, "v3/pushrules/global/").await.ok());
    }
}

#[tokio::test]
async fn rules_of_the_user_come_before_those_of_the_server() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        for rule in ["override/a", "content/a", "underride/a", "room/!r:parvis.test", "sender/@b:parvis.test"]
        {
            assert_eq!(put(&world, &alice, rule).await, 200, "{rule}");
        }
        let overrides = ids(&world, &alice, "override").await;
        assert_eq!(overrides[..3], [".m.rule.master", "a", ".m.rule.suppress_notices"]);
        assert_eq!(ids(&world, &alice, "content").await, ["a", ".m.rule.contains_user_name"]);
        assert_eq!(ids(&world, &alice, "underride").await[..2], ["a", ".m.rule.call"]);
        assert_eq!(ids(&world, &alice, "room").await, ["!r:parvis.test"]);
        assert_eq!(ids(&world, &alice, "sender").await, ["@b:parvis.test"]);
        let rule = world.get_as(&alice, "v3/pushrules/global/content/a").await.ok();
        let expected = json!({
            "rule_id": "a", "pattern": "x", "actions": ["notify"], "default": false, "enabled": true,
        });
        assert_eq!(rule, expected);
    })
    .await;
}

#[tokio::test]
async fn new_rule_is_the_first_unless_placed() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    for rule in ["content/a", "content/b", "content/c?after=b", "content/d?before=a", "content/e?after=a"] {
        assert_eq!(put(&world, &alice, rule).await, 200, "{rule}");
    }
    let own = ids(&world, &alice, "content").await;
    assert_eq!(own[..5], ["b", "c", "d", "a", "e"], "{own:?}");
}

#[tokio::test]
async fn known_rule_stays_in_its_place_unless_moved() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    for rule in ["content/c", "content/b", "content/a"] {
        put(&world, &alice, rule).await;
    }
    let own = async || ids(&world, &alice, "content").await[..3].to_vec();
    assert_eq!(own().await, ["a", "b", "c"]);
    put(&world, &alice, "content/b").await;
    assert_eq!(own().await, ["a", "b", "c"]);
    put(&world, &alice, "content/a?after=c").await;
    assert_eq!(own().await, ["b", "c", "a"]);
    put(&world, &alice, "content/a?before=b").await;
    assert_eq!(own().await, ["a", "b", "c"]);
    put(&world, &alice, "content/a?after=b&before=c").await;
    assert_eq!(own().await, ["b", "a", "c"]);
}

#[tokio::test]
async fn moved_rule_that_is_off_stays_off() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    put(&world, &alice, "content/b").await;
    put(&world, &alice, "content/a").await;
    let path = "v3/pushrules/global/content/a/enabled";
    world.put_as(&alice, path, json!({ "enabled": false })).await.ok();
    put(&world, &alice, "content/a?after=b").await;
    assert_eq!(world.get_as(&alice, path).await.ok(), json!({ "enabled": false }));
}

#[tokio::test]
async fn place_beside_a_rule_that_is_not_there_is_refused() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    put(&world, &alice, "content/a").await;
    assert_eq!(put(&world, &alice, "content/b?after=nowhere").await, 404);
    assert_eq!(put(&world, &alice, "content/b?before=nowhere").await, 404);
    assert_eq!(put(&world, &alice, "content/a?after=a").await, 404);
    assert_eq!(put(&world, &alice, "content/b?after=.m.rule.contains_user_name").await, 400);
    assert_eq!(ids(&world, &alice, "content").await, ["a", ".m.rule.contains_user_name"]);
}

#[tokio::test]
async fn what_cannot_be_a_rule_is_refused() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    for rule in ["content/.m.rule.mine", "nonsense/a", "room/not-a-room", "sender/not-a-user"] {
        assert_eq!(put(&world, &alice, rule).await, 400, "{rule}");
    }
    let path = "v3/pushrules/global/content/a";
    let answer = world.put_as(&alice, path, json!({ "actions": ["notify"] })).await;
    assert_eq!(answer.error(), (400, "M_MISSING_PARAM"));
    let answer = world.put_as(&alice, path, json!({ "pattern": "x" })).await;
    assert_eq!(answer.error(), (400, "M_MISSING_PARAM"));
}

#[tokio::test]
async fn rules_of_the_server_are_switched_and_changed_but_not_deleted() {
    on_each_engine(async |world: World| {
        let alice = world.register("alice").await;
        let other = client(&world.login("alice", json!({})).await);
        let base = "v3/pushrules/global/underride/.m.rule.message";
        let off = json!({ "enabled": false });
        assert_eq!(world.put_as(&alice, &format!("{base}/enabled"), off.clone()).await.ok(), json!({}));
        assert_eq!(world.get_as(&other, &format!("{base}/enabled")).await.ok(), off);
        let actions = json!({ "actions": ["notify", { "set_tweak": "sound", "value": "default" }] });
        assert_eq!(world.put_as(&alice, &format!("{base}/actions"), actions.clone()).await.ok(), json!({}));
        assert_eq!(world.get_as(&other, &format!("{base}/actions")).await.ok(), actions);
        assert_eq!(world.delete_as(&alice, base, Value::Null).await.error(), (400, "M_INVALID_PARAM"));
    })
    .await;
}

#[tokio::test]
async fn own_rule_is_deleted_once() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    put(&world, &alice, "content/a").await;
    let path = "v3/pushrules/global/content/a";
    assert_eq!(world.delete_as(&alice, path, Value::Null).await.ok(), json!({}));
    assert_eq!(world.delete_as(&alice, path, Value::Null).await.error(), (404, "M_NOT_FOUND"));
}

#[tokio::test]
async fn rule_that_is_not_there_is_not_found() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    for rule in ["content/none", "override/none", "nonsense/none"] {
        for part in ["", "/enabled", "/actions"] {
            let path = format!("v3/pushrules/global/{rule}{part}");
            assert_eq!(world.get_as(&alice, &path).await.error(), (404, "M_NOT_FOUND"), "{path}");
        }
        let path = format!("v3/pushrules/global/{rule}/enabled");
        let answer = world.put_as(&alice, &path, json!({ "enabled": true })).await;
        assert_eq!(answer.error(), (404, "M_NOT_FOUND"), "{path}");
    }
}

#[tokio::test]
async fn actions_of_old_are_kept_as_they_were_sent() {
    let world = World::new().await;
    let alice = world.register("alice").await;
    let path = "v3/pushrules/global/sender/@bob:parvis.test";
    for actions in [json!(["dont_notify"]), json!(["coalesce", { "set_tweak": "sound", "value": "x" }])] {
        world.put_as(&alice, path, json!({ "actions": actions })).await.ok();
        assert_eq!(world.get_as(&alice, path).await.ok()["actions"], actions);
    }
}

#[tokio::test]
async fn rule_for_a_room_goes_along_to_the_one_that_takes_its_place() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let public = json!({ "preset": "public_chat" });
        let old = world.post_as(&alice, "v3/createRoom", public).await.text("room_id");
        let join = async |client, room: &str| {
            world.post_as(client, &format!("v3/rooms/{room}/join"), json!({})).await.ok();
        };
        join(&bob, &old).await;
        for client in [&alice, &bob] {
            assert_eq!(put(&world, client, &format!("room/{old}")).await, 200);
        }
        let new = json!({
            "preset": "public_chat",
            "creation_content": { "predecessor": { "room_id": old } },
        });
        let new = world.post_as(&alice, "v3/createRoom", new).await.text("room_id");
        let both = |ids: Vec<String>| ids.contains(&old) && ids.contains(&new);
        assert!(both(ids(&world, &alice, "room").await), "of who makes the new room");
        assert_eq!(ids(&world, &bob, "room").await, [old.as_str()]);
        join(&bob, &new).await;
        assert!(both(ids(&world, &bob, "room").await), "of who enters it");
        let body = json!({ "actions": ["dont_notify"] });
        world.put_as(&bob, &format!("v3/pushrules/global/room/{new}"), body).await.ok();
        join(&bob, &new).await;
        let kept = world.get_as(&bob, &format!("v3/pushrules/global/room/{new}/actions")).await.ok();
        assert_eq!(kept["actions"], json!(["dont_notify"]), "what the user has set since stays");
    })
    .await;
}
