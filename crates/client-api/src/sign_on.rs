//! How people sign in with their browsers: the organisation's name, logo and colours, and what is asked for.

use std::fmt::Write as _;

use bytes::Bytes;
use parvis_accounts::Language;

/// How people sign in with their browsers.
#[derive(Clone, Debug)]
pub struct SignOn {
    /// What the organisation is called.
    pub organisation: String,
    /// The language for those whose browser wants none that is known.
    pub default_language: Language,
    /// The colour of buttons and links.
    pub accent: Accent,
    /// The organisation's sign.
    pub logo: Option<Logo>,
    /// Whether apps may still ask for passwords themselves.
    pub passwords_in_apps: bool,
    /// Whether the pages ask for passwords; or else an identity provider does.
    pub passwords_on_pages: bool,
    /// Whether an app may be let in by a QR code that another shows or scans.
    pub qr_codes: bool,
    /// Whether whoever comes from the Internet may make an account on the pages.
    pub registration: bool,
    /// Whether for that they need a token.
    pub registration_needs_token: bool,
}

/// A picture.
#[derive(Clone, Debug)]
pub struct Logo {
    /// Its type.
    pub content_type: &'static str,
    /// Itself.
    pub bytes: Bytes,
}

/// A colour: red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accent(pub [u8; 3]);

impl Default for Accent {
    fn default() -> Self {
        Self([0x1d, 0x4e, 0x89])
    }
}

impl Accent {
    /// Reads a colour such as `#1d4e89`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
        let part = |from| u8::from_str_radix(digits.get(from..from + 2)?, 16).ok();
        Some(Self([part(0)?, part(2)?, part(4)?]))
    }

    /// The relative luminance of WCAG 2, from 0 to 1.
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [red, green, blue] = self.0.map(linear);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// Nearer to black or white, step by step, until it can be read on this.
    fn readable_on(self, ground: Self) -> Self {
        let towards = if ground.luminance() > 0.5 { 0 } else { 255 };
        let mut colour = self;
        for _ in 0..64 {
            if colour.contrast(ground) >= 4.6 {
                break;
            }
            colour = Self(colour.0.map(|part| {
                let step = (i16::from(part) - towards) / 12 + (i16::from(part) - towards).signum();
                u8::try_from((i16::from(part) - step).clamp(0, 255)).unwrap_or(part)
            }));
        }
        colour
    }

    fn hex(self) -> String {
        self.0.iter().fold("#".to_owned(), |mut text, part| {
            let _ = write!(text, "{part:02x}");
            text
        })
    }
}

/// The style of all pages.
pub(crate) fn style_sheet(sign_on: &SignOn) -> String {
    const WHITE: Accent = Accent([255; 3]);
    const BLACK: Accent = Accent([0; 3]);
    const NIGHT: Accent = Accent([0x1a, 0x1d, 0x21]);
    let accent = sign_on.accent;
    let on = |colour: Accent| if colour.contrast(WHITE) >= 4.5 { WHITE } else { BLACK };
    let by_night = accent.readable_on(NIGHT);
    format!(
        ":root{{--accent:{};--on-accent:{};--link:{}}}\n\
         @media (prefers-color-scheme:dark){{:root{{--accent:{};--on-accent:{};--link:{}}}}}\n{}",
        accent.hex(),
        on(accent).hex(),
        accent.readable_on(WHITE).hex(),
        by_night.hex(),
        on(by_night).hex(),
        by_night.hex(),
        include_str!("../templates/style.css"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_colour_can_be_read() {
        let (white, night) = (Accent([255; 3]), Accent([0x1a, 0x1d, 0x21]));
        for text in ["#ffff00", "#000000", "#ffffff", "#ff6600", "#1d4e89", "#00ff00"] {
            let accent = Accent::parse(text).unwrap();
            assert!(accent.readable_on(white).contrast(white) >= 4.5, "{text}");
            assert!(accent.readable_on(night).contrast(night) >= 4.5, "{text}");
        }
        for text in ["red", "#fff", "#gggggg", "#12345é", ""] {
            assert_eq!(Accent::parse(text), None, "{text}");
        }
    }
}
