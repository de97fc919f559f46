// What the chapters use of Node's `node:assert/strict`, for a browser, which has none. Only plain data is compared.

class AssertionError extends Error {
  name = "AssertionError";
}

const text = (value) => JSON.stringify(value);

function fail(message) {
  throw new AssertionError(message);
}

function ok(value, message) {
  if (!value) fail(message ?? `${text(value)} is not true`);
}

function equal(found, expected, message) {
  if (!Object.is(found, expected)) fail(`${message ? `${message}: ` : ""}${text(found)} is not ${text(expected)}`);
}

function deepEqual(found, expected, message) {
  equal(text(sorted(found)), text(sorted(expected)), message);
}

/** The same data, with the keys of each object in order. */
function sorted(value) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

/** Asserts that the promise fails with an error that has these properties. */
async function rejects(promise, expected) {
  const error = await promise.then(() => fail("it did not fail"), (refusal) => refusal);
  if (error instanceof AssertionError) throw error;
  for (const [key, value] of Object.entries(expected)) equal(error[key], value, `${key} of ${error}`);
}

export default Object.assign(ok, { AssertionError, deepEqual, equal, fail, ok, rejects });
