// A day at the office, played by matrix-js-sdk 43 against a running server: spaces, threads, polls, search, push rules
// and a push gateway, mail, reports, and a password that was forgotten.
//
//   node whole_day.mjs --url http://127.0.0.1:8008 --user-a NAME:PASSWORD --user-b NAME:PASSWORD \
//                      --user-c NAME:PASSWORD --mail-port PORT --restart-command "..."
//
// C is an administrator. The server must hand its mails to 127.0.0.1 at that port without TLS, be willing to call a push
// gateway on loopback, and send mails of missed messages after a few seconds.

import { readArguments, tell } from "./harness/command_line.mjs";
import { ensureNode22 } from "./harness/node22.mjs";

const TIME_LIMIT_MS = 600_000;

ensureNode22();
await import("./harness/quiet.mjs");
const { login } = await import("./chapters/login.mjs");
const chapters = await Promise.all(
  ["office", "spaces", "threads", "polls", "search", "pushing", "addresses", "missed", "reports", "password"]
    .map(async (name) => (await import(`./chapters/day/${name}.mjs`))[name]),
);
const required = ["login", "office", "spaces"];
await tell({ chapters: [login, ...chapters], required, timeLimit: TIME_LIMIT_MS }, readArguments());
