// Two people log in with clients that can encrypt, and publish their keys without being asked for anything.

import assert from "node:assert/strict";

export async function arrival(report, world) {
  const { url, urlOfB, accounts, clients } = world;
  if (!world.encryptedFromTheStart) await report.check("the server publishes that new rooms are plain", async () => {
    const document = await (await fetch(`${url}/.well-known/matrix/client`)).json();
    for (const name of ["io.element.e2ee", "im.vector.riot.e2ee"]) {
      assert.deepEqual(document[name], { default: false });
    }
  });
  await report.must("two people log in, with their keys", async () => {
    world.a = world.meet(await clients.a.arrive(url, accounts.a, "client A"));
    world.b = world.meet(await clients.b.arrive(urlOfB, accounts.b, "client B"));
  });
  await report.must("their keys for cross-signing are taken without a password", async () => {
    for (const person of [world.a, world.b]) {
      await person.crossSign();
      await person.sees("the own device signed", () => person.isSigned());
    }
  });
}
