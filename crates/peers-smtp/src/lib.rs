//! Mail by SMTP: the adaptor behind [`parvis_peers::Mailer`].
//!
//! Hands each mail to one mail server, the organisation's own, over a connection that is made for it. Knows nothing of
//! what mails say, and keeps none: what the mail server does not take is told to whoever sends.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};
use parvis_ambient::Ambient;
use parvis_peers::{Mail, MailError, Mailer};

/// How long a mail server may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Letters and digits in a mail's id.
const ID_LENGTH: usize = 24;

/// How the way to the mail server is kept private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// With TLS from the first byte.
    Tls,
    /// With TLS after a greeting; a server that does not offer it is given no mail.
    StartTls,
    /// Not at all: for a mail server on the same machine.
    None,
}

/// Where and how mails are handed over.
#[derive(Clone)]
pub struct SmtpSettings {
    /// The mail server's host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is kept private.
    pub security: Security,
    /// The name and the password with which to log in.
    pub credentials: Option<(String, String)>,
    /// From whom mails are: an address, or a name and an address in angle brackets.
    pub from: String,
}

impl fmt::Debug for SmtpSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, security, from, .. } = self;
        formatter
            .debug_struct("SmtpSettings")
            .field("host", host)
            .field("port", port)
            .field("security", security)
            .field("from", from)
            .finish_non_exhaustive()
    }
}

/// Why mails cannot be sent with these settings: a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(pub String);

impl fmt::Display for SettingsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}

/// Whether this can stand in [`SmtpSettings::from`].
pub fn is_sender(from: &str) -> bool {
    from.parse::<Mailbox>().is_ok()
}

/// Hands mails to a mail server.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    ambient: Ambient,
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SmtpMailer").field("from", &self.from).finish_non_exhaustive()
    }
}

impl SmtpMailer {
    /// Sends mails by these settings. Nothing is connected to yet.
    ///
    /// # Errors
    /// If the sender is no mailbox, or TLS cannot be used with this host.
    pub fn new(settings: SmtpSettings, ambient: Ambient) -> Result<Self, SettingsError> {
        let from = settings.from.parse::<Mailbox>();
        let from = from.map_err(|error| SettingsError(format!("{}: {error}", settings.from)))?;
        let parameters = || {
            TlsParameters::new(settings.host.clone()).map_err(|error| SettingsError(format!("TLS: {error}")))
        };
        let tls = match settings.security {
            Security::Tls => Tls::Wrapper(parameters()?),
            Security::StartTls => Tls::Required(parameters()?),
            Security::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(PATIENCE));
        if let Some((name, password)) = settings.credentials {
            builder = builder.credentials(Credentials::new(name, password));
        }
        Ok(Self { transport: builder.build(), from, ambient })
    }

    fn message(&self, mail: Mail) -> Result<Message, MailError> {
        let to = mail.to.parse::<Address>().map_err(|_| MailError::BadAddress)?;
        let millis = u64::try_from(self.ambient.now().millis()).unwrap_or_default();
        let id = format!("<{}@{}>", self.ambient.chance.text(ID_LENGTH), self.from.email.domain());
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.subject)
            .message_id(Some(id))
            .date(std::time::UNIX_EPOCH + Duration::from_millis(millis))
            .multipart(MultiPart::alternative_plain_html(mail.text, mail.html))
            .map_err(|error| MailError::Failed(error.to_string()))
            .map(|message| with_stop(message, mail.stop))
    }
}

/// The mail with the headers by which a program can offer a button to have no more of them.
fn with_stop(mut message: Message, stop: Option<String>) -> Message {
    if let Some(stop) = stop {
        let mut add = |name, value| {
            let name = HeaderName::new_from_ascii_str(name);
            message.headers_mut().insert_raw(HeaderValue::new(name, value));
        };
        add("List-Unsubscribe", format!("<{stop}>"));
        add("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned());
    }
    message
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: Mail) -> Result<(), MailError> {
        let message = self.message(mail)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) => Err(MailError::Failed(error.to_string())),
        }
    }
}
