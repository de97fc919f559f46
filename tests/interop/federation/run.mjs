// Plays the story of two servers that federate over real TLS, in one command:
//
//   node run.mjs --left SERVER --right SERVER [--parvis PROGRAM] [--synapse ENVIRONMENT]
//                [--rust PATH/TO/parvis-interop-rust] [--messages N] [--partition-seconds N] [--silent] [--only CHAPTER,…]
//
// With --rust people play the chapter of encryption with clients of matrix-sdk too. SERVER is `parvis-sqlite`, `parvis=postgres://…` (an empty database) or `synapse`.
// Exit code 0: everything passed.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { installPackages } from "../harness/packages.mjs";
import { Report, within } from "../harness/report.mjs";
import { waits } from "./api.mjs";
import { Authority } from "./authority.mjs";
import { Side } from "./side.mjs";
import { acl, state } from "./chapters/state.mjs";
import { agreement } from "./chapters/agreement.mjs";
import { crash } from "./chapters/crash.mjs";
import { devices } from "./chapters/devices.mjs";
import { encryption } from "./chapters/encryption.mjs";
import { ephemeral } from "./chapters/ephemeral.mjs";
import { history } from "./chapters/history.mjs";
import { invite } from "./chapters/invite.mjs";
import { join as joinRoom } from "./chapters/join.mjs";
import { knock } from "./chapters/knock.mjs";
import { media } from "./chapters/media.mjs";
import { messages, redaction } from "./chapters/messages.mjs";
import { partition } from "./chapters/partition.mjs";
import { profile } from "./chapters/profile.mjs";
import { restricted } from "./chapters/restricted.mjs";
import { upgrade } from "./chapters/upgrade.mjs";

/** Chapters in which one side hosts and the other is the guest, played both ways. */
const BOTH_WAYS = {
  invite, join: joinRoom, knock, restricted, redaction, history, media, ephemeral, profile, devices, encryption, upgrade,
  acl, crash,
};
/** Chapters that are the same from either side. */
const ONCE = { messages, state, partition, agreement };
const ORDER = [
  "invite", "join", "knock", "restricted", "messages", "redaction", "state", "history", "media", "ephemeral", "profile",
  "devices", "encryption", "upgrade", "acl", "crash", "partition", "agreement",
];

/** Longer than any of the waits in a step, for these say what they miss. */
const STEP_LIMIT_MS = 200_000;
/** Longest time for everything but the partition. */
const STORY_LIMIT_MS = 40 * 60_000;
const LOG_LINES = 20;
const LOG_LINE_LENGTH = 240;
/** A name and an address: certificates are checked against either. */
const HOSTS = { left: "localhost", right: "127.0.0.1" };

function readArguments() {
  const { values } = parseArgs({
    options: {
      left: { type: "string" },
      right: { type: "string" },
      parvis: { type: "string" },
      synapse: { type: "string" },
      rust: { type: "string" },
      messages: { type: "string", default: "500" },
      "partition-seconds": { type: "string", default: "20" },
      silent: { type: "boolean", default: false },
      only: { type: "string", default: ORDER.join() },
    },
  });
  const kind = (text) => {
    if (text === "synapse" && values.synapse) return { make: "synapse", environment: resolve(values.synapse) };
    const database = /^parvis(?:-(sqlite)|=(postgres(?:ql)?:\/\/.+))$/.exec(text ?? "");
    if (!database || !values.parvis) throw new Error(`"${text}" is not a server, or its program is not given`);
    return { make: "parvis", program: resolve(values.parvis), database: database[1] ?? database[2] };
  };
  const only = values.only.split(",");
  for (const name of only) if (!ORDER.includes(name)) throw new Error(`there is no chapter "${name}"`);
  return {
    kinds: { left: kind(values.left), right: kind(values.right) },
    messages: Number(values.messages),
    seconds: Number(values["partition-seconds"]),
    silent: values.silent,
    rust: values.rust && resolve(values.rust),
    only,
  };
}

/** Both servers, started. Those that come up are in `sides` also if another does not. */
async function open(given, directory, sides) {
  const authority = await Authority.found(directory);
  const retries = given.seconds < 120 ? "eager" : "patient";
  for (const label of ["left", "right"]) {
    const { [label]: kind } = given.kinds;
    sides.push(await Side.prepare({ label, host: HOSTS[label], kind, authority, directory, retries }));
  }
  await Promise.all(sides.map((side) => side.process.start()));
}

async function play(report, given, [left, right]) {
  const kept = [];
  const world = (title, host, guest) => ({
    ...given, host, guest, kept, tag: `${host.label}${Date.now().toString(36)}`,
    keep: (room, one, other, options) => kept.push({ title, room, one, other, options }),
  });
  for (const name of ORDER.filter((chapter) => given.only.includes(chapter))) {
    const began = Date.now();
    if (ONCE[name]) {
      await report.chapter(name, () => ONCE[name](report, world(name, left, right)));
    } else {
      for (const [host, guest] of [[left, right], [right, left]]) {
        const title = `${name}, ${host.label} is the host`;
        await report.chapter(title, () => BOTH_WAYS[name](report, world(title, host, guest)));
      }
    }
    console.log(`# ${name} took ${((Date.now() - began) / 1000).toFixed(1)} s`);
  }
}

const given = readArguments();
if (given.only.includes("encryption")) installPackages();
const directory = await mkdtemp(join(tmpdir(), "parvis-federation-"));
const sides = [];
const close = async () => (await Promise.all(sides.map((side) => side.close()))).flat();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => close().finally(() => process.exit(1)));

const report = new Report(waits, STEP_LIMIT_MS);
const faults = await open(given, directory, sides)
  .then(() => {
    for (const side of sides) console.log(`# ${side.label} is ${side.make}, known as ${side.name}, at ${side.url}`);
    return within(play(report, given, sides), STORY_LIMIT_MS + 1_000 * given.seconds, "the story");
  })
  .then(() => [], (error) => [error.stack]);
faults.push(...await close());
console.log(report.summary());
if (report.passed === 0) faults.push("nothing was played");
for (const fault of faults) console.error(`federation: ${fault}`);
if (report.failed > 0 || faults.length > 0) {
  for (const side of sides) {
    console.error(`federation: the end of ${side.process.log}:`);
    for (const line of (await side.process.said()).trimEnd().split("\n").slice(-LOG_LINES)) {
      console.error(line.slice(0, LOG_LINE_LENGTH));
    }
  }
  process.exit(1);
}
await rm(directory, { recursive: true });
process.exit(0);
