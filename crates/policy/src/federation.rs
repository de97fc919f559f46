//! With which servers the organisation speaks.
//!
//! A server that is refused is neither called nor answered. What it has said in a room that others share with us
//! stays part of that room: a server that judges remote events by taste splits the room.

use serde::{Deserialize, Serialize};

use crate::{Decision, decision::Setting, glob};

/// With whom the organisation speaks, before exceptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FederationMode {
    /// With nobody.
    Off,
    /// With the servers that are listed.
    Partners,
    /// With everybody.
    #[default]
    Open,
}

impl FederationMode {
    /// The name of this mode in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Partners => "partners",
            Self::Open => "open",
        }
    }
}

/// The rules of an organisation. Server names in the lists may hold `*` and `?`; they are compared without regard
/// to case, with the whole server name and with its host alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FederationRules {
    /// With whom, before exceptions.
    pub mode: FederationMode,
    /// The partners, for the mode of that name.
    pub partners: Vec<String>,
    /// The servers that are refused in every mode.
    pub denied: Vec<String>,
}

/// Whether this organisation speaks with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Federate {
    /// It does.
    Allow,
    /// It does not; the decision's rule is the reason, for people.
    Refuse,
}

impl FederationRules {
    /// Whether this organisation speaks with a server.
    pub fn may_federate(&self, server_name: &str) -> Decision<Federate> {
        let mode = || Setting::new("federation.mode", &self.mode);
        if self.mode == FederationMode::Off {
            return Decision::new(
                Federate::Refuse,
                "this organisation does not speak with other servers",
                mode(),
            );
        }
        if let Some(pattern) = listed(&self.denied, server_name) {
            let setting = Setting::new("federation.denied", &pattern);
            return Decision::new(Federate::Refuse, "this organisation refuses that server", setting);
        }
        if self.mode == FederationMode::Open {
            return Decision::new(Federate::Allow, "this organisation speaks with every server", mode());
        }
        match listed(&self.partners, server_name) {
            Some(pattern) => {
                let setting = Setting::new("federation.partners", &pattern);
                Decision::new(Federate::Allow, "that server is one of this organisation's partners", setting)
            }
            None => Decision::new(
                Federate::Refuse,
                "this organisation speaks with its partners only, and that server is none of them",
                mode(),
            ),
        }
    }

    /// Whether this organisation speaks with a server, without the reason.
    pub fn allows(&self, server_name: &str) -> bool {
        self.may_federate(server_name).outcome == Federate::Allow
    }
}

/// The first pattern that the server's name fits.
fn listed<'a>(patterns: &'a [String], server_name: &str) -> Option<&'a str> {
    let host = host(server_name);
    let fits = |pattern: &&String| glob::matches(pattern, server_name) || glob::matches(pattern, host);
    patterns.iter().find(fits).map(String::as_str)
}

/// A server name without its port. An IPv6 address keeps its brackets.
fn host(server_name: &str) -> &str {
    match server_name.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => server_name,
    }
}
