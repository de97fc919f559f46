//! Parvis as it is released, with its defaults except what stands in the way of load.

use std::path::Path;

use super::ROOM_VERSION;
use super::server::{self, Running};
use crate::postgres::{self, Cluster};
use crate::shell::Outcome;

/// Registration is open and rate limits are off, for a server that only the load generator can reach; logging
/// is at warnings, as for Synapse. `@STORAGE@` is one of the two below.
const CONFIGURATION: &str = r#"
[server]
name = "localhost"

[listeners]
client = "127.0.0.1:@PORT@"

@STORAGE@

[media]
directory = "@DIRECTORY@/media"

[registration]
mode = "open"
anyone_may_register_without_token = true

[rooms]
default_version = "@ROOM_VERSION@"

[rate_limits]
login = { per_second = 0.0, burst = 1 }
registration = { per_second = 0.0, burst = 1 }
messages = { per_second = 0.0, burst = 1 }
joins = { per_second = 0.0, burst = 1 }
invites = { per_second = 0.0, burst = 1 }
reports = { per_second = 0.0, burst = 1 }
mails = { per_second = 0.0, burst = 1 }
searches = { per_second = 0.0, burst = 1 }

[logging]
level = "warn"

@FEDERATION@
"#;

/// With whom it federates: with one server on the loopback, which shows this certificate.
const TRUSTING: &str = r#"
[federation]
mode = "open"
extra_root_certificates = ["@TRUST@"]
allowed_private_ranges = ["127.0.0.0/8"]
"#;

const ON_SQLITE: &str = r#"
[storage]
engine = "sqlite"

[storage.sqlite]
path = "@DIRECTORY@/parvis.db"
"#;

const ON_POSTGRES: &str = r#"
[storage]
engine = "postgres"

[storage.postgres]
url = "@DATABASE@"
"#;

/// Starts it on this cluster, or on SQLite.
pub(crate) fn start(program: &Path, cluster: Option<Cluster>, trust: Option<&Path>) -> Outcome<Running> {
    let directory = server::directory()?;
    let path = directory.path().display().to_string();
    let port = postgres::free_port()?;
    let storage = match &cluster {
        None => ON_SQLITE.to_owned(),
        Some(cluster) => {
            cluster.create("parvis")?;
            ON_POSTGRES.replace("@DATABASE@", &cluster.url("parvis"))
        }
    };
    let federation =
        trust.map_or_else(String::new, |trust| TRUSTING.replace("@TRUST@", &trust.display().to_string()));
    let configuration = CONFIGURATION
        .replace("@FEDERATION@", &federation)
        .replace("@STORAGE@", &storage)
        .replace("@PORT@", &port.to_string())
        .replace("@DIRECTORY@", &path)
        .replace("@ROOM_VERSION@", ROOM_VERSION);
    let file = directory.path().join("parvis.toml");
    std::fs::write(&file, configuration)?;
    let arguments = ["--config", &file.display().to_string(), "serve"];
    Running::start(program, &arguments, directory, cluster, port)
}
