// A person at a client of matrix-sdk, which is a program of its own (see rust/): it is told line by line what to do.
// A story can ask of it what it can ask of SecretivePerson, except to open it again.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { until } from "./person.mjs";
import { Tap } from "./tap.mjs";
import { Wire } from "./wire.mjs";

export class RustPerson {
  /** The recovery key, as a person keeps it on paper; `undefined` before there is one. */
  recoveryKey;
  #process;
  #tap;
  #waiting = [];
  #end;

  /**
   * Logs in, begins to encrypt and to sync, in windows if so. `program` is the path of the client; no poll of it waits for
   * longer than `longestPollMs`.
   */
  static async arrive(program, url, { user, password }, label, { windows = false, longestPollMs } = {}) {
    const wire = new Wire(label);
    const tap = await Tap.open(url, wire, longestPollMs);
    const person = new this(program, url, wire, tap);
    person.session = await person.#tell({ homeserver: tap.url, user, password, label, windows });
    person.id = person.session.user_id;
    return person;
  }

  constructor(program, url, wire, tap) {
    this.url = url;
    this.wire = wire;
    this.#tap = tap;
    this.#process = spawn(program, { stdio: ["pipe", "pipe", "inherit"] });
    this.#process.stdin.on("error", () => undefined); // its end is told below
    this.#process.once("error", (error) => this.#ended(`cannot be started: ${error.message}`));
    this.#process.once("exit", (code, signal) => this.#ended(`ended with ${signal ?? `code ${code}`}`));
    createInterface({ input: this.#process.stdout }).on("line", (line) => this.#answered(JSON.parse(line)));
  }

  stop() {
    this.#process.stdin.end();
    this.#tap.close();
  }

  #ended(how) {
    this.#end = `the program of ${this.wire.name} ${how}`;
    for (const { reject } of this.#waiting.splice(0)) reject(new Error(this.#end));
  }

  #answered({ value, error, errcode }) {
    const { resolve, reject } = this.#waiting.shift();
    if (error === undefined) resolve(value);
    else reject(Object.assign(new Error(error), { errcode }));
  }

  /** Hands over one line; it is answered by one. */
  #tell(line) {
    if (this.#end) return Promise.reject(new Error(this.#end));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#process.stdin.write(`${JSON.stringify(line)}\n`);
    });
  }

  /** One of the commands of rust/src/command.rs. */
  command(name, details = {}) {
    return this.#tell({ do: name, ...details });
  }

  sees(what, probe, limit) {
    return until(`${this.wire.name} sees ${what}`, probe, limit);
  }

  get(path) {
    const headers = { Authorization: `Bearer ${this.session.access_token}` };
    return this.wire.fetchAside(new URL(path, this.url).href, { headers });
  }

  isSyncing() {
    return this.command("is_syncing");
  }

  crossSign() {
    return this.command("cross_sign");
  }

  isSigned() {
    return this.command("is_signed");
  }

  createsRoom(content) {
    return this.command("create_room", { content });
  }

  joins(room) {
    return this.command("join", { room });
  }

  seesOwnMembership(room, membership) {
    return this.seesMembership(room, this.id, membership);
  }

  seesMembership(room, user, membership) {
    return this.sees(`${user} as "${membership}"`, async () =>
      (await this.command("membership", { room, user })) === membership);
  }

  encryptsIn(room) {
    return this.command("is_encrypted", { room });
  }

  turnsEncryptionOn(room) {
    return this.command("turn_encryption_on", { room });
  }

  renewsKey(room) {
    return this.command("renew_key", { room });
  }

  sendsState(room, type, content) {
    return this.command("send_state", { room, type, content });
  }

  say(room, body) {
    return this.command("say", { room, body });
  }

  seesEvent(_room, event) {
    return this.sees(`the event ${event}`, () => this.command("sees", { event }));
  }

  reads(room, event) {
    return this.sees(`the event ${event} decrypted`, () => this.command("reads", { room, event }));
  }

  canRead(room, event) {
    return this.command("can_read", { room, event });
  }

  unreadable(room) {
    return this.command("unreadable", { room });
  }

  async asksToVerify(room, user) {
    return new Comparison(this, { user, flow: await this.command("ask_to_verify", { room, user }) });
  }

  async isAsked() {
    return new Comparison(this, await this.sees("a request to verify", () => this.command("is_asked")));
  }

  trusts(user) {
    return this.command("trusts", { user });
  }

  async setsUpRecovery() {
    this.recoveryKey = await this.command("set_up_recovery");
  }

  async recovers(key) {
    this.recoveryKey = key;
    await this.command("recover", { key });
  }

  restoresBackup(room) {
    return this.command("restore_backup", { room });
  }

  knowsDevice(user, device) {
    return this.command("knows_device", { user, device });
  }

  logsOut() {
    return this.command("log_out");
  }
}

/** One side of the comparison of emoji. `flow` names it, and the other person. */
class Comparison {
  #person;
  #flow;

  constructor(person, flow) {
    this.#person = person;
    this.#flow = flow;
  }

  accept() {
    return this.#person.command("accept_verification", this.#flow);
  }

  isReady() {
    return this.#person.command("is_verification_ready", this.#flow);
  }

  begin() {
    return this.#person.command("begin_verification", this.#flow);
  }

  emoji() {
    return this.#person.sees("the emoji", () => this.#person.command("emoji", this.#flow));
  }

  async confirm() {
    await this.#person.command("confirm_emoji", this.#flow);
    await this.#person.sees("the end of the comparison", () => this.#person.command("is_verification_done", this.#flow));
  }
}
