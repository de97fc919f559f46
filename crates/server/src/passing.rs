//! Between engines that do not know each other: what passes here is told elsewhere.

use parvis_outbound::{Outbound, ServiceTransactions};
use parvis_sync::{Passing, PresenceUpdate, SyncEngine};
use ruma::{UInt, api::federation::transactions::edu::PresenceUpdate as PresenceEdu};
use serde_json::{Value, json};
use tokio::{sync::broadcast::error::RecvError, task::JoinHandle};

/// Has other servers and application services told of typing and presence. Ends when the engines have ended, or when
/// it is aborted.
pub(crate) fn pass_on(
    sync: &SyncEngine,
    outbound: Outbound,
    services: ServiceTransactions,
) -> JoinHandle<()> {
    let mut passing = sync.listen();
    tokio::spawn(async move {
        loop {
            match passing.recv().await {
                Ok(Passing::Typing { room, user, typing }) => {
                    outbound.tell_typing(room, user, typing);
                    services.tell_typing(room, user, typing);
                }
                Ok(Passing::Presence { user, update }) => {
                    services.tell_presence(user, presence_content(&update));
                    outbound.tell_presence(user, presence_edu(update));
                }
                // What passes is soon stale: nobody misses some of it.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    })
}

/// <https://spec.matrix.org/v1.19/client-server-api/#mpresence>
fn presence_content(update: &PresenceUpdate) -> Value {
    let mut content = json!({ "presence": update.state, "currently_active": update.currently_active });
    if let Some(ago) = update.last_active_ago_millis {
        content["last_active_ago"] = ago.into();
    }
    if let Some(message) = &update.status_message {
        content["status_msg"] = message.as_str().into();
    }
    content
}

fn presence_edu(update: PresenceUpdate) -> PresenceEdu {
    let ago = UInt::new_saturating(update.last_active_ago_millis.unwrap_or(0));
    let mut edu = PresenceEdu::new(update.user_id, update.state, ago);
    edu.status_msg = update.status_message;
    edu.currently_active = update.currently_active;
    edu
}
