// Apps are let in by OAuth 2.0 through the real pages, in Chromium without JavaScript: matrix-sdk (the library below
// Element X), and matrix-js-sdk (the library below Element Web). Clients of matrix-sdk also let one another in by QR codes.
//
//   node app_sign_on.mjs --parvis PATH/TO/parvis --browser PATH/TO/chromium [--rust PATH/TO/parvis-interop-rust]
//
// Installs the npm packages where they are missing. Exit code 0: everything passed.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { ensureNode22 } from "./harness/node22.mjs";
import { installPackages } from "./harness/packages.mjs";
import { freePort } from "./harness/parvis.mjs";
import { Checks, PageReader, Parvis, press, until } from "./harness/sign_on.mjs";

const PASSWORD = "correct horse battery";
/** How long an access token lives: the stories wait for its end. */
const LIFETIME_MS = 8_000;
const later = (ms) => new Promise((done) => setTimeout(done, ms));

/** A client of matrix-sdk, a process that is told line by line what to do (rust/src/oauth.rs). */
class RustApp {
  #waiting = [];
  #process;

  static async begin(program, beginning) {
    const app = new this(program);
    await app.#tell(beginning);
    return app;
  }

  constructor(program) {
    this.#process = spawn(program, { stdio: ["pipe", "pipe", "inherit"] });
    this.#process.once("exit", () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error("the client has ended"));
    });
    createInterface({ input: this.#process.stdout }).on("line", (line) => {
      const { value, error, errcode } = JSON.parse(line);
      const { resolve, reject } = this.#waiting.shift();
      if (error === undefined) resolve(value);
      else reject(Object.assign(new Error(error), { errcode }));
    });
  }

  #tell(line) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#process.stdin.write(`${JSON.stringify(line)}\n`);
    });
  }

  does(what, details = {}) {
    return this.#tell({ do: what, ...details });
  }

  async end() {
    const ended = new Promise((done) => this.#process.once("exit", done));
    this.#process.stdin.end();
    await ended;
  }
}

/** Where an app on this machine waits for its answer. */
async function openCallback() {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>App</title><p>You may go back.");
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  // The port is not known before the app runs, and is not registered.
  return {
    registered: "http://127.0.0.1/callback", redirect: `http://127.0.0.1:${server.address().port}/callback`,
    close: () => server.close(),
  };
}

async function playRust({ checks, url, reader, program, callback }) {
  const check = (sentence, story) => checks.check(`matrix-sdk: ${sentence}`, story);
  const { registered, redirect } = callback;
  const fresh = { oauth: "fresh", homeserver: url };
  const app = await RustApp.begin(program, fresh);
  let who;
  let room;
  await check("it registers itself, and its person lets it in on the pages", async () => {
    const link = await app.does("ask", { registered, redirect, login_hint: "@alice:localhost" });
    const back = await reader.letIn(link, { name: "alice", password: PASSWORD, back: redirect });
    who = await app.does("arrive", { url: back });
    assert.equal(who.user_id, "@alice:localhost");
  });
  await check("it makes a room and sends", async () => {
    await app.does("sync");
    room = await app.does("create_room");
    assert.match(await app.does("say", { room, body: "hello" }), /^\$/);
  });
  await check("it refreshes, when told and when its token has expired, and goes on", async () => {
    const before = await app.does("session");
    await app.does("refresh");
    const after = await app.does("session");
    assert.notEqual(before.user.access_token, after.user.access_token);
    assert.notEqual(before.user.refresh_token, after.user.refresh_token);
    await later(LIFETIME_MS + 1_000);
    assert.match(await app.does("say", { room, body: "still here" }), /^\$/);
    assert.notEqual((await app.does("session")).user.access_token, after.user.access_token);
  });
  let again;
  await check("started anew with what it has stored, it goes on, also with an expired token", async () => {
    await app.does("rest"); // or it refreshes after it has told what it has
    const session = await app.does("session");
    await app.end();
    await later(LIFETIME_MS + 1_000);
    again = await RustApp.begin(program, { oauth: "stored", homeserver: url, ...session });
    assert.equal(await again.does("whoami"), "@alice:localhost");
    await again.does("sync");
    assert.match(await again.does("say", { room, body: "back again" }), /^\$/);
  });
  await check("logged out on the account page, it is told that its token is not known any more", async () => {
    await reader.endDevice(url, who.device_id);
    assert.deepEqual(await again.does("see_end"), { soft_logout: false });
    await assert.rejects(again.does("whoami"), /invalid_grant/);
    await again.end();
  });
}

