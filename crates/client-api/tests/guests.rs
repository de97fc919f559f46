//! Guests: what they may do, and where they are let in.

use http::Method;
use serde_json::{Value, json};

use crate::world::{Client, World, client, on_each_engine};

async fn guest(world: &World) -> Client {
    client(&world.send(Method::POST, "v3/register?kind=guest", None, json!({})).await)
}

fn open(world: World) -> World {
    world.with_accounts(|settings| {
        settings.guests = true;
        settings.registration = parvis_accounts::Registration::Open;
    })
}

#[tokio::test]
async fn guest_may_do_what_the_specification_lists_and_no_more() {
    let world = open(World::new().await);
    let alice = world.register("alice").await;
    let room = world.room(&alice).await;
    let guest = guest(&world).await;
    let whoami = world.get_as(&guest, "v3/account/whoami").await.ok();
    assert_eq!((&whoami["is_guest"], &whoami["user_id"]), (&json!(true), &json!(guest.user_id)));
    for path in ["v3/sync", "v3/devices", "versions"] {
        world.get_as(&guest, path).await.ok();
    }
    for (method, path) in [
        (Method::POST, "v3/createRoom".to_owned()),
        (Method::POST, format!("v3/join/{room}")),
        (Method::POST, format!("v3/rooms/{room}/invite")),
        (Method::GET, "v3/account/3pid".to_owned()),
        (Method::GET, "v3/capabilities".to_owned()),
        (Method::GET, "v3/joined_rooms".to_owned()),
        (Method::POST, "v3/user_directory/search".to_owned()),
        (Method::GET, "v3/pushrules/".to_owned()),
        (Method::POST, format!("v3/rooms/{room}/report")),
    ] {
        let answer = world.send(method, &path, Some(&guest.token), json!({})).await;
        assert_eq!(answer.error(), (403, "M_GUEST_ACCESS_FORBIDDEN"), "{path}");
    }
}

#[tokio::test]
async fn room_lets_guests_in_and_has_them_leave() {
    on_each_engine(async |world: World| {
        let world = open(world);
        let alice = world.register("alice").await;
        let body = json!({ "preset": "public_chat" });
        let room = world.post_as(&alice, "v3/createRoom", body).await.text("room_id");
        let guest = guest(&world).await;
        let join = format!("v3/rooms/{room}/join");
        let answer = world.post_as(&guest, &join, json!({})).await;
        assert_eq!(answer.error(), (403, "M_GUEST_ACCESS_FORBIDDEN"));
        let access = format!("v3/rooms/{room}/state/m.room.guest_access");
        world.put_as(&alice, &access, json!({ "guest_access": "can_join" })).await.ok();
        world.post_as(&guest, &join, json!({})).await.ok();
        let send = format!("v3/rooms/{room}/send/m.room.message/1");
        world.put_as(&guest, &send, json!({ "msgtype": "m.text", "body": "hello" })).await.ok();
        let member = format!("v3/rooms/{room}/state/m.room.member/{}", guest.user_id);
        assert_eq!(world.get_as(&alice, &member).await.ok()["membership"], "join");
        world.put_as(&alice, &access, json!({ "guest_access": "forbidden" })).await.ok();
        assert_eq!(world.get_as(&alice, &member).await.ok()["membership"], "leave");
        let found = json!({ "search_term": guest.user_id });
        let found = world.post_as(&alice, "v3/user_directory/search", found).await.ok();
        assert_eq!(found["results"], json!([]), "nobody looks for guests");
    })
    .await;
}

#[tokio::test]
async fn kinds_of_accounts_are_two() {
    let world = World::new().await;
    let answer = world.send(Method::POST, "v3/register?kind=guest", None, json!({})).await;
    assert_eq!(answer.error(), (403, "M_FORBIDDEN"));
    let answer = world.send(Method::POST, "v3/register?kind=robot", None, Value::Null).await;
    assert_eq!(answer.error(), (400, "M_INVALID_PARAM"));
}
