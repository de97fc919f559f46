// B reports a message, a room and a person; the administrator sees that, and settles it.

import assert from "node:assert/strict";

const REPORTS = "/_parvis/admin/v1/reports";

export async function reports(report, world) {
  const { a, b, room } = world;
  const bad = {};
  await report.must("B reports a message, the room, and who has written it", async () => {
    bad.event = await a.say(room, "you are all fired");
    await b.seesEvent(room, bad.event);
    await b.sdk.reportEvent(room, bad.event, -100, "this is rude");
    await b.sdk.reportRoom(room, "everybody is rude here");
    const path = `/_matrix/client/v3/users/${encodeURIComponent(a.id)}/report`;
    assert.equal((await ask(b, "POST", path, { reason: "rude again" })).status, 200);
  });
  await report.check("the administrator sees the three, and the message's words only in its own report", async () => {
    const { reports } = await told(world.c, "GET", REPORTS);
    bad.reports = reports.filter((one) => one.by === b.id);
    assert.deepEqual(bad.reports.map((one) => [one.kind, one.reason]), [
      ["user", "rude again"], ["room", "everybody is rude here"], ["event", "this is rude"],
    ]);
    assert.ok(!JSON.stringify(reports).includes("fired"));
    const [ofUser, , ofEvent] = bad.reports;
    assert.equal(ofUser.user_id, a.id);
    const whole = await told(world.c, "GET", `${REPORTS}/${ofEvent.number}`);
    assert.deepEqual([whole.event_id, whole.room_id, whole.user_id], [bad.event, room, a.id]);
    assert.equal(whole.event.content.body, "you are all fired");
  });
  await report.check("a report keeps what was said even when it is taken back", async () => {
    await a.sdk.redactEvent(room, bad.event);
    const whole = await told(world.c, "GET", `${REPORTS}/${bad.reports[2].number}`);
    assert.equal(whole.event.content.body, "you are all fired");
  });
  await report.check("a report that is settled is not among the open ones any more, and says who has settled it", async () => {
    const { number } = bad.reports[2];
    await told(world.c, "PUT", `${REPORTS}/${number}`, { closed: true, note: "talked with A" });
    const open = await told(world.c, "GET", REPORTS);
    assert.ok(!open.reports.some((one) => one.number === number));
    const closed = await told(world.c, "GET", `${REPORTS}?status=closed`);
    const found = closed.reports.find((one) => one.number === number);
    assert.deepEqual([found.closed_by, found.note], [world.c.id, "talked with A"]);
  });
  await report.check("B, who is no administrator, sees no reports: M_FORBIDDEN", async () => {
    const answer = await ask(b, "GET", REPORTS);
    assert.equal(answer.status, 403);
    assert.equal((await answer.json()).errcode, "M_FORBIDDEN");
  });
}

function ask(person, method, path, body) {
  const headers = { Authorization: `Bearer ${person.session.access_token}`, "Content-Type": "application/json" };
  return person.wire.fetchAside(`${person.url}${path}`, { method, headers, body: body && JSON.stringify(body) });
}

async function told(person, method, path, body) {
  const answer = await ask(person, method, path, body);
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}
