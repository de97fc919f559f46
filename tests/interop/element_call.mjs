// The widget of Element Call, as it is built for clients, in Chromium: it finds the media server through Parvis, shows its
// service an OpenID token, and goes on to the media server. Both are played here; the service asks Parvis who that is.
// Then server and client are killed, and the call is left all the same, once.
//
//   node element_call.mjs --parvis PATH/TO/parvis --browser PATH/TO/chromium [--picture FILE]
//
// Installs the npm packages where they are missing. Exit code 0: everything passed.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, extname, join, normalize, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { installPackages } from "./harness/packages.mjs";
import { freePort } from "./harness/parvis.mjs";
import { Checks, Parvis, toml, until } from "./harness/sign_on.mjs";

const MEMBER = "org.matrix.msc3401.call.member";
/** What the service gives somebody for the media server: a token for this room, signed by nobody. */
const tokenFor = (who, room) => {
  const now = Math.floor(Date.now() / 1_000);
  const claims = {
    iss: "service", sub: who, nbf: now, exp: now + 600,
    video: { room, roomJoin: true, canPublish: true, canSubscribe: true },
  };
  const parts = [{ alg: "HS256", typ: "JWT" }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
  return [...parts, "c2lnbmVk"].join(".");
};
const TYPES = {
  ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".json": "application/json",
  ".wasm": "application/wasm", ".svg": "image/svg+xml",
};

const listen = (server) => new Promise((done, failed) => {
  server.once("error", failed);
  server.listen(0, "127.0.0.1", () => done(`http://127.0.0.1:${server.address().port}`));
});

const body = async (request) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString();
};

/** The media server and the service that lets people into it, as far as the way there goes. */
class MediaServer {
  /** Who was let in, by the word of Parvis. */
  letIn = [];
  /** With which tokens somebody came to the media server itself. */
  came = [];
  refused = [];
  sockets = [];

