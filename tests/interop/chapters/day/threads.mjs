// Two conversations in threads: their summaries, what is unread in each of them, reading one of them, the list of threads,
// and what a new device is told.

import assert from "node:assert/strict";
import { Person } from "../../harness/person.mjs";

export async function threads(report, world) {
  const talk = {};
  await write(report, world, talk);
  await count(report, world, talk);
  await read(report, world, talk);
  await list(report, world, talk);
  await summaries(report, world, talk);
}

/** The thread, once the SDK has asked the server about it: what arrives before that it may lose. */
const known = (person, room, root) => {
  const thread = person.room(room).getThread(root);
  return thread?.initialEventsFetched ? thread : undefined;
};

/** Opens a thread as a client does that shows it. */
export async function open(person, room, root) {
  const event = await person.seesEvent(room, root);
  if (!person.room(room).getThread(root)) person.room(room).createThread(root, event, [], false);
  await person.sees(`the thread ${root}`, () => known(person, room, root));
}

async function write(report, { a, b, room }, talk) {
  await report.must("A asks two things, and each is answered in a thread of its own", async () => {
    talk.lunch = await a.say(room, "where do we have lunch?");
    talk.printer = await a.say(room, "the printer is broken");
    for (const person of [a, b]) {
      for (const root of [talk.lunch, talk.printer]) await open(person, room, root);
    }
    talk.first = await b.say(room, "at the canteen", { threadId: talk.lunch });
    for (const person of [a, b]) await person.sees("the first answer", () => known(person, room, talk.lunch)?.findEventById(talk.first));
    talk.second = await a.say(room, "again?", { threadId: talk.lunch });
    talk.third = await a.say(room, "is there paper in it?", { threadId: talk.printer });
    talk.main = await a.say(room, "back to work");
    for (const person of [a, b]) {
      await person.sees("the second answer", () => known(person, room, talk.lunch)?.findEventById(talk.second));
      await person.sees("the other thread", () => known(person, room, talk.printer)?.findEventById(talk.third));
      await person.seesEvent(room, talk.main);
      const main = person.room(room).getLiveTimeline().getEvents().map((event) => event.getId());
      assert.ok([talk.lunch, talk.printer, talk.main].every((id) => main.includes(id)));
      assert.ok([talk.first, talk.second, talk.third].every((id) => !main.includes(id)), "answers are in threads alone");
    }
  });
}

/** What the server and the SDK say is unread in a thread. */
const unread = (person, room, root) => {
  const told = person.wire.unread(room).thread(root).notifications;
  const shown = person.room(room).getThreadUnreadNotificationCount(root, "total");
  return told === shown ? told : undefined;
};

const seesUnread = (person, room, root, number) =>
  person.sees(`${number} unread in the thread ${root}`, () => unread(person, room, root) === number);

async function count(report, { a, b, room }, talk) {
  await report.check("B has one unread answer in each thread, counted apart from the main timeline", async () => {
    await seesUnread(b, room, talk.lunch, 1);
    await seesUnread(b, room, talk.printer, 1);
    await b.sees("three unread in the main timeline", () => b.wire.unread(room).notifications === 3);
    assert.equal(b.room(room).getUnreadNotificationCount("total"), 5);
  });
  await report.check("A has written last everywhere, and has nothing unread", async () => {
    for (const root of [talk.lunch, talk.printer]) await seesUnread(a, room, root, 0);
    assert.equal(a.wire.unread(room).notifications, 0);
  });
}

async function read(report, { a, b, room }, talk) {
  await report.check("B reads one thread: the other one and the main timeline stay unread", async () => {
    await b.sdk.sendReadReceipt(b.room(room).findEventById(talk.second));
    await seesUnread(b, room, talk.lunch, 0);
    await seesUnread(b, room, talk.printer, 1);
    assert.equal(b.wire.unread(room).notifications, 3);
    await a.sees("B's receipt in the thread", () =>
      a.room(room).getThread(talk.lunch).getReadReceiptForUserId(b.id, true)?.eventId === talk.second);
    assert.ok(a.room(room).getThread(talk.lunch).hasUserReadEvent(b.id, talk.second));
    assert.ok(!a.room(room).getThread(talk.printer).hasUserReadEvent(b.id, talk.third));
  });
  await report.check("B reads the main timeline: the other thread stays unread, until B reads it too", async () => {
    await b.sdk.sendReadReceipt(b.room(room).findEventById(talk.main));
    await b.sees("nothing unread in the main timeline", () => b.wire.unread(room).notifications === 0);
    await seesUnread(b, room, talk.printer, 1);
    await b.sdk.sendReadReceipt(b.room(room).findEventById(talk.third));
    await seesUnread(b, room, talk.printer, 0);
    assert.equal(b.room(room).getUnreadNotificationCount("total"), 0);
  });
}

async function list(report, { b, room }, talk) {
  await report.check("the list of threads has the newest first, and among B's own only the one B has written in", async () => {
    await b.room(room).createThreadsTimelineSets();
    await b.room(room).fetchRoomThreads();
    const [all, own] = b.room(room).threadsTimelineSets.map((set) =>
      set.getLiveTimeline().getEvents().map((event) => event.getId()));
    assert.deepEqual(all, [talk.lunch, talk.printer]); // the SDK shows what was written last at the end
    assert.deepEqual(own, [talk.lunch]);
  });
}

async function summaries(report, world, talk) {
  const { a, b, room } = world;
  await report.check("a new device of B's is told by the threads' roots how many answers there are, and which is the last", async () => {
    talk.edit = await a.say(room, "* not again!", {
      "m.new_content": { msgtype: "m.text", body: "not again!" },
      "m.relates_to": { rel_type: "m.replace", event_id: talk.second },
    });
    await b.seesEvent(room, talk.edit).catch(() => undefined);
    const laptop = world.meet(await Person.logIn(world.url, world.accounts.b, "B's laptop"));
    await laptop.start({ initialSyncLimit: 40 });
    const thread = await laptop.sees("the thread", () => laptop.room(room)?.getThread(talk.lunch));
    const root = laptop.wire.timeline(room).find((event) => event.event_id === talk.lunch);
    const summary = root.unsigned["m.relations"]["m.thread"];
    assert.deepEqual([summary.count, summary.current_user_participated], [2, true]);
    assert.equal(summary.latest_event.event_id, talk.second);
    assert.equal(summary.latest_event.unsigned["m.relations"]["m.replace"].event_id, talk.edit);
    await laptop.sees("two answers in the thread", () => thread.initialEventsFetched && thread.length === 2);
    assert.ok(thread.hasCurrentUserParticipated);
    assert.ok(!laptop.room(room).getThread(talk.printer).hasCurrentUserParticipated);
    await laptop.sees("the last answer as it was edited", () => thread.replyToEvent?.getContent().body === "not again!");
  });
}
