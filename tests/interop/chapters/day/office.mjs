// Who is there besides A and B: an administrator, a mail server, and a push gateway.

import assert from "node:assert/strict";
import { Gateway } from "../../harness/gateway.mjs";
import { Mailbox } from "../../harness/mailbox.mjs";
import { Person } from "../../harness/person.mjs";

export async function office(report, world) {
  await report.must("an administrator logs in, and a mail server and a push gateway are there", async () => {
    world.c = world.meet(await Person.logIn(world.url, world.accounts.c, "client C"));
    await world.c.start();
    world.mailbox = await Mailbox.open(world.mailPort);
    world.gateway = await Gateway.open();
    assert.notEqual(world.c.id, world.a.id);
  });
}
