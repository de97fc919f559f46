//! The section `[directory]`: the organisation's directory of its people, by LDAP.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{check::Checker, secret::Secret};

/// Where the directory is, and how people stand in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DirectorySettings {
    /// `ldaps://host` or `ldap://host`; without it there is no directory.
    pub url: Option<String>,
    /// Whether a way that begins open is made private first.
    pub starttls: bool,
    /// A certificate to trust besides those of the system, in PEM.
    pub ca_file: Option<PathBuf>,
    /// The entry that may search.
    pub account: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// Below which entry people are.
    pub base: Option<String>,
    /// Which entry is somebody's, `{name}` being what they typed.
    pub filter: String,
    /// The attribute that becomes the user name.
    pub user_name: String,
    /// The attribute with what they are called.
    pub display_name: String,
    /// The attribute with their mail address.
    pub mail: String,
}

impl Default for DirectorySettings {
    fn default() -> Self {
        Self {
            url: None,
            starttls: false,
            ca_file: None,
            account: None,
            password: None,
            base: None,
            filter: "(uid={name})".to_owned(),
            user_name: "uid".to_owned(),
            display_name: "cn".to_owned(),
            mail: "mail".to_owned(),
        }
    }
}

impl DirectorySettings {
    /// Whether it can be asked.
    pub(super) fn check(&self, checker: &mut Checker<'_>) {
        let Some(url) = &self.url else { return };
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let host = rest.trim_end_matches('/');
        let near = ["localhost", "127.0.0.1", "[::1]"]
            .iter()
            .any(|near| host.strip_prefix(near).is_some_and(|port| port.is_empty() || port.starts_with(':')));
        match scheme {
            _ if host.is_empty() => {
                checker.problem("directory.url", "must be like \"ldaps://ldap.example.org\"")
            }
            "ldaps" if self.starttls => {
                checker
                    .problem("directory.starttls", "ldaps:// is private from the first byte: leave it out");
            }
            "ldaps" => {}
            "ldap" if self.starttls || near => {}
            "ldap" => checker.problem(
                "directory.url",
                "passwords are sent over a private way only: ldaps://, or starttls",
            ),
            _ => checker.problem("directory.url", "must begin with ldaps:// or ldap://"),
        }
        if self.base.as_ref().is_none_or(String::is_empty) {
            checker.problem("directory.base", "must name the entry below which people are");
        }
        if !self.filter.contains("{name}") || !self.filter.starts_with('(') {
            checker.problem("directory.filter", "must be a filter such as \"(uid={name})\"");
        }
        if self.account.is_some() != self.password.is_some() {
            checker.problem("directory.password", "entry and password are set together, or neither");
        }
    }
}
