//! Invitations to addresses, redeemed across servers.

#![expect(clippy::unwrap_used, reason = "tests")]

use parvis_events::{RoomVersion, ServerKey};
use parvis_rooms::{Actor, Bound, CreateRoom, RoomError, ThirdPartyInvite};
use ruma::{CanonicalJsonObject, OwnedRoomId, UserId, server_name};
use serde_json::{Value, json};

use crate::{
    across::{Across, Server, across},
    world::json as raw,
};

fn identity_key() -> ServerKey {
    ServerKey::generate([3; 32], "0").unwrap()
}

/// What the identity server signs: that a user is behind the address to which this token was sent.
fn signed(user_id: &UserId, token: &str, key: &ServerKey) -> Value {
    let object: CanonicalJsonObject =
        serde_json::from_value(json!({ "mxid": user_id, "token": token })).unwrap();
    let mut object = object;
    key.sign_json(&mut object, server_name!("id.test")).unwrap();
    json!({ "display_name": "somebody", "signed": object })
}

async fn invite_address(a: &Server, alice: &Actor, room_id: &OwnedRoomId, token: &str, content: &Value) {
    a.rooms.set_state(alice, room_id, "m.room.third_party_invite", token, &raw(content)).await.unwrap();
}

/// Alice on `a.test` has invited an address to a private room; Carol on `c.test` is in it.
async fn invited() -> (Across, Actor, Actor, OwnedRoomId) {
    let world = across(&["a.test", "b.test", "c.test"]).await;
    let (a, b, c) = (world.server("a.test"), world.server("b.test"), world.server("c.test"));
    let (alice, bob, carol) = (a.person("alice").await, b.person("bob").await, c.person("carol").await);
    let wanted = CreateRoom {
        invite: vec![carol.user_id.clone()],
        room_version: Some(RoomVersion::V12.as_str().to_owned()),
        ..CreateRoom::default()
    };
    let room_id = a.rooms.create(&alice, wanted).await.unwrap();
    c.join(&carol, &room_id, &[]).await.unwrap();
    let key = identity_key().public_key_base64();
    let content = json!({
        "display_name": "b...@e...", "key_validity_url": "https://id.test/valid",
        "public_key": key, "public_keys": [{ "public_key": key }],
    });
    invite_address(a, &alice, &room_id, "token", &content).await;
    (world, alice, bob, room_id)
}

fn bound(room_id: &OwnedRoomId, sender: &Actor, invited: &Actor, invitation: Value) -> Bound {
    let invite =
        ThirdPartyInvite { sender: sender.user_id.clone(), invited: invited.user_id.clone(), invitation };
    Bound { room_id: room_id.clone(), invite }
}

#[tokio::test]
async fn address_is_exchanged_for_its_user_at_the_inviters_server() {
    let (world, alice, bob, room_id) = invited().await;
    let (a, b, c) = (world.server("a.test"), world.server("b.test"), world.server("c.test"));
    let invitation = signed(&bob.user_id, "token", &identity_key());
    assert_eq!(b.rooms.redeem(&[bound(&room_id, &alice, &bob, invitation)]).await, 1);
    assert_eq!(a.membership(&bob.user_id, &room_id).await, Some("invite"));
    assert_eq!(b.membership(&bob.user_id, &room_id).await, Some("invite"));
    let content = a.content(&room_id, "m.room.member", bob.user_id.as_str()).await.unwrap();
    assert_eq!(content["third_party_invite"]["display_name"], "b...@e...", "as the room knows the address");
    // Another server of the room accepts it by the same signature.
    let room = a.rooms.find(&room_id).await.unwrap();
    let user = a.store.find_user(&bob.user_id).await.unwrap().unwrap();
    let member = a.store.member(user, room).await.unwrap().unwrap();
    let invite = a.store.event(member.event).await.unwrap();
    let event = raw(&serde_json::from_str(invite.pdu.json()).unwrap());
    c.rooms.receive(server_name!("a.test"), vec![event]).await.unwrap();
    for _ in 0..500 {
        if c.membership(&bob.user_id, &room_id).await.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(c.membership(&bob.user_id, &room_id).await, Some("invite"));
    b.join(&bob, &room_id, &[]).await.unwrap();
    assert_eq!(a.membership(&bob.user_id, &room_id).await, Some("join"));
}

#[tokio::test]
async fn signature_of_another_key_or_for_another_user_or_token_redeems_nothing() {
    let (world, alice, bob, room_id) = invited().await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    let mallory = b.person("mallory").await;
    let stranger = ServerKey::generate([4; 32], "0").unwrap();
    for invitation in [
        signed(&bob.user_id, "token", &stranger),
        signed(&mallory.user_id, "token", &identity_key()),
        signed(&bob.user_id, "another", &identity_key()),
        json!({ "display_name": "somebody" }),
        json!("nothing"),
    ] {
        assert_eq!(
            b.rooms.redeem(&[bound(&room_id, &alice, &bob, invitation.clone())]).await,
            0,
            "{invitation}"
        );
        let invite = bound(&room_id, &alice, &bob, invitation).invite;
        let refused = a.rooms.exchange_third_party_invite(&room_id, &invite).await;
        assert!(matches!(refused, Err(RoomError::Forbidden(_))), "{refused:?}");
    }
    assert_eq!(a.membership(&bob.user_id, &room_id).await, None);
    assert_eq!(b.membership(&bob.user_id, &room_id).await, None);
}

#[tokio::test]
async fn invitation_that_was_revoked_is_not_exchanged_any_more() {
    let (world, alice, bob, room_id) = invited().await;
    let (a, b) = (world.server("a.test"), world.server("b.test"));
    invite_address(a, &alice, &room_id, "token", &json!({})).await;
    let invitation = signed(&bob.user_id, "token", &identity_key());
    assert_eq!(b.rooms.redeem(&[bound(&room_id, &alice, &bob, invitation.clone())]).await, 0);
    let invite = bound(&room_id, &alice, &bob, invitation).invite;
    let refused = a.rooms.exchange_third_party_invite(&room_id, &invite).await;
    assert!(matches!(refused, Err(RoomError::Forbidden(_))), "{refused:?}");
    assert_eq!(b.membership(&bob.user_id, &room_id).await, None);
}
