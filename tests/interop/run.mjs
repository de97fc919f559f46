// Runs the stories against a Parvis of its own, in one command:
//
//   node run.mjs --parvis PATH/TO/parvis [--database sqlite|postgres:URL]
//                [--browser PATH/TO/chromium | --rust PATH/TO/parvis-interop-rust] [--clock PATH/TO/libfaketime] [--story NAME]
//
// With a browser only the story of encryption is played, and the clients run there instead of in Node. With --rust too:
// by clients of matrix-sdk, and by them together with those of matrix-js-sdk. With a story's name, or what is printed above
// it, only that one is played. With libfaketime (Debian's package libfaketime) days pass for the server where a story wants.
// Installs the npm packages where they are missing. Exit code 0: everything passed.

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { node22 } from "./harness/node22.mjs";
import { installPackages } from "./harness/packages.mjs";
import { Parvis } from "./harness/parvis.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const LOG_LINES = 40;
/** How many days pass when a story lets days pass. */
const DAYS = 5;
const STORIES = [["staff_chat"], ["whole_day"], ["encrypted_chat"]];

/** The story that is played in a browser. */
const browserStories = (browser) => [["encrypted_chat", "--browser", browser]];

/** The stories with clients of matrix-sdk: two of them, one of them on either side of one of matrix-js-sdk, and by sliding sync. */
const rustStories = (program) => [
  ...[["--rust-a", "--rust-b"], ["--rust-a"], ["--rust-b"]]
    .map((sides) => ["encrypted_chat", ...sides.flatMap((side) => [side, program])]),
  ["encrypted_chat", "--rust-a", program, "--rust-b", program, "--windows"],
  ["room_list", "--rust-a", program, "--windows"],
];

function readArguments() {
  const { values } = parseArgs({
    options: {
      parvis: { type: "string" }, database: { type: "string", default: "sqlite" },
      browser: { type: "string" }, rust: { type: "string" }, clock: { type: "string" }, story: { type: "string" },
    },
  });
  if (!values.parvis) throw new Error("--parvis is missing: the path of the parvis binary");
  const database = values.database.replace(/^postgres:(?!\/\/)/, "");
  if (database !== "sqlite" && !/^postgres(ql)?:\/\//.test(database)) {
    throw new Error(`--database is "sqlite" or "postgres:URL", not "${values.database}"`);
  }
  const clockLibrary = values.clock && resolve(values.clock);
  return { binary: resolve(values.parvis), database, clockLibrary, stories: storiesFor(values) };
}

/** Each with its own arguments. */
function storiesFor({ browser, rust, story }) {
  if (browser && rust) throw new Error("--browser and --rust do not go together");
  if (browser) return browserStories(resolve(browser));
  const all = rust ? rustStories(resolve(rust)) : STORIES;
  return all.filter((one) => !story || story === one[0] || story === title(one));
}

/** What is printed above a story: its name and its options, without their values. */
const title = ([name, ...more]) => [name, ...more.filter((option) => option.startsWith("--"))].join(" ");

/** Three new accounts, each as NAME:PASSWORD; the third is an administrator's. */
async function newAccounts(parvis) {
  const tag = randomBytes(4).toString("hex");
  const accounts = ["anna", "ben", "carla"].map((name) => [`${name}-${tag}`, randomBytes(12).toString("hex")]);
  for (const [name, password] of accounts) {
    await parvis.createUser(name, password, { isAdmin: name.startsWith("carla") });
  }
  return accounts.map((account) => account.join(":"));
}

/** The process that plays a story just now. It ends with us, and its browser with it. */
let playing;

async function play([story, ...more], parvis, { restart, kill, days }) {
  console.log(`# ${title([story, ...more])}`);
  const [a, b, c] = await newAccounts(parvis);
  const program = [
    join(HERE, `${story}.mjs`), "--url", parvis.url, "--user-a", a, "--user-b", b, "--user-c", c,
    "--mail-port", String(parvis.mailPort),
    "--restart-command", restart, "--kill-command", kill, ...(days ? ["--days-command", days] : []),
    "--expect-presence", "--expect-gateway", ...more,
  ];
  playing = spawn(node22(), program, { stdio: "inherit" });
  const code = await new Promise((ended) => playing.once("exit", ended));
  if (code !== 0) throw new Error(`${story} failed, see above`);
}

async function playAll(parvis) {
  await parvis.start();
  const commands = { restart: await parvis.offerRestart(), kill: await parvis.offerKill() };
  if (parvis.clock) commands.days = await parvis.offerDays(DAYS);
  for (const story of stories) await play(story, parvis, commands);
}

const { binary, database, clockLibrary, stories } = readArguments();
installPackages();
const directory = await mkdtemp(join(tmpdir(), "parvis-interop-"));
const parvis = await Parvis.prepare({ binary, database, directory, clockLibrary });
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    playing?.kill();
    parvis.close().finally(() => process.exit(1));
  });
}

console.log(`# ${binary} on ${database === "sqlite" ? "SQLite" : "PostgreSQL"} at ${parvis.url}`);
const faults = await playAll(parvis).then(() => [], (error) => [error.message]);
faults.push(...await parvis.close());
if (faults.length > 0) {
  for (const fault of faults) console.error(`interop: ${fault}`);
  console.error(`interop: the end of ${parvis.logPath}:`);
  console.error((await parvis.log()).trimEnd().split("\n").slice(-LOG_LINES).join("\n"));
  process.exit(1);
}
await rm(directory, { recursive: true });
