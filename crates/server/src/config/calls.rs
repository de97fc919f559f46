//! The section `[calls]`: how people call one another.

use parvis_client_api::{Calls, TurnCredentials, TurnServers};
use serde::{Deserialize, Serialize};

use super::{check::Checker, human::HumanDuration, secret::Secret};

/// How people call one another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallSettings {
    /// Whether apps may call one another directly, by which they tell each other the addresses of their machines.
    pub between_apps: bool,
    /// The URL of the service that lets people into the media server for group calls (lk-jwt-service).
    pub livekit_service_url: Option<String>,
    /// The addresses of the relays for calls from app to app.
    pub turn_uris: Vec<String>,
    /// The secret that the relays share with this server.
    pub turn_secret: Option<Secret>,
    /// The name for relays which know but one.
    pub turn_username: Option<String>,
    /// The password that goes with it.
    pub turn_password: Option<Secret>,
    /// For how long what is given out is good.
    pub turn_lifetime: HumanDuration,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            between_apps: true,
            livekit_service_url: None,
            turn_uris: Vec::new(),
            turn_secret: None,
            turn_username: None,
            turn_password: None,
            turn_lifetime: HumanDuration::seconds(24 * 60 * 60),
        }
    }
}

impl CallSettings {
    /// What clients are told.
    pub(super) fn check(&self, checker: &mut Checker<'_>) -> Calls {
        let url = self.livekit_service_url.as_deref().map(|url| url.trim_end_matches('/'));
        if url.is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://")) {
            checker.problem(
                "calls.livekit_service_url",
                "must be a URL such as \"https://rtc.example.org/livekit/jwt\"",
            );
        }
        Calls { turn: self.turn(checker), livekit_service_url: url.map(str::to_owned) }
    }

    fn turn(&self, checker: &mut Checker<'_>) -> Option<TurnServers> {
        let uris = &self.turn_uris;
        if uris.iter().any(|uri| !uri.starts_with("turn:") && !uri.starts_with("turns:")) {
            checker.problem("calls.turn_uris", "each is like \"turn:turn.example.org?transport=udp\"");
        }
        let named = (&self.turn_username, &self.turn_password);
        let credentials = match (&self.turn_secret, named) {
            (Some(secret), (None, None)) => TurnCredentials::Shared(secret.reveal().to_owned()),
            (None, (Some(username), Some(password))) => {
                TurnCredentials::Fixed { username: username.clone(), password: password.reveal().to_owned() }
            }
            (None, (None, None)) if uris.is_empty() => return None,
            _ => {
                let reason = "relays want either turn_secret, or turn_username and turn_password";
                checker.problem("calls.turn_secret", reason);
                return None;
            }
        };
        if uris.is_empty() {
            checker
                .problem("calls.turn_uris", "must name the relays, since there is something to say to them");
        }
        // Without direct calls nobody needs relays.
        let turn = TurnServers { uris: uris.clone(), lifetime: self.turn_lifetime.0, credentials };
        self.between_apps.then_some(turn)
    }
}
