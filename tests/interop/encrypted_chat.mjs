// Encryption as the organisation decides it, played by real clients (matrix-js-sdk 43 with its Rust crypto) against a
// running server whose policy is the default: off, and opt-in per room. The arguments are those of staff_chat.mjs.

import { ensureNode22 } from "./harness/node22.mjs";

const TIME_LIMIT_MS = 180_000;

ensureNode22();
await import("./harness/quiet.mjs");
const { play } = await import("./harness/story.mjs");
const { arrival } = await import("./chapters/encrypted/arrival.mjs");
const { optIn } = await import("./chapters/encrypted/opt_in.mjs");
const { verification } = await import("./chapters/encrypted/verification.mjs");
const { recovery } = await import("./chapters/encrypted/recovery.mjs");
const { deletedDevice } = await import("./chapters/encrypted/deleted_device.mjs");
const { restart } = await import("./chapters/encrypted/restart.mjs");
await play([arrival, optIn, verification, recovery, deletedDevice, restart], {
  required: ["arrival", "optIn"],
  timeLimit: TIME_LIMIT_MS,
});
