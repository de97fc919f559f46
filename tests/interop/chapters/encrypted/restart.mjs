// The server is restarted in the middle of an encrypted conversation: everything stays readable.

import assert from "node:assert/strict";

const MESSAGES_EACH = 10;
const STEP_LIMIT_MS = 300_000;
const RETURN_LIMIT_MS = 90_000;

export async function restart(report, world) {
  const { a, b, room } = world;
  const sent = [];
  const say = async (from, to, body) => sent.push({ to, body, event: await from.say(room, body) });
  /** The next message of each comes with a new key, which must find its way to the other's device. */
  const renewKeys = () => Promise.all([a, b].map((person) => person.renewsKey(room)));
  await report.must("A and B write, the server restarts, and they go on", async () => {
    for (let i = 0; i < MESSAGES_EACH; i += 1) {
      if (i === MESSAGES_EACH - 1) await renewKeys();
      await say(a, b, `A ${i}`);
      await say(b, a, `B ${i}`);
    }
    const restarted = world.restartServer();
    // Who has another server goes on writing, with a key for those who are away.
    if (world.urlOfB !== world.url) {
      await b.renewsKey(room);
      await say(b, a, "B, while A's server is away");
    }
    await restarted;
    for (const person of [a, b]) await person.sees("the server again", () => person.isSyncing(), RETURN_LIMIT_MS);
    await renewKeys();
    for (let i = MESSAGES_EACH; i < 2 * MESSAGES_EACH; i += 1) {
      await say(a, b, `A ${i}`);
      await say(b, a, `B ${i}`);
    }
  }, STEP_LIMIT_MS);
  await report.check("each reads everything that the other wrote", async () => {
    for (const { to, body, event } of sent) assert.equal((await to.reads(room, event)).body, body);
    for (const person of [a, b]) assert.equal(await person.unreadable(room), 0);
  }, STEP_LIMIT_MS);
}
