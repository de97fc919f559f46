// Which clients the people of a story use, in Node.

import { RustPerson } from "./rust.mjs";
import { SecretivePerson } from "./secretive.mjs";

/** A client of matrix-sdk where `programs` has its path, else one of matrix-js-sdk. */
export function clientsOf(programs) {
  return { a: client(programs.a), b: client(programs.b) };
}

function client(program) {
  if (!program) return SecretivePerson;
  return { arrive: (url, account, label) => RustPerson.arrive(program, url, account, label) };
}
