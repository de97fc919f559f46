//! The other homeservers, as rooms see them.

use std::sync::Arc;

use parvis_peers::{Federation, NoKeys, NoNetwork, ServerKeys};

use crate::Identity;

/// How other homeservers are asked, and how what they sign is checked.
#[derive(Clone, Debug)]
pub struct Others {
    /// Asks them.
    pub federation: Federation,
    /// Knows their keys.
    pub keys: Arc<dyn ServerKeys>,
}

impl Others {
    /// For a homeserver without a network: nobody can be reached.
    pub fn none(identity: &Identity) -> Self {
        let (name, key) = (identity.server_name.clone(), Arc::clone(&identity.key));
        Self { federation: Federation::new(name, key, Arc::new(NoNetwork)), keys: Arc::new(NoKeys) }
    }
}
