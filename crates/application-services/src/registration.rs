//! Registration files: what they must say, and what is wrong with them.

use std::fmt;

use serde::Deserialize;

use crate::namespace::{Entry, Namespace};

/// Something that nobody may read in a log.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// Under which names a service gets what is soon stale: typing, receipts, presence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EphemeralForms {
    /// As the specification has it, in `ephemeral`.
    pub stable: bool,
    /// As it was proposed, in `de.sorunome.msc2409.ephemeral`.
    pub unstable: bool,
}

impl EphemeralForms {
    /// Whether the service gets any.
    pub fn any(self) -> bool {
        self.stable || self.unstable
    }
}

/// What a registration file says, judged.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The service's name among those of this homeserver. It never changes.
    pub id: String,
    /// Where the service listens, without a final slash; it may listen nowhere.
    pub url: Option<String>,
    /// By which the service proves to us who it is.
    pub as_token: Secret,
    /// By which we prove to the service who we are.
    pub hs_token: Secret,
    /// The local part of the service's own user.
    pub sender_localpart: String,
    /// The users that are the service's.
    pub users: Namespace,
    /// The aliases that are the service's.
    pub aliases: Namespace,
    /// The rooms that are the service's.
    pub rooms: Namespace,
    /// Whether the service's users are bound by the limits for those who ask too often. Its own user never is.
    pub rate_limited: bool,
    /// The other networks to which the service leads.
    pub protocols: Vec<String>,
    /// Whether the service gets typing, receipts and presence.
    pub ephemeral: EphemeralForms,
    /// Whether the service gets what encryption needs (MSC3202): messages to devices, changed lists of devices,
    /// counts of keys.
    pub encryption: bool,
    /// Whether the service makes devices itself, in place of logging in (MSC4190).
    pub makes_devices: bool,
}

