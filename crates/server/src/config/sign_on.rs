//! The section `sign_on`: how people sign in with their browsers, and let apps in.

use std::{fs, path::Path};

use parvis_accounts::Language;
use parvis_client_api::{Accent, Logo, SignOn};

use super::{
    check::Checker,
    settings::{MailAddressAtRegistration, RegistrationMode, Settings},
};

/// The largest picture of the organisation's sign.
const LARGEST_LOGO: u64 = 512 << 10;

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
        registration: by_page && mode != RegistrationMode::Closed,
        registration_needs_token: mode == RegistrationMode::Token,
    })
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
