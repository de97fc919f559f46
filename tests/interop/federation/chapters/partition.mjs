// The line between the servers is cut while both go on; then it is mended, and the room is one again.

import assert from "node:assert/strict";
import { pause, refused, until } from "../api.mjs";
import { sameRoom } from "../compare.mjs";
import { heard, stream } from "./crash.mjs";

const MESSAGES = 60;
const HEAL_MS = 150_000;

/** Played once: it is the same seen from either side. */
export async function partition(report, { host, guest, keep, seconds, silent }) {
  const anna = await host.person("anna");
  const ben = await guest.person("ben");
  const nina = await guest.person("nina");
  const olga = await guest.person("olga");
  const limit = 1_000 * seconds + 3 * HEAL_MS;
  let room;
  let quarrel;
  await report.must("two rooms are shared across the servers", async () => {
    room = await anna.createRoom({ preset: "public_chat", name: "Island" });
    quarrel = await anna.createRoom({ preset: "public_chat", name: "Quarrel", room_version: "11" });
    for (const [id, person] of [[room, ben], [room, olga], [quarrel, ben], [quarrel, nina]]) {
      await person.join(id, host);
      await anna.seesMembership(id, person, "join");
    }
    const levels = await anna.stateContent(quarrel, "m.room.power_levels");
    levels.users[ben.id] = 50;
    await ben.sees(quarrel, await anna.setState(quarrel, "m.room.power_levels", levels));
  });
  let said;
  await report.must(`the line is ${silent ? "silent" : "cut"} for ${seconds} s while both go on`, async () => {
    const lines = [host.line, guest.line];
    for (const line of lines) silent ? line.silence() : line.cut();
    const between = Math.max(20, (1_000 * seconds) / (2 * MESSAGES));
    try {
      const [annas, bens] = await Promise.all([
        ...[anna, ben].map((person) => stream(person, room, MESSAGES, { between })),
        disagree(anna, ben, nina, quarrel),
        comeAndGo(host, anna, olga, room),
        pause(1_000 * seconds),
      ]);
      said = [...annas, ...bens];
    } finally {
      for (const line of lines) line.mend();
    }
  }, limit);
  await report.must("after it everything that was said is on both servers, and once", async () => {
    // Whoever speaks first after it wakes the other server's patience.
    await Promise.all([anna, ben].map((person) => person.say(room, "are you there?")));
    await heard([anna, ben], room, said);
  }, limit);
  await report.check("who came and went meanwhile is known on both servers, and the room is the same", async () => {
    await anna.seesMembership(room, olga, "leave", HEAL_MS);
    await sameRoom(anna, ben, room, { limit: HEAL_MS });
    keep(room, anna, ben);
  }, limit);
  await report.check("of two who disagreed one is right, the same on both servers", async () => {
    await Promise.all([anna.say(quarrel, "so what?"), ben.say(quarrel, "what now?").catch(() => undefined)]);
    // Her server had accepted what she did before it knew of the ban; the other never shows it.
    const except = (event) => event.sender === nina.id;
    await sameRoom(anna, ben, quarrel, { limit: HEAL_MS, except });
    const { membership } = await anna.stateContent(quarrel, "m.room.member", nina.id);
    assert.equal(membership, "ban", "a ban outweighs what the banned did meanwhile");
    await until("the banned may not speak", () => refused(nina.say(quarrel, "hello?"), 403).then(() => true));
    keep(quarrel, anna, ben, { except });
  }, limit);
}

/** Both change the same things; the host bans somebody who goes on talking on the other server. */
async function disagree(anna, ben, nina, room) {
  await anna.ban(room, nina, "quarrelsome");
  await nina.say(room, "you cannot stop me");
  await nina.put(`/_matrix/client/v3/profile/${encodeURIComponent(nina.id)}/displayname`, { displayname: "The free" });
  await Promise.all([anna, ben].map((person) => person.setState(room, "m.room.topic", { topic: `says ${person.name}` })));
  await Promise.all([anna, ben].map((person) => person.setState(room, "m.room.name", { name: `of ${person.name}` })));
}

/** People come and go on both sides. */
async function comeAndGo(host, anna, olga, room) {
  const otto = await host.person("otto");
  await otto.join(room);
  await otto.say(room, "new here");
  await olga.leave(room);
  await anna.setState(room, "m.room.topic", { topic: "cut off" });
}
