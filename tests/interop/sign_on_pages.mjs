// Every page for signing in, in Chromium at the width of a phone and of a desk: a picture of each, and no fault that
// axe-core finds. All of it works without JavaScript; only axe-core itself runs any.
//
//   node sign_on_pages.mjs --parvis PATH/TO/parvis --browser PATH/TO/chromium [--pictures DIRECTORY]
//
// Installs the npm packages where they are missing. Exit code 0: everything passed.

import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { installPackages } from "./harness/packages.mjs";
import { freePort } from "./harness/parvis.mjs";

const START_LIMIT_MS = 60_000;
const WIDTHS = { phone: { width: 390, height: 780 }, desk: { width: 1280, height: 800 } };
const PASSWORD = "correct horse battery";

async function startParvis(binary, directory, port) {
  const config = join(directory, "parvis.toml");
  const text = JSON.stringify; // a TOML string is written as in JSON
  await writeFile(join(directory, "logo.svg"), '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="40">'
    + '<rect width="120" height="40" rx="8" fill="#1d4e89"/></svg>');
  await writeFile(config, `
[server]
name = "localhost"
[listeners]
client = "127.0.0.1:${port}"
[storage]
sqlite.path = ${text(join(directory, "parvis.db"))}
[media]
directory = ${text(join(directory, "media"))}
[registration]
mode = "open"
anyone_may_register_without_token = true
terms = [{ name = "charter", version = "2026-11", documents = [
  { language = "en", title = "Charter of the house", url = "https://example.org/charter" },
  { language = "fr", title = "Charte de la maison", url = "https://example.org/charte" } ] }]
[sign_on]
enabled = true
organisation_name = "Example Town"
logo_file = ${text(join(directory, "logo.svg"))}
providers = [{ id = "company", name = "Company Account", issuer = "https://idp.invalid", client_id = "parvis" }]
`);
  const process = spawn(binary, ["serve", "--config", config], { cwd: directory, stdio: "ignore" });
  const url = `http://localhost:${port}`;
  const deadline = Date.now() + START_LIMIT_MS;
  while (!(await fetch(`${url}/_matrix/client/versions`).catch(() => undefined))?.ok) {
    if (Date.now() > deadline || process.exitCode !== null) throw new Error("the server does not answer");
    await new Promise((later) => setTimeout(later, 50));
  }
  return { url, end: () => process.kill("SIGTERM") };
}

/** An app that asks, and a code of one without a browser. */
async function app(url) {
  const metadata = await (await fetch(`${url}/_matrix/client/v1/auth_metadata`)).json();
  const registered = await fetch(metadata.registration_endpoint, {
    method: "POST",
    body: JSON.stringify({
      client_name: "Element", client_uri: "https://element.io", redirect_uris: ["https://app.element.io/callback"],
      tos_uri: "https://element.io/terms", policy_uri: "https://element.io/privacy",
      grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    }),
  });
  const { client_id } = await registered.json();
  const scope = "urn:matrix:client:api:* urn:matrix:client:device:PHONE";
  const ask = new URL(metadata.authorization_endpoint);
  ask.search = new URLSearchParams({
    client_id, redirect_uri: "https://app.element.io/callback", response_type: "code", scope, state: "s",
    code_challenge: createHash("sha256").update(randomBytes(8)).digest("base64url"), code_challenge_method: "S256",
  });
  const asked = await fetch(metadata.device_authorization_endpoint, {
    method: "POST", body: new URLSearchParams({ client_id, scope }),
  });
  return { ask: ask.href, link: (await asked.json()).verification_uri_complete };
}

const faults = [];
let pictures;

/** Takes a picture of the page at each width, and looks for faults. */
async function look(page, name) {
  for (const [width, size] of Object.entries(WIDTHS)) {
    await page.setViewportSize(size);
    const overflow = await page.evaluate("document.documentElement.scrollWidth > innerWidth");
    if (overflow) faults.push(`${name} (${width}): wider than the screen`);
    if (pictures) await page.screenshot({ path: join(pictures, `${name}-${width}.png`), fullPage: true });
  }
  await page.evaluate(axe);
  const { violations } = await page.evaluate("axe.run()");
  for (const { id, help, nodes } of violations) {
    faults.push(`${name}: ${id}: ${help}: ${nodes.map((node) => node.html).join(" | ")}`);
  }
  console.log(`looked at ${name}: ${violations.length} faults`);
}

async function visit(context, url) {
  const page = await context.newPage();
  const { ask, link } = await app(url);
  await page.goto(`${url}/_parvis/account/register`);
  await look(page, "register");
  await page.fill("#name", "alice");
  await page.fill("#password", PASSWORD);
  await page.fill("#repeated", PASSWORD);
  await page.check("input[name=accept]");
  await page.click("main button[type=submit]");
  await look(page, "account");
  await page.click("footer button");
  await look(page, "signed-out");
  await page.goto(ask);
  await page.fill("#name", "alice");
  await page.fill("#password", "wrong");
  await page.click("main button[type=submit]");
  await look(page, "login");
  await page.fill("#password", PASSWORD);
  await page.click("main button[type=submit]");
  await look(page, "consent");
  await page.goto(`${url}/_parvis/account/link`);
  await look(page, "link");
  await page.goto(link);
  await look(page, "link-consent");
  await page.click("button[value=allow]");
  await look(page, "link-done");
  await page.goto(`${url}/_parvis/account?action=org.matrix.cross_signing_reset`);
  await look(page, "reset");
  await page.goto(`${url}/_parvis/account?action=org.matrix.account_deactivate`);
  await look(page, "deactivate");
  await page.goto(`${url}/_parvis/oauth/authorize?client_id=unknown`);
  await look(page, "refused");
}

const { values } = parseArgs({
  options: { parvis: { type: "string" }, browser: { type: "string" }, pictures: { type: "string" } },
});
if (!values.parvis || !values.browser) throw new Error("--parvis and --browser are needed");
installPackages();
const { chromium } = await import("playwright-core");
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
if (values.pictures) {
  pictures = resolve(values.pictures);
  await mkdir(pictures, { recursive: true });
}
const directory = await mkdtemp(join(tmpdir(), "parvis-pages-"));
const parvis = await startParvis(resolve(values.parvis), directory, await freePort());
const browser = await chromium.launch({ executablePath: resolve(values.browser), chromiumSandbox: false });
try {
  // The policy of the pages lets no script run; axe-core is let past it.
  const by = (colorScheme) => browser.newContext({ bypassCSP: true, locale: "en", colorScheme });
  await visit(await by("light"), parvis.url);
  const night = await (await by("dark")).newPage();
  await night.goto(`${parvis.url}/_parvis/account/login`);
  await look(night, "login-by-night");
} finally {
  await browser.close();
  parvis.end();
  await rm(directory, { recursive: true, force: true });
}
for (const fault of faults) console.error(fault);
console.log(`# ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
