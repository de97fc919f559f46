// A room with people of both servers moves to a newer version.

import assert from "node:assert/strict";
import { path, refused, until } from "../api.mjs";
import { sameRoom } from "../compare.mjs";

const OLD = "11";
const NEW = "12";

export async function upgrade(report, { host, guest, keep }) {
  const anna = await host.person("anna");
  const ben = await guest.person("ben");
  let before;
  let after;
  await report.must(`a room of version ${OLD} is shared`, async () => {
    before = await anna.createRoom({ preset: "public_chat", name: "Old house", room_version: OLD });
    await ben.join(before, host);
    await anna.seesMembership(before, ben, "join");
    await sameRoom(anna, ben, before);
  });
  await report.must(`it is upgraded to version ${NEW}, and the guest sees where to go`, async () => {
    ({ replacement_room: after } = await anna.post(path`v3/rooms/${before}/upgrade`, { new_version: NEW }));
    const tombstone = await until("the guest sees the tombstone", () => ben.news.state(before, "m.room.tombstone"));
    assert.equal(tombstone.content.replacement_room, after);
    // Until then the guest's own server would let it speak, and the host's would not listen.
    await until("the guest sees that the old room is closed", () =>
      ben.news.state(before, "m.room.power_levels")?.content.events_default >= 50);
    await refused(ben.say(before, "still here"), 403, "M_FORBIDDEN");
  });
  await report.check("the guest goes there, and both servers agree on both rooms", async () => {
    await ben.join(after, host);
    await anna.seesMembership(after, ben, "join");
    const create = (await ben.state(after)).find((event) => event.type === "m.room.create");
    assert.equal(create.content.predecessor.room_id, before);
    assert.equal(create.content.room_version, NEW);
    await sameRoom(anna, ben, after);
    await sameRoom(anna, ben, before);
    keep(before, anna, ben);
    keep(after, anna, ben);
  });
}
