//! Synapse from its Python package, set up as an operator of one small organisation would (one process, its
//! defaults), with nothing in the way of load: no rate limits, no federation unless asked for, little logging.

use std::path::Path;

use super::ROOM_VERSION;
use super::server::{self, Running};
use crate::postgres::{self, Cluster};
use crate::shell::{Outcome, Program};
use crate::synapse;

/// Password hashing is made cheap since registration is not measured; logging is at warnings, which favours
/// Synapse (its generated configuration logs each request).
const CONFIGURATION: &str = r#"
server_name: "bench.localhost"
public_baseurl: "http://127.0.0.1:@PORT@/"
report_stats: false
listeners:
  - port: @PORT@
    type: http
    tls: false
    bind_addresses: ["127.0.0.1"]
    resources: [{ names: [client], compress: false }]
database: @DATABASE@
log_config: "@DIRECTORY@/log.yaml"
media_store_path: "@DIRECTORY@/media"
signing_key_path: "@DIRECTORY@/signing.key"
macaroon_secret_key: "only for load"
form_secret: "only for load"
trusted_key_servers: []
suppress_key_server_warning: true
@FEDERATION@
default_room_version: "@ROOM_VERSION@"
enable_registration: true
enable_registration_without_verification: true
bcrypt_rounds: 4
rc_message: &off { per_second: 1000000, burst_count: 1000000 }
rc_registration: *off
rc_login: { address: *off, account: *off, failed_attempts: *off }
rc_joins: { local: *off, remote: *off }
rc_joins_per_room: *off
rc_invites: { per_room: *off, per_user: *off, per_issuer: *off }
rc_room_creation: *off
"#;

const POSTGRES: &str = r#"{ name: psycopg2, args:
  { host: "127.0.0.1", port: @PORT@, user: parvis, dbname: synapse, cp_min: 5, cp_max: 10 } }"#;

const SQLITE: &str = r#"{ name: sqlite3, args: { database: "@DIRECTORY@/homeserver.db" } }"#;

const ALONE: &str = "federation_domain_whitelist: []";

/// It federates with servers on the loopback, which show this certificate.
const TRUSTING: &str = r#"
federation_custom_ca_list: ["@TRUST@"]
ip_range_blacklist: []
federation_ip_range_blacklist: []
"#;

const LOGGING: &str = r#"
version: 1
handlers: { console: { class: logging.StreamHandler } }
root: { level: WARNING, handlers: [console] }
disable_existing_loggers: false
"#;

/// Starts it on this cluster, or on SQLite.
pub(crate) fn start(cluster: Option<Cluster>, trust: Option<&Path>) -> Outcome<Running> {
    let environment = synapse::environment()?;
    let directory = server::directory()?;
    let path = directory.path().display().to_string();
    let port = postgres::free_port()?;
    let database = match &cluster {
        Some(cluster) => {
            cluster.create("synapse")?;
            POSTGRES.replace("@PORT@", &cluster.port().to_string())
        }
        None => SQLITE.replace("@DIRECTORY@", &path),
    };
    let federation = trust
        .map_or_else(|| ALONE.to_owned(), |trust| TRUSTING.replace("@TRUST@", &trust.display().to_string()));
    let configuration = CONFIGURATION
        .replace("@FEDERATION@", &federation)
        .replace("@PORT@", &port.to_string())
        .replace("@DATABASE@", &database)
        .replace("@DIRECTORY@", &path)
        .replace("@ROOM_VERSION@", ROOM_VERSION);
    std::fs::write(directory.path().join("homeserver.yaml"), configuration)?;
    std::fs::write(directory.path().join("log.yaml"), LOGGING)?;
    Program::new(environment.join("bin/generate_signing_key"))
        .arguments(["-o", &format!("{path}/signing.key")])
        .capture()?;
    let python = environment.join("bin/python");
    let arguments = ["-m", "synapse.app.homeserver", "-c", &format!("{path}/homeserver.yaml")];
    Running::start(&python, &arguments, directory, cluster, port)
}
