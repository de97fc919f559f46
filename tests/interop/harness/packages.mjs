// The npm packages of the suite.

import { spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const SUITE = fileURLToPath(new URL("..", import.meta.url));

/** Installs what the lock file names, unless that was done before. */
export function installPackages() {
  const installed = join(SUITE, "node_modules/.package-lock.json");
  const wanted = join(SUITE, "package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return;
  const options = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status, error } = spawnSync("npm", options, { cwd: SUITE, stdio: "inherit" });
  if (status !== 0) throw new Error(`npm ci failed: ${error?.message ?? `code ${status}`}`);
}
