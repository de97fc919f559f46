//! Pages of the Web that users name: with TLS or without, at any port, and only on the public Internet.

use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_LANGUAGE};
use parvis_peers::{Limits, Page, PageWish, PeerError};
use reqwest::{
    Client, Url,
    redirect::{Attempt, Policy},
};
use rustls::ClientConfig;

use crate::{
    address_guard::AddressGuard,
    answer::{bounded, trouble},
    locate::Locator,
    web::{ToAddresses, leads_inside, open_client},
};

/// How many redirects are followed.
const MOST_REDIRECTS: usize = 5;

/// Fetches pages. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Pages {
    client: Client,
    guard: AddressGuard,
}

impl Pages {
    /// Over the addresses that this locator gives.
    pub(crate) fn new(
        locator: &Locator,
        tls: ClientConfig,
        connect_timeout: Duration,
    ) -> Result<Self, reqwest::Error> {
        let guard = locator.guard().clone();
        // The port stands in the URL, or is the scheme's.
        let resolver = ToAddresses { locator: locator.clone(), port: 0 };
        let client = open_client(tls, resolver, redirects(guard.clone()), connect_timeout)?;
        Ok(Self { client, guard })
    }

    /// The answer of whatever status to a `GET`, after redirects.
    pub(crate) async fn get(
        &self,
        url: &str,
        wish: &PageWish<'_>,
        limits: Limits,
    ) -> Result<Page, PeerError> {
        let url = Url::parse(url).map_err(|error| PeerError::Unsendable(format!("{url}: {error}")))?;
        let server = url.host_str().unwrap_or_default().to_owned();
        if let Err(problem) = check(&url, &self.guard) {
            return Err(PeerError::Unreachable { server, problem: problem.to_owned() });
        }
        let mut request = self.client.get(url).header(ACCEPT, wish.accept);
        if !wish.languages.is_empty() {
            request = request.header(ACCEPT_LANGUAGE, wish.languages);
        }
        let sleep = tokio::time::sleep(limits.timeout);
        let deadline = sleep.deadline();
        let answer = tokio::time::timeout_at(deadline, request.send()).await;
        let answer = answer.map_err(|_| PeerError::Timeout(server.clone()))?;
        let answer = answer.map_err(|error| trouble(&server, &error))?;
        let url = answer.url().to_string();
        Ok(Page { url, response: bounded(answer, &server, limits.max_bytes, deadline, ())? })
    }
}

/// Whether a place may be connected to, as far as its URL tells.
fn check(url: &Url, guard: &AddressGuard) -> Result<(), &'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        Err("only pages of http and https are fetched")
    } else if !url.username().is_empty() || url.password().is_some() {
        Err("a page with a user name in its address is not fetched")
    } else if leads_inside(url, guard) {
        Err("the address is not on the public Internet (see media.url_previews.allowed_private_ranges)")
    } else {
        Ok(())
    }
}

fn redirects(guard: AddressGuard) -> Policy {
    Policy::custom(move |attempt: Attempt<'_>| {
        if attempt.previous().len() > MOST_REDIRECTS {
            return attempt.error("there are too many redirects");
        }
        match check(attempt.url(), &guard) {
            Ok(()) => attempt.follow(),
            Err(problem) => attempt.error(problem),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_on_the_public_internet_are_fetched() {
        let guard = AddressGuard::default();
        let allowed = |url: &str| check(&Url::parse(url).unwrap(), &guard).is_ok();
        for good in ["http://example.org/", "https://example.org:8443/a?b#c", "http://93.184.216.34/"] {
            assert!(allowed(good), "{good}");
        }
        for bad in [
            "ftp://example.org/",
            "file:///etc/passwd",
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://[::1]/",
            "http://169.254.169.254/latest/meta-data",
            "http://user:password@example.org/",
        ] {
            assert!(!allowed(bad), "{bad}");
        }
    }
}
