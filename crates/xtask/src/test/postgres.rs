//! The PostgreSQL that the suites use: one that runs already, or a new cluster.

use crate::postgres::{Cluster, Commits};
use crate::shell::Outcome;

/// A PostgreSQL for the suites. A cluster that we started ends with this value.
pub(super) struct Postgres {
    url: String,
    _cluster: Option<Cluster>,
}

impl Postgres {
    /// One that runs already.
    pub(super) fn given(url: &str) -> Self {
        println!("using {url}");
        Self { url: url.to_owned(), _cluster: None }
    }

    /// Makes and starts a new cluster.
    pub(super) fn start() -> Outcome<Self> {
        let cluster = Cluster::start(Commits::Forgettable)?;
        Ok(Self { url: cluster.url("postgres"), _cluster: Some(cluster) })
    }

    /// Where it is, as `postgres://user@host:port/database`.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}
