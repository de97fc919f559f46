//! The section `sign_on`: how people sign in with their browsers, and let apps in.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use parvis_accounts::{BackChannelLogout, ClientSecret, ExistingAccounts, IdentityProvider, Language};
use parvis_client_api::{Accent, Logo, SignOn};
use serde::{Deserialize, Serialize};

use super::{
    check::Checker,
    people::{MailAddressAtRegistration, RegistrationMode},
    secret::Secret,
    settings::Settings,
};

/// The largest picture of the organisation's sign.
const LARGEST_LOGO: u64 = 512 << 10;

/// How people sign in with their browsers, and let apps in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SignOnSettings {
    /// Whether apps are let in by OAuth 2.0.
    pub enabled: bool,
    /// Whether apps may ask for passwords themselves, beside that.
    pub passwords_in_apps: bool,
    /// What the pages call the organisation; without it, what mails call it.
    pub organisation_name: Option<String>,
    /// The organisation's sign.
    pub logo_file: Option<PathBuf>,
    /// The colour of buttons and links.
    pub accent_colour: String,
    /// The language for those whose browsers want none that is known.
    pub default_language: String,
    /// Whether the pages ask for passwords.
    pub passwords_on_pages: bool,
    /// Whether an app may be let in by a QR code that another shows or scans.
    pub qr_codes: bool,
    /// Where else people can prove who they are.
    pub providers: Vec<ProviderSettings>,
}

/// An identity provider, by OpenID Connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    /// Its name for programs.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its issuer.
    pub issuer: String,
    /// How it calls this server.
    pub client_id: String,
    /// How it knows this server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
    /// What it is asked for.
    #[serde(default = "usual_scopes")]
    pub scopes: String,
    /// What it calls that of which a localpart is made.
    #[serde(default = "usual_localpart_claim")]
    pub localpart_claim: String,
    /// What it calls the display name.
    #[serde(default = "usual_name_claim")]
    pub name_claim: String,
    /// What it calls the mail address.
    #[serde(default = "usual_mail_claim")]
    pub mail_claim: String,
    /// Whether its mail addresses are believed where it does not say that it has checked them.
    #[serde(default)]
    pub trusts_mail: bool,
    /// Whether nobody is given an account whom it lets in.
    #[serde(default)]
    pub makes_no_accounts: bool,
    /// Whose an account becomes that was there before.
    #[serde(default)]
    pub existing_accounts: ExistingAccountsRule,
    /// What it calls the groups that somebody is in.
    #[serde(default = "usual_groups_claim")]
    pub groups_claim: String,
    /// Who is in one of these is let in; without any, everybody whom the provider lets in.
    #[serde(default)]
    pub required_groups: Vec<String>,
    /// What ends when it says that somebody's sign-in there has ended.
    #[serde(default)]
    pub back_channel_logout: BackChannelLogoutRule,
}

/// What ends when an identity provider says that somebody's sign-in there has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackChannelLogoutRule {
    /// The apps that were let in with it, with their devices, and the browsers.
    #[default]
    Devices,
    /// The browsers alone.
    Browsers,
    /// Nothing.
    Ignore,
}

/// By what an account that was there before becomes that of somebody at an identity provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExistingAccountsRule {
    /// By nothing.
    #[default]
    Refuse,
    /// By its localpart.
    ByLocalpart,
    /// By its mail address.
    ByMail,
}

fn usual_scopes() -> String {
    "openid profile email".to_owned()
}

fn usual_localpart_claim() -> String {
    "preferred_username".to_owned()
}

fn usual_name_claim() -> String {
    "name".to_owned()
}

fn usual_mail_claim() -> String {
    "email".to_owned()
}

fn usual_groups_claim() -> String {
    "groups".to_owned()
}

impl Default for SignOnSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            passwords_in_apps: true,
            organisation_name: None,
            logo_file: None,
            accent_colour: "#1d4e89".to_owned(),
            default_language: "en".to_owned(),
            passwords_on_pages: true,
            qr_codes: true,
            providers: Vec::new(),
        }
    }
}

