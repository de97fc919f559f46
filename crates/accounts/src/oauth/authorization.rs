//! What an app asks for through a browser, and granting it
//! (<https://spec.matrix.org/v1.19/client-server-api/#authorisation-code-flow>).

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parvis_storage::{CommitError, OAUTH_CLIENT_IS_KNOWN, OAuthGrant, StorageError, WriteSet};
use serde::Deserialize;
use url::Url;

use super::{
    browser::BrowserSession,
    clients::{AUTHORIZATION_CODE, RegisteredClient, millis},
    redirects,
    scope::Scope,
};
use crate::{
    accounts::{Accounts, plain},
    secret::{self, TokenKind, new_token},
};

/// How long it is remembered what was granted, to notice a code that is used twice.
const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3_600);
/// The longest `state` that is given back, in bytes.
const LONGEST_STATE: usize = 4_096;
/// The longest hint, in bytes.
const LONGEST_HINT: usize = 255;

/// What stands in the query of the request.
#[derive(Clone, Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "the parameters are those of RFC 6749, RFC 7636 and OpenID Connect")]
pub struct AuthorizationRequest {
    pub client_id: Option<String>,
    pub redirect_uri: Option<String>,
    pub response_type: Option<String>,
    pub response_mode: Option<String>,
    pub scope: Option<String>,
    pub state: Option<String>,
    pub code_challenge: Option<String>,
    pub code_challenge_method: Option<String>,
    pub prompt: Option<String>,
    pub login_hint: Option<String>,
    pub ui_locales: Option<String>,
    pub request: Option<String>,
    pub request_uri: Option<String>,
}

/// Where the answer is sent, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnAddress {
    redirect_uri: String,
    in_fragment: bool,
    state: Option<String>,
}

/// A request that was found good.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// Who asks.
    pub client: RegisteredClient,
    /// Where the answer is sent.
    pub back: ReturnAddress,
    /// Who the app thinks signs in: a localpart, if it says a user of this server.
    pub login_hint: Option<String>,
    /// Whether the user is to prove anew who they are.
    pub sign_in_anew: bool,
    /// Whether the user wants an account.
    pub create: bool,
    /// Whether nothing may be shown.
    pub silent: bool,
    scope: Scope,
    challenge: String,
}

