// Coming and going: knock, kick, ban, unban, leave, forget.

import assert from "node:assert/strict";
import { refused } from "../harness/person.mjs";

export async function membership(report, world) {
  const { a, b } = world;
  const room = await report.must("A creates a room to knock at, B knocks, A sees it with the reason", async () => {
    const { room_id: created } = await a.sdk.createRoom({
      name: "Closed door",
      initial_state: [{ type: "m.room.join_rules", state_key: "", content: { join_rule: "knock" } }],
    });
    await a.seesOwnMembership(created, "join");
    await b.sdk.knockRoom(created, { reason: "may I?" });
    await b.seesOwnMembership(created, "knock");
    const member = await a.seesMembership(created, b.id, "knock");
    assert.equal(member.events.member.getContent().reason, "may I?");
    return created;
  });
  await report.must("A lets B in by an invitation", async () => {
    await a.sdk.invite(room, b.id);
    await b.seesOwnMembership(room, "invite");
    await b.sdk.joinRoom(room);
    await b.seesOwnMembership(room, "join");
    await a.seesMembership(room, b.id, "join");
  });
  await report.must("A kicks B, who sees by whom and why, and can no longer speak", async () => {
    await a.sdk.kick(room, b.id, "please wait outside");
    await b.seesOwnMembership(room, "leave");
    const event = b.room(room).getMember(b.id).events.member;
    assert.deepEqual([event.getSender(), event.getContent().reason], [a.id, "please wait outside"]);
    await refused(b.say(room, "but"), 403, "M_FORBIDDEN");
    b.cancelUnsent(room);
  });
  await report.check("B, once kicked, cannot join without an invitation", () =>
    refused(b.sdk.joinRoom(room), 403, "M_FORBIDDEN"));
  await banAndUnban(report, world, room);
  await leaveAndForget(report, world, room);
}

async function banAndUnban(report, { a, b }, room) {
  await report.must("A bans B: joining, knocking and inviting are refused", async () => {
    await a.sdk.ban(room, b.id, "enough");
    await b.seesOwnMembership(room, "ban");
    await a.seesMembership(room, b.id, "ban");
    await refused(b.sdk.joinRoom(room), 403, "M_FORBIDDEN", "M_BAD_STATE");
    await refused(b.sdk.knockRoom(room), 403, "M_FORBIDDEN", "M_BAD_STATE");
    await refused(a.sdk.invite(room, b.id), 403, "M_FORBIDDEN", "M_BAD_STATE");
  });
  await report.must("A lifts the ban, invites, and B joins again", async () => {
    await a.sdk.unban(room, b.id);
    await a.seesMembership(room, b.id, "leave");
    await b.seesOwnMembership(room, "leave");
    await a.sdk.invite(room, b.id);
    await b.seesOwnMembership(room, "invite");
    await b.sdk.joinRoom(room);
    await b.seesOwnMembership(room, "join");
  });
}

async function leaveAndForget(report, { a, b }, room) {
  // The limit differs from call to call, as servers may keep the answer to an equal initial sync for a while.
  const leftRooms = async (limit) => {
    const filter = encodeURIComponent(JSON.stringify({ room: { include_leave: true, timeline: { limit } } }));
    const response = await b.get(`/_matrix/client/v3/sync?timeout=0&filter=${filter}`);
    assert.equal(response.status, 200);
    return Object.keys((await response.json()).rooms?.leave ?? {});
  };
  await report.must("B leaves, and the room is among the left ones", async () => {
    await b.sdk.leave(room);
    await b.seesOwnMembership(room, "leave");
    await a.seesMembership(room, b.id, "leave");
    assert.ok((await leftRooms(1)).includes(room));
  });
  await report.check("B forgets it: it is gone from sync, and its history is closed", async () => {
    await b.sdk.forget(room);
    assert.equal(b.room(room), null);
    assert.ok(!(await leftRooms(2)).includes(room));
    await refused(b.sdk.createMessagesRequest(room, null, 10, "b"), 403, "M_FORBIDDEN");
  });
  await report.check("B cannot forget a room it is joined to", () =>
    refused(b.sdk.forget(b.sdk.getRooms().find((r) => r.getMyMembership() === "join").roomId, false), 400, "M_UNKNOWN"));
}
