// A list of rooms that grows, rooms that are opened, and what happened while the phone was away.

import assert from "node:assert/strict";
import { Person } from "../harness/person.mjs";
import { RustPerson } from "../harness/rust.mjs";

/** More than the two first steps of the list, which are 20 and 100. */
const ROOMS = 130;
const CHANGED = 100;
const CREATE_LIMIT_MS = 180_000;

export async function windows(report, world) {
  const rooms = [];
  let desk;
  let b;
  let phone;
  await report.must(`A has ${ROOMS} rooms, in one of which B is`, async () => {
    desk = world.meet(await Person.logIn(world.url, world.accounts.a, "client A at the desk"));
    b = world.meet(await Person.logIn(world.url, world.accounts.b, "client B"));
    for (let number = 0; number < ROOMS; number += 1) {
      const invite = number === 0 ? [b.id] : [];
      rooms.push((await desk.sdk.createRoom({ name: `Room ${number}`, invite })).room_id);
    }
    await b.sdk.joinRoom(rooms[0]);
  }, CREATE_LIMIT_MS);
  const shows = (room, text) => phone.sees(`"${text}"`, async () => (await phone.command("texts", { room })).includes(text));
  await report.must("the phone's list grows until it has all of them", async () => {
    phone = world.meet(await RustPerson.arrive(world.phone, world.url, world.accounts.a, "phone of A", true));
    await phone.sees("all rooms", async () => {
      const { server, client } = await phone.command("count_rooms");
      return server === ROOMS && client === ROOMS;
    });
  });
  await report.check("a room that is opened shows its timeline, and what is said there meanwhile", async () => {
    await b.say(rooms[0], "before it was opened");
    await shows(rooms[0], "before it was opened");
    await b.say(rooms[0], "while it was open");
    await shows(rooms[0], "while it was open");
  });
  await report.check("a room at the bottom of the list rises with a message", async () => {
    await desk.say(rooms[1], "up from below");
    await shows(rooms[1], "up from below");
  });
  await report.check("an invitation and a leaving are known", async () => {
    const { room_id: guests } = await b.sdk.createRoom({ name: "Guests", invite: [phone.id] });
    await phone.sees("one more room", async () => (await phone.command("count_rooms")).server === ROOMS + 1);
    await phone.joins(guests);
    await b.say(guests, "welcome");
    await shows(guests, "welcome");
    await desk.sdk.leave(guests);
    await phone.sees("one room less", async () => (await phone.command("count_rooms")).server === ROOMS);
  });
  await report.check("the server restarts, and the phone goes on by itself", async () => {
    await world.restartServer();
    await b.say(rooms[0], "after the restart");
    await shows(rooms[0], "after the restart");
    assert.ok(await phone.isSyncing());
  }, CREATE_LIMIT_MS);
  await report.check(`${CHANGED} rooms that changed while the phone was closed are up to date when it is opened`, async () => {
    for (let number = 0; number < CHANGED; number += 1) await desk.say(rooms[number], `news ${number}`);
    await phone.command("close_and_open");
    for (const number of [0, 50, CHANGED - 1]) await shows(rooms[number], `news ${number}`);
  }, CREATE_LIMIT_MS);
}
