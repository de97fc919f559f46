//! Apps, which register themselves (<https://spec.matrix.org/v1.19/client-server-api/#client-registration>).
//!
//! Anybody may register an app, so there must be no use in doing it often: equal apps are one, those that nobody uses
//! are forgotten, and there is room for so many alone.

use std::time::Duration;

use parvis_storage::{StorageError, WriteSet};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::redirects::{self, Kind};
use crate::accounts::{Accounts, plain};

/// How long an app is kept that nobody has used.
const UNUSED_FOR: Duration = Duration::from_secs(7 * 24 * 3_600);
/// How long an app is kept that has no session any more.
const WITHOUT_SESSION_FOR: Duration = Duration::from_secs(90 * 24 * 3_600);
/// How many apps are kept at most that nobody has used.
const MOST_UNUSED: i64 = 10_000;
/// How many are kept at most that registered within the hour, and nobody has used, where there are too many.
const CROWDED_FOR: Duration = Duration::from_secs(3_600);
/// The longest text of an app, in bytes.
const LONGEST_TEXT: usize = 2_048;
/// The longest name of an app that is shown, in characters.
const LONGEST_NAME: usize = 64;
/// How many addresses an app may register.
const MOST_REDIRECTS: usize = 16;

pub(super) const AUTHORIZATION_CODE: &str = "authorization_code";
pub(super) const REFRESH_TOKEN: &str = "refresh_token";
pub(super) const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What an app says of itself, as far as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientMetadata {
    /// `web` or `native`.
    pub application_type: String,
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// Its own page.
    pub client_uri: String,
    /// How it may come to a session.
    pub grant_types: Vec<String>,
    /// A page with its rules on privacy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Where browsers may be sent back to.
    pub redirect_uris: Vec<String>,
    /// `code`.
    pub response_types: Vec<String>,
    /// `none`: no app can keep a secret.
    pub token_endpoint_auth_method: String,
    /// A page with its terms of service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
}

/// An app that is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredClient {
    /// Its name for programs.
    pub client_id: String,
    /// What it says of itself.
    pub metadata: ClientMetadata,
}

