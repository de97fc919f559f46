//! Whose state keys are: one that begins with `@` belongs to a user, and nobody else writes there.

use parvis_events::Pdu;
use ruma::UserId;

use super::require;
use crate::{error::AuthError, power::PowerLevels};

/// Whose a state key is in rooms with owned state
/// (<https://github.com/matrix-org/matrix-spec-proposals/pull/3757>): the user whose id it is, or whose id stands
/// before the first underscore behind the server's name, in which there can be none. `None` if it is not a user's.
pub fn owner_of_state_key(state_key: &str) -> Option<&UserId> {
    let server = state_key.find(':')?;
    let end = state_key[server..].find('_').map_or(state_key.len(), |suffix| server + suffix);
    <&UserId>::try_from(&state_key[..end]).ok()
}

pub(super) fn check(pdu: &Pdu, levels: &PowerLevels) -> Result<(), AuthError> {
    let (sender, Some(key)) = (pdu.sender(), pdu.state_key()) else { return Ok(()) };
    if !key.starts_with('@') || key == sender.as_str() {
        return Ok(());
    }
    if !pdu.version().owned_state() {
        return Err(AuthError::new("a state key that is a user id belongs to that user"));
    }
    let owner = owner_of_state_key(key)
        .ok_or_else(|| AuthError::new("the state key is neither a user id nor begins with one"))?;
    require(owner == sender || levels.of(sender) > levels.of(owner), || {
        format!("the state key belongs to {owner}, above whom {sender} does not stand")
    })
}

#[cfg(test)]
mod tests {
    use super::owner_of_state_key;

    #[test]
    fn owner_stands_before_the_first_underscore_behind_the_server() {
        for (key, owner) in [
            ("@alice:hs1", Some("@alice:hs1")),
            ("@alice:hs1_", Some("@alice:hs1")),
            ("@alice:hs1:8448_desk_2:x", Some("@alice:hs1:8448")),
            ("@alice_b:hs1_desk", Some("@alice_b:hs1")),
            ("@alice:hs1desk", Some("@alice:hs1desk")),
            ("@alice", None),
            ("@alice_b", None),
            ("@alice:_desk", None),
            ("@alice:hs1@desk_2", None),
            ("alice:hs1", None),
        ] {
            assert_eq!(owner_of_state_key(key).map(|owner| owner.as_str()), owner, "{key}");
        }
    }
}
