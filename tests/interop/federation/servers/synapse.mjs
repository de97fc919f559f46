// Synapse from its Python environment, set up so that it trusts the authority of the run and nothing limits it.

import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ServerProcess } from "./process.mjs";

/** How long it waits before it tries a server again that could not be reached: an operator's defaults, or short. */
const RETRIES = {
  patient: {},
  eager: {
    client_timeout: "10s",
    max_short_retries: 1,
    max_long_retries: 1,
    max_long_retry_delay: "2s",
    destination_min_retry_interval: "1s",
    destination_retry_multiplier: 1.5,
    destination_max_retry_interval: "5s",
  },
};

const UNLIMITED = { per_second: 1_000_000, burst_count: 1_000_000 };

/** The configuration; what is JSON is also YAML. */
function configuration({ name, directory, ports, tls, authority, retries }) {
  return {
    server_name: name,
    public_baseurl: `http://127.0.0.1:${ports.client}/`,
    report_stats: false,
    listeners: [
      listener(ports.client, false, ["client"]),
      listener(ports.federation, true, ["federation"]),
    ],
    tls_certificate_path: tls.certificate,
    tls_private_key_path: tls.key,
    federation_verify_certificates: true,
    federation_custom_ca_list: [authority],
    ip_range_blacklist: [],
    federation_ip_range_blacklist: [],
    federation: RETRIES[retries],
    database: { name: "sqlite3", args: { database: join(directory, "synapse.db") } },
    log_config: join(directory, "log.yaml"),
    media_store_path: join(directory, "media"),
    signing_key_path: join(directory, "signing.key"),
    pid_file: join(directory, "synapse.pid"),
    macaroon_secret_key: "only for a test",
    form_secret: "only for a test",
    trusted_key_servers: [],
    suppress_key_server_warning: true,
    enable_registration: true,
    enable_registration_without_verification: true,
    bcrypt_rounds: 4,
    presence: { enabled: true },
    allow_public_rooms_over_federation: true,
    room_list_publication_rules: [{ action: "allow" }],
    allow_device_name_lookup_over_federation: true,
    rc_message: UNLIMITED,
    rc_registration: UNLIMITED,
    rc_login: { address: UNLIMITED, account: UNLIMITED, failed_attempts: UNLIMITED },
    rc_joins: { local: UNLIMITED, remote: UNLIMITED },
    rc_joins_per_room: UNLIMITED,
    rc_invites: { per_room: UNLIMITED, per_user: UNLIMITED, per_issuer: UNLIMITED },
    rc_room_creation: UNLIMITED,
    rc_presence: { per_user: UNLIMITED },
    rc_media_create: UNLIMITED,
    rc_federation: { window_size: 1000, sleep_limit: 100_000, sleep_delay: 1, reject_limit: 100_000, concurrent: 100 },
    remote_media_download_per_second: "1000M",
    remote_media_download_burst_count: "1000M",
  };
}

const listener = (port, tls, names) => ({
  port, tls, type: "http", bind_addresses: ["127.0.0.1"], resources: [{ names, compress: false }],
});

const LOGGING = {
  version: 1,
  formatters: { precise: { format: "%(asctime)s %(name)s %(lineno)d %(levelname)s %(request)s %(message)s" } },
  handlers: { console: { class: "logging.StreamHandler", formatter: "precise" } },
  root: { level: "INFO", handlers: ["console"] },
  loggers: { "synapse.storage": { level: "WARNING" }, "synapse.access": { level: "INFO" } },
  disable_existing_loggers: false,
};

/** Writes what Synapse needs into `directory` and returns its process, not started. */
export async function synapse({ environment, directory, ...rest }) {
  const file = join(directory, "homeserver.yaml");
  await writeFile(file, JSON.stringify(configuration({ directory, ...rest }), undefined, 2));
  await writeFile(join(directory, "log.yaml"), JSON.stringify(LOGGING));
  const key = join(directory, "signing.key");
  await promisify(execFile)(join(environment, "bin/generate_signing_key"), ["-o", key]);
  const command = [join(environment, "bin/python"), "-m", "synapse.app.homeserver", "-c", file];
  return new ServerProcess(command, `http://127.0.0.1:${rest.ports.client}`, join(directory, "server.log"));
}
