// Every page for signing in, in Chromium at the width of a phone and of a desk: no fault that axe-core finds, and all
// of it without JavaScript; with `--pictures` a picture of each is kept (docs/pictures).
//
//   node sign_on_pages.mjs --parvis PATH/TO/parvis --browser PATH/TO/chromium [--pictures DIRECTORY]
//
// Installs the npm packages where they are missing. Exit code 0: everything passed.

import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { installPackages } from "./harness/packages.mjs";
import { freePort } from "./harness/parvis.mjs";
import { Parvis, press, toml } from "./harness/sign_on.mjs";

const WIDTHS = { phone: { width: 390, height: 780 }, desk: { width: 1280, height: 800 } };
const PASSWORD = "correct horse battery";
const APP = "https://app.element.io/callback";

const LOGO = '<svg xmlns="http://www.w3.org/2000/svg" width="150" height="40" viewBox="0 0 150 40" role="img">'
  + '<path d="M4 36V14L18 4l14 10v22z" fill="#1d4e89"/><path d="M14 36V24h8v12z" fill="#fff"/>'
  + '<text x="42" y="27" font-family="sans-serif" font-size="18" font-weight="700" fill="#1d4e89">Example</text></svg>';

/** What the server is told beyond the usual. */
const configuration = (directory) => `
organisation_name = "Example Town"
logo_file = ${toml(join(directory, "logo.svg"))}
providers = [{ id = "company", name = "Company Account", issuer = "https://idp.invalid", client_id = "parvis" }]
[registration]
mode = "open"
anyone_may_register_without_token = true
terms = [{ name = "charter", version = "2026-11", documents = [
  { language = "en", title = "Charter of the house", url = "https://example.org/charter" },
  { language = "fr", title = "Charte de la maison", url = "https://example.org/charte" } ] }]
`;

/** An app that asks, and a code of one without a browser. */
async function app(parvis) {
  const metadata = await parvis.metadata();
  const registered = await fetch(metadata.registration_endpoint, {
    method: "POST",
    body: JSON.stringify({
      client_name: "Element", client_uri: "https://element.io", redirect_uris: [APP],
      tos_uri: "https://element.io/terms", policy_uri: "https://element.io/privacy",
      grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    }),
  });
  const { client_id } = await registered.json();
  const scope = "urn:matrix:client:api:* urn:matrix:client:device:PHONE";
  const verifier = randomBytes(48).toString("base64url");
  const ask = new URL(metadata.authorization_endpoint);
  ask.search = new URLSearchParams({
    client_id, redirect_uri: APP, response_type: "code", response_mode: "query", scope, state: "s",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
  });
  const asked = await fetch(metadata.device_authorization_endpoint, {
    method: "POST", body: new URLSearchParams({ client_id, scope }),
  });
  const fetchTokens = async (back) => {
    const form = {
      grant_type: "authorization_code", client_id, redirect_uri: APP, code_verifier: verifier,
      code: new URL(back).searchParams.get("code"),
    };
    return (await fetch(metadata.token_endpoint, { method: "POST", body: new URLSearchParams(form) })).json();
  };
  const { verification_uri_complete, user_code } = await asked.json();
  return { ask: ask.href, link: verification_uri_complete, code: user_code, fetchTokens };
}

const faults = [];

/** Has axe-core look for faults. The pages' policy lets no script run, so the browser's context lets it past. */
async function judge(page, name) {
  for (const [width, size] of Object.entries(WIDTHS)) {
    await page.setViewportSize(size);
    const overflow = await page.evaluate("document.documentElement.scrollWidth > innerWidth");
    if (overflow) faults.push(`${name} (${width}): wider than the screen`);
  }
  await page.evaluate(axe);
  const { violations } = await page.evaluate("axe.run()");
  for (const { id, help, nodes } of violations) {
    faults.push(`${name}: ${id}: ${help}: ${nodes.map((node) => node.html).join(" | ")}`);
  }
  console.log(`judged ${name}: ${violations.length} faults`);
}

/** Takes a picture of a page, as it is without JavaScript. */
async function picture(page, name, widths = WIDTHS) {
  console.log(`saw ${name}`);
  if (!pictures) return;
  for (const [width, size] of Object.entries(widths)) {
    await page.setViewportSize(size);
    await page.screenshot({ path: join(pictures, `${name}-${width}.png`), fullPage: true, animations: "disabled" });
  }
}

const SUBMIT = "main button[type=submit]";

