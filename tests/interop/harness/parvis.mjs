// A Parvis process of our own: its configuration, its accounts, start, restart and end.

import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { env as environment } from "node:process";
import { openDoor } from "./door.mjs";

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 20_000;
const POLL_MS = 50;
/** How often a moved clock looks for how far it was moved. */
const OFFSET_READ_S = 1;

/** What Parvis limits the rate of. */
const LIMITED = ["login", "registration", "messages", "joins", "invites", "reports", "mails", "searches"];

/**
 * The configuration of a server for this suite: no limits on rates, presence on, push gateways and a mail server on
 * loopback. `database` is "sqlite" or a URL.
 */
function configuration({ port, mailPort, database, directory }) {
  const text = JSON.stringify; // a TOML string is written as in JSON
  const storage = database === "sqlite"
    ? `engine = "sqlite"\nsqlite.path = ${text(join(directory, "parvis.db"))}`
    : `engine = "postgres"\npostgres.url = ${text(database)}`;
  return `[server]
name = "interop.localhost"
host_names = ["127.0.0.1"]

[listeners]
client = "127.0.0.1:${port}"

[storage]
${storage}

[media]
directory = ${text(join(directory, "media"))}

[mail]
host = "127.0.0.1"
port = ${mailPort}
security = "none"
from = "Interop <chat@interop.localhost>"
organisation_name = "Interop"

[presence]
mode = "local"

[push]
allowed_private_ranges = ["127.0.0.0/8"]
mail = "names"
mail_delay = "3s"
mail_pause = "0"

[rate_limits]
${LIMITED.map((what) => `${what}.per_second = 0`).join("\n")}
`;
}

/** How the command line makes an account. */
const createUserArguments = (config, name, more) =>
  ["--config", config, "user", "create", name, "--password-stdin", ...more];

/** How the command line serves. */
const serveArguments = (config) => ["serve", "--config", config];

/** A port of the loopback that nobody listens on. */
export async function freePort() {
  const server = createServer();
  const { port } = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const listen = (server) =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server.address()));
  });

/** The clock of a process, moved by libfaketime. What measures how long something takes goes on as it was. */
class MovedClock {
  #offset;
  #days = 0;

  constructor(library, offset) {
    this.#offset = offset;
    /** What the process must be started with. */
    this.environment = {
      LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: offset, FAKETIME_CACHE_DURATION: String(OFFSET_READ_S),
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    };
  }

  /** Moves it on; returns once the process must have seen that. */
  async move(days) {
    this.#days += days;
    await writeFile(this.#offset, `+${this.#days}d\n`);
    await new Promise((resolve) => setTimeout(resolve, 2_000 * OFFSET_READ_S));
  }
}

export class Parvis {
  #process;
  #ended;
  #doors = [];

  /**
   * Writes the configuration into `directory`, which also takes the data and the log. `clockLibrary`, if given, is
   * libfaketime, by which the server's clock can be moved.
   */
  static async prepare({ binary, database, directory, clockLibrary }) {
    const [port, mailPort] = [await freePort(), await freePort()];
    const config = join(directory, "parvis.toml");
    await writeFile(config, configuration({ port, mailPort, database, directory }));
    const clock = clockLibrary && new MovedClock(clockLibrary, join(directory, "clock"));
    await clock?.move(0);
    return new Parvis(binary, config, directory, port, mailPort, clock);
  }

  constructor(binary, config, directory, port, mailPort, clock) {
    this.binary = binary;
    this.config = config;
    this.logPath = join(directory, "server.log");
    this.url = `http://127.0.0.1:${port}`;
    /** Where it hands over its mails, if somebody listens there. */
    this.mailPort = mailPort;
    this.clock = clock;
  }

  /** Starts the process and returns once it answers. */
  async start() {
    const log = createWriteStream(this.logPath, { flags: "a" });
    const process = spawn(this.binary, serveArguments(this.config), {
      stdio: ["ignore", "pipe", "pipe"], env: { ...environment, ...this.clock?.environment },
    });
    process.stdout.pipe(log, { end: false });
    process.stderr.pipe(log, { end: false });
    this.#process = process;
    this.#ended = new Promise((resolve) => {
      process.once("error", (error) => resolve(`cannot be started: ${error.message}`));
      process.once("exit", (code, signal) => resolve(signal ? `was ended by ${signal}` : `ended with code ${code}`));
    });
    const early = await Promise.race([this.#ended, this.#answers()]);
    if (early) throw new Error(`the server ${early} while it should start`);
  }

  async #answers() {
    const deadline = Date.now() + START_LIMIT_MS;
    while (Date.now() < deadline) {
      const response = await fetch(`${this.url}/_matrix/client/versions`).catch(() => undefined);
      if (response?.ok) return undefined;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return `did not answer in ${START_LIMIT_MS / 1000} s`;
  }

  /** Ends the process by SIGTERM; anything but a clean end in time is an error. */
  async stop() {
    const process = this.#process;
    if (!process) return;
    this.#process = undefined;
    process.kill("SIGTERM");
    const late = new Promise((resolve) => setTimeout(resolve, STOP_LIMIT_MS, "does not end").unref());
    const end = await Promise.race([this.#ended, late]);
    if (end === "ended with code 0") return;
    process.kill("SIGKILL");
    throw new Error(`after SIGTERM the server ${end}`);
  }

  async createUser(name, password, { isAdmin = false } = {}) {
    const more = isAdmin ? ["--admin"] : [];
    const process = spawn(this.binary, createUserArguments(this.config, name, more), { stdio: ["pipe", "pipe", "pipe"] });
    let output = "";
    for (const stream of [process.stdout, process.stderr]) stream.on("data", (data) => { output += data; });
    process.stdin.on("error", () => undefined); // it may end without reading
    process.stdin.end(`${password}\n`);
    const code = await new Promise((resolve, reject) => {
      process.once("error", reject);
      process.once("close", resolve);
    });
    if (code !== 0) throw new Error(`the account ${name} was not made (code ${code}): ${output}`);
  }

  /** Opens a door through which a command can restart the server; returns that command. */
  offerRestart() {
    return this.#offer(() => this.stop().then(() => this.start()));
  }

  /** The same for a command that kills the server, and starts it. */
  offerKill() {
    return this.#offer(() => this.#kill().then(() => this.start()));
  }

  /** The same for a command that moves the server's clock, which runs on, by some days. */
  offerDays(days) {
    return this.#offer(() => this.clock.move(days));
  }

  async #offer(deed) {
    const door = await openDoor(deed);
    this.#doors.push(door);
    return door.command;
  }

  /** Ends the process in the middle of whatever it does. */
  async #kill() {
    const [process, ended] = [this.#process, this.#ended];
    this.#process = undefined;
    process?.kill("SIGKILL");
    await ended;
  }

  /** Ends everything; returns what was wrong with it, if anything. */
  async close() {
    for (const door of this.#doors) door.close();
    const faults = [];
    await this.stop().catch((error) => faults.push(error.message));
    if ((await this.log()).includes("panicked at")) faults.push("the server panicked, see its log");
    return faults;
  }

  log() {
    return readFile(this.logPath, "utf8").catch(() => "");
  }
}
