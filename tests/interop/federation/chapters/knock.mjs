// Knocking on a room of another server: let in, turned away, gone again.

import assert from "node:assert/strict";
import { path, refused, until } from "../api.mjs";
import { sameRoom } from "../compare.mjs";

export async function knock(report, { host, guest, keep }) {
  const anna = await host.person("anna");
  const ben = await guest.person("ben");
  const clara = await guest.person("clara");
  let room;
  await report.must("a knock reaches the host with its reason, and the guest sees what was knocked on", async () => {
    room = await anna.createRoom({
      preset: "private_chat", name: "Council",
      initial_state: [{ type: "m.room.join_rules", content: { join_rule: "knock" } }],
    });
    await refused(ben.join(room, host), 403, "M_FORBIDDEN");
    await ben.knock(room, "may I?", host);
    const event = await anna.seesMembership(room, ben, "knock");
    assert.equal(event.content.reason, "may I?");
    const stripped = await until("the guest sees the knock", () => ben.news.knocks.get(room));
    assert.equal(stripped.find((one) => one.type === "m.room.name")?.content.name, "Council");
  });
  await report.must("who is let in joins, and both servers agree on the room", async () => {
    await anna.invite(room, ben);
    await ben.seesInvite(room);
    await ben.join(room);
    await anna.seesMembership(room, ben, "join");
    await sameRoom(anna, ben, room);
    keep(room, anna, ben);
  });
  await report.check("who is turned away learns of it", async () => {
    await clara.knock(room, "me too", host);
    await anna.seesMembership(room, clara, "knock");
    await anna.kick(room, clara, "no");
    await until("the knock is over", () => !clara.news.knocks.has(room) || clara.news.left.has(room));
    await until("it is over for good", async () => {
      const { knock: knocks = {} } = (await clara.get(path`v3/sync`, { timeout: 0 })).rooms ?? {};
      return !(room in knocks);
    });
  });
  await report.check("a knock can be taken back", async () => {
    await clara.knock(room, "again", host);
    await anna.seesMembership(room, clara, "knock");
    await clara.leave(room);
    await anna.seesMembership(room, clara, "leave");
    await sameRoom(anna, ben, room);
  });
}
