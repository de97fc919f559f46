// Company single sign-on against a real identity provider (the npm package oidc-provider): an app is let in by somebody
// whom the provider knows, without JavaScript in the browser.
//
//   node single_sign_on.mjs --parvis PATH/TO/parvis
//
// Installs the npm packages where they are missing. Exit code 0: everything passed.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { installPackages } from "./harness/packages.mjs";
import { freePort } from "./harness/parvis.mjs";
import { Checks, Parvis, toml, until } from "./harness/sign_on.mjs";

const MOST_STEPS = 24;
const APP = "https://app.element.io/callback";

/** The people of the company. */
const PEOPLE = new Map([
  ["1001", { preferred_username: "Alice", name: "Alice A.", email: "alice@example.org", email_verified: true,
    groups: ["staff", "chat"] }],
]);

/** A browser without scripts: cookies for each origin, forms, and redirects that it follows. */
class Browser {
  #cookies = new Map();
  /** Where it has been. */
  seen = [];

  async send(url, { method = "GET", form } = {}) {
    this.seen.push(url);
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

/** What is done to the provider's tokens on their way, if anything: claims that are said otherwise, or another's key. */
let tampering;

/** A token as it is tampered with, signed by the provider's own key or, where that is the fault, by another's. */
async function tamper(token, key) {
  const { SignJWT, decodeJwt, decodeProtectedHeader, generateKeyPair, importJWK } = await import("jose");
  const { foreignKey, ...claims } = tampering;
  const header = decodeProtectedHeader(token);
  const signer = foreignKey ? (await generateKeyPair(header.alg)).privateKey : await importJWK(key, header.alg);
  return new SignJWT({ ...decodeJwt(token), ...claims }).setProtectedHeader(header).sign(signer);
}

/** Starts the provider, which tells Parvis of ended sign-ins. */
async function startProvider(parvis) {
  const { default: Provider } = await import("oidc-provider");
  const { exportJWK, generateKeyPair } = await import("jose");
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const key = { ...(await exportJWK(privateKey)), kid: "1", alg: "RS256", use: "sig" };
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: "parvis", client_secret: "a secret & more", redirect_uris: [`${parvis}/_parvis/account/callback`],
      backchannel_logout_uri: `${parvis}/_parvis/oauth/back_channel_logout/company`,
      backchannel_logout_session_required: true,
    }],
    jwks: { keys: [key] },
    features: { backchannelLogout: { enabled: true } },
    claims: { openid: ["sub"], profile: ["name", "preferred_username", "groups"], email: ["email", "email_verified"] },
    cookies: { keys: [randomBytes(16).toString("hex")] },
    findAccount: (_, id) => PEOPLE.has(id) && { accountId: id, claims: () => ({ sub: id, ...PEOPLE.get(id) }) },
    pkce: { required: () => true },
    // It talks with nobody on loopback by itself, and this is.
    fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  });
  provider.use(async (context, next) => {
    await next();
    if (tampering && context.body?.id_token) context.body.id_token = await tamper(context.body.id_token, key);
  });
  provider.on("backchannel.error", (_, error, client) => console.log(`# the provider could not tell ${client.clientId}: ${error.message}`));
  const server = provider.listen(port, "127.0.0.1");
  return { issuer, end: () => server.close() };
}

/** What Parvis is told of that provider. */
const configuration = (issuer) => `
passwords_on_pages = false
[[sign_on.providers]]
id = "company"
name = "Company Account"
issuer = ${toml(issuer)}
client_id = "parvis"
client_secret = "a secret & more"
required_groups = ["chat"]
[[sign_on.providers]]
id = "mail"
name = "Account of an Address"
issuer = ${toml(issuer)}
client_id = "parvis"
client_secret = "a secret & more"
existing_accounts = "by_mail"
makes_no_accounts = true
`;

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

