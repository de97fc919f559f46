// A device that is deleted gets no keys any more.

import assert from "node:assert/strict";

export async function deletedDevice(report, world) {
  const { a, a2, b, room } = world;
  const asServed = async (event) =>
    (await a.get(`/_matrix/client/v3/rooms/${encodeURIComponent(room)}/event/${encodeURIComponent(event)}`)).json();
  await report.must("A's new device logs out; B sees that it is gone", async () => {
    await a2.logsOut();
    await b.sees("that the device is gone", async () => !(await b.knowsDevice(a.id, a2.session.device_id)));
  });
  let event;
  await report.must("B's next message is read on the device that stays, and its key is sent to no other", async () => {
    const began = Date.now();
    event = await b.say(room, "to one device");
    assert.equal((await a.reads(room, event)).body, "to one device");
    const told = b.wire.sent("PUT", /\/sendToDevice\/m\.room\.encrypted\//, began);
    assert.ok(told.length > 0, "the keys of the room were renewed, and given to those who stay");
    for (const { messages } of told) {
      assert.equal(messages[a.id]?.[a2.session.device_id], undefined, "the deleted device was given a key");
    }
  });
  await report.check("the deleted device reads what it could read, and not that message", async () => {
    assert.equal(await a2.canRead(room, await asServed(world.toBoth)), true);
    assert.equal(await a2.canRead(room, await asServed(event)), false);
  });
}
