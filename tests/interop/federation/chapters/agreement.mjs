// The end: whatever happened, both servers return the same rooms.

import { sameRoom } from "../compare.mjs";

const LIMIT_MS = 150_000;

/** Played once, over all the rooms that the chapters kept. */
export async function agreement(report, { kept }) {
  for (const { room, one, other, options, title } of kept) {
    await report.check(`the room of "${title}" is the same on both servers`, () =>
      sameRoom(one, other, room, options), LIMIT_MS);
  }
}
