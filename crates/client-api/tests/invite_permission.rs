//! Whom users let invite them.

use serde_json::{Value, json};

use crate::world::{Client, World, on_each_engine};

async fn permit(world: &World, client: &Client, kind: &str, permission: Value) {
    let path = format!("v3/user/{}/account_data/{kind}", client.user_id);
    world.put_as(client, &path, permission).await.ok();
}

async fn invite(world: &World, inviter: &Client, invited: &Client) -> (String, u16, String) {
    let room = world.room(inviter).await;
    let path = format!("v3/rooms/{room}/invite");
    let answer = world.post_as(inviter, &path, json!({ "user_id": invited.user_id })).await;
    (room, answer.status, answer.error().1.to_owned())
}

async fn invitations(world: &World, client: &Client) -> usize {
    let answer = world.get_as(client, "v3/sync").await.ok();
    answer["rooms"]["invite"].as_object().map_or(0, serde_json::Map::len)
}

#[tokio::test]
async fn who_blocks_all_invitations_gets_none_and_is_shown_none() {
    on_each_engine(async |world: World| {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let (_, status, _) = invite(&world, &alice, &bob).await;
        assert_eq!((status, invitations(&world, &bob).await), (200, 1));
        permit(&world, &bob, "m.invite_permission_config", json!({ "default_action": "block" })).await;
        assert_eq!(invitations(&world, &bob).await, 0, "those of before are not shown either");
        let (room, status, errcode) = invite(&world, &alice, &bob).await;
        assert_eq!((status, errcode.as_str()), (403, "M_INVITE_BLOCKED"));
        let path = format!("v3/rooms/{room}/state/m.room.member/{}", bob.user_id);
        let answer = world.put_as(&alice, &path, json!({ "membership": "invite" })).await;
        assert_eq!(answer.error(), (403, "M_INVITE_BLOCKED"));
        let body = json!({ "invite": [bob.user_id] });
        world.post_as(&alice, "v3/createRoom", body).await.ok();
        permit(&world, &bob, "m.invite_permission_config", json!({})).await;
        assert_eq!(invitations(&world, &bob).await, 1, "the first one alone");
    })
    .await;
}

#[tokio::test]
async fn lists_of_the_unstable_form_block_ignore_and_allow() {
    on_each_engine(async |world: World| {
        let kind = "org.matrix.msc4155.invite_permission_config";
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        for (permission, status, shown) in [
            (json!({ "blocked_users": [alice.user_id] }), 403, 0),
            (json!({ "blocked_servers": ["parvis.*"] }), 403, 0),
            (json!({ "ignored_users": ["@ali*"] }), 200, 0),
            (json!({ "blocked_servers": ["*"], "allowed_users": [alice.user_id] }), 200, 1),
            (json!({ "blocked_users": null, "ignored_servers": null }), 200, 2),
        ] {
            permit(&world, &bob, kind, permission.clone()).await;
            let (room, found, _) = invite(&world, &alice, &bob).await;
            assert_eq!((found, invitations(&world, &bob).await), (status, shown), "{permission}");
            if shown == 0 && found == 200 {
                // Who is ignored does not notice.
                world.post_as(&bob, &format!("v3/rooms/{room}/leave"), json!({})).await.ok();
            }
        }
    })
    .await;
}
