// A private room, an invitation, and a hundred messages at once.

import assert from "node:assert/strict";

const MESSAGES_EACH = 50;

export async function conversation(report, world) {
  const { a, b } = world;
  await report.must("A creates a private room with a name and a topic", async () => {
    const created = await a.sdk.createRoom({ preset: "private_chat", name: "Staff", topic: "Daily business" });
    world.room = created.room_id;
    await a.seesOwnMembership(world.room, "join");
    await a.sees("its name", () => a.room(world.room).name === "Staff");
    assert.equal(a.room(world.room).getJoinRule(), "invite");
  });
  await report.must("A invites B, who sees the invitation, the inviter and the room's name in sync", async () => {
    await a.sdk.invite(world.room, b.id);
    await b.seesOwnMembership(world.room, "invite");
    await b.sees("the stripped name", () => b.room(world.room).name === "Staff");
    assert.equal(b.room(world.room).getMember(b.id).events.member.getSender(), a.id);
  });
  await report.must("B joins, and both see it", async () => {
    await b.sdk.joinRoom(world.room);
    await b.seesOwnMembership(world.room, "join");
    await a.seesMembership(world.room, b.id, "join");
    await b.seesMembership(world.room, a.id, "join");
  });
  await report.check("B sees the topic and who may do what", async () => {
    const state = b.room(world.room).currentState;
    assert.equal(state.getStateEvents("m.room.topic", "").getContent().topic, "Daily business");
    assert.ok(state.maySendMessage(b.id));
    assert.ok(!state.maySendStateEvent("m.room.name", b.id));
  });
  await hundredMessages(report, world);
}

async function hundredMessages(report, { a, b, room }) {
  const bodies = Array.from({ length: MESSAGES_EACH * 2 }, (_, i) => `hello ${i}`);
  let sent;
  const start = await report.must("B sees where the conversation starts", async () => {
    const eventId = await a.say(room, "let us start");
    await b.seesEvent(room, eventId);
    return eventId;
  });
  await report.must(`A and B send ${MESSAGES_EACH} messages each, all at the same time`, async () => {
    sent = await Promise.all(bodies.map((body, i) => (i % 2 ? a : b).say(room, body)));
    assert.equal(new Set(sent).size, bodies.length, "each message has its own event id");
  }, 40_000);
  const timelines = [];
  for (const person of [a, b]) {
    await report.check(`${person.wire.name}'s timeline has each message exactly once`, async () => {
      const timeline = await person.sees("all of them", async () => {
        const events = (await person.history(room, start)).filter((event) => event.getType() === "m.room.message");
        return events.length > bodies.length && events.slice(1);
      });
      assert.deepEqual(timeline.map((e) => e.getContent().body).toSorted(), bodies.toSorted());
      assert.deepEqual(timeline.map((e) => e.getId()).toSorted(), sent.toSorted());
      timelines.push(timeline.map((e) => e.getId()));
    });
  }
  await report.check("the messages have the same order for both", () => assert.deepEqual(timelines[0], timelines[1]));
  await report.check("sync delivered no event twice, and transaction ids only to the device that sent", () => {
    for (const person of [a, b]) {
      const events = person.wire.timeline(room);
      const ids = events.map((event) => event.event_id);
      assert.equal(new Set(ids).size, ids.length, `${person.wire.name} was given an event twice`);
      for (const event of events.filter((e) => e.type === "m.room.message")) {
        assert.equal(Boolean(event.unsigned?.transaction_id), event.sender === person.id, JSON.stringify(event));
      }
    }
  });
  await report.check("nothing stays unsent at either client", () => {
    for (const person of [a, b]) assert.deepEqual(person.unsent(room), []);
  });
}
