// A Parvis at which people sign in with browsers: what the stories about that have in common.

import { spawn, spawnSync } from "node:child_process";
import { createWriteStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 20_000;

/** A TOML string is written as in JSON. */
export const toml = JSON.stringify;

/** Limits are for those who attack; the stories do much at once. */
const UNLIMITED = ["login", "registration", "messages"].map((what) => `${what}.per_second = 0`).join("\n");

export class Parvis {
  #process;

  /**
   * Writes a configuration into `directory`, which takes the data too. `more` is the end of the configuration, beginning
   * with what stands in `[sign_on]`.
   */
  static async prepare(binary, directory, port, more) {
    const config = join(directory, "parvis.toml");
    await writeFile(config, `
[server]
name = "localhost"
[listeners]
client = "127.0.0.1:${port}"
[storage]
sqlite.path = ${toml(join(directory, "parvis.db"))}
[media]
directory = ${toml(join(directory, "media"))}
[rate_limits]
${UNLIMITED}
[sign_on]
enabled = true
${more}
`);
    return new this(binary, config, directory, `http://localhost:${port}`);
  }

  constructor(binary, config, directory, url) {
    this.binary = binary;
    this.config = config;
    this.directory = directory;
    this.url = url;
  }

  /** Starts it, and returns once it answers. */
  async start() {
    const process = spawn(this.binary, ["serve", "--config", this.config], {
      cwd: this.directory, stdio: ["ignore", "pipe", "pipe"],
    });
    const log = createWriteStream(join(this.directory, "server.log"), { flags: "a" });
    process.stdout.pipe(log, { end: false });
    process.stderr.pipe(log, { end: false });
    this.#process = process;
    const deadline = Date.now() + START_LIMIT_MS;
    while (!(await fetch(`${this.url}/_matrix/client/versions`).catch(() => undefined))?.ok) {
      if (Date.now() > deadline || process.exitCode !== null) throw new Error("the server does not answer");
      await new Promise((later) => setTimeout(later, 50));
    }
  }

  /** Ends it, with this signal. */
  async end(signal = "SIGTERM") {
    const process = this.#process;
    if (!process || process.exitCode !== null || process.signalCode !== null) return;
    const ended = new Promise((done) => process.once("exit", done));
    process.kill(signal);
    const late = setTimeout(() => process.kill("SIGKILL"), STOP_LIMIT_MS);
    await ended;
    clearTimeout(late);
  }

  /** Makes an account as an administrator does. */
  createUser(name, password) {
    const given = ["--config", this.config, "user", "create", name, "--password-stdin"];
    const { status, stderr } = spawnSync(this.binary, given, { cwd: this.directory, input: `${password}\n` });
    if (status !== 0) throw new Error(`no account for ${name}: ${stderr}`);
  }

  /** What the server says of itself to apps. */
  async metadata() {
    return (await fetch(`${this.url}/_matrix/client/v1/auth_metadata`)).json();
  }
}

/** Sentences that are true. */
export class Checks {
  #passed = 0;

  async check(sentence, story) {
    await story();
    this.#passed += 1;
    console.log(`ok ${this.#passed} - ${sentence}`);
  }

  done() {
    console.log(`# ${this.#passed} passed`);
  }
}

/** Asks until there is an answer that is true, or the time is over. */
export async function until(what, probe, limitMs = 60_000) {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((later) => setTimeout(later, 100));
  }
}

/** Presses a button that leads to another page, and waits until that page is there. */
export async function press(page, button) {
  await Promise.all([page.waitForEvent("load"), page.click(button)]);
}

/** Somebody at a browser that runs no scripts: the server's pages need none. */
export class PageReader {
  /** Opens a browser of playwright with nothing in it. */
  static async open(chromium, more = {}) {
    const context = await chromium.newContext({ javaScriptEnabled: false, locale: "en", ...more });
    return new this(context, await context.newPage());
  }

  constructor(context, page) {
    this.context = context;
    this.page = page;
  }

  /** Makes an account on the page for that. */
  async register(url, name, password) {
    await this.page.goto(`${url}/_parvis/account/register`);
    await this.page.fill("#name", name);
    await this.page.fill("#password", password);
    await this.page.fill("#repeated", password);
    for (const box of await this.page.locator("input[name=accept]").all()) await box.check();
    await press(this.page, "main button[type=submit]");
  }

  /** Signs in, where that is asked. */
  async signIn(name, password) {
    if ((await this.page.locator("#password").count()) === 0) return;
    await this.page.fill("#name", name);
    await this.page.fill("#password", password);
    await press(this.page, "main button[type=submit]");
  }

  /** Lets in the app whose link it is; gives where the browser is sent at last, below this address. */
  async letIn(link, { name, password, back }) {
    await this.page.goto(link);
    await this.signIn(name, password);
    await this.page.waitForSelector("button[value=allow]");
    await Promise.all([this.page.waitForURL((at) => at.href.startsWith(back)), this.page.click("button[value=allow]")]);
    return this.page.url();
  }

  /** Takes a device away on the account page. */
  async endDevice(url, device) {
    const query = new URLSearchParams({ action: "org.matrix.device_delete", device_id: device });
    await this.page.goto(`${url}/_parvis/account?${query}`);
    await press(this.page, "main form button[value=end_device], main form button[type=submit]");
  }

  close() {
    return this.context.close();
  }
}