/** An app that asks to be let in, on this device. */
class App {
  constructor(metadata, client_id, device) {
    this.metadata = metadata;
    this.verifier = randomBytes(48).toString("base64url");
    this.client_id = client_id;
    const ask = new URL(metadata.authorization_endpoint);
    ask.search = new URLSearchParams({
      client_id, redirect_uri: APP, response_type: "code", response_mode: "query", state: "state",
      scope: `urn:matrix:client:api:* urn:matrix:client:device:${device}`,
      code_challenge: createHash("sha256").update(this.verifier).digest("base64url"), code_challenge_method: "S256",
    });
    this.ask = ask.href;
  }

  /** Fetches tokens with the code in the address to which the browser was sent. */
  fetchTokens(back) {
    const form = {
      grant_type: "authorization_code", client_id: this.client_id, redirect_uri: APP, code_verifier: this.verifier,
      code: new URL(back).searchParams.get("code"),
    };
    return fetch(this.metadata.token_endpoint, { method: "POST", body: new URLSearchParams(form) });
  }
}

/** Goes to the provider from the page for signing in, by the link of this entry in the configuration. */
async function goThere(browser, login, id = "company") {
  const links = [...login.text.matchAll(/href="([^"]*\/account\/provider\?[^"]*)"/g)].map(([, link]) => unescaped(link));
  return browser.open(links.find((link) => new URL(link, login.url).searchParams.get("provider") === id));
}

