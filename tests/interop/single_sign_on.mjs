// Company single sign-on against a real identity provider (the npm package oidc-provider): an app is let in by somebody
// whom the provider knows, without JavaScript in the browser.
//
//   node single_sign_on.mjs --parvis PATH/TO/parvis
//
// Installs the npm packages where they are missing. Exit code 0: everything passed.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { installPackages } from "./harness/packages.mjs";
import { freePort } from "./harness/parvis.mjs";

const START_LIMIT_MS = 60_000;
const MOST_STEPS = 24;
const APP = "https://app.element.io/callback";

/** The people of the company. */
const PEOPLE = new Map([
  ["1001", { preferred_username: "Alice", name: "Alice A.", email: "alice@example.org", email_verified: true }],
]);

/** A browser without scripts: cookies for each origin, forms, and redirects that it follows. */
class Browser {
  #cookies = new Map();

  async send(url, { method = "GET", form } = {}) {
    const { origin } = new URL(url);
    const jar = this.#cookies.get(origin) ?? new Map();
    this.#cookies.set(origin, jar);
    const headers = { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; ") };
    const body = form && new URLSearchParams(form);
    const response = await fetch(url, { method, headers, body, redirect: "manual" });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      jar.set(name, value);
    }
    const location = response.headers.get("location");
    return { url, status: response.status, to: location && new URL(location, url).href, text: await response.text() };
  }

  /** Opens a page and follows where it leads, up to the app. */
  async open(url, request) {
    let page = await this.send(url, request);
    for (let step = 0; page.to && !page.to.startsWith(APP) && step < MOST_STEPS; step += 1) page = await this.send(page.to);
    return page;
  }

  /** Sends the form of a page, with these fields filled in. */
  submit(page, fields = {}) {
    const action = unescaped(/<form[^>]*action="([^"]*)"/.exec(page.text)[1]);
    const hidden = [...page.text.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)];
    const form = { ...Object.fromEntries(hidden.map(([, name, value]) => [name, unescaped(value)])), ...fields };
    return this.open(new URL(action, page.url).href, { method: "POST", form });
  }
}

const unescaped = (text) => text.replaceAll("&#38;", "&").replaceAll("&amp;", "&").replaceAll("&#x2F;", "/");

/** Starts the provider. */
async function startProvider(callback) {
  const { default: Provider } = await import("oidc-provider");
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: "parvis", client_secret: "a secret & more", redirect_uris: [callback] }],
    claims: { openid: ["sub"], profile: ["name", "preferred_username"], email: ["email", "email_verified"] },
    cookies: { keys: [randomBytes(16).toString("hex")] },
    findAccount: (_, id) => PEOPLE.has(id) && { accountId: id, claims: () => ({ sub: id, ...PEOPLE.get(id) }) },
    pkce: { required: () => true },
  });
  const server = provider.listen(port, "127.0.0.1");
  return { issuer, end: () => server.close() };
}

/** Starts Parvis, which asks that provider. */
async function startParvis(binary, directory, port, issuer) {
  const config = join(directory, "parvis.toml");
  const text = JSON.stringify; // a TOML string is written as in JSON
  await writeFile(config, `
[server]
name = "localhost"
[listeners]
client = "127.0.0.1:${port}"
[storage]
sqlite.path = ${text(join(directory, "parvis.db"))}
[media]
directory = ${text(join(directory, "media"))}
[sign_on]
enabled = true
passwords_on_pages = false
[[sign_on.providers]]
id = "company"
name = "Company Account"
issuer = ${text(issuer)}
client_id = "parvis"
client_secret = "a secret & more"
`);
  const process = spawn(binary, ["serve", "--config", config], { cwd: directory, stdio: "inherit" });
  const url = `http://localhost:${port}`;
  const deadline = Date.now() + START_LIMIT_MS;
  while (!(await fetch(`${url}/_matrix/client/versions`).catch(() => undefined))?.ok) {
    if (Date.now() > deadline || process.exitCode !== null) throw new Error("the server does not answer");
    await new Promise((later) => setTimeout(later, 50));
  }
  return { url, end: () => process.kill("SIGTERM") };
}

/** Signs in at the provider, on its own pages. */
async function signInThere(browser, page, login) {
  const asked = await browser.submit(page, { prompt: "login", login, password: "any" });
  return /name="prompt" value="consent"/.test(asked.text) ? browser.submit(asked, { prompt: "consent" }) : asked;
}

