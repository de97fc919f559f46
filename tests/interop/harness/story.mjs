// Plays the chapters of a story with real clients against the server that the command line names, and counts.

import { parseArgs } from "node:util";
import { Report } from "./report.mjs";

function readArguments() {
  const { values } = parseArgs({
    options: {
      url: { type: "string" },
      "user-a": { type: "string" },
      "user-b": { type: "string" },
      "restart-command": { type: "string" },
      "expect-presence": { type: "boolean", default: false },
      "url-b": { type: "string" },
      "encrypted-from-the-start": { type: "boolean", default: false },
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

/** Plays `chapters` and ends the process. A failure in one of the `required` ends the story. */
export async function play(chapters, { required, timeLimit }) {
  const given = readArguments();
  const people = [];
  const world = {
    url: given.url,
    urlOfB: given["url-b"] ?? given.url,
    encryptedFromTheStart: given["encrypted-from-the-start"],
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
  const finish = () => {
    console.log(report.summary());
    process.exit(report.failed === 0 && report.passed > 0 ? 0 : 1);
  };
  setTimeout(() => {
    report.failed += 1;
    console.log(`not ok - the whole story takes less than ${timeLimit / 1000} s`);
    finish();
  }, timeLimit).unref();
  process.on("unhandledRejection", (reason) => console.log(`# a promise nobody waits for failed: ${reason}`));

  const began = Date.now();
  for (const chapter of chapters) {
    const complete = await report.chapter(chapter.name, () => chapter(report, world));
    if (!complete && required.includes(chapter.name)) break;
  }
  console.log(`# ${((Date.now() - began) / 1000).toFixed(1)} s`);
  for (const person of people) person.stop();
  finish();
}
