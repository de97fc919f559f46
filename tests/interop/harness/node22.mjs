// matrix-js-sdk needs Node 22; where the machine has an older one, the npm packages bring it along.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const NEEDED = 22;

/** The path of a Node that is new enough: this one, or the one from `node_modules`. */
export function node22() {
  if (Number.parseInt(process.versions.node, 10) >= NEEDED) return process.execPath;
  const packaged = `../node_modules/node-${process.platform}-${process.arch}/bin/node`;
  const path = fileURLToPath(new URL(packaged, import.meta.url));
  if (existsSync(path)) return path;
  throw new Error(`Node ${NEEDED} is needed, this is ${process.version}: run "npm ci" in tests/interop or install it`);
}

/** Runs the same command again under Node 22 if this one is older; returns only where it is new enough. */
export function ensureNode22() {
  const node = node22();
  if (node === process.execPath) return;
  const { status } = spawnSync(node, process.argv.slice(1), { stdio: "inherit" });
  process.exit(status ?? 1);
}
