// A device whose rooms come in windows: the sliding sync of matrix-js-sdk itself.

import assert from "node:assert/strict";
import { SlidingSync } from "matrix-js-sdk/lib/sliding-sync.js";
import { Person } from "../harness/person.mjs";

const POLL_MS = 20_000;
const STATE = [["m.room.name", ""], ["m.room.create", ""], ["m.room.member", "$LAZY"], ["m.room.member", "$ME"]];

export async function sliding(report, world) {
  const { a, b, room } = world;
  let phone;
  let windows;
  await report.must("a new device of A begins with one window on the room with the newest event", async () => {
    const eventId = await b.say(room, "up to the top");
    await a.seesEvent(room, eventId);
    phone = world.meet(await Person.logIn(world.url, world.accounts.a, "client A with windows"));
    const all = { ranges: [[0, 0]], timeline_limit: 3, required_state: STATE };
    windows = new SlidingSync(world.url, new Map([["all", all]]), { timeline_limit: 20, required_state: STATE }, phone.sdk, POLL_MS);
    await phone.start({ slidingSync: windows });
    await phone.seesEvent(room, eventId);
    assert.deepEqual(phone.sdk.getRooms().map((one) => one.roomId), [room]);
    assert.equal(phone.room(room).name, a.room(room).name);
    world.withWindows = phone;
  });
  await report.check("the list says how many rooms there are, and a wider window shows them", async () => {
    const joined = () => a.sdk.getRooms().filter((one) => ["join", "invite"].includes(one.getMyMembership()));
    const count = await phone.sees("the count of all rooms", () => windows.getListData("all")?.joinedCount);
    assert.ok(count >= joined().length, `${count} rooms on the list`);
    windows.setListRanges("all", [[0, 99]]);
    await phone.sees("all rooms", () => joined().every((one) => phone.room(one.roomId)));
  });
  await report.check("what B writes arrives while the device waits, once", async () => {
    const eventId = await b.say(room, "into the window");
    await phone.seesEvent(room, eventId);
    const timeline = phone.room(room).getLiveTimeline().getEvents();
    assert.equal(timeline.filter((event) => event.getId() === eventId).length, 1);
  });
  await report.check("what the device writes itself comes back as its own", async () => {
    const eventId = await phone.say(room, "out of the window");
    const event = await phone.seesEvent(room, eventId);
    await phone.sees("its own message acknowledged", () => event.status === null && phone.unsent(room).length === 0);
    await b.seesEvent(room, eventId);
  });
  await report.check("typing and receipts reach it", async () => {
    await b.sdk.sendTyping(room, true, 20_000);
    await phone.sees("B typing", () => phone.room(room).getMember(b.id)?.typing);
    await b.sdk.sendTyping(room, false, 0);
    await phone.sees("B no longer typing", () => !phone.room(room).getMember(b.id)?.typing);
    const eventId = await phone.say(room, "read this");
    const event = await b.seesEvent(room, eventId);
    await b.sdk.sendReadReceipt(event);
    await phone.sees("that B has read it", () => phone.room(room).hasUserReadEvent(b.id, eventId));
  });
  await report.check("an invitation appears, becomes a room, and is gone after leaving", async () => {
    const { room_id: guestRoom } = await b.sdk.createRoom({ name: "Guests", preset: "private_chat", invite: [a.id] });
    await phone.seesOwnMembership(guestRoom, "invite");
    await phone.sdk.joinRoom(guestRoom);
    await phone.seesOwnMembership(guestRoom, "join");
    const eventId = await b.say(guestRoom, "welcome");
    await phone.seesEvent(guestRoom, eventId);
    await phone.sdk.leave(guestRoom);
    await phone.seesOwnMembership(guestRoom, "leave");
  });
  await report.check("lists are filtered: rooms that are encrypted, called so, favourites, invitations", async () => {
    const { room_id: secret } = await a.sdk.createRoom({
      name: "Secret corner", preset: "private_chat",
    });
    await a.sdk.sendStateEvent(secret, "m.room.encryption", { algorithm: "m.megolm.v1.aes-sha2" }, "");
    await a.sdk.setRoomTag(secret, "m.favourite", { order: 0.5 });
    const { room_id: guests } = await b.sdk.createRoom({ name: "For guests", preset: "private_chat", invite: [a.id] });
    const filters = {
      encrypted: { is_encrypted: true }, favourites: { tags: ["m.favourite"] }, invitations: { is_invite: true },
      spaces: { room_types: ["m.space"] },
    };
    for (const [name, filter] of Object.entries(filters)) {
      windows.setList(name, { ranges: [[0, 99]], timeline_limit: 1, required_state: STATE, filters: filter });
    }
    const count = (name) => windows.getListData(name)?.joinedCount;
    await phone.sees("one of each, and no space", () =>
      count("encrypted") === 1 && count("favourites") === 1 && count("invitations") === 1 && count("spaces") === 0);
    await a.sdk.deleteRoomTag(secret, "m.favourite");
    await a.sdk.leave(guests);
    await phone.sees("that they went", () => count("favourites") === 0 && count("invitations") === 0);
    assert.equal(count("encrypted"), 1);
  });
  await report.check("an answer that is lost is given again", async () => {
    const before = phone.wire.exchanges.length;
    windows.resend();
    const eventId = await b.say(room, "after the line was cut");
    await phone.seesEvent(room, eventId);
    assert.ok(phone.wire.exchanges.length > before);
    const ids = phone.room(room).getLiveTimeline().getEvents().map((event) => event.getId());
    assert.deepEqual(ids.filter((id, at) => ids.indexOf(id) !== at), [], "no event twice");
  });
}