async function play({ url, checks, issuer }) {
  const metadata = await (await fetch(`${url}/_matrix/client/v1/auth_metadata`)).json();
  const client_id = await registeredApp(metadata);
  const app = new App(metadata, client_id, "PHONE");
  const whoami = (tokens) => fetch(`${url}/_matrix/client/v3/account/whoami`, {
    headers: { authorization: `Bearer ${tokens.access_token}` },
  });
  const check = (sentence, story) => checks.check(sentence, story);
  const browser = new Browser();
  let consent;
  await check("the page leads to the provider, and from there to the question whether to let the app in", async () => {
    const login = await browser.open(app.ask);
    assert.ok(!login.text.includes('type="password"'), "no password is asked for here");
    consent = await signInThere(browser, await goThere(browser, login), "1001");
    assert.match(consent.text, /@alice:localhost/);
    assert.match(consent.text, /Element/);
  });
  await check("the app fetches tokens with its code, once, and is logged in", async () => {
    const back = (await browser.submit(consent, { answer: "allow" })).to;
    const tokens = await (await app.fetchTokens(back)).json();
    assert.deepEqual(await (await whoami(tokens)).json(), { user_id: "@alice:localhost", device_id: "PHONE" });
    assert.equal((await app.fetchTokens(back)).status, 400);
    assert.equal((await whoami(tokens)).status, 401, "a code that is used twice gives nothing");
  });
  await check("name and mail address are the provider's", async () => {
    const account = await browser.open(metadata.account_management_uri);
    assert.match(account.text, /Alice A\./);
    assert.match(account.text, /alice@example\.org/);
  });
  await check("whoever signs out at the provider is logged out of the apps that they let in from there", async () => {
    const [desk, sofa] = [new Browser(), new Browser()];
    const let_in = async (someone, device) => {
      const tablet = new App(metadata, client_id, device);
      const asked = await signInThere(someone, await goThere(someone, await someone.open(tablet.ask)), "1001");
      return (await tablet.fetchTokens((await someone.submit(asked, { answer: "allow" })).to)).json();
    };
    const [tablet, other] = [await let_in(desk, "TABLET"), await let_in(sofa, "OTHER")];
    assert.equal((await whoami(tablet)).status, 200);
    await desk.submit(await desk.open(`${issuer}/session/end`), { logout: "yes" });
    await until("the app is logged out", async () => (await whoami(tablet)).status === 401, 20_000);
    const account = await desk.open(metadata.account_management_uri);
    assert.doesNotMatch(account.text, /@alice:localhost/, "and of this server's pages");
    assert.equal((await whoami(other)).status, 200, "another sign-in goes on");
  });
  const now = () => Math.floor(Date.now() / 1_000);
  for (const [what, fault] of [
    ["is signed by somebody else", { foreignKey: true }],
    ["was made for another server", { aud: "another" }],
    ["comes from another provider", { iss: "https://idp.invalid" }],
    ["has expired", { iat: now() - 600, exp: now() - 300 }],
    ["was made for another sign-in", { nonce: "another" }],
  ]) {
    await check(`a token that ${what} is refused with a page that says so`, async () => {
      const other = new Browser();
      const login = await other.open(metadata.account_management_uri);
      tampering = fault;
      try {
        const page = await signInThere(other, await goThere(other, login), "1001");
        assert.equal(page.status, 403);
        assert.match(page.text, /cannot be believed/);
      } finally {
        tampering = undefined;
      }
      assert.doesNotMatch((await other.open(metadata.account_management_uri)).text, /@alice:localhost/);
    });
  }
  await check("the provider's answer is good once: replayed, it is refused with a page that says so", async () => {
    const other = new Browser();
    const login = await other.open(metadata.account_management_uri);
    const account = await signInThere(other, await goThere(other, login), "1001");
    assert.match(account.text, /@alice:localhost/);
    const replayed = await other.open(other.seen.find((url) => url.includes("/account/callback?")));
    assert.equal(replayed.status, 400);
    assert.match(replayed.text, /was used already/);
  });
  await check("somebody is known by who they are at the provider, whatever they are called", async () => {
    PEOPLE.set("1001", { ...PEOPLE.get("1001"), preferred_username: "Bob", email: "bob@example.org" });
    const other = new Browser();
    const login = await other.open(metadata.account_management_uri);
    const account = await signInThere(other, await goThere(other, login), "1001");
    assert.match(account.text, /@alice:localhost/);
    assert.match(account.text, /bob@example\.org/, "their new address is known");
  });
  await check("where accounts are found by mail address, one that has changed, or is not proved, is refused with a page that says so", async () => {
    const alice = PEOPLE.get("1001");
    for (const [changed, expected] of [
      [{ email: "changed@example.org" }, 403],
      [{ email: "alice@example.org", email_verified: false }, 403],
      [{ email: "alice@example.org" }, 200],
    ]) {
      PEOPLE.set("1001", { ...alice, ...changed });
      const other = new Browser();
      const login = await other.open(metadata.account_management_uri);
      const page = await signInThere(other, await goThere(other, login, "mail"), "1001");
      assert.equal(page.status, expected, JSON.stringify(changed));
      assert.match(page.text, expected === 403 ? /You have no account here/ : /@alice:localhost/);
    }
    PEOPLE.set("1001", alice);
  });
  await check("somebody who is not in the group any more is refused with a page that says so", async () => {
    PEOPLE.set("1001", { ...PEOPLE.get("1001"), groups: ["staff"] });
    const other = new Browser();
    const login = await other.open(metadata.account_management_uri);
    const page = await signInThere(other, await goThere(other, login), "1001");
    assert.equal(page.status, 403);
    assert.match(page.text, /has not given you access/);
  });
  await check("somebody whom the provider does not know any more stays out", async () => {
    PEOPLE.delete("1001");
    const other = new Browser();
    const login = await other.open(metadata.account_management_uri);
    const page = await signInThere(other, await goThere(other, login), "1001").catch((error) => ({ text: error.message }));
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
const provider = await startProvider(`http://localhost:${port}`);
const parvis = await Parvis.prepare(resolve(values.parvis), directory, port, configuration(provider.issuer));
const checks = new Checks();
try {
  await parvis.start();
  await play({ url: parvis.url, checks, issuer: provider.issuer });
  checks.done();
} finally {
  await parvis.end();
  provider.end();
  await rm(directory, { recursive: true, force: true });
}
