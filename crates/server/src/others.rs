//! The organisation and other servers: with whom it speaks, and over which network.

use std::sync::Arc;

use async_trait::async_trait;
use parvis_ambient::Ambient;
use parvis_federation_api::{KeyDocuments, Partners};
use parvis_peers::{KeyQuery, Transport};
use parvis_peers_http::{
    AddressGuard, Dns, Guarded, HttpSettings, HttpTransport, KeyRing, Ports, TrustRoots,
};
use parvis_policy::federation::FederationRules;
use parvis_storage::{StorageError, Store};
use ruma::ServerName;

use crate::config::OrganisationConfig;

/// The real network, as one organisation sees it.
///
/// # Errors
/// What cannot be used, in words.
pub fn network(
    config: &OrganisationConfig,
    roots: TrustRoots,
    dns: Arc<dyn Dns>,
    ambient: &Ambient,
) -> Result<HttpTransport, String> {
    let federation = &config.federation;
    let previews = &config.media.settings.url_previews;
    let roots = roots.with_files(&federation.extra_root_certificates);
    let settings = HttpSettings {
        guard: AddressGuard::new(federation.allowed_private_ranges.iter().map(|network| network.0)),
        pages_guard: AddressGuard::new(previews.allowed_private_ranges.iter().map(|network| network.0)),
        gateway_ranges: config.push.allowed_private_ranges.iter().map(|network| network.0).collect(),
        ports: Ports::default(),
        roots: roots.map_err(|error| error.to_string())?,
        connect_timeout: federation.connect_timeout,
    };
    HttpTransport::new(&settings, dns, ambient).map_err(|error| error.to_string())
}

/// Answers the servers that the organisation's rules allow.
#[derive(Debug)]
pub(crate) struct ByRules(pub(crate) FederationRules);

impl Partners for ByRules {
    fn allows(&self, server: &ServerName) -> bool {
        self.0.allows(server.as_str())
    }
}

/// Publishes what a key ring knows.
#[derive(Debug)]
pub(crate) struct Notary(pub(crate) Arc<KeyRing>);

#[async_trait]
impl KeyDocuments for Notary {
    async fn own(&self) -> Result<String, String> {
        self.0.published().map_err(|error| error.to_string())
    }

    async fn of_others(&self, query: &KeyQuery) -> Vec<String> {
        self.0.vouch(query).await
    }
}

/// A network as far as the organisation uses it.
pub(crate) async fn guarded(
    config: &OrganisationConfig,
    store: &Store,
    ambient: &Ambient,
    network: Arc<dyn Transport>,
) -> Result<Arc<dyn Transport>, StorageError> {
    let (rules, own) = (config.federation.rules.clone(), config.server_name.clone());
    let admits = Arc::new(move |server: &ServerName| rules.allows(server.as_str()));
    Ok(Arc::new(Guarded::new(network, own, admits, store.clone(), ambient.clone()).await?))
}
