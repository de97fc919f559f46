// A server is killed in the middle of a conversation and started again.

import assert from "node:assert/strict";
import { pause, until } from "../api.mjs";
import { sameRoom } from "../compare.mjs";

const KILL_AFTER_MS = 1_000;
const AWAY_MS = 2_000;
const LIMIT_MS = 240_000;
const LISTEN_MS = 120_000;

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
  let said;
  await report.must(`while each says ${count} things, ${host.label}'s server is killed and started again`, async () => {
    const streams = [anna, ben].map((person) => stream(person, room, count));
    await pause(KILL_AFTER_MS);
    await host.process.kill();
    await pause(AWAY_MS);
    await host.process.start();
    said = (await Promise.all(streams)).flat();
  }, LIMIT_MS);
  await report.must("what was acknowledged is on both servers, and once", async () => {
    await heard([anna, ben], room, said);
  }, LIMIT_MS);
  await report.check("both servers return the same state and the same history", async () => {
    await sameRoom(anna, ben, room, { limit: LISTEN_MS });
    keep(room, anna, ben);
  }, LIMIT_MS);
}

/** Waits until each has in the history all of these, by id and by text once. */
export async function heard(people, room, said) {
  for (const person of people) {
    await until(`${person.id} has everything`, async () => {
      const history = await person.history(room);
      const ids = history.map((event) => event.event_id);
      const missing = said.filter(({ id }) => !ids.includes(id));
      assert.ok(missing.length === 0, `${missing.length} of ${said.length} are missing, among them ${missing[0]?.text}`);
      const wanted = new Set(said.map(({ text }) => text));
      const texts = history.map((event) => event.content.body).filter((text) => wanted.has(text));
      assert.equal(texts.length, said.length, "something was said twice");
      return true;
    }, { limit: LISTEN_MS, every: 1_000 });
  }
}

/** Says `count` things, each until it is acknowledged, with a pause between. */
export async function stream(person, room, count, between = 20) {
  const said = [];
  for (let number = 1; number <= count; number += 1) {
    const text = `${person.id} ${number}`;
    said.push({ id: await person.sayAtLast(room, text), text });
    await pause(between);
  }
  return said;
}