/** One client lets another in by a QR code; either of them may be the one that shows it. */
async function playCodes({ checks, url, program, chromium, callback }) {
  const { registered, redirect } = callback;
  const reader = await PageReader.open(chromium);
  await reader.register(url, "carol", PASSWORD);
  const old = await RustApp.begin(program, { oauth: "fresh", homeserver: url });
  const link = await old.does("ask", { registered, redirect });
  await old.does("arrive", { url: await reader.letIn(link, { name: "carol", password: PASSWORD, back: redirect }) });
  await old.does("sync");
  await old.does("cross_sign");
  for (const [shows, sentence] of [
    ["new", "the new client shows a QR code, the old one scans it and lets it in"],
    ["old", "the old client shows a QR code, the new one scans it and is let in"],
  ]) {
    await checks.check(`matrix-sdk: ${sentence}, and the new one is verified`, async () => {
      const added = await RustApp.begin(program, { oauth: "fresh", homeserver: url });
      const [one, other] = shows === "new" ? [added, old] : [old, added];
      const code = await one.does("show_code");
      const digits = await other.does("scan_code", { code });
      await one.does("type_digits", { digits });
      const page = await old.does("link");
      await reader.page.goto(page);
      await press(reader.page, "button[value=allow]");
      const who = await added.does("linked");
      await old.does("linked");
      assert.equal(who.user_id, "@carol:localhost");
      assert.equal(await added.does("whoami"), "@carol:localhost");
      await until("the new device is signed", () => added.does("is_signed"));
      await added.end();
    });
  }
  await old.end();
  await reader.close();
}

