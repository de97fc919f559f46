// What passes: typing, read receipts, presence.

import assert from "node:assert/strict";
import { path, until } from "../api.mjs";

export async function ephemeral(report, { host, guest }) {
  const anna = await host.person("anna");
  const ben = await guest.person("ben");
  let room;
  await report.must("two people share a room across the servers", async () => {
    room = await anna.createRoom({ preset: "public_chat", name: "Hallway" });
    await ben.join(room, host);
    await anna.seesMembership(room, ben, "join");
    await ben.sees(room, await anna.say(room, "hello"));
  });
  for (const [one, other] of [[anna, ben], [ben, anna]]) {
    const who = one === anna ? "the host" : "the guest";
    await report.check(`that ${who} types is seen, and that it stops`, async () => {
      const types = (typing) => one.put(path`v3/rooms/${room}/typing/${one.id}`, { typing, timeout: 20_000 });
      const seen = () => (other.news.typing.get(room) ?? []).includes(one.id);
      await types(true);
      await until(`${other.id} sees typing`, seen);
      await types(false);
      await until(`${other.id} sees that it stops`, () => !seen());
    });
    await report.check(`what ${who} has read is seen`, async () => {
      const event = await other.say(room, "have you read this?");
      await one.sees(room, event);
      await one.post(path`v3/rooms/${room}/receipt/m.read/${event}`, {});
      await until(`${other.id} sees the receipt`, () => hasRead(other, room, one, event));
    });
    await report.check(`what ${who} has read in private stays there`, async () => {
      const event = await other.say(room, "and this?");
      await one.sees(room, event);
      await one.post(path`v3/rooms/${room}/receipt/m.read.private/${event}`, {});
      const after = await other.say(room, "next");
      await one.sees(room, after);
      await one.post(path`v3/rooms/${room}/receipt/m.read/${after}`, {});
      await until(`${other.id} sees the later receipt`, () => hasRead(other, room, one, after));
      assert.ok(!hasRead(other, room, one, event), "the private receipt is not seen");
    });
    await report.check(`that ${who} is there is seen, with what it says of itself`, async () => {
      const status = `in a meeting of ${one.name}`;
      await one.put(path`v3/presence/${one.id}/status`, { presence: "online", status_msg: status });
      await until(`${other.id} sees the presence`, () => {
        const presence = other.news.presence.get(one.id);
        return presence?.status_msg === status;
      });
    });
  }
}

function hasRead(person, room, reader, event) {
  return person.news.receipts.some(({ roomId, content }) =>
    roomId === room && Object.values(content[event] ?? {}).some((byUser) => reader.id in byUser));
}
