// State set from both servers, at once and against each other.

import assert from "node:assert/strict";
import { refused, until } from "../api.mjs";
import { sameRoom } from "../compare.mjs";

const ROUNDS = 5;

/** Played once: it is the same seen from either side. */
export async function state(report, { host, guest, keep }) {
  const anna = await host.person("anna");
  const ben = await guest.person("ben");
  let room;
  await report.must("the guest may do nothing until the host gives the power", async () => {
    room = await anna.createRoom({ preset: "public_chat", name: "Parliament", room_version: "11" });
    await ben.join(room, host);
    await anna.seesMembership(room, ben, "join");
    await refused(ben.setState(room, "m.room.topic", { topic: "mine" }), 403, "M_FORBIDDEN");
    const levels = await anna.stateContent(room, "m.room.power_levels");
    levels.users[ben.id] = 50;
    const event = await anna.setState(room, "m.room.power_levels", levels);
    await ben.sees(room, event);
    await anna.sees(room, await ben.setState(room, "m.room.topic", { topic: "mine" }));
  });
  await report.check(`both set the topic at once, ${ROUNDS} times, and the servers agree each time`, async () => {
    for (let round = 1; round <= ROUNDS; round += 1) {
      await Promise.all([anna, ben].map((person) =>
        person.setState(room, "m.room.topic", { topic: `${person.name} ${round}` })));
      await until("both have the same topic", async () => {
        const [one, other] = await Promise.all([anna, ben].map((person) => person.stateContent(room, "m.room.topic")));
        assert.equal(one.topic, other.topic);
        return one.topic.endsWith(` ${round}`);
      });
    }
    await sameRoom(anna, ben, room);
    keep(room, anna, ben);
  }, 400_000);
  await report.check("what the guest may no longer do, neither server lets it do", async () => {
    const levels = await anna.stateContent(room, "m.room.power_levels");
    delete levels.users[ben.id];
    await ben.sees(room, await anna.setState(room, "m.room.power_levels", levels));
    await refused(ben.setState(room, "m.room.topic", { topic: "still mine" }), 403, "M_FORBIDDEN");
    await sameRoom(anna, ben, room);
  });
}

/** Played from both sides: the host shuts the other server out of a room. */
export async function acl(report, { host, guest }) {
  const anna = await host.person("anna");
  const ben = await guest.person("ben");
  await report.check("a server that the room's access list denies is not heard any more", async () => {
    const room = await anna.createRoom({ preset: "public_chat", name: "Walled garden" });
    await ben.join(room, host);
    await anna.sees(room, await ben.say(room, "hello"));
    const guestName = guest.name.replace(/:\d+$/, "");
    const denied = await anna.setState(room, "m.room.server_acl", { allow: ["*"], deny: [guestName], allow_ip_literals: true });
    await ben.sees(room, denied);
    const shout = await ben.say(room, "can you hear me?");
    const clara = await guest.person("clara");
    const door = await anna.createRoom({ preset: "public_chat", name: "Door" });
    await ben.join(door, host);
    await anna.sees(door, await ben.say(door, "here I am heard"));
    assert.ok(!anna.news.timeline(room).some((event) => event.event_id === shout), "the host hears a denied server");
    await clara.leave(room).catch(() => undefined);
  });
}
