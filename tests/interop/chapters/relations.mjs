// Events that speak of other events: an edit, reactions, a thread.

import assert from "node:assert/strict";
import { refused } from "../harness/person.mjs";

export async function relations(report, world) {
  await edit(report, world);
  await reactions(report, world);
  await thread(report, world);
}

async function edit(report, { a, b, room }) {
  let original;
  let replacement;
  await report.check("an edited message shows its new content to the other", async () => {
    original = await a.say(room, "see you at tne");
    const event = await b.seesEvent(room, original);
    replacement = await a.say(room, "* see you at ten", {
      "m.new_content": { msgtype: "m.text", body: "see you at ten" },
      "m.relates_to": { rel_type: "m.replace", event_id: original },
    });
    await b.sees("the edit", () => event.replacingEventId() === replacement);
    assert.equal(event.getContent().body, "see you at ten");
    assert.equal(event.getOriginalContent().body, "see you at tne");
  });
  await report.check("the server bundles the edit with the original event", async () => {
    const event = await b.sdk.fetchRoomEvent(room, original);
    assert.equal(event.content.body, "see you at tne");
    const bundled = event.unsigned?.["m.relations"]?.["m.replace"];
    assert.equal(bundled?.event_id, replacement, JSON.stringify(event.unsigned));
    assert.equal(bundled.content["m.new_content"].body, "see you at ten");
  });
}

async function reactions(report, { a, b, room }) {
  const react = (person, eventId, key) =>
    person.sdk.sendEvent(room, "m.reaction", { "m.relates_to": { rel_type: "m.annotation", event_id: eventId, key } });
  let eventId;
  await report.must("reactions of both are aggregated by key at both clients", async () => {
    eventId = await a.say(room, "who is for cake?");
    await b.seesEvent(room, eventId);
    await react(a, eventId, "🎂");
    await react(b, eventId, "🎂");
    await react(b, eventId, "👍");
    for (const person of [a, b]) {
      await person.sees("three reactions", () => {
        const found = person.room(room).relations.getChildEventsForEvent(eventId, "m.annotation", "m.reaction");
        const counts = (found?.getSortedAnnotationsByKey() ?? []).map(([key, events]) => `${key}${events.size}`);
        return counts.join() === "🎂2,👍1";
      });
    }
  });
  await report.check("the same reaction of the same person is refused with M_DUPLICATE_ANNOTATION", () =>
    refused(react(b, eventId, "👍"), 400, "M_DUPLICATE_ANNOTATION"));
  b.cancelUnsent(room);
  await report.check("the reactions are found through the relations endpoint", async () => {
    const { events } = await a.sdk.relations(room, eventId, "m.annotation", "m.reaction");
    const found = events.map((event) => `${event.getSender()} ${event.getRelation().key}`);
    assert.deepEqual(found.toSorted(), [`${a.id} 🎂`, `${b.id} 🎂`, `${b.id} 👍`].toSorted());
  });
}

async function thread(report, world) {
  const { a, b, room } = world;
  let last;
  await report.must("replies in a thread reach the other's thread, not the main timeline", async () => {
    world.threadRoot = await a.say(room, "a question");
    const root = await b.seesEvent(room, world.threadRoot);
    b.room(room).createThread(world.threadRoot, root, [], false); // as a client does when a thread's panel is opened
    // The SDK may lose what arrives while it still asks the server about a new thread; so wait for that each time.
    // (Its own count of replies suffers from the same race, and is not looked at.)
    const known = (person) => {
      const thread = person.room(room).getThread(world.threadRoot);
      return thread?.initialEventsFetched ? thread : undefined;
    };
    await b.sees("the new thread", () => known(b));
    const first = await b.say(room, "a first answer", { threadId: world.threadRoot });
    for (const person of [a, b]) {
      await person.sees("the first answer in the thread", () => known(person)?.findEventById(first));
    }
    last = await a.say(room, "a second answer", { threadId: world.threadRoot });
    for (const person of [a, b]) {
      const thread = await person.sees("the second answer in the thread", () =>
        known(person)?.findEventById(last) && known(person));
      const replies = thread.events.map((event) => event.getId()).filter((id) => id !== world.threadRoot);
      assert.deepEqual(replies, [first, last]);
      assert.equal(thread.replyToEvent.getId(), last);
      assert.ok(!person.room(room).getLiveTimeline().getEvents().some((event) => event.getId() === last));
    }
    world.threadLast = last;
  });
  await report.check("the server bundles the thread's summary with its root: count, latest event, who took part", async () => {
    const root = await b.sdk.fetchRoomEvent(room, world.threadRoot);
    const summary = root.unsigned?.["m.relations"]?.["m.thread"];
    assert.equal(summary?.count, 2, JSON.stringify(root.unsigned));
    assert.equal(summary.latest_event.event_id, last);
    assert.equal(summary.current_user_participated, true);
  });
  await report.check("the thread is in the room's list of threads", async () => {
    const response = await b.get(`/_matrix/client/v1/rooms/${encodeURIComponent(room)}/threads?include=all`);
    assert.equal(response.status, 200);
    const { chunk } = await response.json();
    assert.deepEqual(chunk.map((event) => event.event_id), [world.threadRoot]);
    assert.equal(chunk[0].unsigned["m.relations"]["m.thread"].count, 2);
  });
  await report.check("the thread's events are found through the relations endpoint, oldest first", async () => {
    const { events } = await b.sdk.relations(room, world.threadRoot, "m.thread", null, { dir: "f" });
    assert.deepEqual(events.map((event) => event.getContent().body), ["a first answer", "a second answer"]);
  });
}
