// The client-server API over plain HTTP: requests, refusals, and waiting.

import assert from "node:assert/strict";

const REQUEST_LIMIT_MS = 90_000;
/** Generous: a busy machine is many times slower than a free one, and nobody waits who need not. */
const WAIT_MS = 90_000;
const POLL_MS = 50;

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A request that was answered with an error. */
export class Refusal extends Error {
  constructor(method, path, status, body) {
    super(`${method} ${path}: ${status} ${short(JSON.stringify(body))}`);
    this.status = status;
    this.errcode = body?.errcode;
    this.body = body;
  }
}

/** Asks a server and returns its JSON, or with `raw` the response. A status above 299 is a `Refusal`. */
export async function request(url, method, path, { token, body, query, headers = {}, raw = false, limit } = {}) {
  const address = new URL(url + path);
  for (const [key, value] of Object.entries(query ?? {})) {
    for (const one of [value].flat()) if (one !== undefined) address.searchParams.append(key, one);
  }
  const isJson = body !== undefined && !(body instanceof Uint8Array);
  const response = await fetch(address, {
    method,
    headers: {
      ...(token && { Authorization: `Bearer ${token}` }),
      ...(isJson && { "Content-Type": "application/json" }),
      ...headers,
    },
    body: isJson ? JSON.stringify(body) : body,
    signal: AbortSignal.timeout(limit ?? REQUEST_LIMIT_MS),
  }).catch((error) => {
    throw new Error(`${method} ${path}: ${error.cause?.code ?? error.cause?.message ?? error.message}`);
  });
  if (raw && response.ok) return response;
  const answer = await response.json().catch(() => undefined);
  if (!response.ok) throw new Refusal(method, path, response.status, answer);
  return answer;
}

/** A path of the client-server API in which `parts` are encoded. */
export const path = (strings, ...parts) =>
  `/_matrix/client/${String.raw({ raw: strings }, ...parts.map(encodeURIComponent))}`;

/** What is being waited for just now, and what was missing when it was last looked for. */
const waiting = new Set();

/** A line for each wait that is under way: for whoever gives up before it does. */
export const waits = () => [...waiting].map(({ what, began, missing }) =>
  `waiting for ${((Date.now() - began) / 1000).toFixed(0)} s until ${what}${missing ? `: ${missing.message}` : ""}`);

/** Looks again and again until `look` returns something truthy, and returns that. Failed assertions count as not yet. */
export async function until(what, look, { limit = WAIT_MS, every = POLL_MS } = {}) {
  const wait = { what, began: Date.now(), missing: undefined };
  waiting.add(wait);
  try {
    for (;;) {
      try {
        const value = await look();
        if (value) return value;
        wait.missing = undefined;
      } catch (error) {
        wait.missing = error;
      }
      if (Date.now() > wait.began + limit) {
        const why = wait.missing ? `: ${wait.missing.message}` : "";
        throw new Error(`waited ${limit / 1000} s in vain until ${what}${why}`);
      }
      await pause(every);
    }
  } finally {
    waiting.delete(wait);
  }
}

/** Asserts that the request is refused with this status and, if given, one of these errcodes. */
export async function refused(promise, status, ...errcodes) {
  const refusal = await promise.then(
    (value) => assert.fail(`expected ${status} ${errcodes}, but it succeeded with ${JSON.stringify(value)}`),
    (error) => error,
  );
  const asExpected = refusal.status === status && (errcodes.length === 0 || errcodes.includes(refusal.errcode));
  assert.ok(asExpected, `expected ${status} ${errcodes}, got ${refusal.message}`);
}

const short = (text) => (text && text.length > 300 ? `${text.slice(0, 300)}...` : text);
