//! What identity providers say of themselves (<https://openid.net/specs/openid-connect-discovery-1_0.html>): kept for an
//! hour, keys included.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::jwk::Jwk;
use parvis_peers::{PeerError, ProviderQuestion};
use parvis_storage::{ADDRESS_IS_FREE, CommitError, StorageError, UserAddress, UserSn, WriteSet};
use serde_json::{Map, Value};

use super::upstream::ProviderError;
use crate::{
    accounts::{Accounts, plain},
    addresses::{EMAIL, canonical_address},
    known_providers::Known,
    settings::IdentityProvider,
};

/// How long what a provider says of itself is believed.
const KEPT_FOR: Duration = Duration::from_secs(3_600);
/// How often keys are fetched at most for tokens whose key is not known.
const KEYS_EVERY: Duration = Duration::from_secs(60);
/// How many keys of a provider are kept.
const MOST_KEYS: usize = 64;

impl Accounts {
    pub(super) async fn known_provider(
        &self,
        provider: &IdentityProvider,
    ) -> Result<Arc<Known>, ProviderError> {
        let known = self.known_providers.0.get(&provider.id);
        match known.filter(|known| self.now().since(known.fetched) < KEPT_FOR) {
            Some(known) => Ok(known),
            None => self.discover(provider).await,
        }
    }

    /// The keys once more, for a token whose key is not among them; not too often.
    pub(super) async fn newer_keys(
        &self,
        provider: &IdentityProvider,
        known: Arc<Known>,
    ) -> Result<Arc<Known>, ProviderError> {
        if self.now().since(known.fetched) < KEYS_EVERY { Ok(known) } else { self.discover(provider).await }
    }

    async fn discover(&self, provider: &IdentityProvider) -> Result<Arc<Known>, ProviderError> {
        let issuer = &provider.issuer;
        let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let said = self.ask_provider(&url).await?;
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        let nonsense = |what: &str| ProviderError::Unreachable(format!("{url} does not say a good {what}"));
        if text("issuer") != Some(issuer.as_str()) {
            return Err(nonsense("issuer"));
        }
        // What is over TLS does not lead to what is not.
        let endpoint = |name: &str| {
            let good = |url: &&str| url.starts_with("https://") || issuer.starts_with("http://");
            text(name).filter(good).map(str::to_owned)
        };
        let needed = |name: &str| endpoint(name).ok_or_else(|| nonsense(name));
        let jwks_uri = needed("jwks_uri")?;
        let methods = said.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
        let knows = |method: &str| {
            methods.is_some_and(|methods| methods.iter().any(|known| known.as_str() == Some(method)))
        };
        let known = Arc::new(Known {
            fetched: self.now(),
            authorization_endpoint: needed("authorization_endpoint")?,
            token_endpoint: needed("token_endpoint")?,
            userinfo_endpoint: endpoint("userinfo_endpoint"),
            secret_in_form: knows("client_secret_post") && !knows("client_secret_basic"),
            says_iss: said.get("authorization_response_iss_parameter_supported") == Some(&Value::Bool(true)),
            keys: self.keys_at(&jwks_uri).await?,
        });
        self.known_providers.0.insert(provider.id.clone(), Arc::clone(&known));
        Ok(known)
    }

    async fn keys_at(&self, url: &str) -> Result<Vec<Jwk>, ProviderError> {
        let said = self.ask_provider(url).await?;
        let keys = said.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
        // Keys of kinds that are not known are passed over; so are those that encrypt.
        let signs = |key: &Value| key.get("use").is_none_or(|purpose| purpose == "sig");
        let keys = keys.into_iter().filter(signs).take(MOST_KEYS);
        Ok(keys.filter_map(|key| serde_json::from_value(key).ok()).collect())
    }

    async fn ask_provider(&self, url: &str) -> Result<Value, ProviderError> {
        let question = ProviderQuestion { url, form: None, authorization: None };
        Ok(self.settings.provider_caller.ask(question).await?)
    }

    pub(super) async fn ask_for_person(
        &self,
        url: &str,
        token: &str,
    ) -> Result<Map<String, Value>, ProviderError> {
        let authorization = format!("Bearer {token}");
        let question = ProviderQuestion { url, form: None, authorization: Some(&authorization) };
        match self.settings.provider_caller.ask(question).await? {
            Value::Object(person) => Ok(person),
            _ => Err(ProviderError::Unreachable("it says nothing of the person".to_owned())),
        }
    }

    pub(super) async fn ask_for_tokens(
        &self,
        provider: &IdentityProvider,
        known: &Known,
        code: &str,
        verifier: &str,
        callback: &str,
    ) -> Result<Value, ProviderError> {
        let (form, authorization) = token_question(provider, known, code, verifier, callback);
        let question = ProviderQuestion {
            url: &known.token_endpoint,
            form: Some(&form),
            authorization: authorization.as_deref(),
        };
        match self.settings.provider_caller.ask(question).await {
            Err(PeerError::Refused { status, .. }) if status.is_client_error() => Err(ProviderError::Denied),
            answer => Ok(answer?),
        }
    }

    /// Notes the mail address that a provider has checked. One that is another user's stays theirs.
    pub(super) async fn keep_address_of_provider(
        &self,
        user: UserSn,
        mail: &str,
    ) -> Result<(), StorageError> {
        let Some(address) = canonical_address(mail) else { return Ok(()) };
        if self.owner_of(mail).await?.is_some() {
            return Ok(());
        }
        let now = self.now().millis();
        let mut set = WriteSet::new();
        set.add_address(&UserAddress {
            medium: EMAIL.to_owned(),
            address,
            user,
            validated_ts: now,
            added_ts: now,
        });
        match self.store.commit(set).await {
            Ok(_) | Err(CommitError::Guard(ADDRESS_IS_FREE)) => Ok(()),
            Err(error) => Err(plain(error)),
        }
    }
}

/// What a provider is sent for tokens: the form, and the `Authorization` header where our secret stands there.
fn token_question(
    provider: &IdentityProvider,
    known: &Known,
    code: &str,
    verifier: &str,
    callback: &str,
) -> (String, Option<String>) {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs([
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", callback),
        ("code_verifier", verifier),
    ]);
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let mut authorization = None;
    match &provider.client_secret {
        Some(secret) if known.secret_in_form => {
            form.append_pair("client_id", &provider.client_id).append_pair("client_secret", &secret.0);
        }
        Some(secret) => {
            // Both are form-encoded first (RFC 6749, section 2.3.1).
            let pair = format!("{}:{}", encoded(&provider.client_id), encoded(&secret.0));
            authorization = Some(format!("Basic {}", STANDARD.encode(pair)));
        }
        None => {
            form.append_pair("client_id", &provider.client_id);
        }
    }
    (form.finish(), authorization)
}
