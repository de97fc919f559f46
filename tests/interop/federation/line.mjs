// The line on which other servers reach a server: a TCP relay that can be cut and mended.
// It sees only encrypted bytes.

import { connect, createServer } from "node:net";

export class Line {
  /** Listens on a free port of `host` and relays to `port` of the loopback. */
  static async open(host, port) {
    const line = new Line(port);
    await new Promise((resolve, reject) => {
      line.#relay.once("error", reject);
      line.#relay.listen(0, host, resolve);
    });
    line.port = line.#relay.address().port;
    return line;
  }

  /** Connections that were relayed so far. */
  relayed = 0;
  #port;
  #relay;
  #sockets = new Set();
  #state = "whole";

  constructor(port) {
    this.#port = port;
    this.#relay = createServer((near) => this.#accept(near));
  }

  /** Ends all connections and refuses new ones, as if the server was down. */
  cut() {
    this.#state = "cut";
    this.#endAll();
  }

  /** Lets nothing through any more and tells nobody, as if a cable was pulled. */
  silence() {
    this.#state = "silent";
    for (const socket of this.#sockets) this.#hold(socket);
  }

  /** Lets new connections through again. What was silenced is over. */
  mend() {
    this.#state = "whole";
    this.#endAll();
  }

  close() {
    this.cut();
    this.#relay.close();
  }

  #accept(near) {
    this.#keep(near);
    if (this.#state === "cut") return near.resetAndDestroy();
    if (this.#state === "silent") return this.#hold(near);
    this.relayed += 1;
    const far = connect(this.#port, "127.0.0.1");
    this.#keep(far);
    for (const [one, other] of [[near, far], [far, near]]) {
      one.pipe(other);
      one.on("close", () => other.destroy());
    }
    return undefined;
  }

  #keep(socket) {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => undefined); // either side may end it at any time
    socket.on("close", () => this.#sockets.delete(socket));
  }

  #hold(socket) {
    socket.unpipe();
    socket.pause();
  }

  #endAll() {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }
}
