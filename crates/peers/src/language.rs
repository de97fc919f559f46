//! Languages in which the server speaks to people: in mails, and on the pages to which they lead.

/// A language in which mails and pages are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// French.
    French,
    /// German.
    German,
    /// Italian.
    Italian,
}

impl Language {
    /// The language of a code such as `fr` or `de-CH`.
    pub fn of_code(code: &str) -> Option<Self> {
        match code.trim().split(['-', '_']).next()?.to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "fr" => Some(Self::French),
            "de" => Some(Self::German),
            "it" => Some(Self::Italian),
            _ => None,
        }
    }

    /// Its code.
    pub fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
            Self::German => "de",
            Self::Italian => "it",
        }
    }

    /// The one that is wanted most of those in an `Accept-Language` header, if it names one.
    pub fn wanted(header: Option<&str>) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        for part in header?.split(',').take(32) {
            let mut pieces = part.split(';');
            let Some(language) = pieces.next().and_then(Self::of_code) else { continue };
            let quality = pieces.find_map(|piece| piece.trim().strip_prefix("q="));
            let quality = quality.map_or(1.0, |quality| quality.trim().parse().unwrap_or(0.0));
            if quality > 0.0 && best.is_none_or(|(known, _)| quality > known) {
                best = Some((quality, language));
            }
        }
        best.map(|(_, language)| language)
    }
}

#[cfg(test)]
mod tests {
    use super::Language;

    #[test]
    fn language_that_is_wanted_most_is_found() {
        for (header, expected) in [
            (Some("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5"), Some(Language::French)),
            (Some("nl, de;q=0.3, it;q=0.7"), Some(Language::Italian)),
            (Some("de_CH"), Some(Language::German)),
            (Some("en;q=0, fr;q=0.1"), Some(Language::French)),
            (Some("nl"), None),
            (Some(";;,,q"), None),
            (None, None),
        ] {
            assert_eq!(Language::wanted(header), expected, "{header:?}");
        }
    }
}
