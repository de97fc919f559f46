// Real clients with real encryption, one on each server: the story of encrypted_chat.mjs across the line. The one at the
// host is matrix-js-sdk's, and then, if there is its program, matrix-sdk's.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { openDoor } from "../../harness/door.mjs";
import { node22 } from "../../harness/node22.mjs";

const STORY = fileURLToPath(new URL("../../encrypted_chat.mjs", import.meta.url));
/** A little longer than the story gives itself. */
const LIMIT_MS = 630_000;

export async function encryption(report, { host, guest, rust }) {
  await play(report, { host, guest }, "two clients with Rust crypto", []);
  if (rust) await play(report, { host, guest }, "a client of matrix-sdk and one of matrix-js-sdk", ["--rust-a", rust]);
}

async function play(report, { host, guest }, clients, clientArguments) {
  const [anna, ben] = [await host.person("anna"), await guest.person("ben")];
  for (const person of [anna, ben]) person.unfollow(); // their clients do
  const door = await openDoor(() => host.process.stop().then(() => host.process.start()));
  try {
    const program = [
      STORY, "--url", host.url, "--url-b", guest.url, "--user-a", anna.credentials(), "--user-b", ben.credentials(),
      "--restart-command", door.command, ...(host.make === "parvis" ? [] : ["--encrypted-from-the-start"]), ...clientArguments,
    ];
    await report.check(`${clients} encrypt, verify, back up and recover across the servers`, async () => {
      const { code, output } = await run(node22(), program);
      if (code !== 0) throw new Error(output);
      for (const line of output.trimEnd().split("\n").slice(-3)) console.log(`# the story: ${line}`);
    }, LIMIT_MS);
  } finally {
    door.close();
  }
}

/** Runs a program to its end. */
async function run(program, args) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], timeout: LIMIT_MS });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => { output += data; });
  const code = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { code, output };
}