/// What is wrong with a registration file. The text names the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// It is not YAML, or a field is missing or of the wrong kind.
    #[error("{0}")]
    Form(String),
    /// A field's value cannot be used.
    #[error("{field}: {problem}")]
    Field {
        /// The field, as it is written in the file.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Deserialize)]
struct File {
    id: String,
    url: Option<String>,
    as_token: Secret,
    hs_token: Secret,
    sender_localpart: String,
    namespaces: Namespaces,
    rate_limited: Option<bool>,
    protocols: Option<Vec<String>>,
    receive_ephemeral: Option<bool>,
    #[serde(rename = "de.sorunome.msc2409.push_ephemeral")]
    push_ephemeral: Option<bool>,
    #[serde(rename = "org.matrix.msc3202")]
    msc3202: Option<bool>,
    #[serde(rename = "io.element.msc4190")]
    msc4190: Option<bool>,
}

#[derive(Deserialize)]
struct Namespaces {
    users: Option<Vec<Entry>>,
    aliases: Option<Vec<Entry>>,
    rooms: Option<Vec<Entry>>,
}

impl Registration {
    /// Reads a registration file. What it says beside what is known here does not matter.
    ///
    /// # Errors
    /// [`RegistrationError`], which names the field and never shows a token.
    pub fn parse(yaml: &str) -> Result<Self, RegistrationError> {
        let file: File = serde_saphyr::from_str(yaml).map_err(|error| form(&error))?;
        for (field, text) in [
            ("id", file.id.as_str()),
            ("as_token", file.as_token.reveal()),
            ("hs_token", file.hs_token.reveal()),
            ("sender_localpart", &file.sender_localpart),
        ] {
            if text.is_empty() {
                return Err(RegistrationError::Field { field, problem: "is empty".to_owned() });
            }
        }
        let namespace = |field, entries: Option<Vec<Entry>>| {
            let namespace = Namespace::new(&entries.unwrap_or_default());
            namespace.map_err(|problem| RegistrationError::Field { field, problem })
        };
        // A header cannot carry every letter.
        if http::HeaderValue::from_str(file.hs_token.reveal()).is_err() {
            let problem = "has letters that no HTTP header can carry".to_owned();
            return Err(RegistrationError::Field { field: "hs_token", problem });
        }
        Ok(Self {
            url: file.url.as_deref().map(url).transpose()?,
            users: namespace("namespaces.users", file.namespaces.users)?,
            aliases: namespace("namespaces.aliases", file.namespaces.aliases)?,
            rooms: namespace("namespaces.rooms", file.namespaces.rooms)?,
            rate_limited: file.rate_limited.unwrap_or(true),
            protocols: file.protocols.unwrap_or_default(),
            ephemeral: EphemeralForms {
                stable: file.receive_ephemeral.unwrap_or(false),
                unstable: file.push_ephemeral.unwrap_or(false),
            },
            encryption: file.msc3202.unwrap_or(false),
            makes_devices: file.msc4190.unwrap_or(false),
            id: file.id,
            as_token: file.as_token,
            hs_token: file.hs_token,
            sender_localpart: file.sender_localpart,
        })
    }
}

/// The error without the lines of the file that it would show: a token may stand there.
fn form(error: &serde_saphyr::Error) -> RegistrationError {
    let text = error.without_snippet().to_string();
    RegistrationError::Form(text.lines().next().unwrap_or_default().to_owned())
}

fn url(text: &str) -> Result<String, RegistrationError> {
    let parsed: Option<http::Uri> = text.parse().ok();
    let is_http =
        |uri: &http::Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none();
    match parsed.filter(is_http) {
        Some(_) => Ok(text.trim_end_matches('/').to_owned()),
        None => Err(RegistrationError::Field {
            field: "url",
            problem: format!("`{text}` is no URL such as \"http://localhost:9898\"; null stands for none"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
id: irc
url: "http://localhost:9898/"
as_token: "bridge says"
hs_token: "server says"
sender_localpart: ircbot
namespaces:
  users:
    - exclusive: true
      regex: '@irc_.*:parvis\.test'
  aliases:
    - exclusive: false
      regex: '#irc_.*'
  rooms: []
rate_limited: false
protocols: [irc]
receive_ephemeral: true
de.sorunome.msc2409.push_ephemeral: true
org.matrix.msc3202: true
io.element.msc4190: true
something_else: { that: [we, "do not know"] }
"#;

    fn with(from: &str, to: &str) -> Result<Registration, RegistrationError> {
        assert!(WHOLE.contains(from));
        Registration::parse(&WHOLE.replace(from, to))
    }

    #[test]
    fn whole_file_is_read() {
        let irc = Registration::parse(WHOLE).unwrap();
        assert_eq!((irc.id.as_str(), irc.url.as_deref()), ("irc", Some("http://localhost:9898")));
        assert_eq!((irc.as_token.reveal(), irc.hs_token.reveal()), ("bridge says", "server says"));
        assert_eq!((irc.sender_localpart.as_str(), irc.rate_limited), ("ircbot", false));
        assert_eq!(irc.protocols, ["irc"]);
        assert!(irc.ephemeral.stable && irc.ephemeral.unstable && irc.encryption && irc.makes_devices);
        assert!(irc.users.claims("@irc_alice:parvis.test") && !irc.aliases.claims("#irc_a:parvis.test"));
        assert!(irc.rooms.is_empty());
    }

    #[test]
    fn what_may_be_left_out_has_its_default() {
        let short = "id: a\nurl: null\nas_token: b\nhs_token: c\nsender_localpart: d\nnamespaces: {}\n";
        let service = Registration::parse(short).unwrap();
        assert_eq!((service.url, service.rate_limited, service.ephemeral.any()), (None, true, false));
        assert!(!service.encryption && !service.makes_devices && service.protocols.is_empty());
    }

    #[test]
    fn error_names_the_field() {
        let missing = with("hs_token: \"server says\"\n", "").unwrap_err();
        assert!(missing.to_string().contains("hs_token"), "{missing}");
        let pattern = with("'#irc_.*'", "'#irc_[.*'").unwrap_err();
        assert!(pattern.to_string().starts_with("namespaces.aliases: `#irc_[.*`: "), "{pattern}");
        let address = with("\"http://localhost:9898/\"", "localhost").unwrap_err();
        assert!(address.to_string().starts_with("url: `localhost`"), "{address}");
        let empty = with("\"bridge says\"", "''").unwrap_err();
        assert_eq!(empty.to_string(), "as_token: is empty");
    }

    #[test]
    fn no_token_is_shown() {
        let service = Registration::parse(WHOLE).unwrap();
        let errors = [
            with("\"server says\"", "[\"server says\"]").unwrap_err().to_string(),
            with("exclusive: true", "exclusive: perhaps").unwrap_err().to_string(),
            with("sender_localpart: ircbot", "sender_localpart: [").unwrap_err().to_string(),
        ];
        for text in errors.into_iter().chain([format!("{service:?}")]) {
            assert!(!text.contains("says"), "{text}");
        }
    }
}
