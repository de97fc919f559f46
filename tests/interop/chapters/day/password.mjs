// B has forgotten the password, and gets a new one by mail.

import assert from "node:assert/strict";
import { createClient } from "matrix-js-sdk";
import { Person, refused } from "../../harness/person.mjs";
import { follow, linkIn } from "./addresses.mjs";

export async function password(report, world) {
  const { url, b, mailbox, accounts } = world;
  const anyone = createClient({ baseUrl: url });
  const proof = { client_secret: `forgotten${world.tag}` };
  const changed = "a new password, 2 this time";
  const set = () => anyone.setPassword({
    type: "m.login.email.identity", threepid_creds: proof, threepidCreds: proof,
  }, changed, true);
  await report.check("an address that nobody has gets no mail: M_THREEPID_NOT_FOUND", async () => {
    const nobody = `nobody.${world.tag}@example.org`;
    await refused(anyone.requestPasswordEmailToken(nobody, proof.client_secret, 1), 400, "M_THREEPID_NOT_FOUND");
    assert.equal(mailbox.of(nobody).length, 0);
  });
  await report.must("B asks for a mail without being logged in, and it says what it is for", async () => {
    const before = mailbox.of(world.address).length;
    proof.sid = (await anyone.requestPasswordEmailToken(world.address, proof.client_secret, 1)).sid;
    const mail = await mailbox.arrives(world.address, before + 1);
    assert.match(mail.subject, /new password/i);
    proof.link = linkIn(mail);
  });
  await report.check("before the link was followed there is no new password", async () => {
    const refusal = await set().then(() => undefined, (error) => error);
    assert.equal(refusal?.httpStatus, 401, `${refusal}`);
    await Person.logIn(url, accounts.b, "old password");
  });
  await report.must("B follows the link, confirms, and sets a new password", async () => {
    await follow(b, proof.link);
    await set();
  });
  await report.check("B's devices are logged out, the old password is wrong, and the new one is right", async () => {
    await refused(b.sdk.whoami(), 401, "M_UNKNOWN_TOKEN");
    await refused(Person.logIn(url, accounts.b, "old password"), 403, "M_FORBIDDEN");
    const again = await Person.logIn(url, { user: accounts.b.user, password: changed }, "new password");
    assert.equal(again.id, b.id);
    again.stop();
  });
  await report.check("the proof is good for one new password", async () => {
    const refusal = await set().then(() => undefined, (error) => error);
    assert.equal(refusal?.httpStatus, 401, `${refusal}`);
  });
  world.gateway.close();
  mailbox.close();
}
