//! From the configuration to the organisation's directory.

use std::{fs, io, sync::Arc};

use parvis_peers::PeopleDirectory;
use parvis_peers_ldap::{LdapDirectory, LdapSettings};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use crate::config::DirectorySettings;

/// The organisation's directory, if it has one.
///
/// # Errors
/// If the certificate that it is to be trusted by cannot be read.
pub(crate) fn people_directory(
    settings: &DirectorySettings,
) -> Result<Option<Arc<dyn PeopleDirectory>>, io::Error> {
    let (Some(url), Some(base)) = (&settings.url, &settings.base) else { return Ok(None) };
    let password = settings.password.as_ref().map(|password| password.reveal().to_owned());
    let directory = LdapDirectory::new(LdapSettings {
        url: url.clone(),
        starttls: settings.starttls,
        tls: Arc::new(tls(settings)?),
        account: settings.account.clone().zip(password),
        base: base.clone(),
        filter: settings.filter.clone(),
        localpart: settings.user_name.clone(),
        display_name: settings.display_name.clone(),
        address: settings.mail.clone(),
    });
    Ok(Some(Arc::new(directory)))
}

fn tls(settings: &DirectorySettings) -> Result<ClientConfig, io::Error> {
    let mut roots = RootCertStore::empty();
    let (_, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = &settings.ca_file {
        let named = |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", file.display()));
        let pem = fs::read(file).map_err(|error| named(&error))?;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| named(&error))?;
            roots.add(certificate).map_err(|error| named(&error))?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(versions.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth())
}
