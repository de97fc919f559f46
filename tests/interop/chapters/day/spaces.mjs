// A space with rooms and another space in it: what somebody sees of it before they join, and joining a room because one
// is in the space.

import assert from "node:assert/strict";
import { RoomHierarchy } from "matrix-js-sdk/lib/room-hierarchy.js";
import { refused } from "../../harness/person.mjs";

const PAGE = 2;

export async function spaces(report, world) {
  await build(report, world);
  await look(report, world);
  await enter(report, world);
  await change(report, world);
}

async function build(report, world) {
  const { a } = world;
  const make = async (options) => (await a.sdk.createRoom({ preset: "private_chat", ...options })).room_id;
  const restricted = (space) => [{
    type: "m.room.join_rules", state_key: "",
    content: { join_rule: "restricted", allow: [{ type: "m.room_membership", room_id: space }] },
  }];
  await report.must("A makes a space with two rooms in it, one of them closed, and a space with a third one", async () => {
    const via = [a.sdk.getDomain()];
    const put = (parent, child, content) => a.sdk.sendStateEvent(parent, "m.space.child", { via, ...content }, child);
    world.space = await make({ name: "Company", creation_content: { type: "m.space" } });
    world.projects = await make({
      name: "Projects", creation_content: { type: "m.space" }, initial_state: restricted(world.space),
    });
    world.room = await make({ name: "Team", topic: "What we do today", initial_state: restricted(world.space) });
    world.ship = await make({ name: "Ship", initial_state: restricted(world.space) });
    world.board = await make({ name: "Board" });
    await put(world.space, world.room, { suggested: true, order: "a" });
    await put(world.space, world.projects, { order: "b" });
    await put(world.space, world.board, { order: "c" });
    await put(world.projects, world.ship, {});
    await a.sees("the space with its rooms", () =>
      a.room(world.space)?.isSpaceRoom() && a.room(world.space).currentState.getStateEvents("m.space.child").length === 3);
  });
}

/** All pages of a hierarchy, as a client loads them. */
async function whole(person, space, suggestedOnly) {
  const hierarchy = new RoomHierarchy(person.room(space), PAGE, undefined, suggestedOnly);
  let pages = 0;
  while (hierarchy.canLoadMore && pages < 10) {
    await hierarchy.load();
    pages += 1;
  }
  assert.ok(!hierarchy.noSupport && !hierarchy.canLoadMore, "the hierarchy comes to an end");
  return { hierarchy, pages, names: hierarchy.rooms.map((room) => room.name) };
}

async function look(report, world) {
  const { a, b, c, space } = world;
  await report.must("B is invited to the space alone, and joins", async () => {
    await a.sdk.invite(space, b.id);
    await b.seesOwnMembership(space, "invite");
    await b.sdk.joinRoom(space);
    await b.seesOwnMembership(space, "join");
    await b.sees("that it is a space", () => b.room(space).isSpaceRoom());
  });
  await report.check("B looks through it page by page: in order, the inner space's room too, the closed room not", async () => {
    const { hierarchy, names, pages } = await whole(b, space);
    assert.deepEqual(names, ["Company", "Team", "Projects", "Ship"]);
    assert.equal(pages, 2);
    assert.equal(hierarchy.isSuggested(space, world.room), true);
    assert.deepEqual(hierarchy.backRefs.get(world.ship), [world.projects]);
    const team = hierarchy.roomMap.get(world.room);
    assert.deepEqual([team.join_rule, team.topic, team.num_joined_members], ["restricted", "What we do today", 1]);
    assert.equal(hierarchy.roomMap.get(world.projects).room_type, "m.space");
  });
  await report.check("A, who is in all rooms, sees the closed one too; of suggested rooms there is one", async () => {
    assert.deepEqual((await whole(a, space)).names, ["Company", "Team", "Projects", "Ship", "Board"]);
    assert.deepEqual((await whole(a, space, true)).names, ["Company", "Team"]);
  });
  await report.check("a depth of 1 leaves out what lies in the inner space", async () => {
    const { rooms } = await b.sdk.getRoomHierarchy(space, 50, 1);
    assert.deepEqual(rooms.map((room) => room.name), ["Company", "Team", "Projects"]);
  });
  await report.check("somebody who is not in the space sees nothing of it: M_FORBIDDEN", () =>
    refused(c.sdk.getRoomHierarchy(space), 403, "M_FORBIDDEN"));
}

async function enter(report, world) {
  const { a, b, c } = world;
  await report.must("B joins two rooms without being invited, because B is in the space", async () => {
    for (const room of [world.room, world.ship]) {
      await b.sdk.joinRoom(room);
      await b.seesOwnMembership(room, "join");
      await a.seesMembership(room, b.id, "join");
    }
  });
  await report.check("whoever is not in the space, and whoever was not invited to a closed room, is refused", async () => {
    await refused(c.sdk.joinRoom(world.room), 403, "M_FORBIDDEN");
    await refused(b.sdk.joinRoom(world.board), 403, "M_FORBIDDEN");
  });
}

async function change(report, world) {
  const { a, b, space } = world;
  await report.check("a room that is taken out of the space is not in it any more, for B either", async () => {
    await a.sdk.sendStateEvent(world.projects, "m.space.child", {}, world.ship);
    assert.deepEqual((await whole(b, space)).names, ["Company", "Team", "Projects"]);
    assert.equal(b.room(world.ship).getMyMembership(), "join", "and B stays in it");
  });
}
