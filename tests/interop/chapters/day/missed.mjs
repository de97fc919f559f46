// B goes home, and is told by mail what was missed.

import assert from "node:assert/strict";
import { PushRuleKind } from "matrix-js-sdk";
import { pause, refused } from "../../harness/person.mjs";
import { atServer } from "./addresses.mjs";

/** Longer than what is unread waits before it comes into a mail. */
const LONG_ENOUGH_MS = 6_000;

export async function missed(report, world) {
  const mail = { had: world.mailbox.of(world.address).length };
  await ask(report, world);
  await tell(report, world, mail);
  await silence(report, world, mail);
  await stop(report, world, mail);
}

async function readAll({ b, room, ship }) {
  for (const one of [room, ship]) {
    const newest = b.wire.timeline(one).at(-1).event_id;
    await b.sdk.setRoomReadMarkersHttpRequest(one, newest, newest);
  }
}

async function ask(report, world) {
  const { b, address } = world;
  const pusher = (pushkey) => ({
    kind: "email", app_id: "m.email", pushkey, app_display_name: "Email Notifications", device_display_name: pushkey,
    lang: "fr", data: { brand: "Interop" }, append: true,
  });
  await report.must("B's app asks for mails to B's own address; to somebody else's it may not", async () => {
    await readAll(world);
    await refused(b.sdk.setPusher(pusher("somebody@example.org")), 400, "M_INVALID_PARAM");
    await b.sdk.setPusher(pusher(address));
    const { pushers } = await b.sdk.getPushers();
    assert.deepEqual(pushers.map(({ kind, pushkey }) => [kind, pushkey]), [["email", address]]);
    assert.ok(!JSON.stringify(pushers).includes("stop"));
  });
}

async function tell(report, world, mail) {
  const { a, b, room, ship, mailbox, address } = world;
  await report.must("what nobody has read for a while comes into one mail, in French, with names and without words", async () => {
    const spoken = [await a.say(room, "the alarm is on"), await a.say(room, "good night"), await a.say(ship, "we sail")];
    await b.seesEvent(ship, spoken.at(-1));
    mail.first = await mailbox.arrives(address, mail.had + 1);
    const { subject, text, html } = mail.first;
    assert.equal(subject, "Messages non lus auprès de Interop");
    assert.match(text, /Messages non lus: 3\nNombre de salons: 2\n/);
    assert.match(text, /Team: 2 \(anna-/);
    assert.match(html, /<strong>Ship<\/strong>: 1/);
    assert.ok(!/alarm|night|sail/.test(text + html));
  });
  await report.check("what was read in time comes into no mail, and nothing into two", async () => {
    const eventId = await a.say(room, "one more thing");
    await b.seesEvent(room, eventId);
    await readAll(world);
    await pause(LONG_ENOUGH_MS);
    assert.equal(mailbox.of(address).length, mail.had + 1);
  });
}

async function silence(report, world, mail) {
  const { a, b, room, ship, mailbox, address } = world;
  await report.check("a room that B has silenced sends no mail", async () => {
    await b.sdk.addPushRule("global", PushRuleKind.RoomSpecific, room, { actions: [] });
    await b.seesEvent(room, await a.say(room, "nobody needs to know"));
    await a.say(ship, "but this");
    const { text } = await mailbox.arrives(address, mail.had + 2);
    assert.match(text, /Messages non lus: 1\n/);
    assert.match(text, /Ship/);
    await b.sdk.deletePushRule("global", PushRuleKind.RoomSpecific, room);
    await readAll(world);
  });
}

async function stop(report, world, mail) {
  const { a, b, room, mailbox, address } = world;
  const link = mail.first.headers["list-unsubscribe"].slice(1, -1);
  await report.check("the link in a mail, which its header has too, asks first and then stops the mails", async () => {
    assert.ok(mail.first.text.includes(link));
    assert.equal(mail.first.headers["list-unsubscribe-post"], "List-Unsubscribe=One-Click");
    const page = await b.wire.fetchAside(atServer(b, link), { headers: { "Accept-Language": "it" } });
    assert.match(await page.text(), /<form method="post">/);
    assert.equal((await b.sdk.getPushers()).pushers.length, 1, "who follows the link stops nothing yet");
    const done = await b.wire.fetchAside(atServer(b, link), { method: "POST" });
    assert.equal(done.status, 200);
    assert.equal((await b.sdk.getPushers()).pushers.length, 0);
  });
  await report.check("and no mail comes any more", async () => {
    await b.seesEvent(room, await a.say(room, "who hears me?"));
    await pause(LONG_ENOUGH_MS);
    assert.equal(mailbox.of(address).length, mail.had + 2);
    await readAll(world);
  });
}
