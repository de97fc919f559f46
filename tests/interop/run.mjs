// Runs the stories against a Parvis of its own, in one command:
//
//   node run.mjs --parvis PATH/TO/parvis [--database sqlite|postgres:URL]
//
// Installs the npm packages where they are missing. Exit code 0: everything passed.

import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { node22 } from "./harness/node22.mjs";
import { Parvis } from "./harness/parvis.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const LOG_LINES = 40;
const STORIES = ["staff_chat", "encrypted_chat"];

function readArguments() {
  const { values } = parseArgs({
    options: { parvis: { type: "string" }, database: { type: "string", default: "sqlite" } },
  });
  if (!values.parvis) throw new Error("--parvis is missing: the path of the parvis binary");
  const database = values.database.replace(/^postgres:(?!\/\/)/, "");
  if (database !== "sqlite" && !/^postgres(ql)?:\/\//.test(database)) {
    throw new Error(`--database is "sqlite" or "postgres:URL", not "${values.database}"`);
  }
  return { binary: resolve(values.parvis), database };
}

/** Installs what the lock file names, unless that was done before. */
function installPackages() {
  const installed = join(HERE, "node_modules/.package-lock.json");
  const wanted = join(HERE, "package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return;
  const options = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status, error } = spawnSync("npm", options, { cwd: HERE, stdio: "inherit" });
  if (status !== 0) throw new Error(`npm ci failed: ${error?.message ?? `code ${status}`}`);
}

/** Two new accounts, each as NAME:PASSWORD. */
async function twoAccounts(parvis) {
  const tag = randomBytes(4).toString("hex");
  const accounts = [`anna-${tag}`, `ben-${tag}`].map((name) => [name, randomBytes(12).toString("hex")]);
  for (const [name, password] of accounts) await parvis.createUser(name, password);
  return accounts.map((account) => account.join(":"));
}

async function play(story, parvis, restart) {
  const [a, b] = await twoAccounts(parvis);
  const program = [
    join(HERE, `${story}.mjs`), "--url", parvis.url, "--user-a", a, "--user-b", b,
    "--restart-command", restart, "--expect-presence",
  ];
  const child = spawn(node22(), program, { stdio: "inherit" });
  const code = await new Promise((ended) => child.once("exit", ended));
  if (code !== 0) throw new Error(`${story} failed, see above`);
}

async function playAll(parvis) {
  await parvis.start();
  const restart = await parvis.offerRestart();
  for (const story of STORIES) await play(story, parvis, restart);
}

const { binary, database } = readArguments();
installPackages();
const directory = await mkdtemp(join(tmpdir(), "parvis-interop-"));
const parvis = await Parvis.prepare({ binary, database, directory });
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => parvis.close().finally(() => process.exit(1)));

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
