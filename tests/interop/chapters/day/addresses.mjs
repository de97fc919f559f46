// A mail address that B proves by a link in a mail and adds to the account.

import assert from "node:assert/strict";
import { refused } from "../../harness/person.mjs";

export async function addresses(report, world) {
  const { b, mailbox } = world;
  world.address = `ben.${world.tag}@example.org`;
  const proof = { client_secret: `secret${world.tag}` };
  await report.must("B asks for a mail to a new address, and it arrives with a link", async () => {
    proof.sid = (await b.sdk.requestAdd3pidEmailToken(world.address, proof.client_secret, 1)).sid;
    const mail = await mailbox.arrives(world.address, 1);
    assert.deepEqual(mail.to, [world.address]);
    assert.match(mail.headers.from, /chat@interop\.localhost/);
    assert.match(mail.subject, /Interop/);
    assert.equal(linkIn(mail), linkIn({ text: mail.html.replaceAll("&amp;", "&") }), "text and HTML have the same link");
    proof.link = linkIn(mail);
  });
  await report.check("the same attempt sends no second mail, and the address is not added before it is proved", async () => {
    const again = await b.sdk.requestAdd3pidEmailToken(world.address, proof.client_secret, 1);
    assert.equal(again.sid, proof.sid);
    assert.equal(mailbox.of(world.address).length, 1);
    await refused(add(world, proof), 400, "M_THREEPID_AUTH_FAILED");
  });
  await report.must("B follows the link and confirms, and adds the address with the password", async () => {
    await follow(b, proof.link);
    await add(world, proof);
    const { threepids } = await b.sdk.getThreePids();
    assert.deepEqual(threepids.map(({ medium, address }) => [medium, address]), [["email", world.address]]);
  });
  await report.check("the link is good for one use", async () => {
    const again = await b.wire.fetchAside(atServer(b, proof.link), { method: "POST" });
    assert.equal(again.status, 400);
  });
}

/** The one link in a mail. */
export function linkIn({ text }) {
  const links = text.match(/https?:\/\/[^\s"<>]+/g) ?? [];
  assert.equal(new Set(links).size, 1, `one link in: ${text}`);
  return links[0];
}

/** The link at the address where the server is in this test: its public one leads nowhere. */
export function atServer(person, link) {
  const { pathname, search } = new URL(link);
  return `${person.url}${pathname}${search}`;
}

/** What a browser does: it shows the page, and its person presses the button. */
export async function follow(person, link) {
  const url = atServer(person, link);
  const page = await person.wire.fetchAside(url, { headers: { "Accept-Language": "fr" } });
  assert.equal(page.status, 200);
  const html = await page.text();
  assert.match(html, /<html lang="fr">/);
  assert.match(html, /<form method="post">/);
  const done = await person.wire.fetchAside(url, { method: "POST", headers: { "Accept-Language": "fr" } });
  assert.equal(done.status, 200, await done.text());
}

/** Adds a proved address, with the password as the server asks. */
async function add({ b, accounts }, { sid, client_secret: secret }) {
  const identifier = { type: "m.id.user", user: b.id };
  const once = (auth) => b.sdk.addThreePidOnly({ sid, client_secret: secret, auth });
  const asked = await once().catch((error) => error);
  assert.equal(asked.httpStatus, 401, "the password is asked for");
  return once({ type: "m.login.password", identifier, password: accounts.b.password, session: asked.data.session });
}
