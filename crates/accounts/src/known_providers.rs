//! What this server remembers of the organisation's identity providers. How it is found out is not known here.

use std::sync::Arc;

use jsonwebtoken::jwk::Jwk;
use parvis_ambient::Timestamp;
use parvis_cache::Cache;
use serde_json::{Map, Value};

use crate::{
    id_token::{self, BadIdToken, Expected},
    logout_token::{self, Ended},
};

/// What is known of the organisation's providers.
#[derive(Debug)]
pub(crate) struct Providers(pub(crate) Cache<String, Arc<Known>>);

impl Providers {
    pub(crate) fn new() -> Self {
        Self(Cache::new(64))
    }
}

/// What is known of a provider.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) fetched: Timestamp,
    pub(crate) authorization_endpoint: String,
    pub(crate) token_endpoint: String,
    pub(crate) userinfo_endpoint: Option<String>,
    /// Whether the secret goes into the form, and not into a header.
    pub(crate) secret_in_form: bool,
    /// Whether it says in its answers that it is itself.
    pub(crate) says_iss: bool,
    pub(crate) keys: Vec<Jwk>,
}

impl Known {
    pub(crate) fn has_key_of(&self, token: &str) -> bool {
        id_token::has_key_of(token, &self.keys)
    }

    pub(crate) fn read(
        &self,
        token: &str,
        expected: &Expected<'_>,
    ) -> Result<Map<String, Value>, BadIdToken> {
        id_token::read(token, &self.keys, expected)
    }

    /// Whose sign-in has ended at this provider, of this issuer, that calls us so.
    pub(crate) fn read_end(
        &self,
        token: &str,
        between: (&str, &str),
        now_seconds: i64,
    ) -> Result<Ended, BadIdToken> {
        logout_token::read(token, &self.keys, between, now_seconds)
    }
}
