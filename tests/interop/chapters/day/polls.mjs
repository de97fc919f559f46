// A poll: asked, answered, answered differently, ended; at the clients that were there, and at one that comes later.

import assert from "node:assert/strict";
import { PollEndEvent } from "matrix-js-sdk/lib/extensible_events_v1/PollEndEvent.js";
import { PollResponseEvent } from "matrix-js-sdk/lib/extensible_events_v1/PollResponseEvent.js";
import { PollStartEvent } from "matrix-js-sdk/lib/extensible_events_v1/PollStartEvent.js";
import { Person, pause } from "../../harness/person.mjs";

export async function polls(report, world) {
  const vote = {};
  await ask(report, world, vote);
  await answer(report, world, vote);
  await end(report, world, vote);
  await later(report, world, vote);
}

async function send(person, room, event) {
  const { type, content } = event.serialize();
  return (await person.sdk.sendEvent(room, type, content)).event_id;
}

const pollAt = (person, room, id) => person.sees("the poll", () => person.room(room)?.polls.get(id));

async function ask(report, { a, b, room }, vote) {
  await report.must("A asks with three answers to choose from, and both clients show a poll", async () => {
    const start = PollStartEvent.from("Which day suits you?", ["Monday", "Tuesday", "Friday"], "m.poll.disclosed", 1);
    vote.id = await send(a, room, start);
    for (const person of [a, b]) {
      const { pollEvent } = await pollAt(person, room, vote.id);
      assert.equal(pollEvent.question.text, "Which day suits you?");
      assert.deepEqual(pollEvent.answers.map((answer) => answer.text), ["Monday", "Tuesday", "Friday"]);
      vote.answers = pollEvent.answers.map((answer) => answer.id);
    }
  });
}

/** The last answer of each person, as a client counts. */
async function result(person, room, id) {
  const poll = await pollAt(person, room, id);
  const responses = (await poll.getResponses()).getRelations();
  const ordered = responses.toSorted((one, other) => one.getTs() - other.getTs());
  const last = new Map(ordered.map((event) => [event.getSender(), event.unstableExtensibleEvent.answerIds]));
  return Object.fromEntries(last);
}

async function seesResult(person, room, id, expected) {
  const text = (value) => JSON.stringify(Object.entries(value).toSorted());
  await person.sees(`the result ${text(expected)}`, async () => text(await result(person, room, id)) === text(expected));
}

async function answer(report, { a, b, room }, vote) {
  const [monday, tuesday, friday] = vote.answers;
  const choose = (person, ...answers) => send(person, room, PollResponseEvent.from(answers, vote.id));
  await report.check("both answer, and B thinks better of it: the last answer counts, for both clients", async () => {
    await choose(a, tuesday);
    await choose(b, monday);
    await pause(5); // answers of the same millisecond have no order
    await choose(b, friday);
    vote.result = { [a.id]: [tuesday], [b.id]: [friday] };
    for (const person of [a, b]) await seesResult(person, room, vote.id, vote.result);
  });
  await report.check("the answers are found as references, all three of them", async () => {
    const { events } = await a.sdk.relations(room, vote.id, "m.reference", null);
    assert.equal(events.filter((event) => event.getType().endsWith("poll.response")).length, 3);
    const question = await a.sdk.fetchRoomEvent(room, vote.id);
    const bundled = question.unsigned?.["m.relations"]?.["m.reference"]?.chunk ?? [];
    assert.equal(bundled.length, 3, "and bundled with the question");
  });
}

async function end(report, { a, b, room }, vote) {
  await report.check("A ends it: it is over for both, and an answer that comes later does not count", async () => {
    await pause(5);
    await send(a, room, PollEndEvent.from(vote.id, "The poll is over."));
    for (const person of [a, b]) {
      const poll = await pollAt(person, room, vote.id);
      await person.sees("the end", () => poll.isEnded);
    }
    await pause(5);
    const late = await send(b, room, PollResponseEvent.from([vote.answers[0]], vote.id));
    await a.seesEvent(room, late);
    for (const person of [a, b]) await seesResult(person, room, vote.id, vote.result);
  });
}

async function later(report, world, vote) {
  const { room } = world;
  await report.check("A's new device, which only has the question, finds the answers and the end", async () => {
    const tablet = world.meet(await Person.logIn(world.url, world.accounts.a, "A's tablet"));
    await tablet.start({ initialSyncLimit: 40 });
    const poll = await pollAt(tablet, room, vote.id);
    await seesResult(tablet, room, vote.id, vote.result);
    await tablet.sees("the end", () => poll.isEnded);
  });
}
