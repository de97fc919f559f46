// Off by default, opt-in per room: a client that always asks for encryption gets a plain room, and turns it on later.

import assert from "node:assert/strict";

/** What Element X sends to make a private room. */
const asElementX = (invited) => ({
  preset: "private_chat",
  visibility: "private",
  name: "Board",
  invite: [invited],
  initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }],
  power_level_content_override: { events: { "m.room.encryption": 100, "org.matrix.msc3401.call.member": 0 } },
});

export async function optIn(report, world) {
  const { a, b } = world;
  if (world.encryptedFromTheStart) {
    await report.must("a room is made encrypted, as another server has it", () => makeRoom(world));
  } else {
    await begunPlain(report, world);
  }
  await report.must("both write encrypted, and read each other", () => bothWriteSecretly(world));
  if (!world.encryptedFromTheStart) {
    await report.check("nobody turns encryption off again", async () => {
      await assert.rejects(a.sendsState(world.room, "m.room.encryption", {}), { errcode: "M_FORBIDDEN" });
    });
  }
}

async function makeRoom(world) {
  const { a, b } = world;
  world.room = await a.createsRoom(asElementX(b.id));
  await a.seesOwnMembership(world.room, "join");
  await b.seesOwnMembership(world.room, "invite");
  await b.joins(world.room);
  await b.seesOwnMembership(world.room, "join");
  await a.seesMembership(world.room, b.id, "join");
}

async function begunPlain(report, world) {
  const { a, b } = world;
  await report.must("a room that is made as Element X makes it is plain", async () => {
    await makeRoom(world);
    for (const person of [a, b]) assert.equal(await person.encryptsIn(world.room), false);
  });
  await report.must("what both write there is plain", async () => {
    for (const [from, to] of [[a, b], [b, a]]) {
      const event = await from.say(world.room, `plainly, ${from.id}`);
      await to.seesEvent(world.room, event);
      await isOnTheWire(from, world.room, event, "m.room.message");
    }
  });
  await report.must("A turns encryption on", () => a.turnsEncryptionOn(world.room));
}

async function bothWriteSecretly({ a, b, room }) {
  for (const person of [a, b]) {
    await person.sees("that the room is encrypted", () => person.encryptsIn(room));
  }
  for (const [from, to] of [[a, b], [b, a]]) {
    const event = await from.say(room, `secretly, ${from.id}`);
    assert.equal((await to.reads(room, event)).body, `secretly, ${from.id}`);
    await isOnTheWire(from, room, event, "m.room.encrypted");
  }
}

/** Asserts that the server has the event as it was meant to be: encrypted, or not. */
async function isOnTheWire(person, room, event, type) {
  const path = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/event/${encodeURIComponent(event)}`;
  const served = await (await person.get(path)).json();
  assert.equal(served.type, type, JSON.stringify(served));
}
