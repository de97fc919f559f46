// Encryption as the organisation decides it, played by real clients (matrix-js-sdk 43 with its Rust crypto) against a
// running server whose policy is the default: off, and opt-in per room. The arguments are those of staff_chat.mjs, and
// `--browser PROGRAM`: the clients then run in that browser and keep their keys in IndexedDB, otherwise in Node; or
// `--rust-a PROGRAM`, `--rust-b PROGRAM`: that person uses that client of matrix-sdk.

import { readArguments, tell } from "./harness/command_line.mjs";
import { ensureNode22 } from "./harness/node22.mjs";

ensureNode22();
const told = readArguments();
if (told.browser) {
  const { playInBrowser } = await import("./harness/browser.mjs");
  process.exit(await playInBrowser(told) ? 0 : 1);
}
await import("./harness/quiet.mjs");
const { story } = await import("./chapters/encrypted/story.mjs");
const { clientsOf } = await import("./harness/clients.mjs");
await tell(story, { ...told, given: { ...told.given, clients: clientsOf(told.rust) } });
