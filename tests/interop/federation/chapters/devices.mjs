// Devices and their keys across servers: lists, one-time keys, cross-signing, messages to devices.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { path, until } from "../api.mjs";
import { SigningKey, signed } from "../signing.mjs";

const OLM = ["m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"];

export async function devices(report, { host, guest }) {
  const anna = await host.person("anna");
  const ben = await guest.person("ben");
  let twin;
  const query = async () => (await anna.post(path`v3/keys/query`, { device_keys: { [ben.id]: [] } }));
  const devicesOfBen = async () => Object.keys((await query()).device_keys?.[ben.id] ?? {}).sort();
  const changed = (begin) => until("the host hears that the devices changed", () =>
    anna.news.devicesChanged.slice(begin).includes(ben.id));
  await report.must("two people share an encrypted room across the servers", async () => {
    const room = await anna.createRoom({
      preset: "public_chat", name: "Vault",
      initial_state: [{ type: "m.room.encryption", content: { algorithm: "m.megolm.v1.aes-sha2" } }],
    });
    await ben.join(room, host);
    await anna.seesMembership(room, ben, "join");
  });
  await report.must("a device's keys are seen from the other server as they were published", async () => {
    const begin = anna.news.devicesChanged.length;
    const published = await publish(ben);
    await changed(begin);
    await until("the keys are answered", async () => (await devicesOfBen()).includes(ben.device), { every: 200 });
    const { unsigned, ...keys } = (await query()).device_keys[ben.id][ben.device];
    assert.deepEqual(keys, published);
  });
  await report.must("a new device is told of, and the list has it", async () => {
    const begin = anna.news.devicesChanged.length;
    twin = await ben.logIn("a second device");
    await publish(twin);
    await changed(begin);
    await until("both devices are answered", async () =>
      (await devicesOfBen()).join() === [ben.device, twin.device].sort().join(), { every: 200 });
  });
  await report.check("a one-time key is claimed from the other server, each once", async () => {
    const wanted = { one_time_keys: { [ben.id]: { [ben.device]: "signed_curve25519" } } };
    const claim = async () => (await anna.post(path`v3/keys/claim`, wanted)).one_time_keys[ben.id][ben.device];
    const [first, second] = [await claim(), await claim()];
    assert.equal(Object.keys(first).length, 1);
    assert.notDeepEqual(Object.keys(first), Object.keys(second));
  });
  await report.check("a message to a device arrives once, there alone", async () => {
    const note = { secret: randomBytes(6).toString("hex") };
    await anna.put(path`v3/sendToDevice/org.example.note/${anna.transaction()}`, { messages: { [ben.id]: { [twin.device]: note } } });
    const got = (person) => person.news.toDevice.filter((event) => event.content.secret === note.secret);
    await until("it arrives", () => got(twin).length > 0);
    const all = { secret: note.secret, all: true };
    await anna.put(path`v3/sendToDevice/org.example.note/${anna.transaction()}`, { messages: { [ben.id]: { "*": all } } });
    await until("one to all arrives everywhere", () => got(ben).length > 0 && got(twin).length > 1);
    assert.deepEqual([got(ben).length, got(twin).length], [1, 2]);
    assert.deepEqual(got(ben)[0], { type: "org.example.note", sender: anna.id, content: all });
  });
  await report.check("cross-signing keys are seen from the other server", async () => {
    const begin = anna.news.devicesChanged.length;
    const { master, selfSigning } = await publishCrossSigning(ben);
    await changed(begin);
    await until("the keys are answered", async () => {
      const answer = await query();
      const keys = (what) => Object.values(answer[what]?.[ben.id]?.keys ?? {});
      assert.deepEqual(keys("master_keys"), [master]);
      assert.deepEqual(keys("self_signing_keys"), [selfSigning]);
      assert.equal(answer.user_signing_keys?.[ben.id], undefined, "the user-signing key is nobody's business");
      return true;
    }, { every: 200 });
  });
  await report.check("a device that logs out is told of, and gone from the list", async () => {
    const begin = anna.news.devicesChanged.length;
    twin.unfollow();
    await twin.post(path`v3/logout`);
    await changed(begin);
    await until("one device is left", async () => (await devicesOfBen()).join() === ben.device, { every: 200 });
  });
}

/** Publishes a device's keys and some one-time keys; returns the former. */
async function publish(person) {
  const key = SigningKey.generate();
  const keyId = `ed25519:${person.device}`;
  const keys = signed({
    user_id: person.id,
    device_id: person.device,
    algorithms: OLM,
    keys: { [`curve25519:${person.device}`]: randomKey(), [keyId]: key.publicBase64 },
  }, person.id, keyId, key);
  const oneTime = Array.from({ length: 5 }, (_, number) =>
    [`signed_curve25519:AAAA${number}`, signed({ key: randomKey() }, person.id, keyId, key)]);
  await person.post(path`v3/keys/upload`, { device_keys: keys, one_time_keys: Object.fromEntries(oneTime) });
  return keys;
}

async function publishCrossSigning(person) {
  const [master, selfSigning, userSigning] = [0, 1, 2].map(() => SigningKey.generate());
  const document = (usage, key) =>
    ({ user_id: person.id, usage: [usage], keys: { [`ed25519:${key.publicBase64}`]: key.publicBase64 } });
  const byMaster = (usage, key) =>
    signed(document(usage, key), person.id, `ed25519:${master.publicBase64}`, master);
  const body = {
    master_key: document("master", master),
    self_signing_key: byMaster("self_signing", selfSigning),
    user_signing_key: byMaster("user_signing", userSigning),
  };
  const upload = (auth) => person.post(path`v3/keys/device_signing/upload`, { ...body, ...auth });
  await upload({}).catch((refusal) => {
    if (refusal.status !== 401) throw refusal;
    return upload({ auth: person.passwordAuth(refusal.body.session) });
  });
  return { master: master.publicBase64, selfSigning: selfSigning.publicBase64 };
}

const randomKey = () => randomBytes(32).toString("base64").replace(/=+$/, "");
