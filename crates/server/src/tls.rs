//! Certificates from files, read again when they change.

use std::{io, path::Path, sync::Arc, time::Duration, time::SystemTime};

use axum_server::tls_rustls::RustlsConfig;
use parvis_ambient::Clock;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::CertificateFiles;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The TLS configuration from the certificate files.
pub(crate) fn load(tls: &CertificateFiles) -> io::Result<RustlsConfig> {
    Ok(RustlsConfig::from_config(read(tls)?))
}

/// Reads the files again, for ever: at once on SIGHUP, and within a minute when they have changed. Files that
/// cannot be used are reported, and the certificate in use stays.
pub(crate) async fn keep_fresh(config: RustlsConfig, tls: CertificateFiles, clock: Arc<dyn Clock>) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    let mut seen = changed_at(&tls);
    loop {
        let asked = tokio::select! {
            _ = hangup.recv() => true,
            () = clock.sleep(LOOK_EVERY) => false,
        };
        let now = changed_at(&tls);
        if asked || now != seen {
            seen = now;
            match read(&tls) {
                Ok(fresh) => {
                    config.reload_from_config(fresh);
                    tracing::info!("certificate files read again");
                }
                Err(error) => tracing::error!(%error, "certificate files cannot be used; the old ones stay"),
            }
        }
    }
}

fn changed_at(tls: &CertificateFiles) -> [Option<SystemTime>; 2] {
    let of = |file: &Path| std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok();
    [of(&tls.certificate_file), of(&tls.key_file)]
}

fn read(tls: &CertificateFiles) -> io::Result<Arc<ServerConfig>> {
    let unusable = |file: &Path, reason: String| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {reason}", file.display()))
    };
    let certificates = CertificateDer::pem_file_iter(&tls.certificate_file)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unusable(&tls.certificate_file, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key_file)
        .map_err(|error| unusable(&tls.key_file, error.to_string()))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|error| unusable(&tls.certificate_file, error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
