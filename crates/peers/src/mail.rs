//! One mail to somebody.

use std::fmt;

use async_trait::async_trait;

/// A mail, as text and as simple HTML that says the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// To which address.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// What it says, as text.
    pub text: String,
    /// What it says, as HTML.
    pub html: String,
    /// A URL to which a `POST` has no more such mails sent, for programs that show a button for that (RFC 8058).
    pub stop: Option<String>,
}

/// A text as it stands in HTML.
pub fn in_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

impl fmt::Debug for Mail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What it says may hold a secret.
        formatter.debug_struct("Mail").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Why a mail was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// No mail can be sent to such an address.
    #[error("this is no address for mail")]
    BadAddress,
    /// The mail server could not be reached, or did not take the mail.
    #[error("the mail server did not take the mail: {0}")]
    Failed(String),
}

/// Sends mails.
#[async_trait]
pub trait Mailer: Send + Sync + fmt::Debug {
    /// Hands a mail to the mail server, which answers for it from then on.
    ///
    /// # Errors
    /// Any [`MailError`].
    async fn send(&self, mail: Mail) -> Result<(), MailError>;
}

#[cfg(test)]
mod tests {
    use super::in_html;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(in_html("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    }
}
