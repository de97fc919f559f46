//! The PostgreSQL that the suites use: one that runs already, or a new cluster.

use crate::postgres::{Cluster, Commits};
use crate::shell::{Outcome, Program};

/// A PostgreSQL for the suites. A cluster that we started ends with this value.
pub(super) struct Postgres {
    url: String,
    cluster: Option<Cluster>,
}

impl Postgres {
    /// One that runs already.
    pub(super) fn given(url: &str) -> Self {
        println!("using {url}");
        Self { url: url.to_owned(), cluster: None }
    }

    /// Makes an empty database in it and returns where that is.
    pub(super) fn empty_database(&self, name: &str) -> Outcome<String> {
        let name = format!("{name}_{}", std::process::id());
        if let Some(cluster) = &self.cluster {
            cluster.create(&name)?;
            return Ok(cluster.url(&name));
        }
        Program::new("psql")
            .arguments(["--no-psqlrc", "--quiet", "--dbname", &self.url])
            .arguments(["--command".to_owned(), format!("CREATE DATABASE {name}")])
            .capture()?;
        let server = self.url.rsplit_once('/').map_or(self.url.as_str(), |(server, _)| server);
        Ok(format!("{server}/{name}"))
    }

    /// Makes and starts a new cluster.
    pub(super) fn start() -> Outcome<Self> {
        let cluster = Cluster::start(Commits::Forgettable)?;
        Ok(Self { url: cluster.url("postgres"), cluster: Some(cluster) })
    }

    /// Where it is, as `postgres://user@host:port/database`.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}
