// A client is closed and opened again, as a page that is reloaded: it has kept its keys, and what it knew of others.

import assert from "node:assert/strict";
import { KEEPS_KEYS } from "../../harness/secretive.mjs";

export async function reopening(report, world) {
  const { a, b, room } = world;
  if (!KEEPS_KEYS) {
    report.skip("a client that is opened again has kept its keys", "Node keeps none");
    return;
  }
  const before = await b.say(room, "before A closes the client");
  await a.reads(room, before);
  let again;
  await report.must("A closes the client; B writes, with a new key; A opens it again and reads both", async () => {
    a.stop();
    await b.renewsKey(room);
    const meanwhile = await b.say(room, "while it is closed");
    again = world.meet(await a.reopen());
    assert.equal((await again.reads(room, before)).body, "before A closes the client");
    assert.equal((await again.reads(room, meanwhile)).body, "while it is closed");
  });
  await report.check("A still knows B as verified, and writes what B reads", async () => {
    await again.sees(`${b.id} verified`, () => again.trusts(b.id));
    const event = await again.say(room, "here again");
    assert.equal((await b.reads(room, event)).body, "here again");
  });
}
