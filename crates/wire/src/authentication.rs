//! Who is calling: from the `Authorization` header to the API's own notion of a caller.
//!
//! Which kind of authentication an endpoint wants is part of its ruma type, and an endpoint cannot be
//! registered without it, so no handler can forget it. What a token means is for the API's [`Authenticator`];
//! other ways to say who one is are [`Scheme`]s of the API's own.

use std::{borrow::Cow, future::Future};

use axum::extract::Query;
use http::{HeaderMap, header, request::Parts};
use ruma::api::auth_scheme::{
    AccessToken, AccessTokenOptional, AppserviceToken, AppserviceTokenOptional, AuthScheme, NoAccessToken,
    NoAuthentication,
};

use crate::MatrixError;

/// Turns an access token into the API's notion of a caller. Implemented by the state of an API's handlers.
pub trait Authenticator: Clone + Send + Sync + 'static {
    /// A caller who is known, such as a session.
    type Principal: Send + 'static;

    /// The caller to whom `token` belongs. `request` is there for what depends on the endpoint or the client,
    /// such as a locked account which may still log out.
    ///
    /// # Errors
    /// [`MatrixError::unknown_token`], or why this caller may not come in.
    fn authenticate(
        &self,
        token: &str,
        request: &Parts,
    ) -> impl Future<Output = Result<Self::Principal, MatrixError>> + Send;
}

/// What a ruma authentication scheme gives to handlers whose state is `S`.
pub trait Scheme<S>: AuthScheme {
    /// What the handler learns of the caller.
    type Principal: Send + 'static;
    /// What is known of the caller before the body is read: all there is, unless a signature covers the body.
    type Claim: Send;

    /// Finds out who is calling, as far as that can be done without the body. Whoever is refused here has no
    /// body read.
    ///
    /// # Errors
    /// The answer for a caller who may not come in.
    fn admit(state: &S, request: &Parts) -> impl Future<Output = Result<Self::Claim, MatrixError>> + Send;

    /// Makes certain of it, with the body as it came: empty where there is none, and where the handler reads it
    /// by itself.
    ///
    /// # Errors
    /// The answer for a caller who did not send this.
    fn confirm(
        state: &S,
        claim: Self::Claim,
        request: &Parts,
        body: &[u8],
    ) -> impl Future<Output = Result<Self::Principal, MatrixError>> + Send;
}

/// The claim of a scheme that needs no body is what the handler learns.
macro_rules! confirmed_without_body {
    () => {
        type Claim = Self::Principal;

        async fn confirm(
            _: &S,
            claim: Self::Claim,
            _: &Parts,
            _: &[u8],
        ) -> Result<Self::Principal, MatrixError> {
            Ok(claim)
        }
    };
}

impl<S: Authenticator> Scheme<S> for AccessToken {
    type Principal = S::Principal;
    confirmed_without_body!();

    async fn admit(state: &S, request: &Parts) -> Result<S::Principal, MatrixError> {
        match access_token(request)? {
            Some(token) => state.authenticate(&token, request).await,
            None => Err(MatrixError::missing_token("An access token is needed.")),
        }
    }
}

impl<S: Authenticator> Scheme<S> for AccessTokenOptional {
    type Principal = Option<S::Principal>;
    confirmed_without_body!();

    async fn admit(state: &S, request: &Parts) -> Result<Option<S::Principal>, MatrixError> {
        match access_token(request)? {
            Some(token) => state.authenticate(&token, request).await.map(Some),
            None => Ok(None),
        }
    }
}

/// For application services alone: whether the caller is one is for the handler to see.
impl<S: Authenticator> Scheme<S> for AppserviceToken {
    type Principal = S::Principal;
    confirmed_without_body!();

    async fn admit(state: &S, request: &Parts) -> Result<S::Principal, MatrixError> {
        AccessToken::admit(state, request).await
    }
}

impl<S: Sync> Scheme<S> for NoAccessToken {
    type Principal = ();
    confirmed_without_body!();

    async fn admit(_: &S, _: &Parts) -> Result<(), MatrixError> {
        Ok(())
    }
}

impl<S: Sync> Scheme<S> for NoAuthentication {
    type Principal = ();
    confirmed_without_body!();

    async fn admit(_: &S, _: &Parts) -> Result<(), MatrixError> {
        Ok(())
    }
}

/// Login and registration: open to clients, whose stale tokens must not get in the way.
impl<S: Sync> Scheme<S> for AppserviceTokenOptional {
    type Principal = ();
    confirmed_without_body!();

    async fn admit(_: &S, _: &Parts) -> Result<(), MatrixError> {
        Ok(())
    }
}

/// The access token of a request, if it carries one.
///
/// # Errors
/// If there is an `Authorization` header that is not `Bearer` and a token.
pub fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>, MatrixError> {
    const SCHEME: &str = "bearer";
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let credentials = value.to_str().ok().and_then(|value| value.split_once(' '));
    match credentials {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(SCHEME) && !token.trim().is_empty() => {
            Ok(Some(token.trim()))
        }
        _ => {
            Err(MatrixError::missing_token("The Authorization header must be `Bearer` and an access token."))
        }
    }
}

/// The access token of a request: from the header, or else from the query string. The latter ends in logs and browser
/// histories and is deprecated since v1.11, but servers must take it
/// (<https://spec.matrix.org/v1.19/client-server-api/#using-access-tokens>).
///
/// # Errors
/// As [`bearer_token`].
pub fn access_token(request: &Parts) -> Result<Option<Cow<'_, str>>, MatrixError> {
    match bearer_token(&request.headers)? {
        Some(token) => Ok(Some(Cow::Borrowed(token))),
        None => Ok(query_token(request).map(Cow::Owned)),
    }
}

/// The access token in the query string of a request, if there is one.
fn query_token(request: &Parts) -> Option<String> {
    // Most requests have none, and need not be taken apart.
    request.uri.query().filter(|query| query.contains("access_token="))?;
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&request.uri).ok()?;
    pairs.into_iter().find(|(key, _)| key == "access_token").map(|(_, token)| token)
}
