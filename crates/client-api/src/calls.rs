//! What people's apps need to call one another: relays, and media servers.

use std::{fmt, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use parvis_ambient::Timestamp;
use ruma::UserId;
use serde::Serialize;
use serde_json::{Value, json};
use sha1::Sha1;

/// How people call one another.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// Relays for calls from app to app.
    pub turn: Option<TurnServers>,
    /// The URL of the service that lets people into the media server (LiveKit) for group calls.
    pub livekit_service_url: Option<String>,
}

/// Relays by which apps reach each other through firewalls.
#[derive(Clone, Debug)]
pub struct TurnServers {
    /// Their addresses, `turn:` or `turns:`.
    pub uris: Vec<String>,
    /// For how long what is given out is good.
    pub lifetime: Duration,
    /// What they want to see.
    pub credentials: TurnCredentials,
}

/// What relays want to see from who uses them.
#[derive(Clone)]
pub enum TurnCredentials {
    /// Names and passwords that this server makes, each for one user and some time, with a secret that the relays
    /// know too (the *TURN REST API*, as coturn has it).
    Shared(String),
    /// The same for all.
    Fixed {
        /// The name.
        username: String,
        /// The password.
        password: String,
    },
}

impl fmt::Debug for TurnCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Shared(_) => "Shared",
            Self::Fixed { .. } => "Fixed",
        })
    }
}

/// What a user is told of the relays.
/// <https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3voipturnserver>
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct TurnAccess<'a> {
    username: String,
    password: String,
    uris: &'a [String],
    ttl: u64,
}

impl TurnServers {
    pub(crate) fn access(&self, user_id: &UserId, now: Timestamp) -> TurnAccess<'_> {
        let (username, password) = match &self.credentials {
            TurnCredentials::Shared(secret) => {
                let until = now.plus(self.lifetime).millis() / 1000;
                let username = format!("{until}:{user_id}");
                let password = signature(secret, &username);
                (username, password)
            }
            TurnCredentials::Fixed { username, password } => (username.clone(), password.clone()),
        };
        TurnAccess { username, password, uris: &self.uris, ttl: self.lifetime.as_secs() }
    }
}

/// A password that the relays work out in the same way.
fn signature(secret: &str, username: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(username.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

impl Calls {
    /// The media servers, as [MSC4143](https://github.com/matrix-org/matrix-spec-proposals/pull/4143) has them.
    pub(crate) fn transports(&self) -> Vec<Value> {
        let url = self.livekit_service_url.as_deref();
        url.map(|url| json!({ "type": "livekit", "livekit_service_url": url })).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use parvis_ambient::Timestamp;
    use ruma::user_id;

    use super::{TurnCredentials, TurnServers};

    #[test]
    fn credentials_of_a_shared_secret_name_their_end_and_are_signed_with_it() {
        let servers = TurnServers {
            uris: vec!["turn:turn.example.org?transport=udp".to_owned()],
            lifetime: Duration::from_secs(3_600),
            credentials: TurnCredentials::Shared("shared".to_owned()),
        };
        let access = servers.access(user_id!("@alice:example.org"), Timestamp(1_700_000_000_000));
        assert_eq!(access.username, "1700003600:@alice:example.org");
        // As OpenSSL works it out: echo -n NAME | openssl dgst -sha1 -hmac shared -binary | base64
        assert_eq!(access.password, "BdgyWGzzSs2IW2LaMSPBJAocsds=");
        assert_eq!(access.ttl, 3_600);
        assert!(!format!("{servers:?}").contains("shared"));
    }
}
