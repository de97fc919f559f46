// A server is killed in the middle of a conversation and started again.

import assert from "node:assert/strict";
import { pause, until } from "../api.mjs";
import { sameRoom } from "../compare.mjs";

const AWAY_MS = 2_000;
/** How often a server is killed right after it has acknowledged something. */
const SUDDEN_ENDS = 3;
/** Synapse keeps a lock for two minutes that it held when it was killed, and looks each minute whether it is free. */
const LISTEN_MS = 300_000;
const LIMIT_MS = 2 * LISTEN_MS + 60_000;

/** The host is the one that is killed. */
export async function crash(report, { host, guest, keep, messages }) {
  const anna = await host.person("anna");
  const ben = await guest.person("ben");
  const count = Math.ceil(messages / 5);
  let room;
  await report.must("two people share a room across the servers", async () => {
    room = await anna.createRoom({ preset: "public_chat", name: "Storm" });
    await ben.join(room, host);
    await anna.seesMembership(room, ben, "join");
    await ben.sees(room, await anna.say(room, "before the storm"));
  });
  const said = [];
  await report.must(`while each says ${count} things, ${host.label}'s server is killed and started again`, async () => {
    const streams = [anna, ben].map((person) => stream(person, room, count, { said }));
    await Promise.race([until("half of it is said", () => said.length >= count, { limit: LISTEN_MS }), ...streams]);
    await killAndStart(host);
    await Promise.all(streams);
    await wake(host, anna, ben, room, said);
  }, LIMIT_MS);
  await report.must("what was acknowledged is on both servers, and once", () => heard([anna, ben], room, said), LIMIT_MS);
  await report.must(`${SUDDEN_ENDS} times the server is killed as soon as it has acknowledged some things`, async () => {
    for (let end = 1; end <= SUDDEN_ENDS; end += 1) {
      for (let number = 1; number <= end; number += 1) {
        const text = `last words ${end}.${number}`;
        said.push({ id: await anna.say(room, text), text });
      }
      await killAndStart(host);
    }
    await wake(host, anna, ben, room, said);
  }, LIMIT_MS);
  await report.must("these last words are on both servers, and once", () => heard([anna, ben], room, said), LIMIT_MS);
  await report.check("both servers return the same state and the same history", async () => {
    await sameRoom(anna, ben, room, { limit: LISTEN_MS });
    keep(room, anna, ben);
  }, LIMIT_MS);
}

/**
 * Synapse goes on with what it has answered for and not worked on when the next transaction comes, and with what it
 * has not sent when somebody speaks. Parvis must go on by itself.
 */
async function wake(side, anna, ben, room, said) {
  if (side.make !== "synapse") return;
  for (const person of [anna, ben]) {
    const text = `${person.id} says hello after ${said.length}`;
    said.push({ id: await person.sayAtLast(room, text), text });
  }
}

async function killAndStart(side) {
  await side.process.kill();
  await pause(AWAY_MS);
  await side.process.start();
}

/** Waits until each has in the history all of these, by id and by text once. */
export async function heard(people, room, said) {
  for (const person of people) {
    await until(`${person.id} has everything`, async () => {
      const history = await person.history(room);
      const ids = history.map((event) => event.event_id);
      const missing = said.filter(({ id }) => !ids.includes(id));
      assert.ok(missing.length === 0, `${missing.length} of ${said.length} are missing: ${missing.slice(0, 8).map(({ text }) => text).join(", ")}`);
      const wanted = new Set(said.map(({ text }) => text));
      const texts = history.map((event) => event.content.body).filter((text) => wanted.has(text));
      assert.equal(texts.length, said.length, "something was said twice");
      return true;
    }, { limit: LISTEN_MS, every: 1_000 });
  }
}

/** Says `count` things, each until it is acknowledged, with a pause between. What was said goes into `said` as well. */
export async function stream(person, room, count, { between = 20, said = [] } = {}) {
  const own = [];
  for (let number = 1; number <= count; number += 1) {
    const text = `${person.id} ${number}`;
    own.push({ id: await person.sayAtLast(room, text), text });
    said.push(own.at(-1));
    await pause(between);
  }
  return own;
}
