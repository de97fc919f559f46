// A push gateway on loopback that keeps what it is told.

import { createServer } from "node:http";

const PATH = "/_matrix/push/v1/notify";

export class Gateway {
  /** What was told, in order: the `notification` of each request. */
  told = [];
  #rejected = new Set();
  #server;

  static async open() {
    const gateway = new Gateway();
    gateway.#server = createServer((request, response) => gateway.#answer(request, response));
    await new Promise((opened) => gateway.#server.listen(0, "127.0.0.1", opened));
    gateway.#server.unref();
    return gateway;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}${PATH}`;
  }

  /** Does not know a key any more. */
  reject(pushkey) {
    this.#rejected.add(pushkey);
  }

  of(pushkey) {
    return this.told.filter((notification) => notification.devices.some((device) => device.pushkey === pushkey));
  }

  /** What a key was told of an event. */
  event(pushkey, eventId) {
    return this.of(pushkey).find((notification) => notification.event_id === eventId);
  }

  /** The number on the icon that a key was told last. */
  badge(pushkey) {
    return this.of(pushkey).at(-1)?.counts.unread;
  }

  close() {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request, response) {
    let text = "";
    for await (const piece of request) text += piece;
    if (request.method !== "POST" || request.url !== PATH) {
      response.writeHead(404).end();
      return;
    }
    const { notification } = JSON.parse(text);
    this.told.push(notification);
    const keys = notification.devices.map((device) => device.pushkey);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ rejected: keys.filter((key) => this.#rejected.has(key)) }));
  }
}
