//! Where browsers may be sent back to
//! (<https://spec.matrix.org/v1.19/client-server-api/#redirect-uri-validation>).
//!
//! An app proves who it is only by having this address. So the addresses are compared as they were registered, letter
//! by letter; but for the port on a loopback address, which an app learns when it starts.

use url::{Host, Url};

/// The kinds of apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Web,
    Native,
}

/// The host of an app's own page, under which all its addresses are. `None` for a page that cannot be one.
pub(super) fn host_of_page(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    let host = url.domain().filter(|host| host.contains('.') && !host.ends_with('.'))?;
    (url.scheme() == "https" && !has_user(&url)).then(|| host.to_owned())
}

/// Whether this is a page of the app: over HTTPS, on its host or below it.
pub(super) fn is_page_of(uri: &str, host: &str) -> bool {
    let Ok(url) = Url::parse(uri) else { return false };
    url.scheme() == "https" && !has_user(&url) && url.domain().is_some_and(|own| is_below(own, host))
}

/// Whether an app may register this address.
pub(super) fn may_register(uri: &str, kind: Kind, host: &str) -> bool {
    // An address is compared letter by letter later, and written into a header.
    let plain = uri.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    if !plain || uri.contains(['#', '\\', '"', '<', '>']) {
        return false;
    }
    let Ok(url) = Url::parse(uri) else { return false };
    match url.scheme() {
        "https" => is_page_of(uri, host),
        "http" => kind == Kind::Native && is_loopback(&url) && url.port().is_none() && !has_port(uri),
        scheme => kind == Kind::Native && is_own_scheme(scheme, uri, host),
    }
}

/// Whether an address is the one that was registered.
pub(super) fn is_registered(registered: &str, uri: &str) -> bool {
    if registered == uri {
        return true;
    }
    let (Ok(known), Ok(asked)) = (Url::parse(registered), Url::parse(uri)) else { return false };
    if known.scheme() != "http" || !is_loopback(&known) || !is_loopback(&asked) || has_user(&asked) {
        return false;
    }
    // The same address but for its port.
    let Some(port) = asked.port() else { return false };
    let written = format!(":{port}");
    uri.replacen(&written, "", 1) == registered
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn has_port(uri: &str) -> bool {
    let authority =
        uri.split("://").nth(1).and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
    authority.rsplit(']').next().is_some_and(|behind| behind.contains(':'))
}

fn is_loopback(url: &Url) -> bool {
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.octets() == [127, 0, 0, 1],
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && local && !has_user(url)
}

/// A scheme of the app's own: its host read backwards, or that and more; and no host behind it.
fn is_own_scheme(scheme: &str, uri: &str, host: &str) -> bool {
    let backwards = host.rsplit('.').collect::<Vec<_>>().join(".");
    let named =
        scheme == backwards || scheme.strip_prefix(&backwards).is_some_and(|rest| rest.starts_with('.'));
    let behind = uri.get(scheme.len() + 1..).unwrap_or_default();
    named && !behind.starts_with("//")
}

fn is_below(name: &str, host: &str) -> bool {
    name == host || name.strip_suffix(host).is_some_and(|front| front.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_the_apps_that_people_use_are_accepted() {
        for (uri, kind, host) in [
            ("https://element.io/oauth/ios/io.element.elementx", Kind::Native, "element.io"),
            ("io.element.android:/", Kind::Native, "element.io"),
            ("io.element:callback", Kind::Native, "element.io"),
            ("https://app.element.io/?no_universal_links=true", Kind::Web, "element.io"),
            ("https://example.com:5173/?query=value", Kind::Web, "example.com"),
            ("http://localhost/callback", Kind::Native, "example.com"),
            ("http://127.0.0.1/callback", Kind::Native, "example.com"),
            ("http://[::1]/callback", Kind::Native, "example.com"),
        ] {
            assert!(may_register(uri, kind, host), "{uri}");
        }
    }

    #[test]
    fn addresses_that_others_could_have_are_refused() {
        for (uri, kind) in [
            ("https://example.com/callback#fragment", Kind::Web),
            ("http://example.com/callback", Kind::Web),
            ("http://localhost/", Kind::Web),
            ("https://evil.test/", Kind::Web),
            ("https://notexample.com/", Kind::Web),
            ("https://user@example.com/", Kind::Web),
            ("com.example.app:/callback", Kind::Web),
            ("example:/callback", Kind::Native),
            ("com.example.app://callback", Kind::Native),
            ("com.examples:/callback", Kind::Native),
            ("https://localhost/callback", Kind::Native),
            ("http://localhost:1234/callback", Kind::Native),
            ("http://localhost:80/callback", Kind::Native),
            ("javascript:alert(1)", Kind::Native),
            ("data:text/html,x", Kind::Native),
            ("https://example.com/\r\nx", Kind::Web),
            ("https://example.com\\@evil.test/", Kind::Web),
            ("/callback", Kind::Web),
        ] {
            assert!(!may_register(uri, kind, "example.com"), "{uri}");
        }
    }

    #[test]
    fn only_the_port_of_a_loopback_address_may_differ() {
        assert!(is_registered("http://localhost/cb", "http://localhost:4711/cb"));
        assert!(is_registered("http://127.0.0.1/cb", "http://127.0.0.1:1/cb"));
        assert!(is_registered("http://[::1]/cb", "http://[::1]:4711/cb"));
        for (registered, uri) in [
            ("http://localhost/cb", "http://localhost:4711/other"),
            ("http://localhost/cb", "http://127.0.0.1:4711/cb"),
            ("http://localhost/cb", "http://localhost:4711/cb/"),
            ("http://localhost/cb", "http://localhost:4711@evil.test/cb"),
            ("https://example.com/cb", "https://example.com:8443/cb"),
            ("https://example.com/cb", "https://example.com/cb?x=1"),
            ("https://example.com/cb", "https://example.com/CB"),
            ("https://example.com/cb", "https://example.com/cb/../cb"),
        ] {
            assert!(!is_registered(registered, uri), "{uri}");
        }
    }

    #[test]
    fn page_of_an_app_is_over_https_on_a_host_with_a_name() {
        assert_eq!(host_of_page("https://element.io").as_deref(), Some("element.io"));
        for uri in
            ["http://element.io", "https://com", "https://127.0.0.1", "https://a@element.io", "element.io"]
        {
            assert_eq!(host_of_page(uri), None, "{uri}");
        }
    }
}
