//! Which names users and devices may have.

use ruma::{OwnedUserId, ServerName, UserId};

/// The name under which the server itself speaks to its users.
pub(crate) const RESERVED: &str = "_server";

/// The longest device id that a client may choose, in bytes.
pub(crate) const LONGEST_DEVICE_ID: usize = 255;

/// Why a name cannot be a user's: a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NameError(pub String);

/// The user id that a new account with this localpart gets. Capitals become small letters.
///
/// # Errors
/// If the specification does not allow it
/// (<https://spec.matrix.org/v1.19/appendices/#user-identifiers>).
pub(crate) fn new_user_id(localpart: &str, server: &ServerName) -> Result<OwnedUserId, NameError> {
    let localpart = localpart.to_ascii_lowercase();
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._=/+-".contains(&byte);
    if localpart.is_empty() {
        return Err(NameError("A user name cannot be empty.".to_owned()));
    }
    if !localpart.bytes().all(allowed) {
        return Err(NameError("A user name is made of a-z, 0-9 and . _ = / + - alone.".to_owned()));
    }
    // What is over 255 bytes is refused here.
    UserId::parse_with_server_name(localpart, server)
        .ok()
        .filter(|user_id| user_id.as_str().len() <= 255)
        .ok_or_else(|| NameError("The user name is too long.".to_owned()))
}

/// The user id that somebody means who logs in as `name`: a localpart or a whole id, in any case. `None` if
/// nobody here can have that name.
pub(crate) fn known_as(name: &str, server: &ServerName) -> Option<OwnedUserId> {
    let localpart = match name.strip_prefix('@') {
        Some(rest) => {
            let (localpart, host) = rest.split_once(':')?;
            host.eq_ignore_ascii_case(server.as_str()).then_some(localpart)?
        }
        None => name,
    };
    new_user_id(localpart, server).ok()
}

#[cfg(test)]
mod tests {
    use ruma::server_name;

    use super::*;

    #[test]
    fn capitals_become_small_letters() {
        let user_id = new_user_id("User-UPPER", server_name!("parvis.test")).unwrap();
        assert_eq!(user_id, "@user-upper:parvis.test");
    }

    #[test]
    fn names_outside_the_grammar_are_refused() {
        for name in ["", "é", "a b", "a:b", "@a", "a?", "a\\", "£", "a\n", &"a".repeat(250)] {
            assert!(new_user_id(name, server_name!("parvis.test")).is_err(), "{name}");
        }
    }

    #[test]
    fn user_is_known_by_localpart_and_by_whole_id() {
        let server = server_name!("parvis.test");
        for name in ["alice", "Alice", "@alice:parvis.test", "@ALICE:Parvis.Test"] {
            assert_eq!(known_as(name, server).unwrap(), "@alice:parvis.test", "{name}");
        }
        for name in ["@alice:elsewhere.test", "@alice", "alice:parvis.test"] {
            assert_eq!(known_as(name, server), None, "{name}");
        }
    }
}
