//! From the `Authorization` headers of a request to the server that made it.
//!
//! The signature binds method, path and query as they were sent, body, origin and destination; so a request can
//! neither be turned to another endpoint nor played to another server.
//! <https://spec.matrix.org/v1.19/server-server-api/#request-authentication>

use axum::extract::OriginalUri;
use http::{StatusCode, request::Parts};
use parvis_wire::{MatrixError, Scheme};
use ruma::{
    OwnedServerName, ServerName, SigningKeyAlgorithm,
    api::{error::ErrorCode, federation::authentication::ServerSignatures},
    serde::Base64,
    signatures::verify_canonical_json_bytes,
};

use crate::{FederationApi, signed_request::signed_text, x_matrix};

/// The server that made a request, as its signature shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(OwnedServerName);

impl Origin {
    /// Its name.
    pub fn server_name(&self) -> &ServerName {
        &self.0
    }
}

/// What a request says of who made it, and what it takes to find out whether that is true.
#[derive(Debug)]
pub struct Claim {
    origin: OwnedServerName,
    destination: OwnedServerName,
    /// Signatures, each with the public key that it must fit to.
    signatures: Vec<(Base64, Base64)>,
}

impl Scheme<FederationApi> for ServerSignatures {
    type Principal = Origin;
    type Claim = Claim;

    /// Reads the headers and finds the keys. A server with which the organisation does not federate is refused
    /// here, before anybody is asked for its keys.
    async fn admit(api: &FederationApi, request: &Parts) -> Result<Claim, MatrixError> {
        let credentials = x_matrix::read(&request.headers).map_err(unauthorised)?;
        let destination = api.rooms.server_name().to_owned();
        let origin = match credentials.first() {
            Some(first) => first.origin.clone(),
            None => return Err(unauthorised("The request is not signed.")),
        };
        if credentials.iter().any(|other| other.origin != origin) {
            return Err(unauthorised("The Authorization headers name several servers."));
        }
        let meant = |named: &Option<String>| named.as_ref().is_none_or(|name| *name == *destination.as_str());
        if !credentials.iter().all(|one| meant(&one.destination)) {
            return Err(unauthorised("The request is meant for another server."));
        }
        if !api.partners.allows(&origin) {
            return Err(MatrixError::forbidden("This server does not federate with yours."));
        }
        let mut signatures = Vec::with_capacity(credentials.len());
        for one in credentials {
            if !one.key_id.starts_with("ed25519:") {
                continue;
            }
            let key = api.rooms.others().keys.key_for_request(&origin, &one.key_id).await;
            let key = key.filter(|key| !key.retired).and_then(|key| Base64::parse(key.public_key).ok());
            signatures.extend(key.map(|key| (one.signature, key)));
        }
        if signatures.is_empty() {
            return Err(unauthorised("No key is known that the request could be signed with."));
        }
        Ok(Claim { origin, destination, signatures })
    }

    /// Verifies the signature. A server that has called is no longer left in peace after a failure.
    async fn confirm(
        api: &FederationApi,
        claim: Claim,
        request: &Parts,
        body: &[u8],
    ) -> Result<Origin, MatrixError> {
        let uri = request.extensions.get::<OriginalUri>().map_or(&request.uri, |original| &original.0);
        let text = signed_text((&request.method, uri), &claim.origin, &claim.destination, body)
            .map_err(MatrixError::bad_json)?;
        let fits = |(signature, key): &(Base64, Base64)| {
            let algorithm = SigningKeyAlgorithm::Ed25519;
            verify_canonical_json_bytes(&algorithm, key.as_bytes(), signature.as_bytes(), &text).is_ok()
        };
        if !claim.signatures.iter().any(fits) {
            return Err(unauthorised("The signature of the request is false."));
        }
        api.rooms.others().federation.heard_from(&claim.origin);
        api.outbound.heard_from(&claim.origin);
        Ok(Origin(claim.origin))
    }
}

/// 401 `M_UNAUTHORIZED`.
fn unauthorised(reason: &'static str) -> MatrixError {
    MatrixError::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, reason)
}
