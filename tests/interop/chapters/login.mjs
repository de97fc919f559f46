// Two people log in by password and start to sync.

import assert from "node:assert/strict";
import { createClient } from "matrix-js-sdk";
import { Person, refused } from "../harness/person.mjs";

export async function login(report, world) {
  const { url, accounts } = world;
  await report.must("the server offers a version which matrix-js-sdk 43 supports, and login by password", async () => {
    const anyone = createClient({ baseUrl: url });
    const { versions } = await anyone.getVersions();
    assert.ok(versions.some((v) => /^v1\.([1-9]|1[0-3])$/.test(v)), `versions: ${versions}`);
    const { flows } = await anyone.loginFlows();
    assert.ok(flows.some((flow) => flow.type === "m.login.password"), JSON.stringify(flows));
  });
  await report.check("a wrong password is refused with M_FORBIDDEN", () =>
    refused(Person.logIn(url, { user: accounts.a.user, password: "not this one" }, "intruder"), 403, "M_FORBIDDEN"));
  await report.must("two clients log in by password", async () => {
    world.a = world.meet(await Person.logIn(url, accounts.a, "client A"));
    world.b = world.meet(await Person.logIn(url, accounts.b, "client B"));
    assert.notEqual(world.a.session.device_id, world.b.session.device_id);
  });
  await report.check("the server says who is logged in with which device", async () => {
    const whoami = await world.a.sdk.whoami();
    assert.equal(whoami.user_id, world.a.id);
    assert.equal(whoami.device_id, world.a.session.device_id);
  });
  await report.must("both start to sync with lazily loaded members", async () => {
    await Promise.all([world.a.start({ lazyLoadMembers: true }), world.b.start({ lazyLoadMembers: true })]);
  });
}
