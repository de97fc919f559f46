// Parvis, set up so that it trusts the authority of the run and nothing limits it.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ServerProcess } from "./process.mjs";

/** What Parvis limits the rate of. */
const LIMITED = ["login", "registration", "messages", "joins", "invites"];

/** The configuration. `database` is "sqlite" or the URL of an empty PostgreSQL database. */
function configuration({ name, directory, ports, tls, authority, database }) {
  const text = JSON.stringify; // a TOML string is written as in JSON
  const storage = database === "sqlite"
    ? `engine = "sqlite"\nsqlite.path = ${text(join(directory, "parvis.db"))}`
    : `engine = "postgres"\npostgres.url = ${text(database)}`;
  return `[server]
name = ${text(name)}
host_names = ["*"]

[listeners]
client = "127.0.0.1:${ports.client}"
tls = "127.0.0.1:${ports.federation}"
tls_certificate_file = ${text(tls.certificate)}
tls_key_file = ${text(tls.key)}

[federation]
mode = "open"
extra_root_certificates = [${text(authority)}]
allowed_private_ranges = ["127.0.0.0/8"]

[storage]
${storage}

[media]
directory = ${text(join(directory, "media"))}

[registration]
mode = "open"
anyone_may_register_without_token = true

[presence]
mode = "on"

[rate_limits]
${LIMITED.map((what) => `${what}.per_second = 0`).join("\n")}

[logging]
level = "info"
`;
}

/** Writes the configuration into `directory` and returns the process, not started. */
export async function parvis({ program, directory, ...rest }) {
  const file = join(directory, "parvis.toml");
  await writeFile(file, configuration({ directory, ...rest }));
  const command = [program, "serve", "--config", file];
  return new ServerProcess(command, `http://127.0.0.1:${rest.ports.client}`, join(directory, "server.log"));
}
