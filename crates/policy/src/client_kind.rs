//! What a client does with the published default for encryption, as far as its `User-Agent` tells.
//!
//! This serves a default, not security: anyone can write anything into a `User-Agent`.

/// Whether a client follows the organisation's published default for encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientKind {
    /// Element Web and Desktop, Element Classic: where they ask for encryption although the default is off, a
    /// person chose it. Any other client in a browser looks the same, so it counts here too.
    FollowsPublishedDefault,
    /// Element X and everything unknown: they ask for encryption in every private room of their own accord.
    IgnoresPublishedDefault,
}

impl ClientKind {
    /// The kind of the client that sent this `User-Agent`.
    pub fn of_user_agent(user_agent: Option<&str>) -> Self {
        let follows = user_agent.is_some_and(|user_agent| {
            is_browser(user_agent) || is_classic_android(user_agent) || is_classic_ios(user_agent)
        });
        if follows { Self::FollowsPublishedDefault } else { Self::IgnoresPublishedDefault }
    }
}

/// Browsers send their own name for every page, and Electron does as they do.
fn is_browser(user_agent: &str) -> bool {
    user_agent.starts_with("Mozilla/")
}

fn is_classic_android(user_agent: &str) -> bool {
    user_agent.contains("; MatrixAndroidSdk2")
}

/// Element Classic counts its versions from 1; Element X names them after the year.
fn is_classic_ios(user_agent: &str) -> bool {
    let name_fits =
        ["Element/1.", "Element Classic/", "Riot/"].iter().any(|name| user_agent.starts_with(name));
    name_fits && user_agent.contains("; iOS ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_agents_are_told_apart() {
        use ClientKind::{FollowsPublishedDefault, IgnoresPublishedDefault};
        let table = [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                FollowsPublishedDefault,
            ),
            (
                "Mozilla/5.0 (X11) AppleWebKit/537.36 Element/1.12.20 Chrome/140.0 Electron/38.0 Safari/537.36",
                FollowsPublishedDefault,
            ),
            (
                "Element/1.6.40 (Google Pixel 6; Android 13; TQ2A; Flavour FDroid; MatrixAndroidSdk2 1.6.40)",
                FollowsPublishedDefault,
            ),
            ("Element/1.11.30 (iPhone 14; iOS 17.1; Scale/3.00)", FollowsPublishedDefault),
            ("Element Classic/1.12.0 (iPhone 14; iOS 18.1; Scale/3.00)", FollowsPublishedDefault),
            ("Element X/26.08.1 (Google Pixel 6; Android 13; TQ2A; Sdk c344b155c)", IgnoresPublishedDefault),
            ("Element X/26.08.0 (iPhone 14; iOS 18.1.0; Scale/3.00)", IgnoresPublishedDefault),
            ("Element/26.08.0 (iPhone 14; iOS 18.1.0; Scale/3.00)", IgnoresPublishedDefault),
            ("matrix-rust-sdk", IgnoresPublishedDefault),
            ("node", IgnoresPublishedDefault),
            ("", IgnoresPublishedDefault),
        ];
        for (user_agent, kind) in table {
            assert_eq!(ClientKind::of_user_agent(Some(user_agent)), kind, "{user_agent}");
        }
        assert_eq!(ClientKind::of_user_agent(None), IgnoresPublishedDefault);
    }
}
