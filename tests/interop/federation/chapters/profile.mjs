// A person's name and picture, seen from another server.

import assert from "node:assert/strict";
import { path, refused, until } from "../api.mjs";
import { sameRoom } from "../compare.mjs";

export async function profile(report, { host, guest, keep, tag }) {
  const anna = await host.person("anna");
  const ben = await guest.person("ben");
  const picture = `mxc://${guest.name}/picture`;
  await report.check("a profile of the other server can be looked up", async () => {
    await ben.put(path`v3/profile/${ben.id}/displayname`, { displayname: "Ben" });
    await ben.put(path`v3/profile/${ben.id}/avatar_url`, { avatar_url: picture });
    const { displayname, avatar_url: avatar } = await anna.get(path`v3/profile/${ben.id}`);
    assert.deepEqual({ displayname, avatar }, { displayname: "Ben", avatar: picture });
    await refused(anna.get(path`v3/profile/${`@nobody-${tag}:${guest.name}`}`), 404, "M_NOT_FOUND");
  });
  await report.check("a new name is seen in the rooms that are shared", async () => {
    const room = await anna.createRoom({ preset: "public_chat", name: "Names" });
    await ben.join(room, host);
    const before = await anna.seesMembership(room, ben, "join");
    assert.equal(before.content.displayname, "Ben");
    await ben.put(path`v3/profile/${ben.id}/displayname`, { displayname: "Benjamin" });
    await until("the host sees the new name", () =>
      anna.news.state(room, "m.room.member", ben.id)?.content.displayname === "Benjamin");
    await until("both servers say so", async () =>
      (await anna.members(room))[ben.id].display_name === "Benjamin" && (await ben.members(room))[ben.id].display_name === "Benjamin");
    await sameRoom(anna, ben, room);
    keep(room, anna, ben);
  });
}