/** Walks through all pages as `name`, and has each looked at. */
async function walk(page, parvis, name, look) {
  const { ask, link, code, fetchTokens } = await app(parvis);
  const account = `${parvis.url}/_parvis/account`;
  const see = async (text) => {
    if (!(await page.content()).includes(text)) faults.push(`${name}: the page ${page.url()} does not say ${text}`);
  };
  await page.goto(`${account}/register`);
  await look(page, "register");
  await page.fill("#name", name);
  await page.fill("#password", PASSWORD);
  await page.fill("#repeated", PASSWORD);
  await page.check("input[name=accept]");
  await press(page, SUBMIT);
  await see(`@${name}:localhost`);
  await press(page, "footer button");
  await look(page, "signed-out");
  await page.goto(ask);
  await page.fill("#name", name);
  await page.fill("#password", "wrong");
  await press(page, SUBMIT);
  await look(page, "login-wrong");
  await page.goto(ask);
  await look(page, "login");
  await page.fill("#name", name);
  await page.fill("#password", PASSWORD);
  await press(page, SUBMIT);
  await see("Element");
  await look(page, "consent");
  // The app is elsewhere: that the browser is sent there is seen, and nobody is asked.
  const sent = page.waitForRequest((request) => request.url().startsWith(APP));
  await page.click("button[value=allow]").catch(() => undefined);
  const tokens = await fetchTokens((await sent).url());
  if (tokens.access_token === undefined) faults.push(`${name}: the app was not let in: ${JSON.stringify(tokens)}`);
  // This one is on its way to where the browser says that it does not reach the app.
  page = await page.context().newPage();
  await page.goto(account);
  await see("PHONE");
  await look(page, "account");
  await page.goto(`${account}?action=org.matrix.device_view&device_id=PHONE`);
  await look(page, "device");
  await page.goto(`${account}?action=org.matrix.device_delete&device_id=PHONE`);
  await look(page, "device-end");
  await press(page, "button[value=end_device]");
  if ((await page.content()).includes("device_id=PHONE")) faults.push(`${name}: the device is still there`);
  await page.goto(`${account}/link`);
  await look(page, "link");
  await page.fill("#code", code);
  await press(page, SUBMIT);
  await see(code);
  await page.goto(link);
  await look(page, "link-consent");
  await press(page, "button[value=allow]");
  await look(page, "link-done");
  await page.goto(`${parvis.url}/_matrix/client/v3/login/sso/redirect?redirectUrl=https://app.element.io/`);
  await look(page, "sso");
  await page.goto(`${account}?action=org.matrix.cross_signing_reset`);
  await look(page, "reset");
  await page.goto(`${parvis.url}/_parvis/oauth/authorize?client_id=unknown`);
  await look(page, "refused");
  await page.goto(`${account}/callback?code=x&state=y`);
  await look(page, "provider-refused");
  await page.goto(`${account}?action=org.matrix.account_deactivate`);
  await look(page, "deactivate");
}

/** The page of rules for somebody whose account was made elsewhere, and who has not read them. */
async function charter(page, parvis, name, look) {
  const register = () => fetch(`${parvis.url}/_matrix/client/v3/register`, {
    method: "POST",
    body: JSON.stringify({ username: name, password: PASSWORD, auth: { type: "m.login.dummy" } }),
  });
  const refused = await register();
  if (refused.status !== 401) faults.push(`${name}: somebody registers without reading the rules`);
  parvis.createUser(name, PASSWORD);
  await page.goto((await app(parvis)).ask);
  await page.fill("#name", name);
  await page.fill("#password", PASSWORD);
  await press(page, SUBMIT);
  await look(page, "charter");
  await page.check("input[name=accept]");
  await press(page, SUBMIT);
  if ((await page.locator("button[value=allow]").count()) !== 1) faults.push(`${name}: no consent after the charter`);
}

/** One page in each of the other languages, at the width of a phone. */
async function languages(contexts, parvis, look) {
  const { phone } = WIDTHS;
  const shown = { fr: "login", de: "consent", it: "account" };
  for (const [locale, which] of Object.entries(shown)) {
    const page = await (await contexts({ locale })).newPage();
    const { ask } = await app(parvis);
    await page.goto(which === "account" ? `${parvis.url}/_parvis/account` : ask);
    if (which !== "login") {
      await page.fill("#name", "alice");
      await page.fill("#password", PASSWORD);
      await press(page, SUBMIT);
    }
    const language = await page.locator("html").getAttribute("lang");
    if (language !== locale) faults.push(`${which}: in ${language}, not in ${locale}`);
    await look(page, `${which}-${locale}`, { phone });
  }
}

const { values } = parseArgs({
  options: { parvis: { type: "string" }, browser: { type: "string" }, pictures: { type: "string" } },
});
if (!values.parvis || !values.browser) throw new Error("--parvis and --browser are needed");
installPackages();
const { chromium } = await import("playwright-core");
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const pictures = values.pictures && resolve(values.pictures);
if (pictures) await mkdir(pictures, { recursive: true });
const directory = await mkdtemp(join(tmpdir(), "parvis-pages-"));
await writeFile(join(directory, "logo.svg"), LOGO);
const parvis = await Parvis.prepare(resolve(values.parvis), directory, await freePort(), configuration(directory));
const browser = await chromium.launch({
  executablePath: resolve(values.browser), chromiumSandbox: false,
  args: ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost"], // nobody outside is asked
});
try {
  await parvis.start();
  const context = (more = {}) => browser.newContext({ locale: "en", javaScriptEnabled: false, ...more });
  await walk(await (await context()).newPage(), parvis, "alice", picture);
  await charter(await (await context()).newPage(), parvis, "bob", picture);
  await languages(context, parvis, picture);
  const night = await (await context({ colorScheme: "dark" })).newPage();
  await night.goto(`${parvis.url}/_parvis/account/login`);
  await picture(night, "login-by-night");
  const judged = { javaScriptEnabled: true, bypassCSP: true };
  await walk(await (await context(judged)).newPage(), parvis, "carol", judge);
  await charter(await (await context(judged)).newPage(), parvis, "dora", judge);
  await languages((more) => context({ ...judged, ...more }), parvis, judge);
  const judgedNight = await (await context({ ...judged, colorScheme: "dark" })).newPage();
  await judgedNight.goto(`${parvis.url}/_parvis/account/login`);
  await judge(judgedNight, "login-by-night");
} finally {
  await browser.close();
  await parvis.end();
  await rm(directory, { recursive: true, force: true });
}
for (const fault of faults) console.error(fault);
console.log(`# ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
