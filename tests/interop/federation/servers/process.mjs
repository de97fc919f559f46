// A server's process: start, clean end, sudden end. It knows nothing of Matrix but the request that every
// homeserver answers.

import { spawn } from "node:child_process";
import { openSync, closeSync } from "node:fs";
import { readFile } from "node:fs/promises";

const START_LIMIT_MS = 90_000;
const STOP_LIMIT_MS = 30_000;
const POLL_MS = 100;

export class ServerProcess {
  #command;
  #url;
  #child;
  #ended;

  /** `command` is the program and its arguments; `url` where it answers clients; `log` the file it writes to. */
  constructor(command, url, log) {
    this.#command = command;
    this.#url = url;
    this.log = log;
  }

  /** Starts the process and returns once it answers. */
  async start() {
    const log = openSync(this.log, "a");
    const [program, ...args] = this.#command;
    // The wrapper becomes the program, and ends it should we be killed.
    const child = spawn("setpriv", ["--pdeathsig", "TERM", "--", program, ...args], { stdio: ["ignore", log, log] });
    closeSync(log);
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      child.once("error", (error) => resolve(`cannot be started: ${error.message}`));
      child.once("exit", (code, signal) => resolve(signal ? `was ended by ${signal}` : `ended with code ${code}`));
    });
    const early = await Promise.race([this.#ended, this.#answers()]);
    if (early) throw new Error(`the server ${early} while it should start`);
  }

  async #answers() {
    const deadline = Date.now() + START_LIMIT_MS;
    while (Date.now() < deadline) {
      const response = await fetch(`${this.#url}/_matrix/client/versions`).catch(() => undefined);
      if (response?.ok) return undefined;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return `did not answer in ${START_LIMIT_MS / 1000} s`;
  }

  /** Ends the process as a power failure would. */
  async kill() {
    this.#child.kill("SIGKILL");
    await this.#ended;
    this.#child = undefined;
  }

  /** Asks the process to end; anything but a clean end in time is an error. */
  async stop() {
    const child = this.#child;
    if (!child) return;
    this.#child = undefined;
    child.kill("SIGTERM");
    const late = new Promise((resolve) => setTimeout(resolve, STOP_LIMIT_MS, "does not end").unref());
    const end = await Promise.race([this.#ended, late]);
    if (end === "ended with code 0") return;
    child.kill("SIGKILL");
    throw new Error(`after SIGTERM the server ${end}`);
  }

  /** Everything it has written. */
  said() {
    return readFile(this.log, "utf8").catch(() => "");
  }
}
