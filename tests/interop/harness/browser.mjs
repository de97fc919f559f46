// Plays the story of encryption in a headless Chromium: the clients run in a page, with the crypto as WebAssembly and
// their keys in IndexedDB.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const WASM = "/pkg/matrix_sdk_crypto_wasm_bg.wasm";
const START_LIMIT_MS = 60_000;

/** The browser talks with nobody but the servers of the story. */
const SWITCHES = [
  "--disable-background-networking", "--disable-component-update", "--disable-gpu", "--disable-quic", "--disable-sync",
  "--no-first-run",
];

/** What `does` something stays in this process; the chapters run in the page. Returns whether everything passed. */
export async function playInBrowser({ given, does, browser: program }) {
  const directory = await mkdtemp(join(tmpdir(), "parvis-browser-"));
  const server = await serve(await contents());
  try {
    const browser = await chromium.launchPersistentContext(directory, {
      executablePath: program, headless: true, chromiumSandbox: false, args: SWITCHES, timeout: START_LIMIT_MS,
    });
    try {
      console.log(`# in ${browser.browser()?.version() ?? program}`);
      const page = await open(browser, `http://127.0.0.1:${server.address().port}/`);
      for (const [name, work] of Object.entries(does)) await page.exposeFunction(name, work);
      return await page.evaluate((known) => globalThis.tell(known), given);
    } finally {
      await browser.close();
    }
  } finally {
    server.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Opens the page; what it prints is printed here. */
async function open(browser, url) {
  const page = await browser.newPage();
  page.on("console", (message) => {
    if (message.type() === "log") console.log(message.text());
  });
  page.on("pageerror", (error) => console.log(`# nobody catches in the page: ${error}`));
  await page.goto(url);
  await page.waitForFunction(() => globalThis.tell !== undefined, undefined, { timeout: START_LIMIT_MS });
  return page;
}

/** What the page consists of, by path: type and bytes. */
async function contents() {
  const { outputFiles } = await build({
    entryPoints: [join(HERE, "page.mjs")],
    alias: { "node:assert/strict": join(HERE, "assert.mjs") },
    bundle: true, format: "esm", keepNames: true, write: false, logLevel: "error",
    define: { global: "globalThis" },
  });
  return {
    "/": ["text/html; charset=utf-8", '<!doctype html><title>Story</title><script type="module" src="/story.js"></script>'],
    "/story.js": ["text/javascript; charset=utf-8", outputFiles[0].contents],
    [WASM]: ["application/wasm", await readFile(join(cryptoPackage(), WASM))],
  };
}

/** Where the package with the crypto is: the one that the SDK finds. */
function cryptoPackage() {
  const sdk = createRequire(import.meta.url).resolve("matrix-js-sdk");
  return dirname(createRequire(sdk).resolve("@matrix-org/matrix-sdk-crypto-wasm"));
}

/** A server on the loopback for these contents. */
function serve(files) {
  const server = createServer((request, response) => {
    const [type, bytes] = files[request.url] ?? [];
    if (type) response.writeHead(200, { "Content-Type": type }).end(bytes);
    else response.writeHead(404).end();
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(server));
  });
}
