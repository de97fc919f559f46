// Keys are backed up, and a new device reads what was written before it came, with the recovery key.

import assert from "node:assert/strict";
import { SecretivePerson } from "../../harness/secretive.mjs";

export async function recovery(report, world) {
  const { a, b, room } = world;
  let before;
  await report.must("A sets up a backup of keys, with a recovery key", async () => {
    before = await b.say(room, "before the new device");
    await a.reads(room, before);
    a.recoveryKey = await a.crypto.createRecoveryKeyFromPassphrase();
    await a.crypto.bootstrapSecretStorage({
      createSecretStorageKey: () => Promise.resolve(a.recoveryKey),
      setupNewSecretStorage: true,
      setupNewKeyBackup: true,
    });
    assert.ok(await a.crypto.isSecretStorageReady());
    const version = await a.crypto.getActiveSessionBackupVersion();
    await a.sees("the keys of the room in the backup", async () => {
      const info = await (await a.get("/_matrix/client/v3/room_keys/version")).json();
      assert.equal(info.version, version);
      return info.count >= 2;
    });
  });
  await report.must("a new device of A is signed with the recovery key", async () => {
    world.a2 = world.meet(await SecretivePerson.arrive(world.url, world.accounts.a, "client A, new"));
    world.a2.recoveryKey = a.recoveryKey;
    // As Element Web does: the identity is looked up before its keys are taken out of the secret storage.
    await world.a2.sees("the own identity", () => world.a2.crypto.userHasCrossSigningKeys(a.id, true));
    await world.a2.crypto.bootstrapCrossSigning({});
    await world.a2.sees("the new device signed", async () => {
      await world.a2.crypto.getUserDeviceInfo([a.id], true);
      const status = await world.a2.crypto.getDeviceVerificationStatus(a.id, world.a2.session.device_id);
      return status?.signedByOwner;
    });
  });
  await report.must("it restores the backup, and reads what was written before it came", async () => {
    await world.a2.crypto.loadSessionBackupPrivateKeyFromSecretStorage();
    await world.a2.crypto.checkKeyBackupAndEnable();
    const { total, imported } = await world.a2.crypto.restoreKeyBackup();
    assert.ok(total >= 2 && imported === total, `${imported} of ${total}`);
    assert.equal((await world.a2.reads(room, before)).body, "before the new device");
  });
  await report.check("B learns of it; and what is written afterwards is read on both devices", async () => {
    // Otherwise B would give it no key, and it would read from the backup.
    await b.sees("A's new device", async () =>
      (await b.crypto.getUserDeviceInfo([a.id], true)).get(a.id)?.has(world.a2.session.device_id));
    const event = await b.say(room, "to both devices");
    for (const device of [a, world.a2]) assert.equal((await device.reads(room, event)).body, "to both devices");
  });
}
