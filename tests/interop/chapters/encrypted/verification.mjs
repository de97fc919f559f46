// Two people verify each other by comparing emoji, over the room.

import assert from "node:assert/strict";
import { CryptoEvent, VerifierEvent, VerificationPhase } from "matrix-js-sdk/lib/crypto-api/index.js";

/** Compares the emoji on one side; both are shown the same, so each side says yes. */
async function compare(verifier, shown) {
  verifier.on(VerifierEvent.ShowSas, (sas) => {
    shown.push(sas.sas.emoji.map(([, name]) => name).join(" "));
    sas.confirm();
  });
  await verifier.verify();
}

export async function verification(report, world) {
  const { a, b } = world;
  await report.must("A asks B to be verified, they compare emoji, and both are shown the same", async () => {
    const asked = new Promise((resolve) => b.sdk.once(CryptoEvent.VerificationRequestReceived, resolve));
    const atA = await a.crypto.requestVerificationDM(b.id, world.room);
    const atB = await asked;
    await atB.accept();
    await a.sees("that B accepted", () => atA.phase === VerificationPhase.Ready);
    const shown = [];
    const verifierOfA = await atA.startVerification("m.sas.v1");
    const verifierOfB = await b.sees("that it began", () => atB.verifier);
    await Promise.all([compare(verifierOfA, shown), compare(verifierOfB, shown)]);
    assert.equal(shown.length, 2);
    assert.equal(shown[0], shown[1]);
  });
  await report.check("each knows the other as verified", async () => {
    for (const [person, other] of [[a, b], [b, a]]) {
      await person.sees(`${other.id} verified`, async () =>
        (await person.crypto.getUserVerificationStatus(other.id)).isCrossSigningVerified());
    }
  });
}
