//! To which push gateways the organisation has its users' phones told, and how much those are told.
//!
//! A gateway learns when a user is told something and about which room; unless it is kept from it, also by whom and
//! what. It belongs to the maker of an app, seldom to the organisation.

use serde::{Deserialize, Serialize};

use crate::{Decision, decision::Setting, glob};

/// The path that every gateway has (<https://spec.matrix.org/v1.19/push-gateway-api/#post_matrixpushv1notify>).
const PATH: &str = "/_matrix/push/v1/notify";

/// How much of an event a gateway is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PushContent {
    /// What the app has asked for: mostly no more than the event's id.
    #[default]
    AsAsked,
    /// The ids of the event and of its room, whatever the app has asked for.
    Ids,
}

/// What mails say of messages that their readers have missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailContent {
    /// No such mails are sent.
    Off,
    /// How many messages there are, in how many rooms.
    #[default]
    Numbers,
    /// The names of the rooms, and who has written in them.
    Names,
    /// The messages' words too, where they are not encrypted.
    Messages,
}

/// The rules of an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushRules {
    /// Whether anybody is pushed anything.
    pub enabled: bool,
    /// The hosts of the gateways, with `*` and `?` for letters.
    pub gateways: Vec<String>,
    /// Whether gateways may do without TLS: where the operator has named addresses of their own for them.
    pub plain_http: bool,
    /// How much of an event a gateway is told.
    pub content: PushContent,
    /// How much mails say to those who wish to be told by mail.
    pub mail: MailContent,
}

impl Default for PushRules {
    fn default() -> Self {
        Self {
            enabled: true,
            gateways: vec!["*".to_owned()],
            plain_http: false,
            content: PushContent::default(),
            mail: MailContent::default(),
        }
    }
}

/// Whether a gateway is told anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tell {
    /// It is.
    Yes,
    /// This organisation does not wish it.
    No,
    /// The URL is none of a gateway.
    NoGateway,
}

impl PushRules {
    /// Whether users may be told by mail of what they have missed.
    pub fn may_mail(&self) -> Decision<Tell> {
        if !self.enabled {
            let rule = "this organisation pushes nothing to phones";
            return Decision::new(Tell::No, rule, Setting::new("push.enabled", &self.enabled));
        }
        let mail = Setting::new("push.mail", &self.mail);
        match self.mail {
            MailContent::Off => {
                Decision::new(Tell::No, "this organisation sends no mails of missed messages", mail)
            }
            _ => Decision::new(Tell::Yes, "this organisation sends mails of missed messages", mail),
        }
    }

    /// Whether the gateway at a URL is told anything.
    pub fn may_tell(&self, url: &str) -> Decision<Tell> {
        let gateways = || Setting::new("push.gateways", &self.gateways);
        let enabled = || Setting::new("push.enabled", &self.enabled);
        if !self.enabled {
            return Decision::new(Tell::No, "this organisation pushes nothing to phones", enabled());
        }
        let Some((scheme, host, path)) = parts(url) else {
            return Decision::new(Tell::NoGateway, "the URL of a push gateway is not a URL", enabled());
        };
        if path != PATH {
            let rule = "the path of a push gateway is /_matrix/push/v1/notify";
            return Decision::new(Tell::NoGateway, rule, enabled());
        }
        if scheme != "https" && !(scheme == "http" && self.plain_http) {
            let rule = "the URL of a push gateway begins with https://";
            return Decision::new(Tell::NoGateway, rule, enabled());
        }
        match self.gateways.iter().any(|pattern| glob::matches(pattern, host)) {
            true => Decision::new(Tell::Yes, "this organisation uses that push gateway", gateways()),
            false => Decision::new(Tell::No, "this organisation does not use that push gateway", gateways()),
        }
    }
}

/// Scheme, host and path of a URL that has no more than these and a port.
fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, _) = rest.split_once('/')?;
    let path = &rest[authority.len()..];
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:".contains(&byte);
    (!host.is_empty() && host.bytes().all(is_host)).then_some((scheme, host, path))
}
