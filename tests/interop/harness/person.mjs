// A person at a client: one matrix-js-sdk client with one device, its wire, and waiting for what it shall see.

import assert from "node:assert/strict";
import { createClient, EventStatus, EventTimeline, MatrixScheduler, PendingEventOrdering, SyncState } from "matrix-js-sdk";
import { Wire } from "./wire.mjs";

const POLL_MS = 20;
const RETRY_MS = 200;
/** Generous: a busy machine is many times slower than a free one, and nobody waits who need not. */
const WAIT_MS = 60_000;
const PAGE = 50;
const MAX_PAGES = 100;

/** Polls until `probe` returns something truthy, and returns that. */
export async function until(what, probe, limit = WAIT_MS) {
  const deadline = Date.now() + limit;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited ${limit / 1000} s in vain until ${what}`);
    await pause(POLL_MS);
  }
}

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Asserts that the request is refused with this status and one of these errcodes. */
export async function refused(promise, status, ...errcodes) {
  const error = await promise.then(
    (value) => assert.fail(`expected ${status} ${errcodes}, but the request succeeded with ${JSON.stringify(value)}`),
    (refusal) => refusal,
  );
  const told = `${error.httpStatus} ${error.errcode}: ${error.message}`;
  assert.ok(error.httpStatus === status && errcodes.includes(error.errcode), `expected ${status} ${errcodes}, got ${told}`);
}

export class Person {
  /** What the SDK asks for while it encrypts; empty for those who do not. */
  secrets = {};

  /** Logs in by password with the credentials `{ user, password }`; the device is named after `label`. */
  static async logIn(url, { user, password }, label) {
    const wire = new Wire(label);
    const door = createClient({ baseUrl: url, fetchFn: wire.fetch });
    const session = await door.loginRequest({
      type: "m.login.password",
      identifier: { type: "m.id.user", user },
      password,
      initial_device_display_name: label,
    });
    return new this(url, session, wire);
  }

  constructor(url, session, wire) {
    this.url = url;
    this.session = session;
    this.wire = wire;
    this.id = session.user_id;
    this.sdk = createClient({
      baseUrl: url,
      fetchFn: wire.fetch,
      userId: session.user_id,
      deviceId: session.device_id,
      accessToken: session.access_token,
      cryptoCallbacks: this.secrets,
      timelineSupport: true,
      scheduler: new MatrixScheduler(undefined, () => null), // no queue: each message is sent at once
    });
  }

  /** Starts to sync as Element Web does (the options may differ), and waits for the initial sync. */
  async start(options = {}) {
    await this.sdk.startClient({
      initialSyncLimit: 20,
      lazyLoadMembers: true,
      threadSupport: true,
      pendingEventOrdering: PendingEventOrdering.Detached,
      ...options,
    });
    await until("the initial sync is done", () => this.sdk.isInitialSyncComplete());
  }

  stop() {
    this.sdk.stopClient();
  }

  room(roomId) {
    return this.sdk.getRoom(roomId);
  }

  isSyncing() {
    return this.sdk.getSyncState() === SyncState.Syncing;
  }

  sees(what, probe, limit) {
    return until(`${this.wire.name} sees ${what}`, probe, limit);
  }

  /** Waits until this person's own membership in the room is as given. */
  seesOwnMembership(roomId, membership) {
    return this.sees(`the own membership "${membership}"`, () => this.room(roomId)?.getMyMembership() === membership);
  }

  /** Waits until another member's membership is as given, and returns the member. */
  async seesMembership(roomId, userId, membership) {
    return this.sees(`${userId} as "${membership}"`, () => {
      const member = this.room(roomId)?.getMember(userId);
      return member?.membership === membership && member;
    });
  }

  /** Waits for an event in the room, in the main timeline or a thread. */
  seesEvent(roomId, eventId) {
    return this.sees(`the event ${eventId}`, () => this.room(roomId)?.findEventById(eventId));
  }

  /** Sends a text (options: `threadId`, more content) and returns the event id. */
  async say(roomId, body, { threadId = null, ...content } = {}) {
    const sent = await this.sdk.sendMessage(roomId, threadId, { msgtype: "m.text", body, ...content });
    return sent.event_id;
  }

  /** The events which the server has not acknowledged yet. (Those acknowledged may still wait for their echo.) */
  unsent(roomId) {
    return this.room(roomId).getPendingEvents().filter((event) => event.status !== EventStatus.SENT);
  }

  /** Sends again, with its old transaction id, whatever could not be sent; until nothing is left. */
  async retryUnsent(roomId, limit) {
    await this.sees("everything acknowledged", async () => {
      await this.resendFailed(roomId);
      return this.unsent(roomId).length === 0 || pause(RETRY_MS);
    }, limit);
  }

  /** Tries once more to send what failed, all at the same time and each with its old transaction id. */
  async resendFailed(roomId) {
    const failed = this.unsent(roomId).filter((event) => event.status === EventStatus.NOT_SENT);
    await Promise.allSettled(failed.map((event) => this.sdk.resendEvent(event, this.room(roomId))));
  }

  /** Gives up what could not be sent, so that it does not block later messages. */
  cancelUnsent(roomId) {
    for (const event of this.unsent(roomId)) this.sdk.cancelPendingEvent(event);
  }

  /**
   * The room's main timeline, oldest first, from the event `since` on (from the beginning without it).
   * Where sync left a gap it is closed as a client closes it: by paginating.
   */
  async history(roomId, since) {
    let exhausted;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const timelines = chain(this.room(roomId).getLiveTimeline());
      const events = timelines.flatMap((timeline) => timeline.getEvents());
      const start = since ? events.findIndex((event) => event.getId() === since) : -1;
      if (start >= 0) return events.slice(start);
      if (timelines[0] === exhausted && !since) return events;
      if (timelines[0] === exhausted) break;
      const more = await this.sdk.paginateEventTimeline(timelines[0], { backwards: true, limit: PAGE });
      if (!more) exhausted = timelines[0];
    }
    throw new Error(`${this.wire.name} cannot paginate back to ${since ?? "the beginning"} in ${MAX_PAGES} pages`);
  }

  /** A request with this session that bypasses the SDK. Returns the response. */
  get(pathOrUrl, { authenticated = true } = {}) {
    const headers = authenticated ? { Authorization: `Bearer ${this.session.access_token}` } : {};
    return this.wire.fetchAside(new URL(pathOrUrl, this.url).href, { headers });
  }
}

/** The live timeline and those that are linked to it before it, oldest first. */
function chain(live) {
  const timelines = [];
  for (let one = live; one; one = one.getNeighbouringTimeline(EventTimeline.BACKWARDS)) timelines.unshift(one);
  return timelines;
}
