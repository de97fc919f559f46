// A device that is deleted gets no keys any more.

import assert from "node:assert/strict";

export async function deletedDevice(report, world) {
  const { a, a2, b, room } = world;
  await report.must("A's new device logs out; B sees that it is gone", async () => {
    a2.stop();
    await a2.sdk.logout(false);
    await b.sees("that the device is gone", async () => {
      const devices = await b.crypto.getUserDeviceInfo([a.id], true);
      return !devices.get(a.id)?.has(a2.session.device_id);
    });
  });
  await report.check("B's next message is read on the device that stays, and its key is sent to no other", async () => {
    const began = Date.now();
    const event = await b.say(room, "to one device");
    assert.equal((await a.reads(room, event)).body, "to one device");
    const told = b.wire.sent("PUT", /\/sendToDevice\/m\.room\.encrypted\//, began);
    assert.ok(told.length > 0, "the keys of the room were renewed, and given to those who stay");
    for (const { messages } of told) {
      assert.equal(messages[a.id]?.[a2.session.device_id], undefined, "the deleted device was given a key");
    }
  });
}
