// A public room moves to a newer room version.

import assert from "node:assert/strict";
import { refused } from "../harness/person.mjs";

const OLD_VERSION = "11";
const NEW_VERSION = "12";

export async function upgrade(report, { a, b, tag }) {
  let before;
  let after;
  const alias = `moving-${tag}`;
  await report.must(`A has a public room of version ${OLD_VERSION}, which B joins`, async () => {
    const { "m.room_versions": versions } = await a.sdk.getCapabilities();
    for (const version of [OLD_VERSION, NEW_VERSION]) assert.ok(version in versions.available, JSON.stringify(versions));
    before = (await a.sdk.createRoom({
      preset: "public_chat", room_alias_name: alias, name: "Old house", topic: "We move", room_version: OLD_VERSION,
    })).room_id;
    await a.seesOwnMembership(before, "join");
    await b.sdk.joinRoom(before);
    await b.seesOwnMembership(before, "join");
    assert.equal(a.room(before).getVersion(), OLD_VERSION);
  });
  await report.must(`A upgrades it to version ${NEW_VERSION}; B sees the tombstone and where to go`, async () => {
    after = (await a.sdk.upgradeRoom(before, NEW_VERSION)).replacement_room;
    assert.notEqual(after, before);
    const tombstone = await b.sees("the tombstone", () =>
      b.room(before).currentState.getStateEvents("m.room.tombstone", ""));
    assert.equal(tombstone.getContent().replacement_room, after);
  });
  await report.check("B joins the new room, which names its predecessor and has kept name, topic and join rule", async () => {
    await b.sdk.joinRoom(after);
    await b.seesOwnMembership(after, "join");
    const room = b.room(after);
    await b.sees("its name", () => room.name === "Old house");
    const state = (type) => room.currentState.getStateEvents(type, "").getContent();
    assert.equal(state("m.room.topic").topic, "We move");
    assert.equal(state("m.room.create").predecessor.room_id, before);
    assert.equal(room.getVersion(), NEW_VERSION);
    assert.equal(room.getJoinRule(), "public");
    assert.equal(room.findPredecessor().roomId, before);
  });
  await report.check("the alias has moved to the new room", async () => {
    const server = a.id.slice(a.id.indexOf(":"));
    assert.equal((await b.sdk.getRoomIdForAlias(`#${alias}${server}`)).room_id, after);
    await b.sees("the alias in the new room", () => b.room(after).getCanonicalAlias() === `#${alias}${server}`);
  });
  await report.check("B can no longer speak in the old room, but in the new one", async () => {
    await refused(b.say(before, "anyone here?"), 403, "M_FORBIDDEN");
    b.cancelUnsent(before);
    await a.seesEvent(after, await b.say(after, "here I am"));
  });
}
