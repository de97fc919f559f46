// A phone whose owner is in a thousand rooms: a list that grows, rooms that are opened, and what happened while the phone
// was away. What the list must be is known from what was sent, not asked of the server.

import assert from "node:assert/strict";
import { Person } from "../harness/person.mjs";
import { RustPerson } from "../harness/rust.mjs";

const ROOMS = 1000;
/** How many rooms are made, and written to, at the same time. */
const AT_ONCE = 16;
const CHANGED = 100;
/** A poll waits for 30 seconds: what comes sooner has woken it. */
const WOKEN_MS = 20_000;
const LONG_MS = 300_000;
const DAY_MS = 86_400_000;

const SYNC = /\/org\.matrix\.simplified_msc3575\/sync$/;

export async function windows(report, world) {
  const rooms = [];
  const names = new Map();
  /** The rooms in the order that the list must have, newest first; and what is said last in each. */
  let order = [];
  const said = new Map();
  const rises = (room, text) => {
    order = [room, ...order.filter((one) => one !== room)];
    if (text) said.set(room, text);
  };
  let desk;
  let b;
  let phone;
  const says = async (room, text) => {
    await b.say(room, text);
    rises(room, text);
  };
  const writes = async (room, text) => {
    const path = `rooms/${encodeURIComponent(room)}/send/m.room.message/${encodeURIComponent(text)}`;
    await request(desk, "PUT", path, { msgtype: "m.text", body: text });
    rises(room, text);
  };
  const rows = (shown) => phone.command("rows", { shown });
  const shows = (room, text) => phone.sees(`"${text}"`, async () => (await phone.command("texts", { room })).includes(text));
  /** Waits until the list has these rooms in this order, the newest messages told if `texts`. */
  const seesList = async ({ texts = true } = {}) => {
    let seen = [];
    const same = async () => {
      seen = await rows();
      return seen.length === order.length && seen.every((row, at) =>
        row.room === order[at] && row.name === names.get(row.room) && (!texts || row.latest === said.get(row.room)));
    };
    await phone.sees("the right list", same, LONG_MS / 3).catch((error) => {
      const wrong = seen.findIndex((row, at) => row.room !== order[at] || row.name !== names.get(row.room)
        || (texts && row.latest !== said.get(row.room)));
      const wanted = { room: order[wrong], name: names.get(order[wrong]), latest: said.get(order[wrong]) };
      throw new Error(`${error.message}: ${seen.length} rows of ${order.length}; row ${wrong} is `
        + `${JSON.stringify(seen[wrong])} and shall be ${JSON.stringify(wanted)}`);
    });
  };

  await report.must(`A has ${ROOMS} rooms, each with a message, in one of which B is`, async () => {
    desk = await Person.logIn(world.url, world.accounts.a, "client A at the desk");
    b = world.meet(await Person.logIn(world.url, world.accounts.b, "client B"));
    const numbers = [...Array(ROOMS).keys()];
    await together(numbers, async (number) => {
      const made = await request(desk, "POST", "createRoom", { name: `Room ${number}`, invite: number === 0 ? [b.id] : [] });
      rooms[number] = made.room_id;
      names.set(made.room_id, `Room ${number}`);
    });
    await b.sdk.joinRoom(rooms[0]);
    for (const number of numbers) {
      const room = rooms[(number * 7) % ROOMS]; // all of them, in another order than they were made
      await writes(room, `first words in ${names.get(room)}`);
    }
    world.meet(desk);
  }, LONG_MS);
  await report.must("the phone's list grows until it has all of them, with their names and in their order", async () => {
    phone = world.meet(await RustPerson.arrive(world.phone, world.url, world.accounts.a, "phone of A", { windows: true }));
    await phone.sees("all rooms", async () => {
      const { server, client } = await phone.command("count_rooms");
      return server === ROOMS && client === ROOMS;
    }, LONG_MS / 3);
    await seesList({ texts: false });
    const asked = lists(phone).map(({ request: sent }) => sent.lists.all_rooms.ranges);
    assert.deepEqual(asked[0], [[0, 19]], "the first window");
    const last = asked.map((ranges) => ranges.at(-1)[1]);
    assert.ok(last.every((end, at) => at === 0 || end >= last[at - 1]) && last.at(-1) >= ROOMS - 1, `windows that grow: ${last}`);
    const told = lists(phone)[0].answer;
    assert.deepEqual(new Set(Object.keys(told.rooms)), new Set(order.slice(0, 20)), "the rooms of the first window");
    assert.equal(told.lists.all_rooms.count, ROOMS);
  }, LONG_MS);
  await report.check("the newest message of every room is known", async () => {
    await phone.command("watch", { rooms });
    await seesList();
  }, LONG_MS);
  await report.check("rooms at the bottom of the list rise with a message", async () => {
    for (const room of order.slice(-3)) await writes(room, `up from below ${names.get(room)}`);
    await seesList();
  }, LONG_MS);
  await report.check("a room that is opened shows its timeline, and what is said there meanwhile", async () => {
    await says(rooms[0], "before it was opened");
    await shows(rooms[0], "before it was opened");
    await says(rooms[0], "while it was open");
    await shows(rooms[0], "while it was open");
    await seesList();
  }, LONG_MS);
  await report.check("the list can be filtered: by name, by favourites, by what is unread", async () => {
    const found = async (shown) => (await rows(shown)).map((row) => row.name);
    assert.deepEqual(await found({ named: "Room 997" }), ["Room 997"]);
    await request(desk, "PUT", `user/${encodeURIComponent(desk.id)}/rooms/${encodeURIComponent(rooms[7])}/tags/m.favourite`, {});
    await phone.sees("the favourite", async () => (await found("favourites")).join() === "Room 7");
    await phone.sees("what is unread", async () => (await found("unread")).join() === "Room 0");
    await phone.sees("how much is unread", async () => (await rows("unread"))[0]?.unread > 0);
    await says(rooms[0], "read this");
    const { event_id: read } = await newestEvent(desk, rooms[0]);
    await request(desk, "POST", `rooms/${encodeURIComponent(rooms[0])}/receipt/m.read/${encodeURIComponent(read)}`, {});
    await phone.sees("that nothing is unread", async () => (await found("unread")).length === 0);
  });
  await report.check("an invitation and a leaving are known", async () => {
    const { room_id: guests } = await b.sdk.createRoom({ name: "Guests", invite: [phone.id] });
    await phone.sees("one more room", async () => (await phone.command("count_rooms")).server === ROOMS + 1);
    await phone.sees("the invitation", async () => (await rows("invitations")).map((row) => row.name).join() === "Guests");
    await phone.joins(guests);
    await b.say(guests, "welcome");
    await shows(guests, "welcome");
    assert.deepEqual(await rows("invitations"), []);
    await request(desk, "POST", `rooms/${encodeURIComponent(guests)}/leave`, {});
    await phone.sees("one room less", async () => (await phone.command("count_rooms")).server === ROOMS);
    await seesList();
  });
  await report.check("that a room is encrypted, and called otherwise, is shown", async () => {
    const of = async (room) => (await rows()).find((row) => row.room === room);
    assert.equal((await of(rooms[9])).encrypted, false);
    await request(desk, "PUT", `rooms/${encodeURIComponent(rooms[9])}/state/m.room.encryption/`, { algorithm: "m.megolm.v1.aes-sha2" });
    await request(desk, "PUT", `rooms/${encodeURIComponent(rooms[9])}/state/m.room.name/`, { name: "Secrets" });
    names.set(rooms[9], "Secrets");
    await phone.sees("the change", async () => (await of(rooms[9])).encrypted && (await of(rooms[9])).name === "Secrets");
    await seesList();
  });
  await report.check("a message to the device arrives while nothing else happens, at once", async () => {
    const device = phone.session.device_id;
    const sent = Date.now();
    await b.sdk.sendToDevice("org.example.ping", new Map([[phone.id, new Map([[device, { n: 1 }]])]]));
    await phone.sees("the message", async () => (await phone.command("to_device")).includes("org.example.ping"));
    assert.ok(Date.now() - sent < WOKEN_MS, `it took ${Date.now() - sent} ms`);
  });
  await report.check("the server is killed and starts while the phone waits; the phone begins anew and comes to the same list", async () => {
    const before = lists(phone).length;
    await world.killServer();
    await writes(rooms[500], "after the kill");
    await shows(rooms[500], "after the kill");
    await seesList();
    await phone.sees("that it syncs", () => phone.isSyncing());
    assert.ok(unknown(phone) > 0, "the position was refused");
    const anew = lists(phone).slice(before).find(({ query }) => !query.has("pos"));
    assert.deepEqual(anew?.request.lists.all_rooms.ranges, [[0, 19]], "it begins with a small window");
    await phone.sees("all rooms told anew", () => waitsWithAll(phone), LONG_MS / 3);
  }, LONG_MS);
  await report.check(`of ${CHANGED} rooms that changed while the phone was closed it is told when it is opened, and of no others`, async () => {
    await phone.command("close");
    const [before, refused] = [lists(phone).length, unknown(phone)];
    for (let number = 0; number < CHANGED; number += 1) {
      await writes(rooms[number * 3], `news ${number}`);
    }
    await phone.command("open_again");
    await seesList();
    assert.equal(unknown(phone), refused, "the position was good");
    const told = lists(phone).slice(before).flatMap(({ answer }) => Object.entries(answer.rooms ?? {}));
    const ours = new Set(order.slice(0, CHANGED));
    assert.deepEqual(new Set(told.map(([room]) => room)), ours, "the rooms that were told");
    assert.ok(told.every(([, room]) => !room.initial), "nothing was told anew");
    assert.equal((await phone.command("count_rooms")).server, ROOMS);
  }, LONG_MS);
  const days = "a position that was kept for days is good: of what changed meanwhile the phone is told, and of nothing else";
  if (!world.passDays) return report.skip(days, "the server's clock cannot be moved");
  return report.check(days, async () => {
    await phone.command("close");
    const [before, refused] = [lists(phone).length, unknown(phone)];
    const [first, last, said] = [order.at(-1), order.at(-2), Date.now()];
    await writes(first, "on the first day");
    await world.passDays();
    await writes(last, "days later");
    const event = (await newestEvent(desk, last)).origin_server_ts;
    assert.ok(event - said > DAY_MS, `the server's clock has moved by ${event - said} ms`);
    await phone.command("open_again");
    await seesList();
    assert.equal(unknown(phone), refused, "the position was good");
    const told = lists(phone).slice(before).flatMap(({ answer }) => Object.entries(answer.rooms ?? {}));
    assert.deepEqual(new Set(told.map(([room]) => room)), new Set([first, last]), "the rooms that were told");
    assert.ok(told.every(([, room]) => !room.initial), "nothing was told anew");
    assert.equal((await phone.command("count_rooms")).server, ROOMS);
    await writes(rooms[500], "and it goes on");
    await seesList();
  }, LONG_MS);
}

