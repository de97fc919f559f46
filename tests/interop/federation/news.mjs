// What a client has learnt by syncing: rooms, invites, ephemeral things, devices. It forgets nothing.

import { request, path, pause } from "./api.mjs";

const LONG_POLL_MS = 10_000;
const RETRY_MS = 200;

const FILTER = JSON.stringify({ room: { timeline: { limit: 100 } } });

export class News {
  /** Timeline events in the order of their arrival, by room. */
  timelines = new Map();
  /** Current state by room: of each type and state key the newest event. */
  states = new Map();
  invites = new Map();
  knocks = new Map();
  left = new Map();
  typing = new Map();
  receipts = [];
  presence = new Map();
  toDevice = [];
  devicesChanged = [];
  devicesLeft = [];
  unread = new Map();
  /** How often sync failed. */
  failures = 0;

  #url;
  #token;
  #since;
  #stopped = false;

  constructor(url, token) {
    this.#url = url;
    this.#token = token;
  }

  /** Syncs once, then goes on in the background until `stop`. */
  async start() {
    await this.#sync(0);
    this.#follow();
  }

  stop() {
    this.#stopped = true;
  }

  timeline(roomId) {
    return this.timelines.get(roomId) ?? [];
  }

  /** The current state event, if there is one. */
  state(roomId, type, stateKey = "") {
    return this.states.get(roomId)?.get(`${type}|${stateKey}`);
  }

  async #follow() {
    while (!this.#stopped) {
      await this.#sync(LONG_POLL_MS).catch(async () => {
        this.failures += 1;
        await pause(RETRY_MS);
      });
    }
  }

  async #sync(timeout) {
    const query = { timeout, filter: FILTER, set_presence: "offline", since: this.#since };
    const limit = timeout + 30_000;
    const answer = await request(this.#url, "GET", path`v3/sync`, { token: this.#token, query, limit });
    this.#learn(answer);
    this.#since = answer.next_batch;
  }

  #learn({ rooms = {}, presence, to_device: toDevice, device_lists: devices }) {
    for (const [id, room] of Object.entries(rooms.join ?? {})) this.#learnRoom(id, room);
    for (const [id, room] of Object.entries(rooms.leave ?? {})) {
      this.#learnRoom(id, room);
      this.left.set(id, room);
      this.invites.delete(id);
      this.knocks.delete(id);
    }
    for (const [id, room] of Object.entries(rooms.invite ?? {})) this.invites.set(id, room.invite_state.events);
    for (const [id, room] of Object.entries(rooms.knock ?? {})) this.knocks.set(id, room.knock_state.events);
    for (const id of Object.keys(rooms.join ?? {})) {
      this.invites.delete(id);
      this.knocks.delete(id);
      this.left.delete(id);
    }
    for (const event of presence?.events ?? []) this.presence.set(event.sender, event.content);
    this.toDevice.push(...(toDevice?.events ?? []));
    this.devicesChanged.push(...(devices?.changed ?? []));
    this.devicesLeft.push(...(devices?.left ?? []));
  }

  #learnRoom(id, { state, timeline, ephemeral, unread_notifications: unread }) {
    const known = this.states.get(id) ?? new Map();
    this.states.set(id, known);
    const seen = this.timeline(id);
    this.timelines.set(id, seen);
    for (const event of [...(state?.events ?? []), ...(timeline?.events ?? [])]) {
      if (event.state_key !== undefined) known.set(`${event.type}|${event.state_key}`, event);
    }
    seen.push(...(timeline?.events ?? []));
    if (unread) this.unread.set(id, unread);
    for (const event of ephemeral?.events ?? []) {
      if (event.type === "m.typing") this.typing.set(id, event.content.user_ids);
      if (event.type === "m.receipt") this.receipts.push({ roomId: id, content: event.content });
    }
  }
}