  async open(parvis) {
    this.parvis = parvis;
    this.server = createServer((request, response) => void this.#answer(request, response));
    // Whoever comes is let in and told nothing (RFC 6455, section 4.2.2): there is no media server behind it.
    this.server.on("upgrade", (request, socket) => {
      this.came.push(request.url);
      const key = request.headers["sec-websocket-key"];
      const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      socket.on("error", () => undefined).resume();
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + `Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
      this.sockets.push(socket);
    });
    this.url = await listen(this.server);
  }

  async #answer(request, response) {
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-allow-headers", "*");
    response.setHeader("access-control-allow-methods", "*");
    const { pathname } = new URL(request.url, this.url);
    if (request.method === "OPTIONS") return response.writeHead(204).end();
    if (request.method !== "POST" || !/^\/livekit\/jwt\/(sfu\/get|get_token)$/.test(pathname)) {
      return response.writeHead(404).end();
    }
    const asked = JSON.parse(await body(request));
    const who = await this.#who(asked.openid_token);
    if (!who) {
      this.refused.push(asked);
      return response.writeHead(401).end();
    }
    const jwt = tokenFor(`${who}:${asked.device_id ?? asked.member?.claimed_device_id}`, asked.room ?? asked.room_id);
    this.letIn.push({ who, asked, jwt });
    response.setHeader("content-type", "application/json");
    return response.writeHead(200).end(JSON.stringify({ url: this.url.replace("http:", "ws:"), jwt }));
  }

  /** Who has this token, as their homeserver says. */
  async #who({ access_token, matrix_server_name } = {}) {
    if (matrix_server_name !== "localhost") return undefined;
    const ask = new URL(`${this.parvis}/_matrix/federation/v1/openid/userinfo`);
    ask.searchParams.set("access_token", access_token);
    const answer = await fetch(ask);
    return answer.ok ? (await answer.json()).sub : undefined;
  }
}

/** The files of the widget, and the page around it. */
async function openPages() {
  const { build } = await import("esbuild");
  const here = fileURLToPath(new URL(".", import.meta.url));
  const { outputFiles } = await build({
    entryPoints: [join(here, "harness/call_host.mjs")], bundle: true, format: "esm", write: false, logLevel: "error",
    define: { global: "globalThis" },
  });
  const packaged = createRequire(import.meta.url).resolve("@element-hq/element-call-embedded/package.json");
  const widget = join(dirname(packaged), "dist");
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://x").pathname);
    const send = (type, bytes) => response.writeHead(200, { "content-type": type }).end(bytes);
    if (path === "/") {
      return send("text/html", '<!doctype html><title>Host</title><body><script type="module" src="/host.js"></script>');
    }
    if (path === "/host.js") return send("text/javascript", outputFiles[0].contents);
    if (path === "/widget/config.json") return send("application/json", "{}");
    const file = normalize(join(widget, path.replace(/^\/widget\//, "/")));
    if (!path.startsWith("/widget/") || !file.startsWith(widget)) return response.writeHead(404).end();
    return readFile(file).then(
      (bytes) => send(TYPES[extname(file)] ?? "application/octet-stream", bytes),
      () => response.writeHead(404).end(),
    );
  });
  return { url: await listen(server), close: () => server.close() };
}

/** Somebody at the client-server API. */
class Person {
  static async register(url, username) {
    const response = await fetch(`${url}/_matrix/client/v3/register`, {
      method: "POST",
      body: JSON.stringify({ username, password: "correct horse battery", auth: { type: "m.login.dummy" } }),
    });
    assert.equal(response.status, 200);
    return new this(url, await response.json());
  }

  constructor(url, session) {
    this.url = url;
    this.session = session;
  }

  async ask(method, path, content) {
    const response = await fetch(`${this.url}/_matrix/client/${path}`, {
      method, headers: { authorization: `Bearer ${this.session.access_token}` },
      body: content && JSON.stringify(content),
    });
    const answer = await response.json();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  }

  /** The events by which somebody has said that they are in a call, or not any more; the newest first. */
  async memberships(room) {
    const { chunk } = await this.ask("GET", `v3/rooms/${encodeURIComponent(room)}/messages?dir=b&limit=100`);
    return chunk.filter((event) => event.type === MEMBER);
  }
}

async function play({ checks, parvis, media, pages, launched, playwright, picture }) {
  const check = (sentence, story) => checks.check(sentence, story);
  const alice = await Person.register(parvis.url, "alice");
  const { room_id: room } = await alice.ask("POST", "v3/createRoom", {
    preset: "private_chat", name: "A call", power_level_content_override: { events: { [MEMBER]: 0 } },
  });
  const service = `${media.url}/livekit/jwt`;
  await check("both ways of finding the media server name it", async () => {
    const { rtc_transports } = await alice.ask("GET", "unstable/org.matrix.msc4143/rtc/transports");
    assert.deepEqual(rtc_transports, [{ type: "livekit", livekit_service_url: service }]);
    const known = await (await fetch(`${parvis.url}/.well-known/matrix/client`)).json();
    assert.equal(known["org.matrix.msc4143.rtc_foci"][0].livekit_service_url, service);
  });
  const browser = await playwright.connect(launched.wsEndpoint());
  const context = await browser.newContext({ permissions: ["camera", "microphone"], viewport: { width: 1020, height: 720 } });
  const page = await context.newPage();
  const told = [];
  const said = [];
  page.on("console", (message) => said.push(`${message.type()}: ${message.text()}`.slice(0, 400)));
  page.on("pageerror", (error) => said.push(`thrown: ${error}`));
  await page.exposeFunction("told", (what, details) => void told.push({ what, details }));
  const explained = async (story) => {
    try {
      await story();
    } catch (error) {
      console.log(said.slice(-60).join("\n"));
      console.log(JSON.stringify(told.slice(-30)));
      if (picture) await page.screenshot({ path: resolve(picture) });
      throw error;
    }
  };
  await page.goto(pages.url);
  await page.waitForFunction(() => globalThis.call !== undefined);
  const { user_id, device_id, access_token } = alice.session;
  await page.evaluate((given) => globalThis.call(given), {
    baseUrl: parvis.url, userId: user_id, deviceId: device_id, accessToken: access_token, roomId: room,
    widget: `${pages.url}/widget/index.html`,
  });
  await check("the widget asks the service of the media server with a token that Parvis knows as this person's", () =>
    explained(async () => {
      await until("somebody is let in", () => media.letIn.length > 0, 90_000);
      assert.equal(media.letIn[0].who, user_id);
      assert.deepEqual(media.refused, []);
      const { asked } = media.letIn[0];
      assert.ok(JSON.stringify(asked).includes(room), "for this room");
      assert.ok(JSON.stringify(asked).includes(device_id), "on this device");
    }));
  await check("it goes on to the media server with what it was given", () => explained(async () => {
    await until("somebody comes", () => media.came.length > 0);
    assert.ok(media.letIn.some(({ jwt }) => media.came[0].includes(jwt)), media.came[0]);
  }));
  let leave;
  await check("it says in the room that it is in the call, and puts down how it leaves", () => explained(async () => {
    await until("it is in the call", async () => Object.keys((await alice.memberships(room))[0]?.content ?? {}).length > 0);
    leave = await until("it has put down how it leaves", () => told.find(({ what }) => what === "delayed"));
    assert.equal(leave.details.type, MEMBER);
    const { delayed_events } = await alice.ask("GET", "unstable/org.matrix.msc4140/delayed_events");
    assert.ok((delayed_events ?? []).some((event) => event.type === MEMBER), JSON.stringify(delayed_events));
    await until("it is put off", () => told.some(({ what }) => what === "restarted"));
  }));
  if (picture) await page.screenshot({ path: resolve(picture) });
  await check("client and server are killed; when the server is back, the call has been left, once", async () => {
    const before = (await alice.memberships(room)).length;
    launched.process().kill("SIGKILL");
    await parvis.end("SIGKILL");
    await new Promise((later) => setTimeout(later, leave.details.delay + 3_000));
    await parvis.start();
    await until("the call has been left", async () => Object.keys((await alice.memberships(room))[0].content).length === 0);
    // Whatever would send it once more has had its chance, also at another start.
    await parvis.end("SIGKILL");
    await parvis.start();
    await new Promise((later) => setTimeout(later, 3_000));
    const after = await alice.memberships(room);
    assert.equal(after.length, before + 1);
    const { delayed_events } = await alice.ask("GET", "unstable/org.matrix.msc4140/delayed_events");
    assert.deepEqual(delayed_events ?? [], []);
  });
}

const { values } = parseArgs({
  options: { parvis: { type: "string" }, browser: { type: "string" }, picture: { type: "string" } },
});
if (!values.parvis || !values.browser) throw new Error("--parvis and --browser are needed");
installPackages();
const { chromium: playwright } = await import("playwright-core");
const directory = await mkdtemp(join(tmpdir(), "parvis-call-"));
const media = new MediaServer();
const port = await freePort();
await media.open(`http://localhost:${port}`);
const parvis = await Parvis.prepare(resolve(values.parvis), directory, port, `
[calls]
livekit_service_url = ${toml(`${media.url}/livekit/jwt`)}
[registration]
mode = "open"
anyone_may_register_without_token = true
`);
const pages = await openPages();
const launched = await playwright.launchServer({
  executablePath: resolve(values.browser), chromiumSandbox: false,
  args: ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--disable-gpu"],
});
const checks = new Checks();
try {
  await parvis.start();
  await play({ checks, parvis, media, pages, launched, playwright, picture: values.picture });
  checks.done();
} finally {
  await launched.close().catch(() => undefined);
  await parvis.end();
  pages.close();
  for (const socket of media.sockets) socket.destroy();
  media.server.close();
  await rm(directory, { recursive: true, force: true });
}
process.exit();
