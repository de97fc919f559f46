// B's phone, and what B lets through to it: a room that is silenced, mentions alone, nothing at all, a keyword.

import assert from "node:assert/strict";
import { ConditionKind, PushRuleKind } from "matrix-js-sdk";
import { open } from "./threads.mjs";

const KEY = "b-phone";
const APP = "org.example.day";

export async function pushing(report, world) {
  await ring(report, world);
  await silence(report, world);
  await everything(report, world);
  await words(report, world);
  await phoneAway(report, world);
}

const rings = (world, eventId) =>
  world.b.sees(`the phone told of ${eventId}`, () => world.gateway.event(KEY, eventId));

/** Nothing was told of these, though the phone was told of what was said after them. */
async function staysSilent(world, ...eventIds) {
  const { b, room } = world;
  for (const eventId of eventIds) {
    await b.sees(`the event ${eventId}`, () => b.wire.timeline(room).some((event) => event.event_id === eventId));
  }
  await rings(world, await world.a.say(world.ship, "is your phone on?"));
  for (const eventId of eventIds) assert.equal(world.gateway.event(KEY, eventId), undefined);
}

const mention = (world, body) => world.a.say(world.room, body, { "m.mentions": { user_ids: [world.b.id] } });

async function readAll({ b, room, ship }) {
  for (const one of [room, ship]) {
    const newest = b.wire.timeline(one).at(-1).event_id; // in whatever thread
    await b.sdk.setRoomReadMarkersHttpRequest(one, newest, newest);
  }
}

async function ring(report, world) {
  const { a, b, room, gateway } = world;
  await report.must("B's phone is told of a message, of one in a thread, and of an invitation", async () => {
    await b.sdk.setPusher({
      kind: "http", app_id: APP, pushkey: KEY, app_display_name: "Day", device_display_name: "Phone", lang: "fr",
      data: { url: gateway.url, format: "event_id_only" }, append: false,
    });
    await readAll(world);
    const root = await a.say(room, "the coffee is ready");
    await rings(world, root);
    await open(a, room, root);
    await rings(world, await a.say(room, "and cake", { threadId: root }));
    const club = (await a.sdk.createRoom({ preset: "private_chat", name: "Club", invite: [b.id] })).room_id;
    await b.sees("the phone told of the invitation", () =>
      gateway.of(KEY).some((told) => told.event_id && told.room_id === club));
    await b.sdk.leave(club);
  });
  await report.check("the number on the icon is what the app shows as unread, and falls when B has read", async () => {
    await b.sees("the same number", () => {
      const shown = b.sdk.getRooms().reduce((sum, one) => sum + one.getUnreadNotificationCount("total"), 0);
      return shown === 2 && gateway.badge(KEY) === shown;
    });
    await readAll(world);
    await b.sees("no number on the icon", () => gateway.badge(KEY) === 0);
  });
}

async function silence(report, world) {
  const { a, b, room } = world;
  await report.check("B silences the room: a message does not reach the phone, and nothing is counted", async () => {
    await b.sdk.setRoomMutePushRule("global", room, true);
    await b.sees("the rule", () => b.sdk.getRoomPushRule("global", room));
    await staysSilent(world, await a.say(room, "is anybody there?"), await a.say(room, "hello?"));
    assert.equal(b.wire.unread(room).notifications, 0);
  });
  await report.check("a mention of B still gets through, for it stands above the room's rule", async () => {
    const told = await rings(world, await mention(world, "B, the customer is on the phone"));
    assert.equal(told.prio, "high");
    await b.sees("one highlight", () => b.wire.unread(room).highlights === 1);
    await readAll(world);
  });
}

async function everything(report, world) {
  const { a, b, room } = world;
  await report.check("B wants nothing at all of this room: a mention does not get through either", async () => {
    const conditions = [{ kind: ConditionKind.EventMatch, key: "room_id", pattern: room }];
    await b.sdk.addPushRule("global", PushRuleKind.Override, room, { actions: [], conditions });
    await staysSilent(world, await mention(world, "B, where are you?"), await a.say(room, "nobody is there"));
    await b.sdk.deletePushRule("global", PushRuleKind.Override, room);
    await rings(world, await mention(world, "B, at last"));
  });
  await report.check("the room is not silent any more, and its messages reach the phone again", async () => {
    await b.sdk.setRoomMutePushRule("global", room, false);
    await b.sees("no rule", () => !b.sdk.getRoomPushRule("global", room));
    await rings(world, await a.say(room, "good that you are back"));
    await readAll(world);
  });
}

async function words(report, world) {
  const { a, b, room } = world;
  await report.check("with messages switched off, a word of B's own gets through; its rule can be switched off too", async () => {
    const enable = (kind, rule, enabled) => b.sdk.setPushRuleEnabled("global", kind, rule, enabled);
    await b.sdk.addPushRule("global", PushRuleKind.ContentSpecific, "invoice", {
      pattern: "invoice", actions: ["notify", { set_tweak: "highlight" }],
    });
    const shipRule = { actions: ["notify"] };
    await b.sdk.addPushRule("global", PushRuleKind.RoomSpecific, world.ship, shipRule); // so that one room still rings
    for (const rule of [".m.rule.message", ".m.rule.room_one_to_one"]) await enable(PushRuleKind.Underride, rule, false);
    await staysSilent(world, await a.say(room, "the letter is there"));
    await rings(world, await a.say(room, "the Invoice is there"));
    await enable(PushRuleKind.ContentSpecific, "invoice", false);
    await staysSilent(world, await a.say(room, "one more invoice"));
    for (const rule of [".m.rule.message", ".m.rule.room_one_to_one"]) await enable(PushRuleKind.Underride, rule, true);
    await b.sdk.deletePushRule("global", PushRuleKind.ContentSpecific, "invoice");
    await b.sdk.deletePushRule("global", PushRuleKind.RoomSpecific, world.ship);
    const { global } = await b.sdk.getPushRules();
    assert.deepEqual(global.content.filter((rule) => !rule.default), []);
    await readAll(world);
  });
}

async function phoneAway(report, world) {
  const { a, b, room, gateway } = world;
  await report.check("B takes the pusher away, and the phone is told nothing any more", async () => {
    await b.sdk.removePusher(KEY, APP);
    assert.deepEqual((await b.sdk.getPushers()).pushers, []);
    const eventId = await a.say(room, "good-bye, phone");
    await b.seesEvent(room, eventId);
    await readAll(world);
    assert.equal(gateway.event(KEY, eventId), undefined);
  });
}
