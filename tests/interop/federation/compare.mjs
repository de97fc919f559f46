// Whether two servers hold the same room: its state event by event, and its messages.

import assert from "node:assert/strict";
import { until } from "./api.mjs";

const SETTLE_MS = 120_000;
const LOOK_EVERY_MS = 500;
const SHOWN = 6;

/**
 * Waits until both people's servers return the same state of the room, and the same history.
 * `except(event)` leaves events of the history out that the two may rightly see differently.
 */
export async function sameRoom(left, right, room, { limit = SETTLE_MS, except = () => false, history = true } = {}) {
  const compare = async () => {
    const differing = await differences(left, right, room, { except, history });
    assert.ok(differing.length === 0, differing.slice(0, SHOWN).join("; "));
    return true;
  };
  await until(`${left.id} and ${right.id} have the same room ${room}`, compare, { limit, every: LOOK_EVERY_MS });
}

async function differences(left, right, room, { except, history }) {
  const both = [left, right];
  const states = await Promise.all(both.map(async (person) => byKey(await person.state(room), slot)));
  const found = compareMaps("state", ...states);
  const members = await Promise.all(both.map(async (person) => Object.keys(await person.members(room)).sort()));
  if (members[0].join() !== members[1].join()) found.push(`joined members: ${members[0]} | ${members[1]}`);
  if (found.length > 0 || !history) return found;
  const histories = await Promise.all(both.map((person) => person.history(room)));
  const compared = histories.map((events) => events.filter((event) => !except(event)));
  for (const [index, events] of compared.entries()) {
    const repeated = events.length - new Set(events.map((event) => event.event_id)).size;
    if (repeated > 0) found.push(`${both[index].id} has ${repeated} events twice`);
  }
  found.push(...compareMaps("history", ...compared.map((events) => byKey(events, (event) => event.event_id))));
  if (found.length === 0) found.push(...orders(...compared));
  return found;
}

/** What one person sent is in the same order everywhere. */
function orders(left, right) {
  const bySender = (events) => {
    const senders = new Map();
    for (const { sender, event_id: id } of events) senders.set(sender, [...(senders.get(sender) ?? []), id]);
    return senders;
  };
  const theirs = bySender(right);
  return [...bySender(left)]
    .filter(([sender, events]) => events.join() !== theirs.get(sender)?.join())
    .map(([sender, events]) => {
      const at = events.findIndex((id, index) => id !== theirs.get(sender)[index]);
      return `history: events of ${sender} in another order from ${events[at]} on, ${at} of ${events.length}`;
    });
}

const slot = (event) => `${event.type}|${event.state_key}`;

const byKey = (events, key) => new Map(events.map((event) => [key(event), event]));

function compareMaps(what, left, right) {
  const found = [];
  for (const key of new Set([...left.keys(), ...right.keys()])) {
    const [one, other] = [left, right].map((events) => events.has(key) && essence(events.get(key)));
    if (one !== other) found.push(`${what} ${key}: ${one || "absent"} | ${other || "absent"}`);
  }
  return found;
}

/** What must be the same on all servers. */
function essence(event) {
  const { event_id: id, type, state_key: stateKey, sender, origin_server_ts: time, content } = event;
  const redaction = event.unsigned?.redacted_because?.event_id;
  return JSON.stringify(sorted({ id, type, stateKey, sender, time, content, redaction }));
}

function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}
