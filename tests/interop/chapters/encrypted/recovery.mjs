// Keys are backed up, and a new device reads what was written before it came, with the recovery key. The new device is
// of B's kind: where A and B use different SDKs, one restores what the other has backed up.

import assert from "node:assert/strict";

export async function recovery(report, world) {
  const { a, b, room } = world;
  let before;
  await report.must("A sets up a backup of keys, with a recovery key", async () => {
    before = await b.say(room, "before the new device");
    await a.reads(room, before);
    await a.setsUpRecovery();
    await a.sees("the keys of the room in the backup", async () => {
      const info = await (await a.get("/_matrix/client/v3/room_keys/version")).json();
      return info.count >= 2;
    });
  });
  await report.must("a new device of A is signed with the recovery key", async () => {
    world.a2 = world.meet(await world.clients.b.arrive(world.url, world.accounts.a, "client A, new"));
    await world.a2.recovers(a.recoveryKey);
    await world.a2.sees("the new device signed", () => world.a2.isSigned());
  });
  await report.must("it restores the backup, and reads what was written before it came", async () => {
    await world.a2.restoresBackup(room);
    assert.equal((await world.a2.reads(room, before)).body, "before the new device");
  });
  await report.check("B learns of it; and what is written afterwards is read on both devices", async () => {
    // Otherwise B would give it no key, and it would read from the backup.
    await b.sees("A's new device", () => b.knowsDevice(a.id, world.a2.session.device_id));
    const event = await b.say(room, "to both devices");
    for (const device of [a, world.a2]) assert.equal((await device.reads(room, event)).body, "to both devices");
    world.toBoth = event;
  });
}
