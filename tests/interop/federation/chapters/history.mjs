// What a server can read of the time before it came into the room.

import assert from "node:assert/strict";
import { until } from "../api.mjs";
import { sameRoom } from "../compare.mjs";

const EARLIER = 150;

export async function history(report, { host, guest, keep }) {
  const anna = await host.person("anna");
  const ben = await guest.person("ben");
  await report.check(`${EARLIER} messages from before the join can be read back to the room's beginning`, async () => {
    const room = await anna.createRoom({ preset: "public_chat", name: "Archive" });
    const sent = [];
    for (let number = 1; number <= EARLIER; number += 1) sent.push(await anna.say(room, `entry ${number}`));
    await ben.join(room, host);
    await until("all of it can be read", async () => {
      const read = await ben.history(room);
      assert.equal(read[0]?.type, "m.room.create");
      const messages = read.filter((event) => event.type === "m.room.message").map((event) => event.event_id);
      assert.deepEqual(messages, sent);
      return true;
    }, { every: 500 });
    await sameRoom(anna, ben, room);
    keep(room, anna, ben);
  }, 400_000);
  await report.check("where history is for members only, what was said before the join stays unread", async () => {
    const room = await anna.createRoom({
      preset: "public_chat", name: "Secrets",
      initial_state: [{ type: "m.room.history_visibility", content: { history_visibility: "joined" } }],
    });
    const secret = await anna.say(room, "a secret");
    await ben.join(room, host);
    await ben.sees(room, await anna.say(room, "no secret"));
    assert.ok(!(await ben.history(room)).some((event) => event.event_id === secret), "the secret is read");
    await sameRoom(anna, ben, room, { history: false });
  });
}
