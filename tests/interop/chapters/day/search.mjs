// Finding what was said: by its words in whatever form, where it was edited and where it was taken back, page by page,
// and only by those who may read it.

import assert from "node:assert/strict";
import { open } from "./threads.mjs";

const REPORTS = 23;

export async function search(report, world) {
  const said = {};
  await findForms(report, world, said);
  await findChanges(report, world, said);
  await findPages(report, world);
  await findOthers(report, world);
}

const seek = (person, term, rooms) => person.sdk.searchRoomEvents({ term, filter: rooms ? { rooms } : undefined });
const ids = (found) => found.results.map((result) => result.context.getEvent().getId());

/** Waits until a search finds exactly these events: the index is filled in the background. */
const finds = (person, term, expected) =>
  person.sees(`${expected.length} messages with "${term}"`, async () =>
    JSON.stringify(ids(await seek(person, term)).toSorted()) === JSON.stringify(expected.toSorted()));

async function findForms(report, { a, b, room, ship }, said) {
  await report.check("words are found in other forms and without their accents, in French and in German", async () => {
    said.french = await a.say(room, "La réunion des équipes a lieu mardi");
    said.german = await a.say(ship, "Die Besprechungen fallen heute aus");
    await finds(b, "reunions", [said.french]);
    await finds(b, "Besprechung", [said.german]);
  });
  await report.check("a result comes with what was said before and after it, and with its words to be marked", async () => {
    const found = await seek(b, "équipe");
    assert.equal(found.count, 1);
    assert.ok(found.highlights.length > 0);
    const [{ context }] = found.results;
    assert.equal(context.getEvent().getContent().body, "La réunion des équipes a lieu mardi");
    assert.ok(context.getTimeline().length > 1, "there is a context");
  });
  await report.check("a search may be limited to a room", async () => {
    assert.deepEqual(ids(await seek(b, "Besprechung", [room])), []);
    assert.deepEqual(ids(await seek(b, "Besprechung", [ship])), [said.german]);
  });
  await report.check("what was said in a thread is found too", async () => {
    const root = await a.say(room, "who waters the flowers?");
    await open(b, room, root);
    said.thread = await b.say(room, "the gardener comes on Wednesdays", { threadId: root });
    await finds(a, "gardeners", [said.thread]);
  });
}

async function findChanges(report, { a, b, room }, said) {
  await report.check("an edited message is found by its new words, and by the old ones no more", async () => {
    await finds(b, "mardi", [said.french]);
    await a.say(room, "* La réunion des équipes a lieu jeudi", {
      "m.new_content": { msgtype: "m.text", body: "La réunion des équipes a lieu jeudi" },
      "m.relates_to": { rel_type: "m.replace", event_id: said.french },
    });
    await finds(b, "jeudi", [said.french]);
    await finds(b, "mardi", []);
  });
  await report.check("a message that was taken back is not found any more", async () => {
    const eventId = await a.say(room, "the password of the safe is swordfish");
    await finds(b, "swordfish", [eventId]);
    await a.sdk.redactEvent(room, eventId);
    await finds(b, "swordfish", []);
  });
}

async function findPages(report, { a, b, ship }) {
  await report.check("many results come page by page, the newest first, each once", async () => {
    const sent = [];
    for (let number = 1; number <= REPORTS; number += 1) sent.push(await a.say(ship, `minutes of meeting ${number}`));
    await b.sees("all of them", async () => (await seek(b, "minutes")).count === REPORTS);
    let found = await seek(b, "minutes");
    assert.ok(found.results.length < REPORTS, "not all at once");
    for (let page = 0; found.next_batch && page < 10; page += 1) found = await b.sdk.backPaginateRoomEventsSearch(found);
    assert.deepEqual(ids(found), sent.toReversed());
  });
}

async function findOthers(report, { c }) {
  await report.check("somebody who is not in the rooms finds nothing, an administrator either", async () => {
    for (const term of ["réunion", "Besprechung", "gardener"]) assert.equal((await seek(c, term)).count ?? 0, 0, term);
  });
}
