//! Residents that have not heard yet what this server did before it left the room.
//!
//! Who comes back in takes the room as the resident tells it, and what was known here before is let go. If the
//! resident still believes a user of this server to be inside who has left, the others will know better once that
//! departure reaches them, and this server never: it would hold another room than they do, and nobody would tell
//! it. So a template that stands on what a departure from here has replaced is not used.

use std::time::Duration;

use parvis_ambient::Timestamp;
use parvis_events::Membership;
use parvis_storage::{RoomSn, UserSn};
use ruma::OwnedEventId;

use crate::{RoomError, Rooms};

/// After so long a departure has reached whom it can reach. Where residents still do not count it, they have
/// decided otherwise, and nobody is to be kept outside for that.
const SPREADING: Duration = Duration::from_secs(24 * 60 * 60);

impl Rooms {
    /// Whether a template that cites these events was made by a server which has not heard of the user's departure:
    /// it cites the membership that the departure ended.
    pub(super) async fn has_not_heard_of_departure(
        &self,
        user: UserSn,
        room: Option<RoomSn>,
        cited: &[OwnedEventId],
    ) -> Result<bool, RoomError> {
        let Some(room) = room else { return Ok(false) };
        let Some(member) = self.store.member(user, room).await? else { return Ok(false) };
        let last = self.store.event(member.event).await?;
        // Only what was made here, as a server in the room, is on its way to the others.
        let is_ours = last.pdu.sender().server_name() == self.identity.server_name && last.has_state();
        let spread_at = Timestamp(last.pdu.origin_server_ts()).plus(SPREADING);
        let is_outside = matches!(member.membership, Membership::Leave | Membership::Ban);
        let may_be_on_its_way = is_outside && is_ours && self.ambient.now() < spread_at;
        if !may_be_on_its_way || cited.contains(last.pdu.owned_event_id()) {
            return Ok(false);
        }
        for ended in last.pdu.auth_events().iter().filter(|id| cited.contains(id)) {
            let ended = self.store.event_by_id(ended).await?;
            if ended.is_some_and(|event| {
                event.pdu.membership().is_some() && event.pdu.state_key() == last.pdu.state_key()
            }) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
