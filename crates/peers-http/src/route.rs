//! Where requests to a server go, once it is known whether it is delegated.

use std::net::{IpAddr, SocketAddr};

use ruma::ServerName;

use crate::locate::Ports;

/// Where to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// To an address. The certificate names the address.
    Address(SocketAddr),
    /// To a host and a port. The certificate names the host.
    Port { host: String, port: u16 },
    /// To wherever a host's SRV records lead, else to its own addresses and the usual port. The certificate names
    /// the host, not what the records say.
    Service { host: String },
}

/// Where to connect to, and by which name to ask there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) place: Place,
    /// The `Host` of requests.
    pub(crate) host_header: String,
}

impl Route {
    /// The way to a name, be it a server's own or one to which it delegates: the steps for both say the same.
    /// <https://spec.matrix.org/v1.19/server-server-api/#resolving-server-names>
    pub(crate) fn to(name: &ServerName, ports: Ports) -> Self {
        let host = name.host();
        let place = match (literal(host), name.port()) {
            (Some(address), port) => Place::Address((address, port.unwrap_or(ports.federation)).into()),
            (None, Some(port)) => Place::Port { host: host.to_owned(), port },
            (None, None) => Place::Service { host: host.to_owned() },
        };
        Self { place, host_header: name.to_string() }
    }

    /// The beginning of URLs for this place. Port 443 vanishes from URLs, so what connects must know the place.
    pub(crate) fn base_url(&self) -> String {
        match &self.place {
            Place::Address(address) => format!("https://{address}"),
            Place::Port { host, port } => format!("https://{host}:{port}"),
            Place::Service { host } => format!("https://{host}"),
        }
    }
}

/// The address that a host is, if it is one. IPv6 addresses stand in brackets.
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    inner.parse().ok()
}

/// Whether a server may be delegated: its name is neither an address nor has a port.
pub(crate) fn may_be_delegated(name: &ServerName) -> bool {
    literal(name.host()).is_none() && name.port().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_places() {
        let port = |host: &str, port| Place::Port { host: host.to_owned(), port };
        let address = |text: &str| Place::Address(text.parse().unwrap());
        for (name, place, url) in [
            ("1.2.3.4", address("1.2.3.4:8448"), "https://1.2.3.4:8448"),
            ("1.2.3.4:5", address("1.2.3.4:5"), "https://1.2.3.4:5"),
            ("[2001:db8::1]", address("[2001:db8::1]:8448"), "https://[2001:db8::1]:8448"),
            ("[2001:db8::1]:443", address("[2001:db8::1]:443"), "https://[2001:db8::1]:443"),
            ("a.example:443", port("a.example", 443), "https://a.example:443"),
            ("a.example", Place::Service { host: "a.example".to_owned() }, "https://a.example"),
        ] {
            let route = Route::to(<&ServerName>::try_from(name).unwrap(), Ports::default());
            assert_eq!((&route.place, route.base_url().as_str()), (&place, url));
            assert_eq!(route.host_header, name);
        }
    }

    #[test]
    fn only_bare_host_names_are_delegated() {
        for (name, may) in
            [("a.example", true), ("a.example:8448", false), ("1.2.3.4", false), ("[::1]", false)]
        {
            assert_eq!(may_be_delegated(<&ServerName>::try_from(name).unwrap()), may, "{name}");
        }
    }
}
