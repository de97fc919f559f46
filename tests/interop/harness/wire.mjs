// What one client said to the server and what it was told: a `fetch` that remembers.
// The SDK hides doubled events and repeated answers; here they can be counted.

export class Wire {
  exchanges = [];
  #cutAt;
  #isCut = false;

  constructor(name) {
    this.name = name;
  }

  /**
   * Cuts the line at the next matching request: the server still receives it, but no answer to anything
   * reaches the client from then on, until `mend`.
   */
  cutAt(method, pathPattern) {
    this.#cutAt = { method, pathPattern };
  }

  mend() {
    this.#isCut = false;
  }

  /** The request at which the line was cut, once the server has answered it. */
  severed() {
    return this.exchanges.find((exchange) => exchange.severed && exchange.status);
  }

  fetch = (resource, options) => this.#remember(resource, options, true);

  /** A request by the test itself: it can be seen in a failure's report, but is nothing that the client was told. */
  fetchAside = (resource, options) => this.#remember(resource, options, false);

  async #remember(resource, options = {}, byClient) {
    const url = new URL(resource);
    const exchange = { at: Date.now(), method: options.method ?? "GET", path: url.pathname, query: url.searchParams };
    exchange.request = typeof options.body === "string" ? options.body : undefined;
    this.exchanges.push(exchange);
    try {
      if (byClient && this.#isCut) throw new TypeError("the line is cut (by the test)");
      exchange.severed = byClient && this.#cutsHere(exchange);
      const response = await fetch(resource, options);
      exchange.status = response.status;
      if (response.headers.get("content-type")?.includes("json")) {
        exchange.body = await response.clone().json().catch(() => undefined);
      }
      if (byClient && this.#isCut) throw new TypeError("the answer was lost (by the test)");
      exchange.received = byClient;
      return response;
    } catch (error) {
      exchange.error = String(error.cause?.code ?? error.message);
      throw error;
    } finally {
      exchange.ended = Date.now();
    }
  }

  #cutsHere({ method, path }) {
    const rule = this.#cutAt;
    if (rule?.method !== method || !rule.pathPattern.test(path)) return false;
    this.#cutAt = undefined;
    this.#isCut = true;
    return true;
  }

  /** The bodies of what this client sent to such paths since a time. */
  sent(method, pathPattern, since = 0) {
    return this.exchanges
      .filter((e) => e.at >= since && e.method === method && pathPattern.test(e.path) && e.request)
      .map((e) => JSON.parse(e.request));
  }

  /** The sync answers this client received, oldest first. */
  syncs() {
    return this.exchanges.filter((e) => e.received && e.status === 200 && e.path.endsWith("/sync")).map((e) => e.body);
  }

  /** This room's part of each received sync answer, where it was joined. */
  joined(roomId) {
    return this.syncs().flatMap((sync) => sync.rooms?.join?.[roomId] ?? []);
  }

  /** Events of the room's timeline as sync delivered them, in order, with repetitions if there are any. */
  timeline(roomId) {
    return this.joined(roomId).flatMap((room) => room.timeline?.events ?? []);
  }

  /** Events that pagination backwards delivered, newest first, with repetitions if there are any. */
  pages(roomId) {
    const path = `/rooms/${encodeURIComponent(roomId)}/messages`;
    return this.exchanges
      .filter((e) => e.received && e.status === 200 && e.path.endsWith(path))
      .flatMap((e) => e.body.chunk);
  }

  /** Ids of the events which the server acknowledged to this client in this room. */
  acknowledged(roomId) {
    const room = `/rooms/${encodeURIComponent(roomId)}/`;
    return this.exchanges
      .filter((e) => e.received && e.method === "PUT" && e.path.includes(room) && e.body?.event_id)
      .map((e) => e.body.event_id);
  }

  /** The newest unread counts the server told of: of the main timeline, and by thread. */
  unread(roomId) {
    const newest = this.joined(roomId).findLast((room) => room.unread_notifications);
    const main = newest?.unread_notifications ?? {};
    return {
      notifications: main.notification_count ?? 0,
      highlights: main.highlight_count ?? 0,
      thread: (root) => ({
        notifications: newest?.unread_thread_notifications?.[root]?.notification_count ?? 0,
        highlights: newest?.unread_thread_notifications?.[root]?.highlight_count ?? 0,
      }),
    };
  }

  /** Every receipt sync delivered in this room, flat. */
  receipts(roomId) {
    const events = this.joined(roomId).flatMap((room) => room.ephemeral?.events ?? []);
    return events.filter((event) => event.type === "m.receipt").flatMap((event) => flatReceipts(event.content));
  }

  /** For a failure's report: the requests since `time`, without syncs that went well. */
  evidence(time) {
    return this.exchanges
      .filter((e) => (e.ended ?? Infinity) >= time && !(e.path.endsWith("/sync") && (e.status === 200 || !e.ended)))
      .slice(-10)
      .map((e) => `${this.name}: ${e.method} ${e.path}${queryText(e)} ${short(e.request)} -> ${outcome(e)}`);
  }
}

function flatReceipts(content) {
  return Object.entries(content).flatMap(([eventId, byType]) =>
    Object.entries(byType).flatMap(([type, byUser]) =>
      Object.entries(byUser).map(([userId, data]) => ({ eventId, type, userId, threadId: data.thread_id })),
    ),
  );
}

function queryText({ query }) {
  const text = decodeURIComponent(query.toString());
  return text ? `?${short(text)}` : "";
}

function outcome({ status, error, body }) {
  if (error) return error;
  return status === undefined ? "no answer yet" : `${status} ${short(body && JSON.stringify(body))}`;
}

function short(text) {
  if (!text) return "";
  return text.length > 300 ? `${text.slice(0, 300)}...` : text;
}
