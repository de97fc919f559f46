// The server is restarted in the middle of an encrypted conversation: everything stays readable.

import assert from "node:assert/strict";
import { exec } from "node:child_process";
import { promisify } from "node:util";

const MESSAGES_EACH = 10;
const RESTART_LIMIT_MS = 40_000;
const RETURN_LIMIT_MS = 30_000;

export async function restart(report, world) {
  const { a, b, room } = world;
  const sent = [];
  const say = async (from, to, body) => sent.push({ to, body, event: await from.say(room, body) });
  await report.must("A and B write, the server restarts, and they go on", async () => {
    for (let i = 0; i < MESSAGES_EACH; i += 1) {
      await say(a, b, `A ${i}`);
      await say(b, a, `B ${i}`);
    }
    await promisify(exec)(world.restartCommand, { timeout: RESTART_LIMIT_MS });
    for (const person of [a, b]) await person.sees("the server again", () => person.isSyncing(), RETURN_LIMIT_MS);
    for (let i = MESSAGES_EACH; i < 2 * MESSAGES_EACH; i += 1) {
      await say(a, b, `A ${i}`);
      await say(b, a, `B ${i}`);
    }
  }, RESTART_LIMIT_MS + RETURN_LIMIT_MS);
  await report.check("each reads everything that the other wrote", async () => {
    for (const { to, body, event } of sent) assert.equal((await to.reads(room, event)).body, body);
    for (const person of [a, b]) assert.equal(person.unreadable(room), 0);
  });
}