/** What an app asks for. */
async function registeredApp(metadata) {
  const response = await fetch(metadata.registration_endpoint, {
    method: "POST",
    body: JSON.stringify({
      client_name: "Element", client_uri: "https://element.io", redirect_uris: [APP],
      grant_types: ["authorization_code", "refresh_token"], response_types: ["code"], token_endpoint_auth_method: "none",
    }),
  });
  assert.equal(response.status, 201);
  return (await response.json()).client_id;
}

const checks = [];
const check = async (name, story) => {
  await story();
  checks.push(name);
  console.log(`ok ${checks.length} - ${name}`);
};

async function play({ url }) {
  const metadata = await (await fetch(`${url}/_matrix/client/v1/auth_metadata`)).json();
  const client_id = await registeredApp(metadata);
  const verifier = randomBytes(48).toString("base64url");
  const ask = new URL(metadata.authorization_endpoint);
  ask.search = new URLSearchParams({
    client_id, redirect_uri: APP, response_type: "code", response_mode: "query", state: "state",
    scope: "urn:matrix:client:api:* urn:matrix:client:device:PHONE",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
  });
  const browser = new Browser();
  let consent;
  await check("the page leads to the provider, and from there to the question whether to let the app in", async () => {
    const login = await browser.open(ask.href);
    assert.ok(!login.text.includes('type="password"'), "no password is asked for here");
    const link = unescaped(/href="([^"]*\/account\/provider\?[^"]*)"/.exec(login.text)[1]);
    consent = await signInThere(browser, await browser.open(link), "1001");
    assert.match(consent.text, /@alice:localhost/);
    assert.match(consent.text, /Element/);
  });
  await check("the app fetches tokens with its code, once, and is logged in", async () => {
    const back = await browser.submit(consent, { answer: "allow" });
    const code = new URL(back.to).searchParams.get("code");
    const form = { grant_type: "authorization_code", client_id, code, redirect_uri: APP, code_verifier: verifier };
    const fetchTokens = () => fetch(metadata.token_endpoint, { method: "POST", body: new URLSearchParams(form) });
    const tokens = await (await fetchTokens()).json();
    const whoami = () => fetch(`${url}/_matrix/client/v3/account/whoami`, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    });
    assert.deepEqual(await (await whoami()).json(), { user_id: "@alice:localhost", device_id: "PHONE" });
    assert.equal((await fetchTokens()).status, 400);
    assert.equal((await whoami()).status, 401, "a code that is used twice gives nothing");
  });
  await check("name and mail address are the provider's", async () => {
    const account = await browser.open(metadata.account_management_uri);
    assert.match(account.text, /Alice A\./);
    assert.match(account.text, /alice@example\.org/);
  });
  await check("somebody is known by who they are at the provider, whatever they are called", async () => {
    PEOPLE.set("1001", { ...PEOPLE.get("1001"), preferred_username: "Bob", email: "bob@example.org" });
    const other = new Browser();
    const login = await other.open(metadata.account_management_uri);
    const link = unescaped(/href="([^"]*\/account\/provider\?[^"]*)"/.exec(login.text)[1]);
    const account = await signInThere(other, await other.open(link), "1001");
    assert.match(account.text, /@alice:localhost/);
  });
  await check("somebody whom the provider does not know any more stays out", async () => {
    PEOPLE.delete("1001");
    const other = new Browser();
    const login = await other.open(metadata.account_management_uri);
    const link = unescaped(/href="([^"]*\/account\/provider\?[^"]*)"/.exec(login.text)[1]);
    const page = await signInThere(other, await other.open(link), "1001").catch((error) => ({ text: error.message }));
    assert.doesNotMatch(page.text, /@alice:localhost/);
  });
  await check("an answer that was not asked for in this browser is refused with a page", async () => {
    const page = await new Browser().open(`${url}/_parvis/account/callback?code=x&state=y`);
    assert.equal(page.status, 400);
    assert.match(page.text, /not begun in this browser/);
  });
}

const { values } = parseArgs({ options: { parvis: { type: "string" } } });
if (!values.parvis) throw new Error("--parvis is missing: the path of the parvis binary");
installPackages();
const directory = await mkdtemp(join(tmpdir(), "parvis-sign-on-"));
const port = await freePort();
const provider = await startProvider(`http://localhost:${port}/_parvis/account/callback`);
let parvis;
try {
  parvis = await startParvis(resolve(values.parvis), directory, port, provider.issuer);
  await play(parvis);
  console.log(`# ${checks.length} passed`);
} finally {
  parvis?.end();
  provider.end();
  await rm(directory, { recursive: true, force: true });
}
