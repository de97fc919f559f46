// The server is restarted in the middle of a stream of messages: nothing may be lost, and nothing doubled.

import assert from "node:assert/strict";
import { pause, until } from "../harness/person.mjs";
import { wholeHistory } from "./history.mjs";

const MESSAGES_EACH = 20;
const RESTART_AFTER = 6;
const BETWEEN_MESSAGES_MS = 75;
const RESTART_LIMIT_MS = 120_000;
const RETURN_LIMIT_MS = 90_000;

export async function restart(report, world) {
  const { a, b, room } = world;
  let early;
  const start = await report.must("both clients keep syncing before the restart", async () => {
    const eventId = await a.say(room, "the server restarts soon");
    await Promise.all([a.seesEvent(room, eventId), b.seesEvent(room, eventId)]);
    assert.ok(a.isSyncing() && b.isSyncing());
    return eventId;
  });
  await report.must(`in the middle of ${2 * MESSAGES_EACH} messages B's line is cut, and the server restarts`, async () => {
    const streams = [a, b].map((person) => stream(person, room, bodies(person)));
    await pause(RESTART_AFTER * BETWEEN_MESSAGES_MS);
    early = lastAcknowledged(a, room);
    b.wire.cutAt("PUT", /\/send\/m\.room\.message\//);
    await until("the line is cut", () => b.wire.severed());
    const began = Date.now();
    await world.restartServer();
    console.log(`# the restart took ${((Date.now() - began) / 1000).toFixed(1)} s`);
    b.wire.mend();
    await Promise.all(streams);
  }, RESTART_LIMIT_MS + RETURN_LIMIT_MS);
  await report.must("what failed was sent again with the same transaction id, and all was acknowledged in the end", () => {
    for (const person of [a, b]) {
      const tries = attempts(person, room);
      assert.equal(tries.size, MESSAGES_EACH, "one transaction id for each message");
      const repeated = [...tries.values()].filter((count) => count > 1).length;
      console.log(`# ${person.wire.name}: ${repeated} of ${MESSAGES_EACH} messages were sent more than once`);
    }
    assert.equal(b.wire.severed().status, 200, "the server had accepted the message at which the line was cut");
    assert.ok(attempts(b, room).get(b.wire.severed().path) > 1, "it was sent again");
  });
  await report.must("both clients sync again, with the tokens from before", async () => {
    for (const person of [a, b]) {
      await person.sees("the server again", () => person.isSyncing(), RETURN_LIMIT_MS);
    }
  }, RETURN_LIMIT_MS + 5_000);
  const timelines = [];
  const expected = [a, b].flatMap(bodies).toSorted();
  for (const person of [a, b]) {
    await report.check(`no message is lost or doubled at ${person.wire.name}`, async () => {
      const events = await person.sees("all messages of the stream", async () => {
        const all = (await person.history(room, start)).slice(1).filter((event) => event.getType() === "m.room.message");
        return all.length >= expected.length && all;
      });
      assert.deepEqual(events.map((event) => event.getContent().body).toSorted(), expected);
      timelines.push(events.map((event) => event.getId()));
    });
  }
  await report.check("the messages have the same order for both", () => assert.deepEqual(timelines[0], timelines[1]));
  await report.check("sync delivered no event twice across the restart", () => {
    for (const person of [a, b]) {
      const ids = person.wire.timeline(room).map((event) => event.event_id);
      assert.deepEqual(ids.filter((id, at) => ids.indexOf(id) !== at), [], person.wire.name);
    }
  });
  if (world.withWindows) {
    await report.check("a device with windows begins anew, and goes on", async () => {
      const phone = world.withWindows;
      await phone.seesEvent(room, await b.say(room, "to the windows, too"));
      assert.ok(phone.wire.exchanges.some(({ body }) => body?.errcode === "M_UNKNOWN_POS"), "its position was refused");
      const ids = phone.room(room).getLiveTimeline().getEvents().map((event) => event.getId());
      assert.deepEqual(ids.filter((id, at) => ids.indexOf(id) !== at), [], "no event twice");
    });
  }
  await report.check("a transaction id from before the restart still names the same event", async () => {
    const again = await a.sdk.sendMessage(room, null, JSON.parse(early.request), early.transaction);
    assert.equal(again.event_id, early.body.event_id);
  });
  await wholeHistory(report, world, "a new device after the restart", { initialSyncLimit: 10, lazyLoadMembers: true });
  await report.check("a conversation of two is called after the other on the new device", async () => {
    const fresh = world.people.at(-1);
    await fresh.sees("A's name as the room's", () => fresh.room(world.directRoom)?.name === "Anna Example");
  });
}

const bodies = (person) => Array.from({ length: MESSAGES_EACH }, (_, i) => `${person.wire.name} says ${i}`);

/** Sends one message after another without waiting for the answers, and meanwhile again whatever failed. */
async function stream(person, room, bodies) {
  const sending = [];
  for (const body of bodies) {
    sending.push(person.say(room, body).catch(() => undefined), person.resendFailed(room));
    await pause(BETWEEN_MESSAGES_MS);
  }
  await Promise.all(sending);
  await person.retryUnsent(room, RETURN_LIMIT_MS);
}

const isSend = (room) => (exchange) =>
  exchange.method === "PUT" && exchange.path.includes(`/rooms/${encodeURIComponent(room)}/send/m.room.message/`);

function lastAcknowledged(person, room) {
  const exchange = person.wire.exchanges.filter(isSend(room)).findLast((e) => e.received && e.status === 200);
  return { ...exchange, transaction: decodeURIComponent(exchange.path.split("/").at(-1)) };
}

/** How often each message of the stream was sent, by transaction id. */
function attempts(person, room) {
  const counts = new Map();
  for (const exchange of person.wire.exchanges.filter(isSend(room))) {
    if (!JSON.parse(exchange.request).body.startsWith(`${person.wire.name} says `)) continue;
    counts.set(exchange.path, (counts.get(exchange.path) ?? 0) + 1);
  }
  return counts;
}
