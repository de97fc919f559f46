// What people change about themselves and the room: display name, room name, topic, power levels.

import assert from "node:assert/strict";
import { refused } from "../harness/person.mjs";

export async function settings(report, world) {
  const { a, b, room } = world;
  await report.check("a new display name arrives as a member event with the previous content", async () => {
    await a.sdk.setDisplayName("Anna Example");
    await b.sees("the new name", () => b.room(room).getMember(a.id)?.name === "Anna Example");
    const event = b.room(room).getMember(a.id).events.member;
    assert.equal(event.getContent().membership, "join");
    assert.equal(event.getPrevContent().membership, "join");
    assert.notEqual(event.getPrevContent().displayname, "Anna Example");
    assert.equal((await b.sdk.getProfileInfo(a.id)).displayname, "Anna Example");
  });
  await report.check("a new room name and topic reach the other", async () => {
    await a.sdk.setRoomName(room, "Staff room");
    await a.sdk.setRoomTopic(room, "Coffee and cake");
    await b.sees("the new name", () => b.room(room).name === "Staff room");
    await b.sees("the new topic", () =>
      b.room(room).currentState.getStateEvents("m.room.topic", "").getContent().topic === "Coffee and cake");
  });
  await report.check("B may not change the topic: M_FORBIDDEN", () =>
    refused(b.sdk.setRoomTopic(room, "Tea"), 403, "M_FORBIDDEN"));
  await report.check("with a power level from A, B may", async () => {
    await a.sdk.setPowerLevel(room, b.id, 50);
    await b.sees("the own power level", () => b.room(room).getMember(b.id).powerLevel === 50);
    await b.sdk.setRoomTopic(room, "Tea");
    await a.sees("the topic", () =>
      a.room(room).currentState.getStateEvents("m.room.topic", "").getContent().topic === "Tea");
  });
  await report.check("B may not raise its own power level above A's gift: M_FORBIDDEN", () =>
    refused(b.sdk.setPowerLevel(room, b.id, 100), 403, "M_FORBIDDEN"));
}
