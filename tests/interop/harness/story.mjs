// Plays the chapters of a story with real clients against a running server, and counts. It plays in Node and in a
// browser, and knows neither: what differs is handed in.

import { Report } from "./report.mjs";

/**
 * Plays `chapters`. A failure in one of the `required` ends the story, and so does the limit of time (milliseconds).
 * `given` is what `readArguments` returns, `restartServer`, which returns once the server has restarted, and in the
 * story of encryption `clients`: with what A and B `arrive`.
 * Returns whether everything passed.
 */
export async function play({ chapters, required, timeLimit }, given) {
  const people = [];
  const world = {
    ...given,
    tag: `t${Date.now().toString(36)}`,
    people,
    meet(person) {
      people.push(person);
      return person;
    },
  };
  const report = new Report((since) => people.flatMap((person) => person.wire.evidence(since)));
  const began = Date.now();
  await Promise.race([playAll(report, world, chapters, required), late(report, timeLimit)]);
  console.log(`# ${((Date.now() - began) / 1000).toFixed(1)} s`);
  for (const person of people) person.stop();
  console.log(report.summary());
  return report.failed === 0 && report.passed > 0;
}

async function playAll(report, world, chapters, required) {
  for (const chapter of chapters) {
    const complete = await report.chapter(chapter.name, () => chapter(report, world));
    if (!complete && required.includes(chapter.name)) break;
  }
}

async function late(report, timeLimit) {
  await new Promise((resolve) => setTimeout(resolve, timeLimit));
  report.failed += 1;
  console.log(`not ok - the whole story takes less than ${timeLimit / 1000} s`);
}
