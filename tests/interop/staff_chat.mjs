// One organisation's staff chat, played by real clients (matrix-js-sdk 43) against a running server.
//
//   node staff_chat.mjs --url http://127.0.0.1:8008 --user-a NAME:PASSWORD --user-b NAME:PASSWORD \
//                       --restart-command "..." [--expect-presence]

import { parseArgs } from "node:util";
import { ensureNode22 } from "./harness/node22.mjs";

const TIME_LIMIT_MS = 120_000;

ensureNode22();
await import("./harness/quiet.mjs");
const { Report } = await import("./harness/report.mjs");
const chapters = await Promise.all(
  ["login", "conversation", "relations", "reading", "presence", "media", "settings", "history", "directory",
    "membership", "upgrade", "restart", "logout"].map(async (name) => (await import(`./chapters/${name}.mjs`))[name]),
);
const REQUIRED = new Set(["login", "conversation"]);

function readArguments() {
  const { values } = parseArgs({
    options: {
      url: { type: "string" },
      "user-a": { type: "string" },
      "user-b": { type: "string" },
      "restart-command": { type: "string" },
      "expect-presence": { type: "boolean", default: false },
    },
  });
  for (const name of ["url", "user-a", "user-b", "restart-command"]) {
    if (!values[name]) throw new Error(`--${name} is missing`);
  }
  return values;
}

function account(text) {
  const colon = text.indexOf(":");
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

const given = readArguments();
const people = [];
const world = {
  url: given.url,
  accounts: { a: account(given["user-a"]), b: account(given["user-b"]) },
  restartCommand: given["restart-command"],
  presenceExpected: given["expect-presence"],
  tag: `t${Date.now().toString(36)}`,
  people,
  meet(person) {
    people.push(person);
    return person;
  },
};
const report = new Report((since) => people.flatMap((person) => person.wire.evidence(since)));

function finish() {
  console.log(report.summary());
  process.exit(report.failed === 0 && report.passed > 0 ? 0 : 1);
}

setTimeout(() => {
  report.failed += 1;
  console.log(`not ok - the whole story takes less than ${TIME_LIMIT_MS / 1000} s`);
  finish();
}, TIME_LIMIT_MS).unref();
process.on("unhandledRejection", (reason) => console.log(`# a promise nobody waits for failed: ${reason}`));

const began = Date.now();
for (const chapter of chapters) {
  const complete = await report.chapter(chapter.name, () => chapter(report, world));
  if (!complete && REQUIRED.has(chapter.name)) break;
}
console.log(`# ${((Date.now() - began) / 1000).toFixed(1)} s`);
for (const person of people) person.stop();
finish();
