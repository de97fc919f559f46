// A phone that is told through a push gateway: pushers, push rules that are edited and honoured, the number on the icon.

import assert from "node:assert/strict";
import { ConditionKind, PushRuleKind } from "matrix-js-sdk";
import { Gateway } from "../harness/gateway.mjs";

const KEY = "phone-of-b";
const APP = "org.example.interop";

export async function phone(report, world) {
  if (!world.gatewayExpected) return;
  const gateway = await Gateway.open();
  try {
    await pusher(report, world, gateway);
    await told(report, world, gateway);
    await muted(report, world, gateway);
    await keyword(report, world, gateway);
    await poll(report, world, gateway);
    await rejected(report, world, gateway);
  } finally {
    gateway.close();
  }
}

const isTold = (person, gateway, eventId) =>
  person.sees(`the phone told of ${eventId}`, () => gateway.event(KEY, eventId));

const shows = (person, gateway, number) =>
  person.sees(`${number} on the icon`, () => gateway.badge(KEY) === number);

async function readAll({ a, b, room }) {
  const eventId = await a.say(room, "up to here");
  await b.sdk.sendReadReceipt(await b.seesEvent(room, eventId), "m.read", true);
}

async function pusher(report, world, gateway) {
  const { b } = world;
  await report.check("B's app names a push gateway, and the pusher is listed", async () => {
    await b.sdk.setPusher({
      kind: "http", app_id: APP, pushkey: KEY, app_display_name: "Interop", device_display_name: "Phone", lang: "en",
      data: { url: gateway.url, format: "event_id_only" }, append: false,
    });
    const { pushers } = await b.sdk.getPushers();
    assert.deepEqual(pushers.map((known) => [known.app_id, known.pushkey]), [[APP, KEY]]);
    await readAll(world);
  });
}

async function told(report, world, gateway) {
  const { a, b, room } = world;
  await report.check("a message reaches the phone by its id alone, and the number falls when it is read", async () => {
    const eventId = await a.say(room, "are you there?");
    const notification = await isTold(b, gateway, eventId);
    assert.equal(notification.room_id, room);
    assert.equal(notification.content, undefined);
    assert.equal(notification.devices[0].data.url, undefined);
    await b.sdk.sendReadReceipt(await b.seesEvent(room, eventId), "m.read", true);
    await shows(b, gateway, 0);
    assert.equal(b.room(room).getUnreadNotificationCount("total"), 0);
  });
  await report.check("what was told is in the list of notifications", async () => {
    const answer = await b.sdk.http.authedRequest("GET", "/notifications", { limit: "50" });
    const eventIds = answer.notifications.map((notification) => notification.event.event_id);
    assert.ok(gateway.of(KEY).filter((one) => one.event_id).every((one) => eventIds.includes(one.event_id)));
  });
}

async function muted(report, world, gateway) {
  const { a, b, room } = world;
  await report.check("a room that B mutes is not told of, and again when it is not muted any more", async () => {
    const dontNotify = { actions: [], conditions: [{ kind: ConditionKind.EventMatch, key: "room_id", pattern: room }] };
    await b.sdk.addPushRule("global", PushRuleKind.Override, room, dontNotify);
    const silent = await a.say(room, "nobody hears this");
    await b.seesEvent(room, silent);
    await b.sdk.deletePushRule("global", PushRuleKind.Override, room);
    const eventId = await a.say(room, "and this?");
    await isTold(b, gateway, eventId);
    assert.equal(gateway.event(KEY, silent), undefined);
    await readAll(world);
  });
}

async function keyword(report, world, gateway) {
  const { a, b, room } = world;
  await report.check("with messages switched off, a keyword of B's own still gets through", async () => {
    for (const rule of [".m.rule.message", ".m.rule.room_one_to_one"]) {
      await b.sdk.setPushRuleEnabled("global", PushRuleKind.Underride, rule, false);
    }
    await b.sdk.addPushRule("global", PushRuleKind.ContentSpecific, "cake", {
      pattern: "cake", actions: ["notify", { set_tweak: "highlight" }],
    });
    const silent = await a.say(room, "there is coffee");
    const eventId = await a.say(room, "there is cake");
    assert.equal((await isTold(b, gateway, eventId)).prio, "high");
    assert.equal(gateway.event(KEY, silent), undefined);
    await b.sdk.deletePushRule("global", PushRuleKind.ContentSpecific, "cake");
    for (const rule of [".m.rule.message", ".m.rule.room_one_to_one"]) {
      await b.sdk.setPushRuleEnabled("global", PushRuleKind.Underride, rule, true);
    }
    await readAll(world);
  });
}

async function poll(report, world, gateway) {
  const { a, b, room } = world;
  await report.check("a poll reaches the phone, and the answers to it do not", async () => {
    const question = { question: { "org.matrix.msc1767.text": "Tea?" }, answers: [{ id: "y", "org.matrix.msc1767.text": "Yes" }] };
    const start = await a.sdk.sendEvent(room, "org.matrix.msc3381.poll.start", { "org.matrix.msc3381.poll.start": question });
    await isTold(b, gateway, start.event_id);
    const answer = await a.sdk.sendEvent(room, "org.matrix.msc3381.poll.response", {
      "m.relates_to": { rel_type: "m.reference", event_id: start.event_id },
      "org.matrix.msc3381.poll.response": { answers: ["y"] },
    });
    const eventId = await a.say(room, "have you answered?");
    await isTold(b, gateway, eventId);
    assert.equal(gateway.event(KEY, answer.event_id), undefined);
    await readAll(world);
  });
}

async function rejected(report, world, gateway) {
  const { a, b, room } = world;
  await report.check("when the gateway rejects the key, the pusher is gone", async () => {
    gateway.reject(KEY);
    await isTold(b, gateway, await a.say(room, "one last time"));
    await b.sees("no pusher", async () => (await b.sdk.getPushers()).pushers.length === 0);
    await readAll(world);
  });
}
