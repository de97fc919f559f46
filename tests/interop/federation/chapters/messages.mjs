// Many messages both ways at once, and what refers to messages: redactions, edits, reactions.

import assert from "node:assert/strict";
import { until } from "../api.mjs";
import { sameRoom } from "../compare.mjs";

/** Many messages, and a machine that may be busy. */
const LIMIT_MS = 600_000;
/** How long one message may take. */
const HEARD_MS = 120_000;

/**
 * How far a person talks ahead of what the other has heard. Synapse throws away what waits in a room when it is a
 * hundred events behind, for it can be read in the history later; here everything shall arrive.
 */
const AHEAD = 40;

/** Played once: it is the same seen from either side. */
export async function messages(report, { host, guest, keep, messages: count }) {
  const anna = await host.person("anna");
  const ben = await guest.person("ben");
  let room;
  await report.must("two people share a room across the servers", async () => {
    room = await anna.createRoom({ preset: "public_chat", name: "Stream" });
    await ben.join(room, host);
    await anna.seesMembership(room, ben, "join");
  });
  let sent;
  await report.must(`each says ${count} things while the other does`, async () => {
    sent = await Promise.all([[anna, ben], [ben, anna]].map((pair) => stream(...pair, room, count)));
  }, LIMIT_MS);
  await report.must("everyone hears everything, nothing twice, in the order in which it was said", async () => {
    for (const person of [anna, ben]) {
      await until(`${person.id} has heard everything`, () => {
        const heard = new Set(person.news.timeline(room).map((event) => event.event_id));
        const missing = sent.flat().filter((id) => !heard.has(id));
        assert.ok(missing.length === 0, `${missing.length} are missing, among them ${missing[0]}`);
        return true;
      }, { limit: HEARD_MS });
      for (const events of sent) {
        const wanted = new Set(events);
        const heard = person.news.timeline(room).map((event) => event.event_id).filter((id) => wanted.has(id));
        assert.deepEqual(heard, events, `${person.id} heard something twice or in another order`);
      }
    }
  }, LIMIT_MS);
  await report.check("both servers return the same state and the same history", async () => {
    await sameRoom(anna, ben, room);
    keep(room, anna, ben);
  }, LIMIT_MS);
}

/** Played from both sides. */
export async function redaction(report, { host, guest, keep }) {
  const anna = await host.person("anna");
  const ben = await guest.person("ben");
  let room;
  await report.must("two people share a room across the servers", async () => {
    room = await anna.createRoom({ preset: "public_chat", name: "Second thoughts" });
    await ben.join(room, host);
    await anna.seesMembership(room, ben, "join");
  });
  const redacts = (sentence, author, censor) => report.check(sentence, async () => {
    const event = await author.say(room, "this should not have been said");
    await censor.sees(room, event);
    const redaction = await censor.redact(room, event, "regret");
    for (const person of [anna, ben]) {
      await person.sees(room, redaction);
      const { content, unsigned } = await person.event(room, event);
      assert.deepEqual(content, {});
      assert.equal(unsigned?.redacted_because?.event_id, redaction);
      assert.equal(unsigned?.redacted_because?.content.reason, "regret");
    }
  });
  await redacts("the host takes back what it said, on both servers", anna, anna);
  await redacts("the guest takes back what it said, on both servers", ben, ben);
  await redacts("the host takes back what the guest said, on both servers", ben, anna);
  await report.check("an edit and a reaction are gathered on the other server", async () => {
    const said = await anna.say(room, "first thoght");
    const edit = await anna.send(room, "m.room.message", {
      msgtype: "m.text", body: "* first thought",
      "m.new_content": { msgtype: "m.text", body: "first thought" },
      "m.relates_to": { rel_type: "m.replace", event_id: said },
    });
    await ben.sees(room, edit);
    const reaction = await ben.send(room, "m.reaction", {
      "m.relates_to": { rel_type: "m.annotation", event_id: said, key: "👍" },
    });
    await anna.sees(room, reaction);
    for (const person of [anna, ben]) {
      const { unsigned } = await person.event(room, said);
      assert.equal(unsigned?.["m.relations"]?.["m.replace"]?.event_id, edit, person.id);
      const { chunk } = await person.get(
        `/_matrix/client/v1/rooms/${encodeURIComponent(room)}/relations/${encodeURIComponent(said)}/m.annotation`);
      assert.deepEqual(chunk.map((event) => event.event_id), [reaction], person.id);
    }
  });
  await report.check("both servers return the same state and the same history", async () => {
    await sameRoom(anna, ben, room);
    keep(room, anna, ben);
  });
}

/** Says `count` things one after the other, as fast as the listener can follow; returns the ids. */
async function stream(person, listener, room, count) {
  const ids = [];
  for (let number = 1; number <= count; number += 1) {
    if (number > AHEAD) await listener.sees(room, ids[number - AHEAD - 1], HEARD_MS);
    ids.push(await person.say(room, `${person.name} ${number}`));
  }
  return ids;
}