async function playScript({ checks, url, reader, callback }) {
  await import("./harness/quiet.mjs");
  const sdk = await import("matrix-js-sdk");
  const check = (sentence, story) => checks.check(`matrix-js-sdk: ${sentence}`, story);
  const { registered, redirect } = callback;
  let oauth;
  let tokens;
  let client;
  await check("it finds out how to be let in, and registers itself", async () => {
    const metadata = await sdk.createClient({ baseUrl: url }).getAuthMetadata();
    const clientId = await sdk.OAuth2.registerClient(metadata, {
      application_type: "native", client_name: "A client of matrix-js-sdk", client_uri: "https://js.example.org/",
      redirect_uris: [registered],
    });
    oauth = new sdk.OAuth2(metadata, { clientId });
  });
  await check("its person lets it in on the pages, and it is logged in on its device", async () => {
    const link = await oauth.generateAuthorizationCodeGrantUrl("a state", redirect, "query", "login");
    const back = new URL(await reader.letIn(link, { name: "alice", password: PASSWORD, back: redirect }));
    assert.equal(back.searchParams.get("state"), "a state");
    tokens = await oauth.completeAuthorizationCodeGrant(back.searchParams.get("code"), redirect);
    client = sdk.createClient({
      baseUrl: url, userId: "@alice:localhost", deviceId: oauth.context.deviceId, oauthClientId: oauth.context.clientId,
      accessToken: tokens.access_token, refreshToken: tokens.refresh_token,
      onTokenRefresh: (newer) => { tokens = { access_token: newer.accessToken, refresh_token: newer.refreshToken }; },
    });
    const { user_id, device_id } = await client.whoami();
    assert.deepEqual([user_id, device_id], ["@alice:localhost", oauth.context.deviceId]);
  });
  await check("it syncs, sends, and refreshes when its token has expired", async () => {
    await client.startClient({ initialSyncLimit: 1 });
    await until("it is in sync", () => client.getSyncState() === "SYNCING" || client.getSyncState() === "PREPARED");
    const before = tokens.access_token;
    const { room_id } = await client.createRoom({});
    await later(LIFETIME_MS + 1_000);
    assert.match((await client.sendTextMessage(room_id, "still here")).event_id, /^\$/);
    assert.notEqual(tokens.access_token, before);
  });
  await check("a client that is made anew of what was stored goes on", async () => {
    client.stopClient();
    await later(LIFETIME_MS + 1_000);
    const stored = tokens;
    client = sdk.createClient({
      baseUrl: url, userId: "@alice:localhost", deviceId: oauth.context.deviceId, oauthClientId: oauth.context.clientId,
      accessToken: stored.access_token, refreshToken: stored.refresh_token,
      onTokenRefresh: (newer) => { tokens = { access_token: newer.accessToken, refresh_token: newer.refreshToken }; },
    });
    assert.equal((await client.whoami()).user_id, "@alice:localhost");
    assert.notEqual(tokens.access_token, stored.access_token);
    await client.startClient({ initialSyncLimit: 1 });
  });
  await check("logged out on the account page, it is told that it is logged out", async () => {
    const told = new Promise((done) => client.once("Session.logged_out", done));
    await reader.endDevice(url, oauth.context.deviceId);
    const error = await Promise.race([told, later(60_000)]);
    assert.equal(error?.errcode, "M_UNKNOWN_TOKEN");
    client.stopClient();
  });
  await check("one that logs out by itself is gone from the account page", async () => {
    const other = new sdk.OAuth2(oauth.metadata, { clientId: oauth.context.clientId });
    const link = await other.generateAuthorizationCodeGrantUrl("a state", redirect, "query");
    const back = new URL(await reader.letIn(link, { name: "alice", password: PASSWORD, back: redirect }));
    const given = await other.completeAuthorizationCodeGrant(back.searchParams.get("code"), redirect);
    const leaving = sdk.createClient({
      baseUrl: url, userId: "@alice:localhost", deviceId: other.context.deviceId, oauthClientId: other.context.clientId,
      accessToken: given.access_token, refreshToken: given.refresh_token,
    });
    const shown = async () => {
      await reader.page.goto(`${url}/_parvis/account`);
      return (await reader.page.content()).includes(`device_id=${other.context.deviceId}`);
    };
    assert.ok(await shown());
    await leaving.logout();
    assert.ok(!(await shown()));
  });
}

const { values } = parseArgs({
  options: { parvis: { type: "string" }, browser: { type: "string" }, rust: { type: "string" } },
});
if (!values.parvis || !values.browser) throw new Error("--parvis and --browser are needed");
installPackages();
ensureNode22();
const { chromium: playwright } = await import("playwright-core");
const directory = await mkdtemp(join(tmpdir(), "parvis-apps-"));
const parvis = await Parvis.prepare(resolve(values.parvis), directory, await freePort(), `
[accounts]
refreshable_access_token_lifetime = "${LIFETIME_MS / 1_000}s"
[registration]
mode = "open"
anyone_may_register_without_token = true
`);
const chromium = await playwright.launch({ executablePath: resolve(values.browser), chromiumSandbox: false });
const callback = await openCallback();
const checks = new Checks();
try {
  await parvis.start();
  const reader = await PageReader.open(chromium);
  await reader.register(parvis.url, "alice", PASSWORD);
  const world = { checks, url: parvis.url, reader, chromium, callback };
  if (values.rust) {
    const program = resolve(values.rust);
    await playRust({ ...world, program });
    await playCodes({ ...world, program });
  }
  await playScript(world);
  checks.done();
} finally {
  callback.close();
  await chromium.close();
  await parvis.end();
  await rm(directory, { recursive: true, force: true });
}
process.exit();
