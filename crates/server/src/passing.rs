//! Between two engines that do not know each other: what passes here is told elsewhere.

use parvis_outbound::Outbound;
use parvis_sync::{Passing, PresenceUpdate, SyncEngine};
use ruma::{UInt, api::federation::transactions::edu::PresenceUpdate as PresenceEdu};
use tokio::{sync::broadcast::error::RecvError, task::JoinHandle};

/// Has other servers told of typing and presence. Ends when both engines have ended, or when it is aborted.
pub(crate) fn pass_on(sync: &SyncEngine, outbound: Outbound) -> JoinHandle<()> {
    let mut passing = sync.listen();
    tokio::spawn(async move {
        loop {
            match passing.recv().await {
                Ok(Passing::Typing { room, user, typing }) => outbound.tell_typing(room, user, typing),
                Ok(Passing::Presence { user, update }) => outbound.tell_presence(user, presence_edu(update)),
                // What passes is soon stale: nobody misses some of it.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    })
}

fn presence_edu(update: PresenceUpdate) -> PresenceEdu {
    let ago = UInt::new_saturating(update.last_active_ago_millis.unwrap_or(0));
    let mut edu = PresenceEdu::new(update.user_id, update.state, ago);
    edu.status_msg = update.status_message;
    edu.currently_active = update.currently_active;
    edu
}
