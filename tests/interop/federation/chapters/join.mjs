// Public rooms of another server: the directory, aliases, joining and leaving, bans.

import assert from "node:assert/strict";
import { path, refused, until } from "../api.mjs";
import { sameRoom } from "../compare.mjs";

export async function join(report, { host, guest, keep, tag }) {
  const anna = await host.person("anna");
  const ben = await guest.person("ben");
  const clara = await guest.person("clara");
  const alias = `#market-${tag}:${host.name}`;
  let room;
  await report.must("an alias of the other server leads to the room", async () => {
    room = await anna.createRoom({
      preset: "public_chat", room_alias_name: `market-${tag}`, name: "Market", visibility: "public",
    });
    const { room_id: id, servers } = await ben.get(path`v3/directory/room/${alias}`);
    assert.equal(id, room);
    assert.ok(servers.includes(host.name), `servers are ${servers}`);
    await refused(ben.get(path`v3/directory/room/${`#none-${tag}:${host.name}`}`), 404, "M_NOT_FOUND");
  });
  await report.check("the other server's directory lists the room", async () => {
    const { chunk } = await ben.post(path`v3/publicRooms`, { filter: { generic_search_term: "Market" } }, { server: host.name });
    const entry = chunk.find((one) => one.room_id === room);
    assert.equal(entry?.canonical_alias, alias);
    assert.equal(entry?.num_joined_members, 1);
  });
  await report.must("a person joins by the alias, and both servers agree on the room", async () => {
    const { room_id: id } = await ben.join(alias);
    assert.equal(id, room);
    await anna.seesMembership(room, ben, "join");
    await sameRoom(anna, ben, room);
    keep(room, anna, ben);
  });
  await report.check("a second person joins by id and via, on a server that is in the room already", async () => {
    await clara.join(room, host);
    await anna.seesMembership(room, clara, "join");
    await anna.sees(room, await clara.say(room, "I am here too"));
  });
  await report.check("a person joins by id and via, and the server knows the room from nowhere else", async () => {
    const other = await anna.createRoom({ preset: "public_chat", name: "Quiet corner" });
    await ben.join(other, host);
    await anna.sees(other, await ben.say(other, "found it"));
    await sameRoom(anna, ben, other);
    keep(other, anna, ben);
  });
  await report.check("a room that does not exist cannot be joined", async () => {
    const refusal = await ben.join(`!nothing${tag}:${host.name}`, host).catch((error) => error);
    assert.ok(refusal.status >= 400 && refusal.errcode, refusal.message);
  });
  await report.check("the last guest leaves, the room goes on, and the guest comes back to what was missed", async () => {
    await clara.leave(room);
    await ben.leave(room);
    await anna.seesMembership(room, ben, "leave");
    await anna.seesMembership(room, clara, "leave");
    const missed = await anna.say(room, "nobody hears this");
    await anna.setState(room, "m.room.topic", { topic: "changed while they were away" });
    await ben.join(alias);
    await anna.seesMembership(room, ben, "join");
    await until("the missed message can be read", async () =>
      (await ben.history(room)).some((event) => event.event_id === missed), { every: 500 });
    await sameRoom(anna, ben, room);
  });
  await report.check("who is banned is out, and stays out on both servers until the ban is lifted", async () => {
    await anna.ban(room, ben, "noise");
    await ben.seesOwnLeave(room);
    await refused(ben.say(room, "noise"), 403);
    await refused(ben.join(alias), 403);
    await anna.unban(room, ben);
    await until("the guest may join again", () => ben.join(alias).then(() => true), { every: 500 });
    await sameRoom(anna, ben, room);
  });
}
