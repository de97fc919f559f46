// Invitations across servers: taken, refused, taken back.

import assert from "node:assert/strict";
import { refused, until } from "../api.mjs";
import { sameRoom } from "../compare.mjs";

export async function invite(report, { host, guest, keep }) {
  const anna = await host.person("anna");
  const ben = await guest.person("ben");
  let room;
  await report.must("an invite reaches the other server with the room's name and who invites", async () => {
    await anna.put(`/_matrix/client/v3/profile/${encodeURIComponent(anna.id)}/displayname`, { displayname: "Anna" });
    room = await anna.createRoom({ preset: "private_chat", name: "The plan", topic: "What we do" });
    await anna.say(room, "before the invite");
    await anna.invite(room, ben, "come and see");
    const stripped = await ben.seesInvite(room);
    const content = (type, key = "") => stripped.find((e) => e.type === type && e.state_key === key)?.content;
    assert.equal(content("m.room.name")?.name, "The plan");
    assert.equal(content("m.room.join_rules")?.join_rule, "invite");
    assert.ok(stripped.some((event) => event.type === "m.room.create"), "the create event is among it");
    assert.equal(content("m.room.member", ben.id)?.membership, "invite");
    assert.equal(content("m.room.member", ben.id)?.reason, "come and see");
    assert.equal(stripped.find((e) => e.state_key === ben.id)?.sender, anna.id);
    assert.equal(content("m.room.member", anna.id)?.displayname, "Anna");
  });
  await report.must("who is invited joins, and both servers agree on the room", async () => {
    await ben.join(room);
    await anna.seesMembership(room, ben, "join");
    await anna.sees(room, await ben.say(room, "thank you"));
    await ben.sees(room, await anna.say(room, "welcome"));
    await sameRoom(anna, ben, room);
    keep(room, anna, ben);
  });
  await report.check("what was said before the invite can be read after it", async () => {
    const said = (await ben.history(room)).filter((event) => event.type === "m.room.message");
    assert.deepEqual(said.map((event) => event.content.body), ["before the invite", "thank you", "welcome"]);
  });
  await report.check("who leaves is gone on both servers, and cannot come back uninvited", async () => {
    await ben.leave(room, "enough");
    const event = await anna.seesMembership(room, ben, "leave");
    assert.equal(event.content.reason, "enough");
    await refused(ben.join(room, host), 403, "M_FORBIDDEN");
    await refused(ben.say(room, "am I here?"), 403, "M_FORBIDDEN");
  });
  await report.check("a second invite is refused, and the host learns of it", async () => {
    await anna.invite(room, ben);
    await ben.seesInvite(room);
    await ben.leave(room);
    await ben.seesOwnLeave(room);
    await until("the host sees the refusal", async () => {
      const event = anna.news.state(room, "m.room.member", ben.id);
      return event.content.membership === "leave" && event.unsigned?.prev_content?.membership === "invite";
    });
  });
  await report.check("an invite that is taken back goes away at the guest", async () => {
    await anna.invite(room, ben);
    await ben.seesInvite(room);
    await anna.kick(room, ben, "a mistake");
    await until("the invite is gone", () => !ben.news.invites.has(room));
    await refused(ben.join(room, host), 403, "M_FORBIDDEN");
  });
  await report.check("a third invite is taken, and the rooms agree again", async () => {
    await anna.invite(room, ben);
    await ben.seesInvite(room);
    await ben.join(room);
    await sameRoom(anna, ben, room);
  });
  await report.check("a direct room is an invite that says so", async () => {
    const direct = await anna.createRoom({ preset: "trusted_private_chat", is_direct: true, invite: [ben.id] });
    const stripped = await ben.seesInvite(direct);
    assert.equal(stripped.find((event) => event.state_key === ben.id)?.content.is_direct, true);
    await ben.join(direct);
    await sameRoom(anna, ben, direct);
    keep(direct, anna, ben);
  });
}
