// A public room with an alias, found in the directory and joined by its alias; and a conversation of two without a name.

import assert from "node:assert/strict";

export async function directory(report, world) {
  const { a, b, tag } = world;
  const topic = `canteen of ${tag}`;
  await report.must("A creates a public room with an alias", async () => {
    const created = await a.sdk.createRoom({
      preset: "public_chat",
      visibility: "public",
      room_alias_name: `canteen-${tag}`,
      name: `Canteen ${tag}`,
      topic,
    });
    world.publicRoom = created.room_id;
    await a.seesOwnMembership(world.publicRoom, "join");
    world.publicAlias = await a.sees("the alias", () => a.room(world.publicRoom).getCanonicalAlias());
  });
  await report.check("B finds it in the directory by a word of its topic", async () => {
    const found = await b.sees("the room in the directory", async () => {
      const { chunk } = await b.sdk.publicRooms({ limit: 20, filter: { generic_search_term: tag } });
      return chunk.find((room) => room.room_id === world.publicRoom);
    });
    assert.equal(found.canonical_alias, world.publicAlias);
    assert.equal(found.topic, topic);
    assert.equal(found.name, `Canteen ${tag}`);
    assert.equal(found.num_joined_members, 1);
    assert.equal(found.join_rule ?? "public", "public");
  });
  await report.check("a word that nobody uses finds nothing", async () => {
    const { chunk } = await b.sdk.publicRooms({ limit: 20, filter: { generic_search_term: `${tag} nothing` } });
    assert.deepEqual(chunk, []);
  });
  await report.must("B joins by the alias without an invitation", async () => {
    assert.equal((await b.sdk.getRoomIdForAlias(world.publicAlias)).room_id, world.publicRoom);
    await b.sdk.joinRoom(world.publicAlias);
    await b.seesOwnMembership(world.publicRoom, "join");
    await a.seesMembership(world.publicRoom, b.id, "join");
  });
  await report.check("a conversation of two without a name is called after the other", async () => {
    const created = await a.sdk.createRoom({ preset: "trusted_private_chat", is_direct: true, invite: [b.id] });
    world.directRoom = created.room_id;
    await b.seesOwnMembership(world.directRoom, "invite");
    const invitation = b.room(world.directRoom).getMember(b.id).events.member;
    assert.equal(invitation.getContent().is_direct, true);
    await b.sdk.joinRoom(world.directRoom);
    await b.seesOwnMembership(world.directRoom, "join");
    await b.sees("A's name as the room's", () => b.room(world.directRoom).name === "Anna Example");
  });
}
