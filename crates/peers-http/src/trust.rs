//! Whose certificates are believed, and how TLS is spoken.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The authorities whose certificates are believed. Cheap to clone.
#[derive(Clone)]
pub struct TrustRoots(Arc<RootCertStore>);

/// A file of certificates that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}: {problem}", file.display())]
pub struct UnusableRoots {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

impl TrustRoots {
    /// Those that the machine trusts; where it has none, as in a small container, Mozilla's.
    pub fn system() -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Self(Arc::new(store))
    }

    /// None at all.
    pub fn none() -> Self {
        Self(Arc::new(RootCertStore::empty()))
    }

    /// These, and those in files in PEM.
    ///
    /// # Errors
    /// [`UnusableRoots`] for a file that cannot be read or holds no certificate.
    pub fn with_files(self, files: &[PathBuf]) -> Result<Self, UnusableRoots> {
        let mut store = Arc::unwrap_or_clone(self.0);
        for file in files {
            add_file(&mut store, file).map_err(|problem| UnusableRoots { file: file.clone(), problem })?;
        }
        Ok(Self(Arc::new(store)))
    }

    /// How this side of a connection speaks TLS.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::clone(&self.0))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn add_file(store: &mut RootCertStore, file: &Path) -> Result<(), String> {
    let certificates = CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| error.to_string())?;
    if certificates.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    certificates
        .into_iter()
        .try_for_each(|certificate| store.add(certificate).map_err(|error| error.to_string()))
}

impl fmt::Debug for TrustRoots {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TrustRoots({})", self.0.len())
    }
}
