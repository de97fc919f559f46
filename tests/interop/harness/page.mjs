// The page in which a browser plays the story of encryption. `browser.mjs` bundles it, and calls `tell`.

import "./quiet.mjs";
import { story } from "../chapters/encrypted/story.mjs";
import { SecretivePerson } from "./secretive.mjs";
import { play } from "./story.mjs";

const clients = { a: SecretivePerson, b: SecretivePerson };

/** `restartServer` and `killServer` are functions of the process that drives the browser. */
globalThis.tell = (given) => {
  const { restartServer, killServer } = globalThis;
  return play(story, { ...given, clients, restartServer, killServer });
};