/// Why an app is not registered.
#[derive(Debug, thiserror::Error)]
pub enum ClientProblem {
    /// An address to which browsers would be sent back is not one that the app could have.
    #[error("a redirect URI is not allowed")]
    RedirectUri,
    /// Something else of what it says of itself cannot be.
    #[error("{0}")]
    Metadata(&'static str),
    /// Too many apps have registered that nobody uses.
    #[error("there are too many unused apps")]
    Full,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// What an app sends.
#[derive(Deserialize)]
struct Sent {
    application_type: Option<String>,
    client_name: Option<String>,
    client_uri: Option<String>,
    grant_types: Option<Vec<String>>,
    logo_uri: Option<String>,
    policy_uri: Option<String>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    response_types: Option<Vec<String>>,
    token_endpoint_auth_method: Option<String>,
    tos_uri: Option<String>,
}

impl RegisteredClient {
    /// What people call the app: its name, or the host of its page.
    pub fn name(&self) -> String {
        let host = || redirects::host_of_page(&self.metadata.client_uri).unwrap_or_default();
        self.metadata.client_name.clone().unwrap_or_else(host)
    }

    pub(super) fn may(&self, grant_type: &str) -> bool {
        self.metadata.grant_types.iter().any(|known| known == grant_type)
    }
}

impl ClientMetadata {
    /// Reads and judges what an app says of itself.
    fn read(sent: Value) -> Result<Self, ClientProblem> {
        let sent: Sent = serde_json::from_value(sent)
            .map_err(|_| ClientProblem::Metadata("a field is not of its type"))?;
        let uri = sent.client_uri.ok_or(ClientProblem::Metadata("client_uri is missing"))?;
        let host = redirects::host_of_page(&uri).filter(|_| uri.len() <= LONGEST_TEXT);
        let host =
            host.ok_or(ClientProblem::Metadata("client_uri is not a page over HTTPS on a host with a name"))?;
        let kind = match sent.application_type.as_deref() {
            None | Some("web") => Kind::Web,
            Some("native") => Kind::Native,
            Some(_) => return Err(ClientProblem::Metadata("application_type is neither web nor native")),
        };
        if sent.token_endpoint_auth_method.as_deref().is_some_and(|method| method != "none") {
            return Err(ClientProblem::Metadata(
                "token_endpoint_auth_method is none, since apps keep no secrets",
            ));
        }
        for page in [&sent.logo_uri, &sent.policy_uri, &sent.tos_uri].into_iter().flatten() {
            if page.len() > LONGEST_TEXT || !redirects::is_page_of(page, &host) {
                return Err(ClientProblem::Metadata(
                    "a page of the app is not over HTTPS on the host of client_uri",
                ));
            }
        }
        let all_fit = sent
            .redirect_uris
            .iter()
            .all(|uri| uri.len() <= LONGEST_TEXT && redirects::may_register(uri, kind, &host));
        if sent.redirect_uris.len() > MOST_REDIRECTS || !all_fit {
            return Err(ClientProblem::RedirectUri);
        }
        let grant_types = sent.grant_types.unwrap_or_else(|| vec![AUTHORIZATION_CODE.to_owned()]);
        let known = |wanted: &[&str]| -> Vec<String> {
            let wanted = wanted.iter().filter(|known| grant_types.iter().any(|sent| sent == *known));
            wanted.map(|known| (*known).to_owned()).collect()
        };
        let grant_types = known(&[AUTHORIZATION_CODE, REFRESH_TOKEN, DEVICE_CODE]);
        let by_code = grant_types.iter().any(|kind| kind == AUTHORIZATION_CODE);
        if by_code && sent.redirect_uris.is_empty() {
            return Err(ClientProblem::RedirectUri);
        }
        if !by_code && !grant_types.iter().any(|kind| kind == DEVICE_CODE) {
            return Err(ClientProblem::Metadata(
                "none of the grant types is one by which an app comes to a session",
            ));
        }
        let response_types = sent.response_types.unwrap_or_else(|| vec!["code".to_owned()]);
        if by_code && !response_types.iter().any(|kind| kind == "code") {
            return Err(ClientProblem::Metadata("response_types lacks code"));
        }
        Ok(Self {
            application_type: if kind == Kind::Web { "web" } else { "native" }.to_owned(),
            client_name: sent.client_name.map(|name| shown(&name)).filter(|name| !name.is_empty()),
            client_uri: uri,
            grant_types,
            policy_uri: sent.policy_uri,
            redirect_uris: sent.redirect_uris,
            response_types: if by_code { vec!["code".to_owned()] } else { Vec::new() },
            token_endpoint_auth_method: "none".to_owned(),
            tos_uri: sent.tos_uri,
        })
    }
}

/// A name as it can be shown: without what turns letters round or hides them, and not too long.
fn shown(name: &str) -> String {
    let hides = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let name: String = name.chars().filter(|letter| !hides(*letter)).take(LONGEST_NAME).collect();
    name.trim().to_owned()
}

impl Accounts {
    /// Judges what an app says of itself, and whether it is known already, since an equal one has registered.
    ///
    /// # Errors
    /// Any [`ClientProblem`].
    pub async fn judge_client(&self, sent: Value) -> Result<(RegisteredClient, bool), ClientProblem> {
        let metadata = ClientMetadata::read(sent)?;
        let client_id = client_id(&text(&metadata)?);
        let known = self.store.oauth_client(&client_id).await?.is_some();
        Ok((RegisteredClient { client_id, metadata }, known))
    }

    /// Keeps an app that was judged.
    ///
    /// # Errors
    /// [`ClientProblem::Full`], or if the store fails.
    pub async fn keep_client(&self, client: &RegisteredClient) -> Result<(), ClientProblem> {
        let now = self.now();
        let before = |duration: Duration| now.millis().saturating_sub(millis(duration));
        let mut set = WriteSet::new();
        set.delete_old_oauth_clients(before(UNUSED_FOR), before(WITHOUT_SESSION_FOR));
        if self.store.count_unused_oauth_clients().await? >= MOST_UNUSED {
            // Somebody makes up apps. Those who register to log in do so at once.
            set.delete_old_oauth_clients(before(CROWDED_FOR), before(WITHOUT_SESSION_FOR));
            self.store.commit(set).await.map_err(plain)?;
            if self.store.count_unused_oauth_clients().await? >= MOST_UNUSED {
                return Err(ClientProblem::Full);
            }
            set = WriteSet::new();
        }
        set.put_oauth_client(&client.client_id, &text(&client.metadata)?, now.millis());
        self.store.commit(set).await.map_err(plain)?;
        Ok(())
    }

    /// An app that is known here.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn oauth_client(&self, client_id: &str) -> Result<Option<RegisteredClient>, StorageError> {
        let Some(text) = self.store.oauth_client(client_id).await? else { return Ok(None) };
        let metadata =
            serde_json::from_str(&text).map_err(|error| StorageError::Corrupt(format!("an app: {error}")))?;
        Ok(Some(RegisteredClient { client_id: client_id.to_owned(), metadata }))
    }
}

fn text(metadata: &ClientMetadata) -> Result<String, StorageError> {
    serde_json::to_string(metadata).map_err(|error| StorageError::Corrupt(format!("an app: {error}")))
}

/// Equal apps have equal names. They have no secrets, so it does no harm that the name can be found out.
fn client_id(metadata: &str) -> String {
    let hash = blake3::derive_key("parvis oauth client", metadata.as_bytes());
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn apps_that_could_deceive_are_refused() {
        let good = json!({
            "client_uri": "https://example.com", "redirect_uris": ["https://example.com/cb"],
            "grant_types": ["authorization_code", "refresh_token", "password"],
        });
        let read = ClientMetadata::read(good.clone()).unwrap();
        assert_eq!(
            read.grant_types,
            ["authorization_code", "refresh_token"],
            "what is not known is left out"
        );
        for (field, value) in [
            ("client_uri", json!("http://example.com")),
            ("client_uri", json!(null)),
            ("redirect_uris", json!([])),
            ("redirect_uris", json!(["https://evil.test/cb"])),
            ("redirect_uris", json!("https://example.com/cb")),
            ("logo_uri", json!("https://evil.test/logo.png")),
            ("tos_uri", json!("javascript:alert(1)")),
            ("policy_uri", json!("http://example.com/policy")),
            ("application_type", json!("robot")),
            ("token_endpoint_auth_method", json!("client_secret_basic")),
            ("grant_types", json!(["password"])),
            ("response_types", json!(["token"])),
        ] {
            let mut bad = good.clone();
            bad[field] = value;
            assert!(ClientMetadata::read(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_apps_hide_nothing() {
        assert_eq!(shown("  Ele\u{202e}ment\u{0}\n "), "Element");
        assert_eq!(shown(&"x".repeat(500)).len(), LONGEST_NAME);
    }
}
