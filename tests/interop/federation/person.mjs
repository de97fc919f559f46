// A person with one device on one of the servers: what they do, in the words of the client-server API.

import { randomBytes } from "node:crypto";
import { path, request, until } from "./api.mjs";
import { News } from "./news.mjs";

const PASSWORD = "a passphrase for a test";
const PAGE = 100;
const MAX_PAGES = 200;

/** How often a request is tried whose server may be away, and the pause between. */
const TRIES = 300;
const BETWEEN_TRIES_MS = 200;

export class Person {
  /** Makes an account where registration is open, and follows what happens. */
  static async register(side, name) {
    const body = { username: name, password: PASSWORD, initial_device_display_name: `${name}'s device` };
    const ask = (auth) => request(side.url, "POST", path`v3/register`, { body: { ...body, ...auth } });
    const session = await ask({}).catch((refusal) => {
      if (refusal.status !== 401) throw refusal;
      return ask({ auth: { type: "m.login.dummy", session: refusal.body.session } });
    });
    const person = new Person(side, name, session);
    await person.news.start();
    return person;
  }

  #transactions = 0;

  constructor(side, name, session) {
    this.side = side;
    this.name = name;
    this.id = session.user_id;
    this.device = session.device_id;
    this.token = session.access_token;
    this.news = new News(side.url, this.token);
  }

  /** How this person logs in, as NAME:PASSWORD. */
  credentials() {
    return `${this.name}:${PASSWORD}`;
  }

  unfollow() {
    this.news.stop();
  }

  /** Another device of this person. */
  async logIn(name) {
    const body = {
      type: "m.login.password",
      identifier: { type: "m.id.user", user: this.id },
      password: PASSWORD,
      initial_device_display_name: name,
    };
    const session = await request(this.side.url, "POST", path`v3/login`, { body });
    const twin = new Person(this.side, this.name, session);
    this.side.people.push(twin);
    await twin.news.start();
    return twin;
  }

  /** For requests that want the password once more. */
  passwordAuth(session) {
    const identifier = { type: "m.id.user", user: this.id };
    return { type: "m.login.password", identifier, password: PASSWORD, session };
  }

  // ---- requests

  get(where, query, options) {
    return this.#ask("GET", where, { query, ...options });
  }

  post(where, body = {}, query) {
    return this.#ask("POST", where, { body, query });
  }

  put(where, body = {}, query) {
    return this.#ask("PUT", where, { body, query });
  }

  delete(where, body) {
    return this.#ask("DELETE", where, { body });
  }

  #ask(method, where, options) {
    return request(this.side.url, method, where, { token: this.token, ...options });
  }

  transaction() {
    this.#transactions += 1;
    return `t${this.#transactions}-${randomBytes(4).toString("hex")}`;
  }

  // ---- rooms

  async createRoom(content) {
    return (await this.post(path`v3/createRoom`, content)).room_id;
  }

  invite(room, person, reason) {
    return this.post(path`v3/rooms/${room}/invite`, { user_id: person.id, reason });
  }

  /** Joins by id or alias; `via` are the sides that know the room. */
  join(room, ...via) {
    const names = via.map((side) => side.name);
    return this.post(path`v3/join/${room}`, {}, { via: names, server_name: names });
  }

  knock(room, reason, ...via) {
    const names = via.map((side) => side.name);
    return this.post(path`v3/knock/${room}`, { reason }, { via: names, server_name: names });
  }

  leave(room, reason) {
    return this.post(path`v3/rooms/${room}/leave`, { reason });
  }

  kick(room, person, reason) {
    return this.post(path`v3/rooms/${room}/kick`, { user_id: person.id, reason });
  }

  ban(room, person, reason) {
    return this.post(path`v3/rooms/${room}/ban`, { user_id: person.id, reason });
  }

  unban(room, person) {
    return this.post(path`v3/rooms/${room}/unban`, { user_id: person.id });
  }

  // ---- events

  async send(room, type, content, transaction = this.transaction()) {
    return (await this.put(path`v3/rooms/${room}/send/${type}/${transaction}`, content)).event_id;
  }

  say(room, text, transaction) {
    return this.send(room, "m.room.message", { msgtype: "m.text", body: text }, transaction);
  }

  /** Says it in the end, also if the server is away meanwhile: the same transaction again and again. */
  async sayAtLast(room, text) {
    const transaction = this.transaction();
    for (let left = TRIES; ; left -= 1) {
      try {
        return await this.say(room, text, transaction);
      } catch (error) {
        if (error.status || left === 0) throw error;
        await new Promise((resolve) => setTimeout(resolve, BETWEEN_TRIES_MS));
      }
    }
  }

  async setState(room, type, content, stateKey = "") {
    return (await this.put(path`v3/rooms/${room}/state/${type}/${stateKey}`, content)).event_id;
  }

  async redact(room, event, reason) {
    return (await this.put(path`v3/rooms/${room}/redact/${event}/${this.transaction()}`, { reason })).event_id;
  }

  // ---- what the server answers

  event(room, event) {
    return this.get(path`v3/rooms/${room}/event/${event}`);
  }

  state(room) {
    return this.get(path`v3/rooms/${room}/state`);
  }

  async stateContent(room, type, stateKey = "") {
    return this.get(path`v3/rooms/${room}/state/${type}/${stateKey}`);
  }

  async members(room) {
    return (await this.get(path`v3/rooms/${room}/joined_members`)).joined;
  }

  /** The whole history, oldest first, page by page to the beginning. */
  async history(room) {
    const events = [];
    let from;
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const { chunk, end } = await this.get(path`v3/rooms/${room}/messages`, { dir: "b", limit: PAGE, from });
      events.push(...chunk);
      if (!end || end === from) return events.reverse();
      from = end;
    }
    throw new Error(`the history of ${room} has no end`);
  }

  // ---- what sync told

  /** Waits until sync brings this event. */
  sees(room, event, limit) {
    const find = () => this.news.timeline(room).find((seen) => seen.event_id === event);
    return until(`${this.id} sees ${event}`, find, { limit });
  }

  seesMembership(room, person, membership, limit) {
    const find = () => {
      const event = this.news.state(room, "m.room.member", person.id);
      return event?.content.membership === membership ? event : undefined;
    };
    return until(`${this.id} sees that ${person.id} is at "${membership}"`, find, { limit });
  }

  seesInvite(room, limit) {
    return until(`${this.id} sees the invite`, () => this.news.invites.get(room), { limit });
  }

  /** Waits until sync tells that this person is out of the room. */
  seesOwnLeave(room, limit) {
    const out = () => this.news.left.get(room) ?? this.news.left.has(room);
    return until(`${this.id} sees that the room is left`, out, { limit });
  }
}