/** What went over the phone's wire to sliding sync, and was answered. */
function exchanges(phone) {
  return phone.wire.exchanges
    .filter(({ method, path, body }) => method === "POST" && SYNC.test(path) && body)
    .map(({ query, request: sent, body, status }) => ({ query, status, request: JSON.parse(sent), answer: body }));
}

/** The answers for the list of rooms. */
const lists = (phone) => exchanges(phone).filter(({ request: sent, status }) => sent.conn_id === "room-list" && status === 200);

/** Whether a poll for the list with all rooms waits. */
const waitsWithAll = (phone) => phone.wire.exchanges.some(({ path, query, request: sent, ended }) =>
  !ended && SYNC.test(path) && query.get("timeout") !== "0" && JSON.parse(sent).lists?.all_rooms?.ranges.at(-1)[1] >= ROOMS - 1);

const unknown = (phone) => exchanges(phone).filter(({ answer }) => answer.errcode === "M_UNKNOWN_POS").length;

/** The newest event of a room. */
async function newestEvent(person, room) {
  const page = await request(person, "GET", `rooms/${encodeURIComponent(room)}/messages?dir=b&limit=1`);
  return page.chunk[0];
}

/** A request without the SDK, which would keep each room. */
async function request(person, method, path, body) {
  const response = await person.wire.fetchAside(`${person.url}/_matrix/client/v3/${path}`, {
    method,
    headers: { Authorization: `Bearer ${person.session.access_token}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

/** Does it for all, some at the same time. */
async function together(all, work) {
  const waiting = [...all];
  const one = async () => {
    while (waiting.length > 0) await work(waiting.shift());
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}
