// One organisation's staff chat, played by real clients (matrix-js-sdk 43) against a running server.
//
//   node staff_chat.mjs --url http://127.0.0.1:8008 --user-a NAME:PASSWORD --user-b NAME:PASSWORD \
//                       --restart-command "..." [--expect-presence] [--expect-gateway]

import { readArguments, tell } from "./harness/command_line.mjs";
import { ensureNode22 } from "./harness/node22.mjs";

const TIME_LIMIT_MS = 600_000;

ensureNode22();
await import("./harness/quiet.mjs");
const chapters = await Promise.all(
  ["login", "conversation", "relations", "reading", "phone", "presence", "sliding", "media", "settings", "history",
    "directory", "membership", "upgrade", "restart", "logout"].map(async (name) => (await import(`./chapters/${name}.mjs`))[name]),
);
await tell({ chapters, required: ["login", "conversation"], timeLimit: TIME_LIMIT_MS }, readArguments());
