//! What a user was notified of, as JSON.

use parvis_sync::Notification;
use serde_json::Value;

use super::Reply;

/// Adds the list of notifications to an answer.
pub(crate) fn notifications(mut reply: Reply, notifications: &[Notification]) -> Reply {
    reply.key("notifications");
    reply.body.push(b'[');
    for (index, notification) in notifications.iter().enumerate() {
        if index > 0 {
            reply.body.push(b',');
        }
        write(notification, &mut reply.body);
    }
    reply.body.push(b']');
    reply
}

fn write(notification: &Notification, out: &mut Vec<u8>) {
    let Notification { shown, actions, read } = notification;
    let pdu = &shown.event.pdu;
    let actions = serde_json::to_string(actions).unwrap_or_else(|_| "[]".to_owned());
    let room_id = Value::from(pdu.room_id().as_str());
    let ts = pdu.origin_server_ts();
    out.extend_from_slice(
        format!(r#"{{"actions":{actions},"read":{read},"room_id":{room_id},"ts":{ts},"event":"#).as_bytes(),
    );
    shown.write(out, false);
    out.push(b'}');
}
