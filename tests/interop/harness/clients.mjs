// Which clients the people of a story use, in Node.

import { RustPerson } from "./rust.mjs";
import { SecretivePerson } from "./secretive.mjs";

/**
 * With sliding sync matrix-sdk sends what its crypto wants sent when the poll for encryption begins anew, also where a
 * message in a room is the reason: a comparison of emoji would take as many polls as it has steps.
 */
const LONGEST_POLL_MS = 1_000;

/** A client of matrix-sdk where `programs` has its path (with `windows`, by sliding sync), else one of matrix-js-sdk. */
export function clientsOf(programs) {
  return { a: client(programs.a, programs.windows), b: client(programs.b, programs.windows) };
}

function client(program, windows) {
  if (!program) return SecretivePerson;
  const how = windows ? { windows, longestPollMs: LONGEST_POLL_MS } : {};
  return { arrive: (url, account, label) => RustPerson.arrive(program, url, account, label, how) };
}
