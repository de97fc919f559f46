// What the command line of a story says, and how its process ends.

import { exec } from "node:child_process";
import { parseArgs, promisify } from "node:util";

/** The longest time that the server's restart may take; the chapters give it a little more. */
const RESTART_LIMIT_MS = 120_000;

/**
 * `given`: what the chapters need to know; `does`: what can be done to the server; `browser`: the program to play in, if
 * not in Node; `rust`: the clients of those who use matrix-sdk, and whether they sync in windows, as Element X does.
 */
export function readArguments() {
  const { values } = parseArgs({
    options: {
      url: { type: "string" },
      "user-a": { type: "string" },
      "user-b": { type: "string" },
      "user-c": { type: "string" },
      "mail-port": { type: "string" },
      "restart-command": { type: "string" },
      "kill-command": { type: "string" },
      "days-command": { type: "string" },
      "expect-presence": { type: "boolean", default: false },
      "expect-gateway": { type: "boolean", default: false },
      "url-b": { type: "string" },
      "encrypted-from-the-start": { type: "boolean", default: false },
      browser: { type: "string" },
      "rust-a": { type: "string" },
      "rust-b": { type: "string" },
      windows: { type: "boolean", default: false },
    },
  });
  for (const name of ["url", "user-a", "user-b", "restart-command"]) {
    if (!values[name]) throw new Error(`--${name} is missing`);
  }
  const rust = { a: values["rust-a"], b: values["rust-b"], windows: values.windows };
  if (values.browser && (rust.a || rust.b)) throw new Error("a browser runs no client of matrix-sdk");
  const given = {
    url: values.url,
    urlOfB: values["url-b"] ?? values.url,
    encryptedFromTheStart: values["encrypted-from-the-start"],
    accounts: {
      a: account(values["user-a"]), b: account(values["user-b"]), c: values["user-c"] && account(values["user-c"]),
    },
    mailPort: values["mail-port"] && Number(values["mail-port"]),
    presenceExpected: values["expect-presence"],
    gatewayExpected: values["expect-gateway"],
  };
  const run = (command) => async () => {
    await promisify(exec)(command, { timeout: RESTART_LIMIT_MS });
  };
  const restartServer = run(values["restart-command"]);
  const killServer = values["kill-command"] ? run(values["kill-command"]) : restartServer;
  const passDays = values["days-command"] && run(values["days-command"]);
  return { given, does: { restartServer, killServer, passDays }, browser: values.browser, rust };
}

function account(text) {
  const colon = text.indexOf(":");
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Tells a story in this process, and ends it. */
export async function tell(story, { given, does }) {
  process.on("unhandledRejection", (reason) => console.log(`# a promise nobody waits for failed: ${reason}`));
  const { play } = await import("./story.mjs");
  process.exit(await play(story, { ...given, ...does }) ? 0 : 1);
}
