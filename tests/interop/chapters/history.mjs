// A message is taken back, and a new device reads the whole history.

import assert from "node:assert/strict";
import { Person } from "../harness/person.mjs";

export async function history(report, world) {
  await redaction(report, world);
  await wholeHistory(report, world, "a new device that loads all members at once", {
    initialSyncLimit: 5,
    lazyLoadMembers: false,
  });
}

async function redaction(report, { a, b, room }) {
  const eventId = await report.must("a redacted message loses its content at both clients", async () => {
    const sent = await a.say(room, "I should not have said this");
    await Promise.all([a.seesEvent(room, sent), b.seesEvent(room, sent)]);
    const redaction = await a.sdk.redactEvent(room, sent, undefined, { reason: "regret" });
    for (const person of [a, b]) {
      const event = person.room(room).findEventById(sent);
      await person.sees("the redaction", () => event.isRedacted());
      assert.deepEqual(event.getContent(), {});
      assert.equal(event.getUnsigned().redacted_because.event_id, redaction.event_id);
      assert.equal(event.getUnsigned().redacted_because.content.reason, "regret");
    }
    return sent;
  });
  await report.check("the server gives the redacted event without content, with redacted_because", async () => {
    const event = await b.sdk.fetchRoomEvent(room, eventId);
    assert.deepEqual(event.content, {});
    assert.equal(event.unsigned.redacted_because.sender, a.id);
  });
}

/** Logs B in with a new device and paginates to the beginning; returns the new client. */
export async function wholeHistory(report, world, who, options) {
  const { a, b, room } = world;
  let fresh;
  await report.must(`${who} logs in and starts with few events`, async () => {
    fresh = world.meet(await Person.logIn(world.url, world.accounts.b, who));
    await fresh.start({ threadSupport: false, ...options });
    assert.ok(fresh.wire.timeline(room).length <= options.initialSyncLimit);
    assert.equal(fresh.room(room).getMyMembership(), "join");
  });
  await report.check("it paginates back to m.room.create", async () => {
    const events = await fresh.history(room);
    assert.equal(events[0].getType(), "m.room.create");
    const ids = events.map((event) => event.getId());
    assert.equal(new Set(ids).size, ids.length);
  });
  await report.check("it has every event that was ever acknowledged to A or B, each exactly once", () => {
    const received = [...fresh.wire.timeline(room), ...fresh.wire.pages(room)].map((event) => event.event_id);
    const twice = received.filter((id, at) => received.indexOf(id) !== at);
    assert.deepEqual(twice, [], "delivered twice");
    const all = new Set(received);
    const lost = [...a.wire.acknowledged(room), ...b.wire.acknowledged(room)].filter((id) => !all.has(id));
    assert.deepEqual(lost, [], "acknowledged but not in the history");
  });
  await report.check("its history has the order that A saw live", async () => {
    const live = a.wire.timeline(room).map((event) => event.event_id);
    const known = new Set(live);
    const paged = (await fresh.history(room)).map((event) => event.getId()).filter((id) => known.has(id));
    assert.deepEqual(paged, live);
  });
  if (options.lazyLoadMembers === false) {
    await report.check("it knows all members without asking for them", () => {
      const joined = fresh.room(room).getJoinedMembers().map((member) => member.userId);
      assert.deepEqual(joined.toSorted(), [a.id, b.id].toSorted());
      assert.ok(!fresh.wire.exchanges.some((exchange) => exchange.path.endsWith("/members")));
    });
  }
  return fresh;
}
