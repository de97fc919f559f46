// Rooms that are open to the members of another room, here and there.

import assert from "node:assert/strict";
import { refused, until } from "../api.mjs";
import { sameRoom } from "../compare.mjs";

export async function restricted(report, { host, guest, keep }) {
  const anna = await host.person("anna");
  const ben = await guest.person("ben");
  const clara = await guest.person("clara");
  let house;
  let room;
  await report.must("the host has a room for all and one for its members", async () => {
    house = await anna.createRoom({ preset: "public_chat", name: "House" });
    room = await anna.createRoom({
      preset: "private_chat", name: "Kitchen",
      initial_state: [{
        type: "m.room.join_rules",
        content: { join_rule: "restricted", allow: [{ type: "m.room_membership", room_id: house }] },
      }],
    });
  });
  await report.check("who is not in the first is not let into the second", () =>
    refused(ben.join(room, host), 403));
  await report.must("who is in the first joins the second, and the host vouches for it", async () => {
    await ben.join(house, host);
    await anna.seesMembership(house, ben, "join");
    await ben.join(room, host);
    const event = await anna.seesMembership(room, ben, "join");
    assert.equal(event.content.join_authorised_via_users_server, anna.id);
    await sameRoom(anna, ben, room);
    keep(room, anna, ben);
  });
  await report.check("a second person of the same server joins, and somebody who may invite vouches", async () => {
    await refused(clara.join(room, host), 403);
    await clara.join(house, host);
    await until("the second person is in", () => clara.join(room, host).then(() => true), { every: 500 });
    const event = await anna.seesMembership(room, clara, "join");
    assert.ok([anna.id, ben.id].includes(event.content.join_authorised_via_users_server), JSON.stringify(event.content));
    await anna.sees(room, await clara.say(room, "what is for dinner?"));
    await sameRoom(anna, clara, room);
  });
}
