// The page in which a browser plays the story of encryption. `browser.mjs` bundles it, and calls `tell`.

import "./quiet.mjs";
import { story } from "../chapters/encrypted/story.mjs";
import { SecretivePerson } from "./secretive.mjs";
import { play } from "./story.mjs";

const clients = { a: SecretivePerson, b: SecretivePerson };

/** `restartServer` is a function of the process that drives the browser. */
globalThis.tell = (given) => play(story, { ...given, clients, restartServer: globalThis.restartServer });