/// Why a request is not answered with a page.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizationError {
    /// The app is not known, or the answer cannot be sent where it says. Nothing may be sent there.
    #[error("{0}")]
    Unsafe(&'static str),
    /// Something else is wrong, and the app is told so.
    #[error("{error}: {description}")]
    Refused {
        /// Where it is told.
        back: Box<ReturnAddress>,
        /// The code of RFC 6749.
        error: &'static str,
        /// What is wrong.
        description: &'static str,
    },
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ReturnAddress {
    /// The address with an answer. `issuer` says who answers, so that an app that speaks with several servers does
    /// not mix them up (RFC 9207).
    pub fn with(&self, issuer: &str, answer: &[(&str, &str)]) -> String {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(answer);
        if let Some(state) = &self.state {
            pairs.append_pair("state", state);
        }
        pairs.append_pair("iss", issuer);
        let pairs = pairs.finish();
        let uri = &self.redirect_uri;
        if self.in_fragment {
            return format!("{uri}#{pairs}");
        }
        let separator = match uri.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        format!("{uri}{separator}{pairs}")
    }

    /// The host to which the browser goes, or the scheme of an app on the machine.
    pub fn destination(&self) -> String {
        let Ok(url) = Url::parse(&self.redirect_uri) else { return String::new() };
        url.host_str().map_or_else(|| format!("{}:", url.scheme()), str::to_owned)
    }
}

impl Authorization {
    /// The device that the app is to have.
    pub fn device_id(&self) -> &ruma::DeviceId {
        &self.scope.device_id
    }
}

impl Accounts {
    /// Judges what an app asks for.
    ///
    /// # Errors
    /// Any [`AuthorizationError`].
    pub async fn check_authorization(
        &self,
        request: AuthorizationRequest,
    ) -> Result<Authorization, AuthorizationError> {
        let client_id = request.client_id.as_deref().unwrap_or_default();
        let client = self.oauth_client(client_id).await?;
        let client = client.ok_or(AuthorizationError::Unsafe("the app is not known here"))?;
        let redirect_uri = request.redirect_uri.as_deref().unwrap_or_default();
        let registered = client.metadata.redirect_uris.iter();
        let known = registered.into_iter().any(|known| redirects::is_registered(known, redirect_uri));
        if !known || !client.may(AUTHORIZATION_CODE) {
            return Err(AuthorizationError::Unsafe("the app has not registered this redirect URI"));
        }
        let mode = request.response_mode.as_deref();
        let state = request.state.clone().filter(|state| state.len() <= LONGEST_STATE);
        let back = ReturnAddress {
            redirect_uri: redirect_uri.to_owned(),
            in_fragment: mode == Some("fragment"),
            state,
        };
        let refused = |error, description| AuthorizationError::Refused {
            back: Box::new(back.clone()),
            error,
            description,
        };
        let invalid = |description| refused("invalid_request", description);
        if request.response_type.as_deref() != Some("code") {
            return Err(refused("unsupported_response_type", "the response type is code"));
        }
        if !matches!(mode, None | Some("query" | "fragment")) {
            return Err(invalid("the response mode is query or fragment"));
        }
        if request.state.as_ref().is_some_and(|state| state.len() > LONGEST_STATE) {
            return Err(invalid("the state is too long"));
        }
        if request.request.is_some() {
            return Err(refused("request_not_supported", "request objects are not known here"));
        }
        if request.request_uri.is_some() {
            return Err(refused("request_uri_not_supported", "request objects are not known here"));
        }
        if request.code_challenge_method.as_deref() != Some("S256") {
            return Err(invalid("a code challenge of the method S256 is needed"));
        }
        let challenge = request
            .code_challenge
            .filter(|challenge| URL_SAFE_NO_PAD.decode(challenge).is_ok_and(|hash| hash.len() == 32));
        let challenge = challenge.ok_or_else(|| invalid("the code challenge is not a hash"))?;
        let scope = Scope::parse(request.scope.as_deref().unwrap_or_default());
        let scope = scope.ok_or_else(|| refused("invalid_scope", "the scope is the API and one device"))?;
        let prompts: Vec<&str> = request.prompt.as_deref().unwrap_or_default().split(' ').collect();
        let silent = prompts.contains(&"none");
        if silent && prompts.len() > 1 {
            return Err(invalid("the prompt none stands alone"));
        }
        Ok(Authorization {
            client,
            back: back.clone(),
            login_hint: request.login_hint.and_then(|hint| self.hinted(&hint)),
            sign_in_anew: prompts.iter().any(|prompt| matches!(*prompt, "login" | "select_account")),
            create: prompts.contains(&"create"),
            silent,
            scope,
            challenge,
        })
    }

    /// Who is meant by a hint, as it stands in a field for a user name.
    fn hinted(&self, hint: &str) -> Option<String> {
        if hint.len() > LONGEST_HINT {
            return None;
        }
        match hint.strip_prefix("mxid:") {
            Some(id) => {
                crate::names::known_as(id, &self.settings.server_name).map(|id| id.localpart().to_owned())
            }
            None => Some(hint.to_owned()),
        }
    }

    /// Grants what was asked for, as somebody who is signed in in a browser. Gives the code with which the app fetches it.
    ///
    /// # Errors
    /// [`AuthorizationError::Unsafe`] if the app was forgotten meanwhile, or if the store fails.
    pub async fn grant(
        &self,
        authorization: &Authorization,
        session: &BrowserSession,
    ) -> Result<String, AuthorizationError> {
        let code = new_token(&*self.ambient.chance, TokenKind::Code);
        let now = self.now().millis();
        let grant = OAuthGrant {
            client_id: authorization.client.client_id.clone(),
            user: session.user,
            device_id: authorization.scope.device_id.clone(),
            scope: authorization.scope.granted.clone(),
            redirect_uri: authorization.back.redirect_uri.clone(),
            challenge: authorization.challenge.clone(),
            granted_ts: now,
            used_by: None,
            upstream: session.upstream,
        };
        let mut set = WriteSet::new();
        set.delete_old_oauth_grants(now.saturating_sub(millis(REMEMBERED_FOR)));
        set.use_oauth_client(&grant.client_id, now);
        set.add_oauth_grant(&secret::hash(&code), &grant);
        match self.store.commit(set).await {
            Ok(_) => Ok(code),
            Err(CommitError::Guard(OAUTH_CLIENT_IS_KNOWN)) => {
                Err(AuthorizationError::Unsafe("the app is not known here"))
            }
            Err(error) => Err(plain(error).into()),
        }
    }
}
