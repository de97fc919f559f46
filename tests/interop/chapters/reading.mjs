// What has been read: receipts for all to see, private ones, receipts in threads, and the unread counts they lower.

import assert from "node:assert/strict";

export async function reading(report, world) {
  await readEverything(report, world);
  await publicReceipt(report, world);
  await unreadCounts(report, world);
  await privateReceipt(report, world);
  await threadedReceipt(report, world);
}

const seesCounts = (person, room, notifications, highlights) =>
  person.sees(`${notifications} notifications, ${highlights} of them highlights`, () => {
    const told = person.wire.unread(room);
    const shown = person.room(room);
    return told.notifications === notifications && told.highlights === highlights
      && shown.getRoomUnreadNotificationCount("total") === notifications
      && shown.getRoomUnreadNotificationCount("highlight") === highlights;
  });

async function readEverything(report, { a, b, room }) {
  await report.check("an unthreaded receipt on the newest event clears what is unread", async () => {
    for (const [writer, reader] of [[a, b], [b, a]]) {
      const eventId = await writer.say(room, "that was all");
      await reader.sdk.sendReadReceipt(await reader.seesEvent(room, eventId), "m.read", true);
    }
    for (const person of [a, b]) {
      await seesCounts(person, room, 0, 0);
      await person.sees("no unread thread", () => person.room(room).getUnreadNotificationCount("total") === 0);
    }
  });
}

async function publicReceipt(report, { a, b, room }) {
  await report.check("a public read receipt is seen by the other, in the main thread", async () => {
    const eventId = await a.say(room, "have you read this?");
    await b.sdk.sendReadReceipt(await b.seesEvent(room, eventId));
    await a.sees("B's receipt", () => a.room(room).getReadReceiptForUserId(b.id, true)?.eventId === eventId);
    assert.ok(a.room(room).hasUserReadEvent(b.id, eventId));
    const told = a.wire.receipts(room).filter((r) => r.userId === b.id && r.eventId === eventId);
    assert.deepEqual(told.map((r) => [r.type, r.threadId]), [["m.read", "main"]]);
  });
  await report.check("the read marker comes back as the reader's room account data", async () => {
    const eventId = await a.say(room, "up to here");
    await b.seesEvent(room, eventId);
    await b.sdk.setRoomReadMarkers(room, eventId, b.room(room).findEventById(eventId));
    await b.sees("the marker", () => b.room(room).getAccountData("m.fully_read")?.getContent().event_id === eventId);
    await seesCounts(b, room, 0, 0);
  });
}

async function unreadCounts(report, { a, b, room }) {
  await report.check("a message raises the reader's notification count, and not the writer's", async () => {
    await a.say(room, "just so you know");
    await seesCounts(b, room, 1, 0);
    await seesCounts(a, room, 0, 0);
  });
  await report.check("a notice raises nothing, a mention also raises the highlight count", async () => {
    await a.say(room, "a machine speaks", { msgtype: "m.notice" });
    const eventId = await a.say(room, "B, please come", { "m.mentions": { user_ids: [b.id] } });
    await b.seesEvent(room, eventId);
    await seesCounts(b, room, 2, 1);
  });
  await report.check("reading the newest message drops both counts to 0", async () => {
    const newest = b.room(room).getLiveTimeline().getEvents().at(-1);
    await b.sdk.sendReadReceipt(newest);
    await seesCounts(b, room, 0, 0);
  });
}

async function privateReceipt(report, world) {
  const { a, b, room } = world;
  await report.check("a private receipt drops the counts and comes back to its owner", async () => {
    const eventId = await a.say(room, "confidential", { "m.mentions": { user_ids: [b.id] } });
    await b.seesEvent(room, eventId);
    await seesCounts(b, room, 1, 1);
    await b.sdk.sendReadReceipt(b.room(room).findEventById(eventId), "m.read.private");
    await seesCounts(b, room, 0, 0);
    await b.sees("the own private receipt", () =>
      b.wire.receipts(room).some((r) => r.type === "m.read.private" && r.eventId === eventId && r.userId === b.id));
    world.privatelyRead = eventId;
  });
  await report.check("the other is never told of the private receipt", async () => {
    const eventId = await b.say(room, "I have seen nothing");
    await a.sdk.sendReadReceipt(await a.seesEvent(room, eventId));
    await b.sees("A's receipt", () => b.room(room).getReadReceiptForUserId(a.id, true)?.eventId === eventId);
    const leaked = a.wire.receipts(room).filter((r) => r.type === "m.read.private" || r.eventId === world.privatelyRead);
    assert.deepEqual(leaked, []);
  });
}

async function threadedReceipt(report, { a, b, room, threadRoot }) {
  let eventId;
  await report.check("a mention in a thread is counted in the thread, not in the main timeline", async () => {
    eventId = await a.say(room, "B, your turn", { threadId: threadRoot, "m.mentions": { user_ids: [b.id] } });
    await b.sees("the thread's counts", () => {
      const told = b.wire.unread(room).thread(threadRoot);
      return told.notifications === 1 && told.highlights === 1
        && b.room(room).getThreadUnreadNotificationCount(threadRoot, "highlight") === 1;
    });
    await seesCounts(b, room, 0, 0);
  });
  await report.check("a receipt in the main timeline leaves the thread unread", async () => {
    const main = await a.say(room, "back to the main timeline");
    await b.sdk.sendReadReceipt(await b.seesEvent(room, main));
    await a.sees("B's receipt in the main timeline", () =>
      a.wire.receipts(room).some((r) => r.userId === b.id && r.eventId === main && r.threadId === "main"));
    await seesCounts(b, room, 0, 0);
    assert.equal(b.wire.unread(room).thread(threadRoot).highlights, 1);
  });
  await report.check("a receipt in the thread drops the thread's counts, and the other sees it with its thread", async () => {
    await b.sdk.sendReadReceipt(await b.seesEvent(room, eventId));
    await b.sees("no unread thread", () => b.wire.unread(room).thread(threadRoot).notifications === 0
      && b.room(room).getThreadUnreadNotificationCount(threadRoot, "total") === 0);
    await a.sees("B's receipt in the thread", () =>
      a.wire.receipts(room).some((r) => r.userId === b.id && r.eventId === eventId && r.threadId === threadRoot));
  });
}
