//! From the configuration to mails that are sent.

use std::sync::Arc;

use parvis_accounts::MailSettings;
use parvis_ambient::Ambient;
use parvis_outbound::MailPush;
use parvis_peers_smtp::{Security, SettingsError, SmtpMailer, SmtpSettings};

use crate::config::{MailSecurity, OrganisationConfig};

/// Where the link in a mail leads, behind the public URL.
const LINK_PATH: &str = "/_matrix/client/unstable/org.parvis.mail/submit_token";

/// Where the link leads by which readers stop mails of missed messages.
const STOP_PATH: &str = "/_matrix/client/unstable/org.parvis.mail/stop";

/// How mails are sent of what users have missed, if any mails are.
pub(crate) fn mail_push(config: &OrganisationConfig, mail: Option<&MailSettings>) -> Option<MailPush> {
    let mail = mail?;
    Some(MailPush {
        mailer: Arc::clone(&mail.mailer),
        organisation: mail.organisation.clone(),
        stop_link: format!("{}{STOP_PATH}", config.discovery.public_base_url),
        default_language: mail.default_language,
        delay: config.push.mail_delay,
        pause: config.push.mail_pause,
    })
}

/// How an organisation's mails are sent, if any are.
///
/// # Errors
/// If its mail server cannot be used.
pub(crate) fn mail_settings(
    config: &OrganisationConfig,
    ambient: &Ambient,
) -> Result<Option<MailSettings>, SettingsError> {
    let Some(mail) = &config.mail else { return Ok(None) };
    let settings = &mail.settings;
    let password = settings.password.as_ref().map(|password| password.reveal().to_owned());
    let smtp = SmtpSettings {
        host: mail.host.clone(),
        port: settings.port,
        security: match settings.security {
            MailSecurity::Tls => Security::Tls,
            MailSecurity::Starttls => Security::StartTls,
            MailSecurity::None => Security::None,
        },
        credentials: settings.username.clone().zip(password),
        from: mail.from.clone(),
    };
    let organisation = settings.organisation_name.clone();
    Ok(Some(MailSettings {
        mailer: Arc::new(SmtpMailer::new(smtp, ambient.clone())?),
        organisation: organisation.unwrap_or_else(|| config.server_name.to_string()),
        link: format!("{}{LINK_PATH}", config.discovery.public_base_url),
        default_language: mail.default_language,
        next_link_hosts: settings.next_link_hosts.clone(),
    }))
}
