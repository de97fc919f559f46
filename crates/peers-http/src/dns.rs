//! Name servers: what is asked of them, and the machine's own.

use std::{fmt, net::IpAddr, time::Duration};

use async_trait::async_trait;
use hickory_resolver::{
    TokioResolver,
    config::LookupIpStrategy,
    proto::rr::{RData, RecordType},
};

/// How long one name server may take for one question. Two are asked twice at most.
const TIMEOUT: Duration = Duration::from_secs(4);
const CACHED_ANSWERS: u64 = 4_096;

/// A name server did not answer, or could not be understood. That a name does not exist is an answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct DnsError(pub String);

/// Where a service is to be had, as an SRV record says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The host, without a final dot; empty where the record says that there is no such service.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Those with a smaller number are tried first.
    pub priority: u16,
    /// How often this one should come first among those of the same priority.
    pub weight: u16,
}

/// Asks name servers. Answers may come from memory for as long as they say.
#[async_trait]
pub trait Dns: Send + Sync + fmt::Debug {
    /// The addresses of a host, through aliases; none if it has none or does not exist.
    ///
    /// # Errors
    /// [`DnsError`] where there is no answer.
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError>;

    /// The SRV records of a name such as `_matrix-fed._tcp.example.org`; none if it has none or does not exist.
    ///
    /// # Errors
    /// [`DnsError`] where there is no answer.
    async fn services(&self, name: &str) -> Result<Vec<Service>, DnsError>;
}

/// The name servers that the machine is set up to use, and its `hosts` file.
#[derive(Clone)]
pub struct SystemDns(Result<TokioResolver, DnsError>);

impl SystemDns {
    /// Reads the machine's settings, once. Where that fails each question does, with the reason.
    pub fn new() -> Self {
        Self(resolver().map_err(|error| DnsError(format!("the machine's name servers: {error}"))))
    }
}

impl Default for SystemDns {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SystemDns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SystemDns")
    }
}

fn resolver() -> Result<TokioResolver, hickory_resolver::net::NetError> {
    let mut builder = TokioResolver::builder_tokio()?;
    let options = builder.options_mut();
    options.timeout = TIMEOUT;
    options.attempts = 2;
    options.cache_size = CACHED_ANSWERS;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    builder.build()
}

/// With the final dot, so that the machine's own domains are not tried behind it.
fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

#[async_trait]
impl Dns for SystemDns {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, DnsError> {
        let resolver = self.0.as_ref().map_err(Clone::clone)?;
        match resolver.lookup_ip(absolute(host)).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) if error.is_no_records_found() => Ok(Vec::new()),
            Err(error) => Err(DnsError(error.to_string())),
        }
    }

    async fn services(&self, name: &str) -> Result<Vec<Service>, DnsError> {
        let resolver = self.0.as_ref().map_err(Clone::clone)?;
        let found = match resolver.lookup(absolute(name), RecordType::SRV).await {
            Ok(found) => found,
            Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
            Err(error) => return Err(DnsError(error.to_string())),
        };
        let services = found.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(record) => Some(Service {
                host: record.target.to_ascii().trim_end_matches('.').to_owned(),
                port: record.port,
                priority: record.priority,
                weight: record.weight,
            }),
            _ => None,
        });
        Ok(services.collect())
    }
}