/// What is switched on of it.
pub(super) fn check(settings: &Settings, development: bool, checker: &mut Checker<'_>) -> Option<SignOn> {
    let sign_on = &settings.sign_on;
    let accent = Accent::parse(&sign_on.accent_colour);
    checker.require(accent.is_some(), "sign_on.accent_colour", "is a colour such as \"#1d4e89\"");
    let language = Language::of_code(&sign_on.default_language);
    checker.require(language.is_some(), "sign_on.default_language", "is \"en\", \"fr\", \"de\" or \"it\"");
    let logo = sign_on.logo_file.as_deref().map(logo);
    if let Some(Err(problem)) = &logo {
        checker.problem("sign_on.logo_file", problem.clone());
    }
    checker.require(
        sign_on.enabled || sign_on.passwords_in_apps,
        "sign_on.passwords_in_apps",
        "nobody could sign in: set sign_on.enabled = true as well",
    );
    if !sign_on.enabled {
        return None;
    }
    let url = settings.server.public_base_url.as_deref();
    let secure = development || url.is_none_or(|url| url.starts_with("https://"));
    let reason = "needs server.public_base_url to begin with https://, since passwords and tokens go there";
    checker.require(secure, "sign_on.enabled", reason);
    let names = [&sign_on.organisation_name, &settings.mail.organisation_name];
    let organisation = names.into_iter().flatten().next().unwrap_or(&settings.server.name);
    // Proving a mail address is not part of the page for making an account.
    let by_page = settings.registration.mail_address != MailAddressAtRegistration::Required;
    let mode = settings.registration.mode;
    Some(SignOn {
        organisation: organisation.clone(),
        default_language: language?,
        accent: accent?,
        logo: logo.and_then(Result::ok),
        passwords_in_apps: sign_on.passwords_in_apps,
        passwords_on_pages: sign_on.passwords_on_pages,
        qr_codes: sign_on.qr_codes,
        registration: by_page && sign_on.passwords_on_pages && mode != RegistrationMode::Closed,
        registration_needs_token: mode == RegistrationMode::Token,
    })
}

/// Where people can prove who they are.
pub(super) fn providers(settings: &SignOnSettings, checker: &mut Checker<'_>) -> Vec<IdentityProvider> {
    const KEY: &str = "sign_on.providers";
    let none = settings.providers.is_empty();
    checker.require(none || settings.enabled, KEY, "have no effect, since sign_on.enabled is false");
    checker.require(
        settings.passwords_on_pages || !none,
        "sign_on.passwords_on_pages",
        "nobody could sign in: name one of sign_on.providers",
    );
    let mut ids = HashSet::new();
    for provider in &settings.providers {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let named = !provider.id.is_empty() && provider.id.len() <= 64 && provider.id.bytes().all(letter);
        checker.require(named, KEY, "an id is made of letters, digits, - and _ alone");
        checker.require(ids.insert(&provider.id), KEY, "two have the same id");
        checker.require(!provider.name.is_empty(), KEY, "a provider needs a name");
        let issuer = provider.issuer.as_str();
        let near = ["http://localhost:", "http://127.0.0.1:"].iter().any(|start| issuer.starts_with(start));
        checker.require(
            (issuer.starts_with("https://") || near) && !issuer.contains(['?', '#', ' ']),
            KEY,
            "an issuer is a URL that begins with https://",
        );
        let asks = provider.scopes.split(' ').any(|scope| scope == "openid");
        checker.require(asks, KEY, "the scopes must name openid");
        let named =
            !provider.groups_claim.is_empty() && !provider.required_groups.iter().any(String::is_empty);
        checker.require(named, KEY, "a group and the claim of groups have a name");
    }
    settings.providers.iter().map(provider).collect()
}

fn provider(settings: &ProviderSettings) -> IdentityProvider {
    let ProviderSettings { id, name, issuer, client_id, scopes, .. } = settings.clone();
    IdentityProvider {
        id,
        name,
        issuer,
        client_id,
        client_secret: settings.client_secret.as_ref().map(|secret| ClientSecret(secret.reveal().to_owned())),
        scopes,
        localpart_claim: settings.localpart_claim.clone(),
        name_claim: settings.name_claim.clone(),
        mail_claim: settings.mail_claim.clone(),
        trusts_mail: settings.trusts_mail,
        makes_accounts: !settings.makes_no_accounts,
        existing_accounts: match settings.existing_accounts {
            ExistingAccountsRule::Refuse => ExistingAccounts::Refuse,
            ExistingAccountsRule::ByLocalpart => ExistingAccounts::ByLocalpart,
            ExistingAccountsRule::ByMail => ExistingAccounts::ByMail,
        },
        groups_claim: settings.groups_claim.clone(),
        required_groups: settings.required_groups.clone(),
        back_channel_logout: match settings.back_channel_logout {
            BackChannelLogoutRule::Devices => BackChannelLogout::Devices,
            BackChannelLogoutRule::Browsers => BackChannelLogout::Browsers,
            BackChannelLogoutRule::Ignore => BackChannelLogout::Ignored,
        },
    }
}

fn logo(file: &Path) -> Result<Logo, String> {
    let content_type = match file.extension().and_then(|extension| extension.to_str()) {
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("webp") => "image/webp",
        Some("svg") => "image/svg+xml",
        _ => return Err("is a picture that ends with .png, .jpg, .webp or .svg".to_owned()),
    };
    let failed = |error: std::io::Error| format!("cannot be read: {} ({error})", file.display());
    if fs::metadata(file).map_err(failed)?.len() > LARGEST_LOGO {
        return Err(format!("is larger than {} KiB", LARGEST_LOGO >> 10));
    }
    Ok(Logo { content_type, bytes: fs::read(file).map_err(failed)?.into() })
}
