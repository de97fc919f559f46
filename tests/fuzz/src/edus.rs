//! EDUs of every kind, sound or damaged.

use serde_json::{Value, json};

use crate::mutate::Damage;

/// Whom and what the EDUs are about.
pub(crate) struct About<'a> {
    pub(crate) room_id: &'a str,
    /// Who sends them, of the played server.
    pub(crate) sender: &'a str,
    /// Who hears them, of the homeserver.
    pub(crate) hearer: &'a str,
    /// Some event of the room.
    pub(crate) event: &'a str,
    /// Tells EDUs from those before.
    pub(crate) number: u64,
}

/// How many kinds there are.
const KINDS: usize = 7;

impl About<'_> {
    /// One EDU, which is damaged as often as not.
    pub(crate) fn edu(&self, damage: &Damage) -> Value {
        let mut edu = self.sound(damage.below(KINDS));
        if damage.below(2) == 0 {
            damage.value(&mut edu);
        }
        edu
    }

    /// One of each kind, all sound.
    pub(crate) fn each(&self) -> Vec<Value> {
        (0..KINDS).map(|kind| self.sound(kind)).collect()
    }

    fn sound(&self, kind: usize) -> Value {
        let Self { room_id, sender, hearer, event, number } = self;
        let device = format!("D{}", number % 5);
        let (edu_type, content) = match kind {
            0 => ("m.typing", json!({ "room_id": room_id, "user_id": sender, "typing": number % 3 != 0 })),
            1 => {
                let read = json!({ "event_ids": [event], "data": { "ts": 1_700_000_000_000_u64 + number } });
                ("m.receipt", json!({ *room_id: { "m.read": { *sender: read } } }))
            }
            2 => {
                let update = json!({
                    "user_id": sender, "presence": "online", "last_active_ago": number,
                    "status_msg": format!("status {number}"), "currently_active": true,
                });
                ("m.presence", json!({ "push": [update] }))
            }
            3 => {
                let keys = json!({
                    "user_id": sender, "device_id": device, "algorithms": [], "signatures": {},
                    "keys": { format!("ed25519:{device}"): "A".repeat(43) },
                });
                let content = json!({
                    "user_id": sender, "device_id": device, "device_display_name": "x", "deleted": false,
                    "stream_id": number, "prev_id": [number - 1], "keys": keys,
                });
                ("m.device_list_update", content)
            }
            4 => {
                let messages = json!({ *hearer: { "*": { "n": number } } });
                let id = format!("message {number}");
                let content = json!({
                    "sender": sender, "type": "org.example.note", "message_id": id, "messages": messages,
                });
                ("m.direct_to_device", content)
            }
            5 => {
                let key = |usage: &str| {
                    let name = format!("{number:0>43}");
                    json!({ "user_id": sender, "usage": [usage], "keys": { format!("ed25519:{name}"): name } })
                };
                let content = json!({
                    "user_id": sender, "master_key": key("master"), "self_signing_key": key("self_signing"),
                });
                ("m.signing_key_update", content)
            }
            _ => ("org.example.unheard_of", json!({ "x": number })),
        };
        json!({ "edu_type": edu_type, "content": content })
    }
}
