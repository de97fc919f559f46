//! From a host name to the sockets behind it: SRV records and addresses, as far as they may be connected to.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use parvis_ambient::Chance;

use crate::{
    address_guard::AddressGuard,
    dns::{Dns, DnsError, Service},
};

/// The ports that are used where nothing names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Of ordinary web servers: 443.
    pub https: u16,
    /// Of the server-server API: 8448.
    pub federation: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { https: 443, federation: 8448 }
    }
}

/// The SRV records that lead to a server, in the order in which they are looked for; the second is deprecated.
const SERVICES: [&str; 2] = ["_matrix-fed._tcp", "_matrix._tcp"];
/// How many SRV records are looked at, and how many sockets are tried, at most.
const MOST: usize = 8;

/// Why there is no socket to connect to.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum LocateError {
    #[error("the name server gives no answer about {host}: {error}")]
    Dns { host: String, error: DnsError },
    #[error("{0} has no address")]
    NoAddress(String),
    #[error(
        "{host} is at {}, which is not on the public Internet (see allowed_private_ranges)",
        list(addresses)
    )]
    Private { host: String, addresses: Vec<IpAddr> },
    #[error("the record {0} says that there is no such service")]
    NoService(String),
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

/// The record that was found for a host, and what it says, in the order to try.
#[derive(Clone, Debug)]
pub(crate) struct ServiceRecords {
    pub(crate) name: String,
    pub(crate) services: Vec<Service>,
}

/// Finds sockets. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Locator {
    dns: Arc<dyn Dns>,
    guard: AddressGuard,
    ports: Ports,
    chance: Arc<dyn Chance>,
}

impl Locator {
    pub(crate) fn new(dns: Arc<dyn Dns>, guard: AddressGuard, ports: Ports, chance: Arc<dyn Chance>) -> Self {
        Self { dns, guard, ports, chance }
    }

    pub(crate) fn ports(&self) -> Ports {
        self.ports
    }

    /// The same, within other bounds.
    pub(crate) fn guarded_by(&self, guard: AddressGuard) -> Self {
        Self { guard, ..self.clone() }
    }

    pub(crate) fn guard(&self) -> &AddressGuard {
        &self.guard
    }

    /// The addresses of a host that may be connected to; one at least.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, LocateError> {
        let mut found = match self.dns.addresses(host).await {
            Ok(found) if found.is_empty() => return Err(LocateError::NoAddress(host.to_owned())),
            Ok(found) => found,
            Err(error) => return Err(LocateError::Dns { host: host.to_owned(), error }),
        };
        found.truncate(MOST);
        let permitted: Vec<_> =
            found.iter().copied().filter(|address| self.guard.permits(*address)).collect();
        if permitted.is_empty() {
            return Err(LocateError::Private { host: host.to_owned(), addresses: found });
        }
        Ok(permitted)
    }

    /// The SRV records of a host, if it has any. A name server that does not answer such questions has none.
    pub(crate) async fn records(&self, host: &str) -> Result<Option<ServiceRecords>, LocateError> {
        for prefix in SERVICES {
            let name = format!("{prefix}.{host}");
            let mut services = match self.dns.services(&name).await {
                Ok(services) if services.is_empty() => continue,
                Ok(services) => services,
                Err(error) => {
                    tracing::debug!(name, %error, "an SRV record cannot be looked up");
                    continue;
                }
            };
            services.retain(|service| !service.host.is_empty());
            if services.is_empty() {
                return Err(LocateError::NoService(name));
            }
            return Ok(Some(ServiceRecords { name, services: in_order(services, &*self.chance) }));
        }
        Ok(None)
    }

    /// The sockets of the server whose certificate is to name this host: after its SRV records, else its own
    /// addresses and the usual port.
    pub(crate) async fn sockets(&self, host: &str) -> Result<Vec<SocketAddr>, LocateError> {
        let Some(records) = self.records(host).await? else {
            let addresses = self.addresses(host).await?;
            return Ok(addresses
                .into_iter()
                .map(|address| (address, self.ports.federation).into())
                .collect());
        };
        tracing::debug!(record = records.name, "the way to a server was found");
        let (mut sockets, mut trouble) = (Vec::new(), None);
        for service in &records.services {
            match self.addresses(&service.host).await {
                Ok(found) => {
                    sockets
                        .extend(found.into_iter().map(|address| SocketAddr::from((address, service.port))));
                }
                Err(error) => trouble = Some(error),
            }
        }
        sockets.truncate(MOST);
        match trouble {
            Some(error) if sockets.is_empty() => Err(error),
            _ => Ok(sockets),
        }
    }
}

/// The order in which to try services: by priority; among equals by lot, the heavier the likelier first.
/// <https://www.rfc-editor.org/rfc/rfc2782>
fn in_order(mut waiting: Vec<Service>, chance: &dyn Chance) -> Vec<Service> {
    waiting.sort_by_key(|service| service.priority);
    waiting.truncate(MOST);
    let mut ordered = Vec::with_capacity(waiting.len());
    while let Some(priority) = waiting.first().map(|service| service.priority) {
        let tickets = |service: &Service| u64::from(service.weight) + 1;
        let equals = waiting.iter().take_while(|service| service.priority == priority);
        let mut drawn = chance.number() % equals.map(tickets).sum::<u64>();
        let is_drawn = |service: &Service| {
            let is_drawn = drawn < tickets(service);
            drawn = drawn.saturating_sub(tickets(service));
            is_drawn
        };
        let index = waiting.iter().position(is_drawn).unwrap_or(0);
        ordered.push(waiting.remove(index));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use parvis_ambient::SeededChance;

    use super::*;

    fn service(host: &str, priority: u16, weight: u16) -> Service {
        Service { host: host.to_owned(), port: 1, priority, weight }
    }

    #[test]
    fn services_are_tried_by_priority_and_the_heavier_more_often_first() {
        let chance = SeededChance::new(1);
        let mut heavy_first = 0;
        for _ in 0..1_000 {
            let services =
                vec![service("last", 20, 60_000), service("light", 10, 1), service("heavy", 10, 8)];
            let ordered = in_order(services, &chance);
            assert_eq!(ordered[2].host, "last");
            heavy_first += u32::from(ordered[0].host == "heavy");
        }
        assert!((700..950).contains(&heavy_first), "{heavy_first}");
    }
}
