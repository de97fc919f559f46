// One side of the story: a server, the line on which the other reaches it, and its people.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../harness/parvis.mjs";
import { Line } from "./line.mjs";
import { Person } from "./person.mjs";
import { parvis } from "./servers/parvis.mjs";
import { synapse } from "./servers/synapse.mjs";

const MAKE = { parvis, synapse };

export class Side {
  /**
   * Prepares a server that others know as `host` and a port. `kind` says which: `{ make: "parvis", program,
   * database }` or `{ make: "synapse", environment }`.
   */
  static async prepare({ label, host, kind, authority, directory, retries }) {
    const side = new Side(label);
    side.directory = join(directory, label);
    await mkdir(side.directory);
    const ports = { client: await freePort(), federation: await freePort() };
    side.line = await Line.open(host, ports.federation);
    side.name = `${host}:${side.line.port}`;
    side.url = `http://127.0.0.1:${ports.client}`;
    const tls = await authority.certify(host);
    const { make, ...own } = kind;
    side.make = make;
    side.process = await MAKE[make]({
      ...own, name: side.name, directory: side.directory, ports, tls, authority: authority.certificate, retries,
    });
    return side;
  }

  people = [];

  constructor(label) {
    this.label = label;
  }

  /** A new person with one device that syncs. */
  async person(name) {
    const person = await Person.register(this, `${name}-${this.people.length}`);
    this.people.push(person);
    return person;
  }

  /** Ends everything; returns what was wrong with it, if anything. */
  async close() {
    const faults = [];
    for (const person of this.people) person.unfollow();
    await this.process.stop().catch((error) => faults.push(`${this.label}: ${error.message}`));
    this.line.close();
    if ((await this.process.said()).includes("panicked at")) faults.push(`${this.label}: the server panicked`);
    return faults;
  }
}
