// Two people verify each other by comparing emoji, over the room.

import assert from "node:assert/strict";

const EMOJI = 7;

export async function verification(report, world) {
  const { a, b } = world;
  await report.must("A asks B to be verified, they compare emoji, and both are shown the same", async () => {
    const atA = await a.asksToVerify(world.room, b.id);
    const atB = await b.isAsked();
    await atB.accept();
    await a.sees("that B accepted", () => atA.isReady());
    await atA.begin();
    const [shownToA, shownToB] = await Promise.all([atA.emoji(), atB.emoji()]);
    assert.equal(shownToA.length, EMOJI);
    assert.deepEqual(shownToA, shownToB);
    await Promise.all([atA.confirm(), atB.confirm()]);
  });
  await report.check("each knows the other as verified", async () => {
    for (const [person, other] of [[a, b], [b, a]]) {
      await person.sees(`${other.id} verified`, () => person.trusts(other.id));
    }
  });
}
