//! From whom a user takes invitations: `m.invite_permission_config`, and the lists of MSC4155.
//!
//! No rule of authorisation: an invitation that a user does not want is an event like any other. Their server does
//! not sign or make it, or does not show it.
//! <https://spec.matrix.org/v1.19/client-server-api/#invite-permission>

use ruma::UserId;
use serde_json::Value;

use crate::glob::{globs, matches};

/// What becomes of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteVerdict {
    /// The user is shown it.
    Shown,
    /// It is made, and the user is not shown it.
    Ignored,
    /// It is refused.
    Blocked,
}

/// From whom a user takes invitations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvitePermission {
    blocks_all: bool,
    users: Lists,
    servers: Lists,
}

/// Globs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Lists {
    allowed: Vec<String>,
    ignored: Vec<String>,
    blocked: Vec<String>,
}

impl InvitePermission {
    /// The type of the account data that the specification defines.
    pub const TYPE: &str = "m.invite_permission_config";
    /// The type of the account data with lists, of which clients take notice already.
    pub const UNSTABLE_TYPE: &str = "org.matrix.msc4155.invite_permission_config";

    /// What a user has said in account data of the two types; what is not of the form that it should be says nothing.
    pub fn of(stable: Option<&str>, unstable: Option<&str>) -> Self {
        let read = |text: Option<&str>| {
            text.and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or_default()
        };
        let (stable, unstable) = (read(stable), read(unstable));
        let lists = |kind: &str| Lists {
            allowed: globs(&unstable[format!("allowed_{kind}")]),
            ignored: globs(&unstable[format!("ignored_{kind}")]),
            blocked: globs(&unstable[format!("blocked_{kind}")]),
        };
        Self {
            blocks_all: stable["default_action"] == "block",
            users: lists("users"),
            servers: lists("servers"),
        }
    }

    /// What becomes of an invitation by a user. Who is named decides before the server does, and who is allowed is
    /// not looked for in the other lists.
    pub fn verdict(&self, inviter: &UserId) -> InviteVerdict {
        if self.blocks_all {
            return InviteVerdict::Blocked;
        }
        let host = inviter.server_name().host();
        let listed = self.users.verdict(inviter.as_str()).or_else(|| self.servers.verdict(host));
        listed.unwrap_or(InviteVerdict::Shown)
    }
}

impl Lists {
    fn verdict(&self, name: &str) -> Option<InviteVerdict> {
        let name = name.to_ascii_lowercase();
        let listed = |globs: &[String]| globs.iter().any(|glob| matches(glob.as_bytes(), name.as_bytes()));
        if listed(&self.allowed) {
            Some(InviteVerdict::Shown)
        } else if listed(&self.ignored) {
            Some(InviteVerdict::Ignored)
        } else {
            listed(&self.blocked).then_some(InviteVerdict::Blocked)
        }
    }
}

#[cfg(test)]
mod tests {
    use ruma::user_id;

    use super::{InvitePermission, InviteVerdict::*};

    #[test]
    fn blocking_all_is_before_every_list() {
        let lists = r#"{"allowed_users":["@bob:hs2"]}"#;
        let permission = InvitePermission::of(Some(r#"{"default_action":"block"}"#), Some(lists));
        assert_eq!(permission.verdict(user_id!("@bob:hs2")), Blocked);
        for says_nothing in [None, Some("{}"), Some("[]"), Some(r#"{"default_action":1}"#)] {
            assert_eq!(InvitePermission::of(says_nothing, None).verdict(user_id!("@bob:hs2")), Shown);
        }
    }

    #[test]
    fn users_are_looked_for_before_servers_and_allowed_ones_first() {
        let lists = r#"{
            "allowed_users": ["@bob:hs2", "@both:hs2"], "ignored_users": ["@quiet:*"],
            "blocked_users": ["@both:hs2", "@user-?*"], "allowed_servers": null,
            "ignored_servers": ["dull.test"], "blocked_servers": ["hs*"]
        }"#;
        let permission = InvitePermission::of(None, Some(lists));
        for (user, verdict) in [
            (user_id!("@bob:hs2"), Shown),
            (user_id!("@both:hs2"), Shown),
            (user_id!("@quiet:hs2"), Ignored),
            (user_id!("@user-12:elsewhere.test"), Blocked),
            (user_id!("@user:elsewhere.test"), Shown),
            (user_id!("@eve:HS2:8448"), Blocked),
            (user_id!("@eve:dull.test"), Ignored),
            (user_id!("@eve:elsewhere.test"), Shown),
        ] {
            assert_eq!(permission.verdict(user), verdict, "{user}");
        }
    }
}
