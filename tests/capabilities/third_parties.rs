//! Invitations to mail addresses, which turn out to be of people of other organisations.

use std::time::Duration;

use parvis_events::ServerKey;
use parvis_testkit::{Engine, Network, User};
use ruma::{CanonicalJsonObject, server_name};
use serde_json::{Value, json};

use crate::on_each_engine;

/// What the identity server signs: that a user is behind the address to which this token was sent.
fn signed(user: &User, key: &ServerKey) -> Value {
    let mut object: CanonicalJsonObject =
        serde_json::from_value(json!({ "mxid": user.id, "token": "token" })).unwrap();
    key.sign_json(&mut object, server_name!("id.test")).unwrap();
    serde_json::to_value(object).unwrap()
}

#[tokio::test]
async fn address_turns_out_to_be_of_somebody_of_another_organisation() {
    on_each_engine(async |engine: Engine| {
        let network = Network::start(&engine, &["a.test", "b.test"]).await;
        let (alice, bob) = (network.user("alice", "a.test").await, network.user("bob", "b.test").await);
        let room = alice.create_room(json!({ "preset": "private_chat", "name": "Kitchen" })).await;
        let key = ServerKey::generate([3; 32], "0").unwrap();
        let public = key.public_key_base64();
        let invitation = json!({
            "display_name": "b...@e...", "key_validity_url": "https://id.test/valid",
            "public_key": public, "public_keys": [{ "public_key": public }],
        });
        alice.put_state(&room, "m.room.third_party_invite", "token", invitation).await.ok();

        // The identity server tells the one server, which asks the other.
        let told = |signed: Value| {
            json!({
                "medium": "email", "address": "bob@example.org", "mxid": bob.id,
                "invites": [{ "medium": "email", "address": "bob@example.org", "mxid": bob.id, "room_id": room,
                    "sender": alice.id, "signed": signed }],
            })
        };
        let path = "/_matrix/federation/v1/3pid/onbind";
        let forged = signed(&bob, &ServerKey::generate([4; 32], "0").unwrap());
        network.stranger("b.test").put(path, told(forged)).await.ok();
        let member = async || alice.state(&room, "m.room.member", &bob.id).await;
        member().await.refused(404, "M_NOT_FOUND");
        network.stranger("b.test").put(path, told(signed(&bob, &key))).await.ok();
        for _ in 0..500 {
            if member().await.status == 200 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(member().await.ok()["membership"], "invite");
        bob.join(&room).await;
        assert_eq!(member().await.ok()["membership"], "join");
        assert!(
            network.asked().iter().any(|asked| asked.what.contains("/exchange_third_party_invite/")),
            "the inviter's server was asked"
        );
    })
    .await;
}
